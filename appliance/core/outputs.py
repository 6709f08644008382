"""What is wrong with the outputs for modulators, and how they are, in words. Pure."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from appliance.core.errors import Text
from appliance.core.health import Finding, OutputFact, Severity
from appliance.core.moment import US

BLACK_US: Final = 6 * US
STILL_US: Final = 20 * US
"""A title may stand for some seconds. What stands longer is looked at by somebody."""
FAULT_SHOWN_US: Final = 60 * US
"""What the probe found stays an alarm for so long after it was found last."""
_SENDERS: Final = {"main": Text("主发", "the main sender"), "standby": Text("备发", "the standby")}
_STANDBY: Final = {
    "none": Text("无备发", "no standby"),
    "ready": Text("备发就绪", "standby ready"),
    "gone": Text("备发已停", "the standby is gone"),
}


def of_outputs(
    outputs: Sequence[OutputFact], now_us: int, still_meant: Collection[str] = frozenset()
) -> Iterator[Finding]:
    """All that is wrong. `still_meant`: channels on which a picture that stands is on the air, and told already."""
    for output in outputs:
        if output.sender is None:
            yield _finding(
                "output",
                "red",
                output,
                Text("没有向调制器发送", "nothing is sent to the modulator"),
                Text("systemctl restart songshan-playout@频道", "systemctl restart songshan-playout@CHANNEL"),
            )
        else:
            yield from _of_sender(output)
        yield from _of_probe(output, now_us)
        if output.channel not in still_meant:
            yield from _of_picture(output, now_us)


def line_of(output: OutputFact) -> Text:
    """One output in a line of the overview."""
    who = _SENDERS[output.sender] if output.sender else Text("无人发送", "nobody sends")
    standby = _STANDBY[output.standby]
    probe = Text("无探针", "no probe")
    if output.is_probed:
        errors, interval = output.continuity_errors or 0, output.pcr_interval_max_ms or 0.0
        probe = Text(
            f"探针：计数错误 {errors}，PCR 间隔 {interval:.0f} 毫秒",
            f"probe: {errors} continuity errors, PCR every {interval:.0f} ms at most",
        )
    return Text(
        f"输出 {output.name} {output.address}：{who.zh}，{standby.zh}，{probe.zh}",
        f"output {output.channel} {output.address}: {who.en}, {standby.en}, {probe.en}",
    )


def _of_sender(output: OutputFact) -> Iterator[Finding]:
    if output.network is not None:
        yield _finding(
            "output-network",
            "red",
            output,
            Text(f"发不出去：{output.network.zh}", f"what is sent does not go out: {output.network.en}"),
            Text("请检查网卡、网线与 udp_from", "check card, cable and udp_from"),
        )
    if output.note is not None:
        yield _finding(
            "output-slate",
            "amber",
            output,
            Text(f"以静帧垫片代替：{output.note.zh}", f"the slate stands in: {output.note.en}"),
            Text("请看 songshan doctor", "see songshan doctor"),
        )
    if output.late_pictures:
        yield _finding(
            "output-rate",
            "amber",
            output,
            Text(
                f"码率不够，丢弃 {output.late_pictures} 帧",
                f"the rate is too low: {output.late_pictures} frames left out",
            ),
            Text("请调高 udp_bits_per_s 与调制器码率", "raise udp_bits_per_s, and the modulator's rate"),
        )
    if output.standby == "gone":
        took_over = Text("主发已停，备发正在发送", "the main sender is gone, the standby sends")
        which = took_over if output.sender == "standby" else _STANDBY["gone"]
        yield _finding(
            "output-standby",
            "amber",
            output,
            which,
            Text("已无后备；请看两个服务的日志", "there is nothing behind it; see the logs of both services"),
        )


def _of_probe(output: OutputFact, now_us: int) -> Iterator[Finding]:
    hint = Text("请看调制器输入与 songshan status", "look at the modulator's input, and at songshan status")
    if output.probe_at_us is not None and not output.is_probed:
        yield _finding("probe", "amber", output, Text("探针已停", "the probe has stopped"), hint)
    elif output.fault is not None and now_us - (output.fault_at_us or 0) < FAULT_SHOWN_US:
        yield _finding(
            "probe",
            "red",
            output,
            Text(f"探针发现：{output.fault.zh}", f"the probe found: {output.fault.en}"),
            hint,
        )


def _of_picture(output: OutputFact, now_us: int) -> Iterator[Finding]:
    black_us, still_us = output.black_since_us, output.still_since_us
    if black_us is not None and now_us - black_us >= BLACK_US:
        what = Text("画面全黑", "the picture is black")
    elif still_us is not None and now_us - still_us >= STILL_US:
        what = Text("画面静止", "the picture stands still")
    else:
        return
    hint = Text(
        "请看监视器；是节目本身就不必处理，直播请查信号源，要换就插播：songshan air insert",
        "look at the monitor; where the programme is so, nothing; of a live entry look at its source, or break in",
    )
    yield _finding("picture", "amber", output, what, hint)


def _finding(what: str, severity: Severity, output: OutputFact, text: Text, hint: Text) -> Finding:
    named = Text(f"{output.name} 输出 {output.address}：{text.zh}", f"{output.channel} to {output.address}: {text.en}")
    return Finding(id=f"{what}:{output.channel}", severity=severity, text=named, hint=hint)
