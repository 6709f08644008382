"""Alarms that only the agent knows of. What can be seen in the database is found anew in every snapshot, not here."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from appliance.config import Config
from appliance.core.airtime import Absence
from appliance.core.errors import Text
from appliance.core.health import Finding
from appliance.core.incident import Ended, finding_of
from appliance.core.moment import US, to_text
from appliance.core.rundown import us_of
from appliance.store import facts

DROPS_NAMED: Final = 20
"""So many entries of the drop folder get an alarm of their own; the folder's notice names them all."""
CLOCK_BEHIND_US: Final = 60 * US
RECENT_US: Final = 3600 * US
"""What happened once is told for so long."""
_LATE_COMMIT: Final = "late-commit:"
_INCIDENT: Final = "incident:"


def raised_drops(db: Database, config: Config, now_us: int) -> set[str]:
    """The ids of what an agent before us raised of the drop folder."""
    found = {alarm.id.removeprefix("raised:") for alarm in facts.snapshot(db, config, now_us).alarms}
    return {identity for identity in found if identity.startswith("drop:")}


def of_drops(db: Database, entries: Iterable[tuple[str, str, Text]], before: set[str], now_us: int) -> set[str]:
    """One for each entry that is not taken, in place of those before; the ids of what is raised now."""
    raised = set()
    for key, name, reason in list(entries)[:DROPS_NAMED]:
        identity = f"drop:{key[:16]}"
        raised.add(identity)
        finding = Finding(
            id=identity,
            severity="amber",
            text=Text(f"投放文件夹：{name} {reason.zh}", f"drop folder: {name} {reason.en}"),
            hint=Text("请换成完好的普通文件，或从文件夹移走", "put a sound plain file there, or take it away"),
        )
        facts.raise_alarm(db, finding, now_us)
    for identity in before - raised:
        facts.clear_alarm(db, identity, now_us)
    return raised


def of_room(db: Database, short_bytes: int, now_us: int) -> None:
    """Something that should come has no room, by so many bytes; 0: there is room again."""
    if not short_bytes:
        facts.clear_alarm(db, "room", now_us)
        return
    lacking = f"{max(1, short_bytes // 1_000_000)} MB"
    finding = Finding(
        id="room",
        severity="red",
        text=Text(f"磁盘空间不足，至少还差 {lacking}", f"no room on the disk for what should come: {lacking} too few"),
        hint=Text("稍后自动重试；请清理磁盘，或换更大的盘", "it is tried again; free some space, or fit a larger disk"),
    )
    facts.raise_alarm(db, finding, now_us)


def of_disk(db: Database, device: str, reason: Text, now_us: int) -> None:
    """The disk of the media does not give or take what it should."""
    finding = Finding(
        id="media-disk",
        severity="red",
        text=Text(f"媒资盘 {device} 读写出错：{reason.zh}", f"the disk of the media, {device}, fails: {reason.en}"),
        hint=Text(
            f"坏的媒资自动重新传输；请查 smartctl -a {device}，尽快换盘",
            f"what is bad comes again by itself; see smartctl -a {device}, replace the disk soon",
        ),
    )
    facts.raise_alarm(db, finding, now_us)


def of_media(db: Database, folder: Path, now_us: int, *, is_away: bool) -> None:
    """The disk of the assets is not mounted, or it is."""
    if not is_away:
        facts.clear_alarm(db, "media-away", now_us)
        return
    finding = Finding(
        id="media-away",
        severity="red",
        text=Text(
            f"媒资盘未挂载：{folder} 不是本机的媒资文件夹；频道播内置垫片，什么也不会重新传输或删除",
            f"{folder} is not the folder of this box's assets: its disk is not mounted."
            " Channels play the slate; nothing is fetched again or forgotten",
        ),
        hint=Text(
            "请挂载媒资盘，之后自动恢复；换了新盘：songshan tui 存储页“启用新盘”",
            "mount the disk, the rest follows by itself; a new one: songshan tui, page Storage, take the new disk",
        ),
    )
    facts.raise_alarm(db, finding, now_us)


def of_clip(db: Database, source: str, name: str, reason: Text | None, now_us: int) -> None:
    """An asset cannot be brought to house format; None: it could."""
    identity = f"clip:{source[7:23]}"
    if reason is None:
        facts.clear_alarm(db, identity, now_us)
        return
    finding = Finding(
        id=identity,
        severity="amber",
        text=Text(f"《{name}》不能播出：{reason.zh}", f"{name!r} cannot be aired: {reason.en}"),
        hint=Text("请提供完好的文件", "provide a sound file"),
    )
    facts.raise_alarm(db, finding, now_us)


def of_clock(db: Database, wall_us: int, now_us: int) -> None:
    """The machine's clock against the time on the air, which never goes back."""
    if wall_us >= now_us - CLOCK_BEHIND_US:
        facts.clear_alarm(db, "clock-behind", now_us)
        return
    finding = Finding(
        id="clock-behind",
        severity="red",
        text=Text(
            f"本机时钟倒退到 {to_text(wall_us)}；播出按 {to_text(now_us)} 继续，不删除任何内容",
            f"the clock went back to {to_text(wall_us)}; the air goes on from {to_text(now_us)}, nothing is deleted",
        ),
        hint=Text("请校准时间：chronyc makestep", "set the time right: chronyc makestep"),
    )
    facts.raise_alarm(db, finding, now_us)


def of_absence(db: Database, absent: Iterable[Absence], now_us: int) -> None:
    """Times of the last hour in which nothing can have gone out; none: it is over."""
    off = [each for each in absent if each.kind == "off"]
    if not off:
        facts.clear_alarm(db, "absence", now_us)
        return
    first, last = to_text(off[0].start_us), to_text(off[-1].end_us)
    length = f"{sum(each.end_us - each.start_us for each in off) / US:.0f}"
    finding = Finding(
        id="absence",
        severity="amber",
        text=Text(
            f"{first} 至 {last} 之间有 {length} 秒没有播出：本机未运行，或时钟被拨快，频道已跟上",
            f"{length} s between {first} and {last} did not air: the box did not run, or its clock leapt forward"
            " and the channel with it",
        ),
        hint=Text(
            "播出日志已记为停播；请查电源与时间服务：chronyc tracking",
            "the as-run says so; look at the power, and at the time service: chronyc tracking",
        ),
    )
    facts.raise_alarm(db, finding, now_us)


def of_late_commit(db: Database, channel: str, boundary: int, late_ticks: int, now_us: int) -> None:
    """A change of the ledger became visible after a sender may have acted on what was there before."""
    identity, at = f"{_LATE_COMMIT}{channel}", to_text(us_of(boundary))
    finding = Finding(
        id=identity,
        severity="amber",
        text=Text(
            f"{channel} 于 {at} 起的改动迟了 {late_ticks // 90} 毫秒写盘，输出可能仍播了原来的内容",
            f"the change of {channel} from {at} on was on the disk {late_ticks // 90} ms late:"
            " the output may have shown what was there before",
        ),
        hint=Text(
            "系统盘太慢：请查 iostat -x 1 与其他程序；以探针所见为准",
            "the system's disk is too slow: see iostat -x 1 and what else writes; the probe tells what was out",
        ),
    )
    facts.clear_alarm(db, identity, now_us)
    facts.raise_alarm(db, finding, now_us)


def of_incident(db: Database, unit: str, ended: Ended, now_us: int) -> None:
    """A service of the box ended badly; told anew where it does so again."""
    finding = finding_of(unit, ended)
    facts.clear_alarm(db, finding.id, now_us)
    facts.raise_alarm(db, finding, now_us)


def let_pass(db: Database, now_us: int) -> None:
    """What happened once and is told long enough."""
    for prefix in (_LATE_COMMIT, _INCIDENT):
        facts.clear_alarms_before(db, prefix, now_us - RECENT_US, now_us)


def of_watch(db: Database, problem: OSError | None, now_us: int) -> None:
    """The kernel gives no watches on folders; None: it does."""
    if problem is None:
        facts.clear_alarm(db, "watch", now_us)
        return
    finding = Finding(
        id="watch",
        severity="info",
        text=Text(f"文件夹监视不可用：{problem}", f"folders cannot be watched: {problem}"),
        hint=Text(
            "改为定时查看；可调高 fs.inotify 上限", "they are looked at every few seconds; see fs.inotify limits"
        ),
    )
    facts.raise_alarm(db, finding, now_us)
