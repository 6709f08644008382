"""The overview in words: a snapshot as lines of text, the same facts as the screen's tiles. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appliance.core.errors import Text
from appliance.core.health import LIVE_STATES, Alarm, LiveFact, OnAir, Queue, Snapshot
from appliance.core.ledger import KIND_NAMES
from appliance.core.moment import US
from appliance.core.outputs import line_of
from appliance.core.release import WORDS
from appliance.core.upkeep import age_of

_LINK = {
    "alone": Text("独立运行", "stands alone"),
    "connecting": Text("连接中", "connecting"),
    "connected": Text("已连接", "connected"),
    "offline": Text("断线", "offline"),
    "locked_out": Text("被拒绝", "locked out"),
}
_AGENT = {
    "running": Text("运行中", "running"),
    "silent": Text("无响应", "silent"),
    "never": Text("从未运行", "has never run"),
}
_SEVERITY = {"red": Text("紧急", "RED"), "amber": Text("注意", "AMBER"), "info": Text("提示", "info")}
_PHASES = {"listening": Text("测响度", "listening"), "coding": Text("转换", "coding")}
_NOT_READY = {
    "late_by": Text("赶不上", "comes too late"),
    "cannot": Text("来不了", "cannot come"),
}
NOT_READY_SHOWN: Final = 20
"""Of entries that will be missing so many are named; the count stands before them."""
_GIB = 1024**3
_MIB = 1024**2


def lines(seen: Snapshot) -> tuple[Text, ...]:
    """Who, what is wrong, on the air, what is missing, link, sync, storage, time, agent, desk."""
    return (
        Text(
            f"{seen.name}（{seen.site}） {clock_of(seen.now_us, seen.zone)}",
            f"{seen.site} {clock_of(seen.now_us, seen.zone)}",
        ),
        *(_alarm(alarm, seen.zone) for alarm in seen.alarms),
        *(_on_air(channel, seen.zone) for channel in seen.on_air),
        *(_live(fact, seen.zone) for fact in seen.live),
        *(line_of(output) for output in seen.outputs),
        *_coming(seen),
        _link(seen),
        _queue(seen.sync.down, Text("下行", "down")),
        _queue(seen.sync.up, Text("上行", "up")),
        *_carrying(seen),
        *_packaging(seen),
        _records(seen),
        *_storage(seen),
        _time(seen),
        _agent(seen),
        *_upkeep(seen),
        *_desk(seen),
    )


def clock_of(moment_us: int, zone: str) -> str:
    """A moment on the site's own clock: `2026-11-24 06:00:00`."""
    return f"{_local(moment_us, zone):%Y-%m-%d %H:%M:%S}"


def _local(moment_us: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)).astimezone(ZoneInfo(zone))


def _alarm(alarm: Alarm, zone: str) -> Text:
    since, word = clock_of(alarm.since_us, zone), _SEVERITY[alarm.severity]
    return Text(
        f"[{word.zh}] {alarm.text.zh}。{alarm.hint.zh}（自 {since}）",
        f"[{word.en}] {alarm.text.en}. {alarm.hint.en} (since {since})",
    )


def _on_air(channel: OnAir, zone: str) -> Text:
    until = f"{_local(channel.until_us, zone):%H:%M:%S}" if channel.until_us is not None else "-"
    following = f"{_local(channel.next_at_us, zone):%H:%M:%S}" if channel.next_at_us is not None else "-"
    kind = KIND_NAMES.get(channel.kind, Text(channel.kind, channel.kind))
    zh, en = (channel.title, channel.title) if channel.title else (kind.zh, kind.en)
    mark = ("", "") if channel.planned else ("（计划外）", " (not planned)")
    if channel.insert is not None:
        mark = ("（应急插播）", " (emergency insertion)")
    if channel.reason is not None:
        mark = (f"{mark[0]}（{channel.reason.zh}）", f"{mark[1]} ({channel.reason.en})")
    plan = plan_of(channel, zone)
    by = (f"；{plan.zh}", f"; {plan.en}") if plan is not None else ("", "")
    return Text(
        f"播出 {channel.name}：{zh}{mark[0]} 至 {until}，下一条 {following} {channel.next_title}{by[0]}",
        f"on air {channel.channel}: {en}{mark[1]} until {until}, next {following} {channel.next_title}{by[1]}",
    )


def plan_of(channel: OnAir, zone: str) -> Text | None:
    """Which plan is on the air in which version, and from when on a newer one; None where there is none."""
    version = channel.schedule_version
    plans = {
        "schedule": Text(f"节目单第 {version} 版", f"schedule version {version}"),
        "template": Text(f"日模板第 {version} 版", f"template version {version}"),
        "default": Text("默认节目", "default programme"),
    }
    plan = plans.get(channel.plan)
    if plan is None or channel.next_version_at_us is None:
        return plan
    at = f"{_local(channel.next_version_at_us, zone):%H:%M:%S}"
    return Text(
        f"{plan.zh}，第 {channel.next_version} 版 {at} 生效",
        f"{plan.en}, version {channel.next_version} takes effect at {at}",
    )


def _live(fact: LiveFact, zone: str) -> Text:
    word, since = LIVE_STATES[fact.state], f"{_local(fact.start_us, zone):%H:%M:%S}"
    because = (f"：{fact.reason.zh}", f": {fact.reason.en}") if fact.reason else ("", "")
    delay = (f"，落后 {fact.delay_s} 秒", f", {fact.delay_s} s behind") if fact.delay_s is not None else ("", "")
    return Text(
        f"直播 {fact.channel} {since}《{fact.title}》：{word.zh}{delay[0]}{because[0]}",
        f"live {fact.channel} {since} {fact.title}: {word.en}{delay[1]}{because[1]}",
    )


def _coming(seen: Snapshot) -> Iterator[Text]:
    missing = [entry for entry in seen.coming if entry.state != "ready_by"]
    under_way = len(seen.coming) - len(missing)
    if seen.on_air:
        yield Text(
            f"24 小时备播：不足 {len(missing)} 条，传输中 {under_way} 条",
            f"next 24 h: {len(missing)} entries will not be ready, {under_way} are on their way",
        )
    for entry in missing[:NOT_READY_SHOWN]:
        word, at = _NOT_READY[entry.state], f"{_local(entry.start_us, seen.zone):%m-%d %H:%M}"
        because = (f"：{entry.reason.zh}", f": {entry.reason.en}") if entry.reason else ("", "")
        yield Text(
            f"备播不足 {entry.channel} {at}《{entry.title}》{word.zh}{because[0]}",
            f"not ready {entry.channel} {at} {entry.title}: {word.en}{because[1]}",
        )


def _link(seen: Snapshot) -> Text:
    link = seen.link
    word = _LINK[link.state]
    since = f" {clock_of(link.since_us, seen.zone)}" if link.since_us is not None else ""
    because = (f"：{link.reason.zh}", f": {link.reason.en}") if link.reason else ("", "")
    trip = f" {link.round_trip_ms:.0f} ms" if link.round_trip_ms is not None else ""
    return Text(f"嵩山云 {word.zh}{trip}{since}{because[0]}", f"hub {word.en}{trip}{since}{because[1]}")


def _queue(queue: Queue, name: Text) -> Text:
    left = f"{queue.left_bytes / _MIB:.1f} MiB"
    rate = f" {queue.rate_bytes_per_s / _MIB:.1f} MiB/s" if queue.rate_bytes_per_s else ""
    return Text(
        f"{name.zh} 传输 {queue.running}，等待 {queue.waiting}，失败 {queue.failed}，剩余 {left}{rate}",
        f"{name.en} running {queue.running}, waiting {queue.waiting}, failed {queue.failed}, left {left}{rate}",
    )


def _records(seen: Snapshot) -> Text:
    """What is still to be told, and how old the newest word is that the hub signed."""
    sync = seen.sync
    newest_us = max((stream.checkpoint_at_us or 0 for stream in sync.streams), default=0)
    signed = f"{(seen.now_us - newest_us) / US:.0f} s" if newest_us else "-"
    return Text(
        f"待发记录 {sync.unsent_records}，搁置 {sync.parked_records}，暂缓 {sync.held_records}，"
        f"收件箱 {sync.spool_waiting}，嵩山云签名 {signed} 前",
        f"records to send {sync.unsent_records}, parked {sync.parked_records}, held {sync.held_records},"
        f" spool {sync.spool_waiting}, signed by the hub {signed} ago",
    )


def _carrying(seen: Snapshot) -> Iterator[Text]:
    """An import from a stick while it runs."""
    carried = seen.carrying
    if carried.state not in ("reading", "copying"):
        return
    rate = carried.rate_bytes_per_s or 0
    left = f"{carried.bytes_left / _MIB:.1f} MiB"
    if rate:
        end = f"{_local(seen.now_us + round(carried.bytes_left / rate * US), seen.zone):%H:%M}"
        left = f"{left} {rate / _MIB:.1f} MiB/s → {end}"
    yield Text(
        f"移动盘导入：记录 {carried.records} 条，媒资已收 {carried.assets_done}，"
        f"剩 {carried.assets_left}（{left}），勿拔出",
        f"import from the stick: {carried.records} records, {carried.assets_done} assets, {carried.assets_left} to come"
        f" ({left}); leave it in",
    )


def _packaging(seen: Snapshot) -> Iterator[Text]:
    now = seen.packaging
    if now.source is None or now.phase is None:
        return
    word, name = _PHASES[now.phase], now.name or now.source[7:23]
    end = f"，{_local(now.ends_us, seen.zone):%H:%M} 完成" if now.ends_us is not None else ""
    ends = f", done at {_local(now.ends_us, seen.zone):%H:%M}" if now.ends_us is not None else ""
    yield Text(f"转码《{name}》：{word.zh} {now.done:.0%}{end}", f"packaging {name!r}: {word.en} {now.done:.0%}{ends}")


def _storage(seen: Snapshot) -> Iterator[Text]:
    disk = seen.storage
    if disk is None:
        return
    free, total, media = (each / _GIB for each in (disk.free_bytes, disk.total_bytes, disk.media_bytes))
    reserve = disk.reserve_bytes / _GIB
    yield Text(
        f"磁盘 剩余 {free:.1f}/{total:.1f} GiB，预留 {reserve:.1f} GiB，媒资 {disk.assets_here} 个 {media:.1f} GiB，"
        f"待取 {disk.assets_wanted}，损坏 {disk.assets_bad}",
        f"disk {free:.1f} of {total:.1f} GiB free, {reserve:.1f} GiB reserved, {disk.assets_here} assets"
        f" {media:.1f} GiB, {disk.assets_wanted} to come, {disk.assets_bad} damaged",
    )


def _time(seen: Snapshot) -> Text:
    known = seen.clock.synchronised
    word = Text("未知", "unknown")
    if known is not None:
        word = Text("已同步", "synchronised") if known else Text("未同步", "not synchronised")
    offset_ms = seen.clock.hub_offset_ms
    offset = (f"，与嵩山云差 {offset_ms:.0f} 毫秒", f", the hub is {offset_ms:.0f} ms ahead") if offset_ms else ("", "")
    return Text(f"时间 {word.zh}{offset[0]}", f"time {word.en}{offset[1]}")


def _agent(seen: Snapshot) -> Text:
    agent, word = seen.agent, _AGENT[seen.agent.state]
    age = f" {(seen.now_us - agent.at_us) / US:.0f} s" if agent.at_us is not None else ""
    return Text(f"agent {word.zh}{age}，版本 {seen.version}", f"agent {word.en}{age}, version {seen.version}")


def _upkeep(seen: Snapshot) -> Iterator[Text]:
    """The last backup, and the release, where there is something to say."""
    backup, release = seen.backup, seen.release
    if backup.last_us is not None:
        at, age = clock_of(backup.last_us, seen.zone), age_of(seen.now_us - backup.last_us)
        yield Text(
            f"备份 {at}（{age.zh}前），共 {backup.count} 份",
            f"last backup {at} ({age.en} ago), {backup.count} kept",
        )
    if release.current:
        word = WORDS[release.state]
        new = f" {release.new}" if release.new and release.state != "idle" else ""
        yield Text(
            f"软件 {release.current}（下次开机 {release.next_boot}）{word.zh}{new}",
            f"software {release.current} (next boot: {release.next_boot}), {word.en}{new}",
        )


def _desk(seen: Snapshot) -> Iterator[Text]:
    unanswered = sum(order.state == "new" for order in seen.orders)
    under_way = sum(submission.state not in ("accepted", "refused") for submission in seen.submissions)
    yield Text(
        f"待答调度指令 {unanswered}，在途回传 {under_way}",
        f"orders to answer {unanswered}, submissions on their way {under_way}",
    )
