"""Ages, sizes and states in words, Chinese first. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appliance.core import moment
from appliance.core.errors import Text
from appliance.core.health import Severity
from provisioning.fleet.core.row import Airing, Level, Row

ZONE: Final = ZoneInfo("Asia/Shanghai")
"""The hub's: the city's."""
GIB: Final = 1024**3
MIB: Final = 1024**2
NOTHING: Final = Text("—", "-")
LEVELS: Final[dict[Level, Text]] = {
    "red": Text("紧急", "RED"),
    "amber": Text("注意", "AMBER"),
    "info": Text("提示", "info"),
    "ok": Text("正常", "ok"),
}
SEVERITIES: Final[dict[Severity, Text]] = {"red": LEVELS["red"], "amber": LEVELS["amber"], "info": LEVELS["info"]}
STATES: Final = {
    "invited": Text("已邀请", "invited"),
    "joined": Text("待批准", "joined"),
    "approved": Text("已入网", "approved"),
    "revoked": Text("已吊销", "revoked"),
    "fenced": Text("停写", "fenced"),
}
LINKS: Final = {
    "connected": Text("在线", "connected"),
    "away": Text("离线", "away"),
    "never": Text("未见", "never"),
}
KINDS: Final = {
    "slate": Text("内置垫片", "slate"),
    "filler": Text("垫片", "filler"),
    "emergency": Text("应急插播", "emergency"),
}
UPGRADES: Final = {
    "staged": Text("待切换", "staged"),
    "preparing": Text("备份中", "preparing"),
    "backed_up": Text("切换中", "switching"),
    "switched": Text("启动中", "starting"),
    "verifying": Text("试运行", "on trial"),
    "rolling_back": Text("回退中", "rolling back"),
    "rolled_back": Text("已回退", "rolled back"),
}
"""States of an upgrade that are to be seen in a row; idle and committed are not."""


def span(seconds: float) -> Text:
    """`12 秒`, `3 分钟`, `5 小时`, `4 天`."""
    whole = max(0, int(seconds))
    if whole < 120:
        return Text(f"{whole} 秒", f"{whole} s")
    if whole < 120 * 60:
        return Text(f"{whole // 60} 分钟", f"{whole // 60} min")
    if whole < 72 * 3600:
        return Text(f"{whole // 3600} 小时", f"{whole // 3600} h")
    return Text(f"{whole // 86_400} 天", f"{whole // 86_400} d")


def ago(seconds: float | None) -> Text:
    """`12 秒前`; a dash where nothing is known."""
    if seconds is None:
        return NOTHING
    told = span(seconds)
    return Text(f"{told.zh}前", f"{told.en} ago")


def size(size_bytes: int | None) -> Text:
    """`480 GiB`, `3.2 GiB`, `12 MiB`."""
    if size_bytes is None:
        return NOTHING
    gib = size_bytes / GIB
    shown = f"{gib:.0f} GiB" if gib >= 10 else f"{gib:.1f} GiB" if gib >= 1 else f"{size_bytes / MIB:.0f} MiB"
    return Text(shown, shown)


def time_of(at: str | None, zone: ZoneInfo = ZONE) -> Text:
    """`11-26 18:46` on the city's clock, or on another's; a dash where nothing is known."""
    if at is None:
        return NOTHING
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment.to_us(at))).astimezone(zone)
    return Text(f"{local:%m-%d %H:%M}", f"{local:%m-%d %H:%M}")


def clock_text(at: str) -> Text:
    """`11-26 18:46:12`, on the city's clock."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment.to_us(at))).astimezone(ZONE)
    return Text(f"截至 {local:%m-%d %H:%M:%S}", f"as of {local:%m-%d %H:%M:%S}")


def since(at: str | None) -> Text:
    """`自 11-26 18:46`."""
    told = time_of(at)
    return Text(f"自 {told.zh}", f"since {told.en}")


def dated(at: str | None, age_s: float | None, zone: ZoneInfo = ZONE) -> Text:
    """A time with its age."""
    if at is None:
        return NOTHING
    when, age = time_of(at, zone), ago(age_s)
    return Text(f"{when.zh}（{age.zh}）", f"{when.en} ({age.en})")


def free_of(free_bytes: int | None, total_bytes: int | None) -> Text:
    """What is free, and which share of the whole."""
    free = size(free_bytes)
    if free_bytes is None or not total_bytes:
        return free
    share = f"{free_bytes / total_bytes:.0%}"
    return Text(f"{free.zh} {share}", f"{free.en} {share}")


def playing(each: Airing) -> Text:
    """What a channel plays; fillers and break-ins by their kind too."""
    kind = KINDS.get(each.kind, Text(each.kind or "—", each.kind or "-"))
    if not each.title:
        return kind
    if each.kind in KINDS:
        return Text(f"{kind.zh}《{each.title}》", f"{kind.en}: {each.title}")
    return Text(f"《{each.title}》", each.title)


def standing_of(row: Row) -> Text:
    """Link, for a site that is let in; else why it is not."""
    return LINKS[row.link] if row.state == "approved" else STATES.get(row.state, Text(row.state, row.state))


def level_of(row: Row) -> Text:
    """The level in a word; where it is only that the county is not there, which that is."""
    return standing_of(row) if row.level == "info" else LEVELS[row.level]


def on_air_of(row: Row) -> Text:
    """Every channel with what it plays; what was not planned is marked."""
    told = []
    for each in row.channels:
        is_amiss = each.planned is False and each.kind != "emergency"
        mark = Text("（计划外）", " (unplanned)") if is_amiss else Text("", "")
        what = playing(each)
        told.append(Text(f"{each.name} {what.zh}{mark.zh}", f"{each.channel} {what.en}{mark.en}"))
    return Text("；".join(each.zh for each in told), "; ".join(each.en for each in told)) if told else NOTHING


def ready_of(row: Row) -> Text:
    """Whether all of the coming day will be there."""
    if row.not_ready is None:
        return NOTHING
    return Text(f"缺 {row.not_ready}", f"{row.not_ready} missing") if row.not_ready else Text("齐备", "ready")


def disk_of(row: Row) -> Text:
    """What is free, and of how much."""
    return free_of(row.disk_free_bytes, row.disk_total_bytes)


def clock_of(row: Row) -> Text:
    """Whether it follows a time server, and how far the hub's is ahead."""
    if row.clock_synchronised is None and row.clock_offset_ms is None:
        return NOTHING
    word = {True: Text("准", "ok"), False: Text("未同步", "unsynced"), None: Text("未知", "unknown")}
    told = word[row.clock_synchronised]
    if row.clock_offset_ms is None:
        return told
    off = (
        f"{row.clock_offset_ms / 1000:+.1f} s" if abs(row.clock_offset_ms) >= 1000 else f"{row.clock_offset_ms:+.0f} ms"
    )
    return Text(f"{told.zh} {off}", f"{told.en} {off}")


def version_of(row: Row) -> Text:
    """What runs, and how far an upgrade is."""
    if row.version is None:
        return NOTHING
    upgrade = UPGRADES.get(row.version_state or "")
    if upgrade is None:
        return Text(row.version, row.version)
    new = f" {row.version_new}" if row.version_new and row.version_new != row.version else ""
    return Text(f"{row.version}（{upgrade.zh}{new}）", f"{row.version} ({upgrade.en}{new})")


def quota_of(row: Row) -> Text:
    """Files that wait at the hub, and how many may."""
    if not row.uploads_max:
        return NOTHING
    shown = f"{row.uploads}/{row.uploads_max}"
    taken = f" {size(row.waiting_bytes).en}" if row.waiting_bytes else ""
    full = Text("（满）", " full") if row.waiting_is_full else Text("", "")
    return Text(shown + taken + full.zh, shown + taken + full.en)


def alarms_of(row: Row) -> Text:
    """`2 红 1 黄`, or that there is none."""
    if row.alarms_red is None and not row.alarms:
        return NOTHING
    red = sum(each.severity == "red" for each in row.alarms)
    amber = sum(each.severity == "amber" for each in row.alarms)
    if not red and not amber:
        return Text("无", "none")
    zh = [f"{count} {word}" for count, word in ((red, "红"), (amber, "黄")) if count]
    en = [f"{count} {word}" for count, word in ((red, "red"), (amber, "amber")) if count]
    return Text(" ".join(zh), " ".join(en))
