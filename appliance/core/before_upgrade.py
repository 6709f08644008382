"""What speaks against an upgrade now: the hour, the clock, the room, the backup, what is under way. Pure.

All reasons at once, so that whoever comes with a release need not come once for each. Nothing of this is asked of a
rollback, nor of what a person at the box decides: it is for playbooks that go through many boxes.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from appliance.core.errors import OperatorError, Text
from appliance.core.moment import US
from appliance.core.release import UNDER_WAY, State
from appliance.core.upkeep import age_of

YEAR_2025_US: Final = 1_735_689_600 * US
BACKUP_MAX_US: Final = 24 * 3600 * US
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAYS: Final = re.compile(r"(\d{4}-\d\d-\d\d)/(\d{4}-\d\d-\d\d)")


class Closed(msgspec.Struct, frozen=True):
    """When nothing is touched: hours of each day (重点时段), "18:30-22:30", also over midnight; and days, both included
    (重要保障期), "2026-10-01/2026-10-07". In the site's time."""

    hours: tuple[str, ...] = ()
    days: tuple[str, ...] = ()


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """The box. `short_bytes`: what is lacking on the disk; `is_synchronised` None: nobody knows."""

    at: datetime
    """The site's local time."""
    now_us: int
    state: State
    is_synchronised: bool | None
    backup_us: int | None
    short_bytes: int


class Reason(msgspec.Struct, frozen=True):
    """One that speaks against it. `id`: hours, days, clock, busy, room or backup."""

    id: str
    text: Text


def parse_closed(hours: Sequence[str], days: Sequence[str]) -> Closed:
    """What an operator wrote; OperatorError with every slip."""
    wrong = [text for text in hours if not _HOURS.fullmatch(text)]
    wrong += [text for text in days if not (found := _DAYS.fullmatch(text)) or found[1] > found[2]]
    if wrong:
        raise OperatorError(*(Text(f"时段写法不对：{text!r}", f"not a period: {text!r}") for text in wrong))
    return Closed(tuple(hours), tuple(days))


def against(now: Now, closed: Closed) -> Iterator[Reason]:
    """Every reason why not now; none where all is well."""
    for hours in closed.hours:
        if _is_within(hours, now.at.strftime("%H:%M")):
            yield Reason("hours", Text(f"重点时段 {hours}", f"within {hours}, when nothing is touched"))
    for days in closed.days:
        first, last = days.split("/")
        if first <= now.at.strftime("%Y-%m-%d") <= last:
            yield Reason("days", Text(f"重要保障期 {days}", f"within the protected days {days}"))
    if now.now_us < YEAR_2025_US:
        yield Reason("clock", Text("时钟不对", "the clock is wrong"))
    elif now.is_synchronised is False:
        yield Reason(
            "clock", Text("时钟未同步：chronyc tracking", "the clock follows no time server: chronyc tracking")
        )
    if now.state in UNDER_WAY:
        yield Reason("busy", Text("升级正在进行", "an upgrade is under way"))
    if now.short_bytes > 0:
        lacking = f"{now.short_bytes / 1_000_000:.0f} MB"
        yield Reason("room", Text(f"磁盘空间不足，还差 {lacking}", f"no room on the disk: {lacking} too few"))
    if now.backup_us is None:
        yield Reason(
            "backup", Text("没有备份：songshan backup --nightly", "there is no backup: songshan backup --nightly")
        )
    elif now.now_us - now.backup_us > BACKUP_MAX_US:
        age = age_of(now.now_us - now.backup_us)
        yield Reason("backup", Text(f"最近一次备份在 {age.zh}前", f"the last backup is {age.en} old"))


def _is_within(hours: str, at: str) -> bool:
    begins, ends = hours.split("-")
    return begins <= at < ends if begins <= ends else at >= begins or at < ends
