"""The schedule (节目单): what a channel should play on one broadcast day, as people write it.

A broadcast day is the calendar day of the site's zone. docs/formats.md, section 7.
"""

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from appliance.core.entry import (
    EPOCH,
    Entry,
    is_day,
    local_us,
    problems_of_channel,
    problems_of_count,
    quoted,
    read_document,
    read_entries,
    shown,
    unknown_keys,
)
from appliance.core.errors import OperatorError, Text

_SCHEDULE_KEYS: Final = {"channel", "date", "version", "entries"}


class Schedule(msgspec.Struct, frozen=True):
    """A day of a channel. `date` is the broadcast day; `entries` are in playing order, the first one has a start."""

    channel: str
    date: str
    version: int
    entries: tuple[Entry, ...]


def parse_schedule(data: bytes, zone: str, site_channels: Collection[str]) -> Schedule:
    """Read a schedule file for a site in `zone` (an IANA name) with these channels.

    Raises OperatorError with every problem found, at most PROBLEMS_SHOWN_MAX of them. Whether the assets are known
    is the caller's question: see `assets_of`.
    """
    document = read_document(data)
    problems = list(_problems_of_head(document, site_channels))
    lines = document.get("entries")
    entries, wrong = read_entries(lines if isinstance(lines, list) else [], document.get("date"), zone)
    if problems or wrong:
        raise OperatorError(*shown([*problems, *wrong]))
    return Schedule(document["channel"], document["date"], document["version"], entries)


def assets_of(schedule: Schedule) -> tuple[str, ...]:
    """The digests that a schedule names, each once, in playing order."""
    return tuple(dict.fromkeys(entry.asset for entry in schedule.entries if entry.asset is not None))


def day_of(moment_us: int, zone: str) -> str:
    """The broadcast day that a moment lies in: `2026-11-24`."""
    return (EPOCH + timedelta(microseconds=moment_us)).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d")


def day_bounds_us(day: str, zone: str) -> tuple[int, int]:
    """First moment of a broadcast day and of the next one; OperatorError when there is no such day."""
    if not is_day(day):
        raise OperatorError(
            Text(f"不是日期：{day[:40]!r}", f"not a date: {day[:40]!r}"),
            hint=Text("例：2026-11-24", "for example 2026-11-24"),
        )
    first = date.fromisoformat(day)
    return local_us(first, 0, zone), local_us(first + timedelta(days=1), 0, zone)


def _problems_of_head(document: dict[str, Any], site_channels: Collection[str]) -> Iterator[Text]:
    yield from unknown_keys(document, _SCHEDULE_KEYS)
    yield from problems_of_channel(document, site_channels)
    if not is_day(document.get("date")):
        got = quoted(document.get("date"))
        yield Text(f"date 须为 年-月-日，得到 {got}", f"date must be YYYY-MM-DD, got {got}")
    yield from problems_of_count(document.get("entries"))
