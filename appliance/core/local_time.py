"""Times of day as a county reads them off its clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clock_text(moment_us: int, zone: ZoneInfo) -> str:
    """`2026-11-24 19:00:00.04`, with hundredths where there are any: a frame has four."""
    at = (_EPOCH + timedelta(microseconds=moment_us)).astimezone(zone)
    hundredths = f".{at.microsecond // 10_000:02}" if at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{hundredths}"


def time_of_day(moment_us: int, zone: ZoneInfo) -> str:
    """`19:00:00`."""
    return f"{(_EPOCH + timedelta(microseconds=moment_us)).astimezone(zone):%H:%M:%S}"
