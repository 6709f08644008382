"""What is wrong, how badly, and what to do about it: a pure reading of a snapshot.

Offline is a normal state: it is told, and becomes amber only when it lasts. Red is what the county sees, or soon will.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from appliance.core.errors import Text
from appliance.core.health import Alarm, Finding, NotReady, OnAir, Severity, Snapshot
from appliance.core.key_alarm import of_key
from appliance.core.live_alarms import of_live
from appliance.core.misfits import of_plans
from appliance.core.moment import US, to_text
from appliance.core.outputs import of_outputs
from appliance.core.storage import of_storage
from appliance.core.upkeep import of_upkeep

YEAR_2025_US: Final = 1_735_689_600 * US
"""Before this software was written: a clock that says so is wrong."""
_HOUR_S: Final = 3600


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Where normal ends. Defaults are those of a box on the air."""

    agent_silent_s: float = 60
    offline_amber_s: float = 24 * _HOUR_S
    ledger_red_s: float = 1 * _HOUR_S
    ledger_amber_s: float = 12 * _HOUR_S
    """The agent keeps it 24 hours long: half of that is time to come and look."""
    soon_s: float = 2 * _HOUR_S
    """What is at risk and airs within this is red."""
    missing_amber_s: float = 6 * _HOUR_S
    missing_red_s: float = 30 * 60
    """What is not ready of the next 24 hours is told three times over: at once, and when it airs within these."""
    day_planned_s: float = 6 * _HOUR_S
    """A day must have a plan so long before it begins."""
    clock_offset_ms: float = 1000
    web_down_s: float = 5
    """It is started again within a second or two."""
    view_late_s: float = 5 * 60
    """A hub that listens signs every minute, for ten: so late it is not the line."""
    temperature_c: float = 85
    memory_used_share: float = 0.95


def findings(seen: Snapshot, thresholds: Thresholds) -> tuple[Finding, ...]:
    """All that is wrong, the worst first."""
    found = [
        *_of_agent(seen, thresholds),
        *_of_clock(seen, thresholds),
        *of_storage(seen.storage),
        *_of_air(seen, thresholds),
        *of_outputs(seen.outputs, seen.now_us, {each.channel for each in seen.on_air if each.kind == "slate"}),
        *_of_web(seen, thresholds),
        *of_live(seen.live),
        *of_plans(seen.refused, seen.lost),
        *_of_coming(seen, thresholds),
        *_of_days(seen, thresholds),
        *_of_risk(seen, thresholds),
        *_of_link(seen, thresholds),
        *of_key(seen),
        *_of_sync(seen, thresholds),
        *_of_orders(seen),
        *_of_machine(seen, thresholds),
        *of_upkeep(seen.backup, seen.release, seen.now_us),
    ]
    return tuple(sorted(found, key=lambda finding: _RANK[finding.severity]))


def alarms(found: Iterable[Finding], before: Iterable[Alarm], now_us: int) -> tuple[Alarm, ...]:
    """The findings with the moment since when each holds: that of the same alarm before, else now."""
    since_us = {alarm.id: alarm.since_us for alarm in before}
    return tuple(
        Alarm(
            id=finding.id,
            severity=finding.severity,
            text=finding.text,
            hint=finding.hint,
            since_us=since_us.get(finding.id, now_us),
        )
        for finding in found
    )


_RANK: Final[dict[Severity, int]] = {"red": 0, "amber": 1, "info": 2}


def _of_agent(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    start = Text("请启动：songshan agent", "start it: songshan agent")
    if seen.link.state == "shut_out":
        # It stands still on purpose.
        return
    if seen.agent.state == "never":
        yield _red("agent", Text("agent 从未运行", "the agent has never run"), start)
    elif seen.agent.state == "silent" and seen.agent.at_us is not None:
        silent = _duration(seen.now_us - seen.agent.at_us)
        text = Text(
            f"agent 已 {silent.zh} 无响应；播出按播出账继续",
            f"the agent has been silent for {silent.en}; the air goes on from the ledger",
        )
        yield _red("agent", text, start)


def _of_clock(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    hint = Text("请检查时间服务：chronyc tracking", "check the time service: chronyc tracking")
    if seen.now_us < YEAR_2025_US:
        text = Text(f"时钟不对：{to_text(seen.now_us)}", f"the clock is wrong: {to_text(seen.now_us)}")
        yield _red("clock", text, hint)
        return
    offset_ms = seen.clock.hub_offset_ms
    if offset_ms is not None and abs(offset_ms) > thresholds.clock_offset_ms:
        text = Text(
            f"本机时钟与嵩山云相差 {offset_ms / 1000:.1f} 秒", f"the hub's clock differs by {offset_ms / 1000:.1f} s"
        )
        yield _amber("clock", text, hint)
    elif seen.clock.synchronised is False:
        yield _amber("clock", Text("时钟未与时间服务器同步", "the clock follows no time server"), hint)


def _of_web(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    since_us = seen.web.down_since_us
    if since_us is not None and seen.agent.state == "running" and seen.now_us - since_us > thresholds.web_down_s * US:
        yield _red(
            "web",
            Text(
                "网页服务没有运行：页面与网络直播中断，调制器输出不受影响",
                "the web server does not run: page and HLS are gone, outputs to modulators go on",
            ),
            Text("systemctl restart songshan-web，并看其日志", "systemctl restart songshan-web, and see its log"),
        )


def _of_air(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    for channel in seen.on_air:
        yield from _of_ledger(channel, seen.now_us, thresholds)
        if not channel.planned and channel.kind != "emergency":
            because = channel.reason or Text("没有节目单", "there is no schedule")
            yield _amber(
                f"filler:{channel.channel}",
                Text(
                    f"{channel.name} 正在播计划外垫片：{because.zh}",
                    f"{channel.channel} plays filler that was not planned: {because.en}",
                ),
                Text("请看备播：songshan readiness", "see songshan readiness"),
            )


def _of_ledger(channel: OnAir, now_us: int, thresholds: Thresholds) -> Iterator[Finding]:
    left_us = (channel.ledger_until_us or now_us) - now_us
    if left_us >= thresholds.ledger_amber_s * US:
        return
    left = _duration(max(0, left_us))
    text = Text(
        f"{channel.name} 的播出账只剩 {left.zh}，之后只播垫片",
        f"the air ledger of {channel.channel} ends in {left.en}; only the slate plays after it",
    )
    severity: Severity = "red" if left_us < thresholds.ledger_red_s * US else "amber"
    hint = Text("请检查 agent 与节目单", "check the agent and the schedule")
    yield Finding(id=f"ledger:{channel.channel}", severity=severity, text=text, hint=hint)


def _of_coming(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    """Three stages, each an alarm of its own, so that it is heard anew; an entry stands in the last that it reached."""
    missing = [entry for entry in seen.coming if entry.state != "ready_by"]
    stages = (
        ("readiness:30min", 0, thresholds.missing_red_s),
        ("readiness:6h", thresholds.missing_red_s, thresholds.missing_amber_s),
        ("readiness:24h", thresholds.missing_amber_s, None),
    )
    for identity, from_s, until_s in stages:
        entries = [each for each in missing if _begins_within(each.start_us - seen.now_us, from_s, until_s)]
        if entries:
            yield _missing(identity, entries, seen.now_us)


def _begins_within(ahead_us: int, from_s: float, until_s: float | None) -> bool:
    return (ahead_us >= from_s * US or from_s == 0) and (until_s is None or ahead_us < until_s * US)


def _missing(identity: str, entries: list[NotReady], now_us: int) -> Finding:
    soonest = min(entries, key=lambda entry: entry.start_us)
    because, todo = soonest.reason or Text("", ""), soonest.todo or _SEE_READINESS
    left = _duration(soonest.start_us - now_us)
    is_red = identity == "readiness:30min"
    more = _REPLACE_NOW if is_red else _SEE_READINESS
    return Finding(
        id=identity,
        severity="red" if is_red else "amber",
        text=Text(
            f"{len(entries)} 条节目备播不足，最早《{soonest.title}》{left.zh}后开播：{because.zh}",
            f"{len(entries)} entries will not be ready, first {soonest.title!r} in {left.en}: {because.en}",
        ),
        hint=Text(f"{todo.zh}；{more.zh}", f"{todo.en}; {more.en}") if todo != more else more,
    )


_SEE_READINESS: Final = Text("请看备播：songshan readiness", "see songshan readiness")
_REPLACE_NOW: Final = Text(
    "现在就改节目单，或备好应急插播：songshan air insert",
    "change the schedule now, or have an insertion at hand: songshan air insert",
)


def _of_days(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    """Tomorrow has no plan, or nothing is there to fill a gap with."""
    for channel in seen.on_air:
        left_us = channel.next_day_at_us - seen.now_us if channel.next_day_at_us is not None else None
        if left_us is not None and left_us < thresholds.day_planned_s * US and channel.next_day_plan in ("", "default"):
            left = _duration(max(0, left_us))
            instead = _INSTEAD["default" if channel.next_day_plan else ""]
            yield Finding(
                id=f"schedule:{channel.channel}",
                severity="red" if left_us < thresholds.missing_red_s * US else "amber",
                text=Text(
                    f"{channel.name} 没有 {channel.next_day} 的节目单，{left.zh}后开始，届时{instead.zh}",
                    f"{channel.channel} has no schedule for {channel.next_day}, in {left.en}; {instead.en} plays then",
                ),
                hint=Text(
                    "请编单人员发节目单：songshan-hub schedule",
                    "have whoever makes it send it: songshan-hub schedule",
                ),
            )
        if not channel.fillers_ready and channel.ledger_until_us is not None:
            yield _amber(
                f"fillers:{channel.channel}",
                Text(
                    f"{channel.name} 没有可播的垫片（{channel.fillers} 个都未就绪），空档只播内置垫片",
                    f"{channel.channel} has no filler that can air ({channel.fillers} not ready): gaps show the slate",
                ),
                Text(
                    "请嵩山云发垫片：songshan-hub publish --filler；已发的看 songshan readiness --asset",
                    "have fillers sent: songshan-hub publish --filler; for those that were, songshan readiness --asset",
                ),
            )


_INSTEAD: Final = {
    "default": Text("播默认节目", "the default programme"),
    "": Text("只播垫片", "filler alone"),
}


def _of_risk(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    """In time so far, and not if little more goes wrong: told while something can still be done."""
    at_risk = [entry for entry in seen.coming if entry.is_at_risk]
    if not at_risk:
        return
    soonest = min(at_risk, key=lambda entry: entry.start_us)
    left = _duration(soonest.start_us - seen.now_us)
    yield Finding(
        id="at-risk",
        severity="red" if soonest.start_us - seen.now_us < thresholds.soon_s * US else "amber",
        text=Text(
            f"{len(at_risk)} 条节目备播有风险，最早《{soonest.title}》，{left.zh}后开播",
            f"{len(at_risk)} entries may not be ready in time, first {soonest.title!r} in {left.en}",
        ),
        hint=Text(
            "让出线路、放宽 [[timetable]]，或请嵩山云用 U 盘送来；备好替换节目",
            "free the line, widen [[timetable]], or have it brought by disk; keep a replacement ready",
        ),
    )


def _of_link(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    link = seen.link
    if link.state == "shut_out":
        yield _red(
            "shut-out",
            Text(
                "本节点已被嵩山云吊销：不同步、不收盘、不再排播",
                "shut out by the hub: no line, no sticks, nothing new airs",
            ),
            Text(
                "如属误操作，请嵩山云 songshan-hub readmit，再插入新写的移动盘",
                "if by mistake: songshan-hub readmit at the hub, then a stick written after it",
            ),
        )
    elif link.state == "locked_out":
        yield _red(
            "link",
            Text("嵩山云不接受本站的密钥", "the hub does not accept this site's key"),
            Text("请联系嵩山云运维：songshan-hub approve", "ask the hub's operator to approve this site"),
        )
    elif link.state == "offline":
        away_us = seen.now_us - (link.since_us if link.since_us is not None else seen.now_us)
        away = _duration(away_us)
        yield Finding(
            id="link",
            severity="amber" if away_us > thresholds.offline_amber_s * US else "info",
            text=Text(f"与嵩山云断线 {away.zh}，本地照常运行", f"offline for {away.en}; everything local goes on"),
            hint=Text("无需操作；长时间断线请检查线路", "nothing to do; if it lasts, check the line"),
        )


def _of_sync(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    if seen.sync.parked_records:
        yield _amber(
            "parked",
            Text(
                f"{seen.sync.parked_records} 条记录无法执行，已搁置",
                f"{seen.sync.parked_records} records could not be applied and are parked",
            ),
            Text("请看 songshan doctor；可能需要升级", "see songshan doctor; an upgrade may be needed"),
        )
    if seen.sync.held_records:
        yield _amber(
            "held",
            Text(
                f"{seen.sync.held_records} 条撤稿暂缓，等嵩山云新的签名",
                f"{seen.sync.held_records} recalls are held until the hub signs anew",
            ),
            Text("联上嵩山云后自动执行；急需撤稿请电话核实", "done once the hub signs; if urgent, ring the hub"),
        )
    hubs = [stream for stream in seen.sync.streams if not stream.stream.endswith("/report")]
    due = [stream.next_by_us for stream in hubs if stream.next_by_us is not None]
    if due and seen.link.state == "connected" and min(due) + thresholds.view_late_s * US < seen.now_us:
        late = _duration(seen.now_us - min(due))
        yield _amber(
            "hub-view",
            Text(
                f"嵩山云在线，但它的签名已过期 {late.zh}；撤稿暂缓，播出不受影响",
                f"the hub is on the line, but its signature is {late.en} past its time; recalls wait, the air goes on",
            ),
            Text("请联系嵩山云运维", "tell the hub's operator"),
        )
    failed = seen.sync.down.failed + seen.sync.up.failed
    if failed:
        yield _amber(
            "transfers",
            Text(f"{failed} 个传输失败，稍后重试", f"{failed} transfers failed and will be tried again"),
            Text("请看 songshan status", "see songshan status"),
        )


def _of_orders(seen: Snapshot) -> Iterator[Finding]:
    waiting = [order for order in seen.orders if order.state == "new"]
    overdue = [order for order in waiting if order.due_us is not None and order.due_us < seen.now_us]
    if waiting:
        yield Finding(
            id="orders",
            severity="amber" if overdue else "info",
            text=Text(
                f"{len(waiting)} 条调度指令待答，{len(overdue)} 条已过期",
                f"{len(waiting)} orders wait for an answer, {len(overdue)} are overdue",
            ),
            hint=Text("songshan orders，songshan answer", "songshan orders, songshan answer"),
        )


def _of_machine(seen: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    machine = seen.machine
    if machine.temperature_c is not None and machine.temperature_c > thresholds.temperature_c:
        degrees = f"{machine.temperature_c:.0f} °C"
        yield _amber(
            "temperature",
            Text(f"机器温度 {degrees}", f"the machine is at {degrees}"),
            Text("请检查风扇和机房空调", "check fans and air conditioning"),
        )
    used, total = machine.memory_used_bytes, machine.memory_total_bytes
    if used is not None and total and used / total > thresholds.memory_used_share:
        yield _amber(
            "memory",
            Text(f"内存已用 {used / total:.0%}", f"{used / total:.0%} of the memory is in use"),
            Text("请重启占用最多的服务", "restart what uses the most"),
        )


def _red(identity: str, text: Text, hint: Text) -> Finding:
    return Finding(id=identity, severity="red", text=text, hint=hint)


def _amber(identity: str, text: Text, hint: Text) -> Finding:
    return Finding(id=identity, severity="amber", text=text, hint=hint)


def _duration(span_us: int) -> Text:
    """Two units at most: `3 天 4 小时`, `3 d 4 h`."""
    minutes = max(0, span_us) // (60 * US)
    if minutes < 60:
        return Text(f"{minutes} 分钟", f"{minutes} min")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return Text(f"{hours} 小时 {minutes} 分", f"{hours} h {minutes} min")
    days, hours = divmod(hours, 24)
    return Text(f"{days} 天 {hours} 小时", f"{days} d {hours} h")
