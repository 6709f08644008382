"""Whether a new release may stay: five signals, each held against how the box was before. Pure.

    air     every channel is committed ahead as it was, its newest segment can be had, and who sent to a modulator
            still sends
    api     the web server answers /healthz
    tick    the agent was started anew, its loop turns, and it is the one of the look before
    disk    the disk of the media is there, and there is room
    clock   the time has not gone back

What was broken before is not held against the new release. The line to the hub is no signal: a box without one is well.
"""

from typing import Final, Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.health import Snapshot
from appliance.core.moment import US, to_text
from appliance.core.release import Baseline, Name, Signal

YEAR_2025_US: Final = 1_735_689_600 * US
AHEAD_US: Final = 10 * 60 * US
"""The ledger must reach so far, or as far as it did before."""
FREE_SHARE_MIN: Final = 0.5
"""So much must be left of what was free before, where that is less than the reserve."""
_DISK: Final = frozenset({"database", "raised:media-away", "raised:media-disk", "raised:room"})
_CLOCK: Final = frozenset({"raised:clock-behind"})

NAMES: Final[dict[Name, Text]] = {
    "air": Text("播出", "on air"),
    "api": Text("网站接口", "API"),
    "tick": Text("同步循环", "sync tick"),
    "disk": Text("磁盘", "disk"),
    "clock": Text("时钟", "clock"),
}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often is looked."""

    passes_min: int = 6
    """So many looks in a row must find all well."""
    pause_s: float = 5.0
    bound_s: float = 300.0
    """Within this, from the moment when the new release was started."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What the box's own web server said. `healthz`: its status, None for nothing; `served`: channels whose newest
    segment can be had."""

    healthz: int | None = None
    served: tuple[str, ...] = ()


def baseline(seen: Snapshot, said: Answers) -> Baseline:
    """How the box is now, for the look after."""
    return Baseline(
        channels=tuple(each.channel for each in seen.on_air if _is_ahead(each.ledger_until_us, seen.now_us)),
        senders=tuple(each.channel for each in seen.outputs if each.sender is not None),
        served=said.served,
        api=said.healthz == 200,
        free_bytes=seen.storage.free_bytes if seen.storage is not None else 0,
        alarms=tuple(alarm.id for alarm in seen.alarms),
        at_us=seen.now_us,
    )


def look(
    before: Baseline, seen: Snapshot, said: Answers, switched_us: int, agent_us: int | None = None
) -> tuple[Signal, ...]:
    """The five signals. `switched_us`: when the new release was started; `agent_us`: when the agent of the look
    before was, None at the first."""
    return (
        _air(before, seen, said),
        _api(before, said.healthz),
        _tick(seen, switched_us, agent_us),
        _disk(before, seen),
        _clock(before, seen, switched_us),
    )


def is_pass(signals: tuple[Signal, ...]) -> bool:
    """Whether nothing is worse than before."""
    return all(signal.good is not False for signal in signals)


def decide(passes: int, elapsed_s: float, policy: Policy) -> Literal["wait", "commit", "roll_back"]:
    """What to do after so many good looks in a row. A release that is not well within the bound goes."""
    if passes >= policy.passes_min:
        return "commit"
    return "roll_back" if elapsed_s >= policy.bound_s else "wait"


def why_not(signals: tuple[Signal, ...], policy: Policy) -> Text:
    """The words of a rollback: what was wrong at the last look."""
    bad = [signal for signal in signals if signal.good is False]
    minutes = f"{policy.bound_s / 60:g}"
    if not bad:
        return Text(
            f"{minutes} 分钟内未能连续 {policy.passes_min} 次检验通过",
            f"not {policy.passes_min} good looks in a row within {minutes} min",
        )
    return Text(
        "检验未通过：" + "；".join(f"{NAMES[each.name].zh}：{each.found.zh}" for each in bad),
        "the gate failed: " + "; ".join(f"{NAMES[each.name].en}: {each.found.en}" for each in bad),
    )


def _air(before: Baseline, seen: Snapshot, said: Answers) -> Signal:
    ahead = {each.channel for each in seen.on_air if _is_ahead(each.ledger_until_us, seen.now_us)}
    sending = {each.channel for each in seen.outputs if each.sender is not None}
    dry = [channel for channel in before.channels if channel not in ahead]
    silent = [channel for channel in before.senders if channel not in sending]
    gone = [channel for channel in before.served if channel not in said.served]
    if dry:
        names = ", ".join(dry)
        return _bad("air", Text(f"{names} 播出账不足", f"the ledger of {names} runs out"))
    if silent:
        names = ", ".join(silent)
        return _bad("air", Text(f"{names} 无人发送", f"nobody sends {names}"))
    if gone:
        names = ", ".join(gone)
        return _bad("air", Text(f"{names} 的片段取不到", f"no segment of {names} can be had"))
    if not before.channels and not before.senders:
        return _unjudged("air", Text("升级前也未排播", "nothing was committed before either"))
    count = len(before.channels)
    return _good("air", Text(f"{count} 个频道如常", f"{count} channels as before"))


def _api(before: Baseline, status: int | None) -> Signal:
    said = Text(f"/healthz {status}", f"/healthz {status}") if status is not None else Text("无应答", "no answer")
    if status == 200:
        return _good("api", said)
    return _bad("api", said) if before.api else _unjudged("api", Text("升级前也无应答", "no answer before either"))


def _tick(seen: Snapshot, switched_us: int, agent_us: int | None) -> Signal:
    agent = seen.agent
    if agent.state != "running" or agent.started_at_us is None or agent.at_us is None:
        return _bad("tick", Text("agent 没有运行", "the agent does not run"))
    if agent.started_at_us < switched_us or agent.at_us < switched_us:
        return _bad("tick", Text("agent 尚未以新版本运行", "the agent has not been started anew yet"))
    if agent_us is not None and agent.started_at_us != agent_us:
        # One that ends and is started again by systemd looks well each time.
        return _bad("tick", Text("agent 又重新启动了", "the agent was started once more"))
    return _good("tick", Text(f"进程 {agent.pid} 运转", f"process {agent.pid} turns"))


def _disk(before: Baseline, seen: Snapshot) -> Signal:
    disk = seen.storage
    if disk is None:
        return _bad("disk", Text("读不到磁盘", "the disk cannot be read"))
    new = sorted({alarm.id for alarm in seen.alarms} & _DISK - set(before.alarms))
    free = Text(f"剩余 {disk.free_bytes // 2**20} MiB", f"{disk.free_bytes // 2**20} MiB free")
    if new:
        alarm = next(alarm for alarm in seen.alarms if alarm.id == new[0])
        return _bad("disk", alarm.text)
    enough = disk.free_bytes >= min(disk.reserve_bytes, int(before.free_bytes * FREE_SHARE_MIN))
    return _good("disk", free) if enough else _bad("disk", free)


def _clock(before: Baseline, seen: Snapshot, switched_us: int) -> Signal:
    now = Text(to_text(seen.now_us), to_text(seen.now_us))
    behind = {alarm.id for alarm in seen.alarms} & _CLOCK - set(before.alarms)
    if before.at_us < YEAR_2025_US:
        return _unjudged("clock", Text("升级前时钟就不对", "the clock was wrong before"))
    return _bad("clock", now) if behind or seen.now_us < max(before.at_us, switched_us) else _good("clock", now)


def _is_ahead(until_us: int | None, now_us: int) -> bool:
    return until_us is not None and until_us >= now_us + AHEAD_US


def _good(name: Name, found: Text) -> Signal:
    return Signal(name=name, good=True, found=found)


def _bad(name: Name, found: Text) -> Signal:
    return Signal(name=name, good=False, found=found)


def _unjudged(name: Name, found: Text) -> Signal:
    return Signal(name=name, good=None, found=found)
