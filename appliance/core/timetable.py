"""The week's bandwidth (带宽时间表): when transfers may use how much of the line, in the site's own time.

The first period that covers a moment counts; outside of all the default does. A period that ends at or before its
beginning goes over midnight and belongs to the day on which it begins.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from appliance.core.errors import Text
from appliance.core.moment import US

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES: Final = 24 * 60
_WEEK: Final = range(-1, 9)
"""Days around one: a period of yesterday may still be on, and that of a week ahead is its next."""


class Period(msgspec.Struct, frozen=True):
    """So much of the line on these days from one minute of the day to another; 0 bytes a second: all there is."""

    days: tuple[str, ...]
    from_minute: int
    to_minute: int
    down_bytes_per_s: int = 0
    up_bytes_per_s: int = 0


class Allowance(msgspec.Struct, frozen=True):
    """What transfers may use of the line, each way; 0: all there is."""

    down_bytes_per_s: int = 0
    up_bytes_per_s: int = 0


def allowance_at(periods: Sequence[Period], default: Allowance, zone: str, now_us: int) -> Allowance:
    """What holds at a moment."""
    local = datetime.fromtimestamp(now_us / US, ZoneInfo(zone))
    minute, today = local.hour * 60 + local.minute, local.weekday()
    for period in periods:
        goes_over = period.to_minute <= period.from_minute
        began_today = WEEKDAYS[today] in period.days and minute >= period.from_minute
        began_yesterday = WEEKDAYS[today - 1] in period.days and goes_over and minute < period.to_minute
        if (began_today and (goes_over or minute < period.to_minute)) or began_yesterday:
            return Allowance(period.down_bytes_per_s, period.up_bytes_per_s)
    return default


def next_change_us(periods: Sequence[Period], zone: str, now_us: int) -> int | None:
    """When a period next begins or ends; None without any."""
    today = datetime.fromtimestamp(now_us / US, ZoneInfo(zone)).date()
    moments = [
        moment_us
        for period in periods
        for offset in _WEEK
        if WEEKDAYS[(day := today + timedelta(days=offset)).weekday()] in period.days
        for moment_us in _bounds_us(period, day, zone)
    ]
    return min((moment_us for moment_us in moments if moment_us > now_us), default=None)


def steps(
    periods: Sequence[Period], default: Allowance, zone: str, from_us: int, until_us: int
) -> tuple[tuple[int, Allowance], ...]:
    """What holds from which moment on, from `from_us` until `until_us`; for a forecast."""
    found = [(from_us, allowance_at(periods, default, zone, from_us))]
    while (change_us := next_change_us(periods, zone, found[-1][0])) is not None and change_us < until_us:
        found.append((change_us, allowance_at(periods, default, zone, change_us)))
    return tuple(found)


def _bounds_us(period: Period, day: date, zone: str) -> tuple[int, int]:
    end_minute = period.to_minute + (_DAY_MINUTES if period.to_minute <= period.from_minute else 0)
    return _moment_us(day, period.from_minute, zone), _moment_us(day, end_minute, zone)


def _moment_us(day: date, minute: int, zone: str) -> int:
    days, minute = divmod(minute, _DAY_MINUTES)
    clock = time(minute // 60, minute % 60)
    local = datetime.combine(day + timedelta(days=days), clock, ZoneInfo(zone))
    return round(local.astimezone(UTC).timestamp()) * US


_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_OPTIONS: Final = {"days", "from", "to", "down_bytes_per_s", "up_bytes_per_s"}
BYTES_PER_S_MAX: Final = 10 * 1024**3
PERIODS_MAX: Final = 100


def problems_of(tables: Any) -> Iterator[Text]:
    """All that is wrong with `[[timetable]]`, one line each."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        yield _bad("timetable", tables, "[[timetable]]")
        return
    if len(tables) > PERIODS_MAX:
        yield Text(f"timetable 超过 {PERIODS_MAX} 段", f"timetable has more than {PERIODS_MAX} periods")
    for number, table in enumerate(tables, start=1):
        where = f"timetable[{number}]."
        for key in sorted(table.keys() - _OPTIONS):
            yield Text(f"不认识的选项 {where}{key}", f"unknown option {where}{key}")
        days = table.get("days")
        if not isinstance(days, list) or not days or not all(day in WEEKDAYS for day in days):
            yield _bad(f"{where}days", days, '["mon", "tue", "wed", "thu", "fri"]')
        for key, example in (("from", "08:00"), ("to", "18:00")):
            if not isinstance(table.get(key), str) or not _CLOCK.fullmatch(table[key]):
                yield _bad(where + key, table.get(key), example)
        for key in ("down_bytes_per_s", "up_bytes_per_s"):
            value = table.get(key, 0)
            if type(value) is not int or not 0 <= value <= BYTES_PER_S_MAX:
                yield _bad(where + key, value, 500_000)


def periods_of(tables: Sequence[dict[str, Any]]) -> tuple[Period, ...]:
    """The periods of a `[[timetable]]` that has no problems."""
    return tuple(
        Period(
            days=tuple(table["days"]),
            from_minute=_minute(table["from"]),
            to_minute=_minute(table["to"]),
            down_bytes_per_s=table.get("down_bytes_per_s", 0),
            up_bytes_per_s=table.get("up_bytes_per_s", 0),
        )
        for table in tables
    )


def table_of(period: Period) -> dict[str, Any]:
    """A period as it stands in the file."""
    return {
        "days": list(period.days),
        "from": f"{period.from_minute // 60:02}:{period.from_minute % 60:02}",
        "to": f"{period.to_minute // 60:02}:{period.to_minute % 60:02}",
        "down_bytes_per_s": period.down_bytes_per_s,
        "up_bytes_per_s": period.up_bytes_per_s,
    }


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _bad(option: str, value: object, example: object) -> Text:
    if value is None:
        return Text(f"缺少 {option}（例：{example}）", f"{option} is missing (for example {example})")
    return Text(
        f"{option} 不合规：{str(value)[:60]!r}（例：{example}）",
        f"bad {option}: {str(value)[:60]!r} (for example {example})",
    )
