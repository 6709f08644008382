"""What of the past may be seen again (回看): questions over ledger, schedules and stock. Nothing here writes."""

from typing import Final

from sqlite_utils import Database

from appliance.core.guide import DAY_US, Rights, may_be_seen
from appliance.core.ledger import Stretch
from appliance.core.rundown import tick_of, us_of
from appliance.core.schedule import day_bounds_us, day_of
from appliance.store import air
from appliance.store.database import first, rows

DAYS_MAX: Final = 40
"""More than any guide spans."""

_HERE: Final = """
    SELECT renditions.digest FROM renditions LEFT JOIN assets ON assets.digest = renditions.digest
    WHERE renditions.state = 'here' AND segments IS NOT NULL AND coalesce(assets.state, 'here') = 'here'
        AND renditions.source NOT IN (SELECT target FROM tombstones)
        AND renditions.digest NOT IN (SELECT target FROM tombstones)
"""

_GONE: Final = f"""
    SELECT count(DISTINCT channel || coalesce(date, '') || coalesce(entry_id, '')) AS programmes FROM ledger
    WHERE channel IN (SELECT id FROM channels) AND start_tick BETWEEN :since_tick AND :now_tick
        AND start_tick + frames * 3600 <= :now_tick AND catchup = 1
        AND kind IN ('programme', 'live') AND rendition NOT IN ({_HERE})
        AND coalesce(source, '') NOT IN (SELECT target FROM tombstones)
        AND rendition NOT IN (SELECT target FROM tombstones)
"""  # noqa: S608


def rights(db: Database, channel: str, zone: str, from_us: int, to_us: int) -> Rights:
    """What the newest schedules of these days say of their entries. A right may be taken away after the airing."""
    found: dict[tuple[str | None, str | None], bool] = {}
    moment_us = from_us
    for _ in range(DAYS_MAX):
        if moment_us >= to_us:
            break
        date = day_of(moment_us, zone)
        found |= _rights_of(db, channel, zone, date)
        _, moment_us = day_bounds_us(date, zone)
    return found


def is_open(db: Database, channel: str, zone: str, stretch: Stretch) -> bool:
    """Whether a stretch may be seen again, as the newest schedule of its day says."""
    known = _rights_of(db, channel, zone, stretch.date) if stretch.date is not None else {}
    return may_be_seen(stretch, known)


def here(db: Database) -> frozenset[str]:
    """The renditions that are on disk, whole, and not recalled; also the chunks of live sources."""
    return frozenset(row["digest"] for row in rows(db, _HERE))


def gone(db: Database, now_us: int, days: int) -> int:
    """How many programmes of the last days can be seen no more for want of a file, though they may be."""
    since_tick, now_tick = tick_of(now_us - days * DAY_US), tick_of(now_us)
    row = first(db, _GONE, {"since_tick": since_tick, "now_tick": now_tick})
    assert row is not None
    return int(row["programmes"])


def begins_us(db: Database, channel: str, first_msn: int) -> int | None:
    """When the stretch with this first number was on the air; None where none begins with it."""
    row = first(db, "SELECT start_tick FROM ledger WHERE channel = ? AND first_msn = ?", (channel, first_msn))
    return us_of(row["start_tick"]) if row is not None else None


def _rights_of(db: Database, channel: str, zone: str, date: str) -> dict[tuple[str | None, str | None], bool]:
    schedule = air.schedule_of(db, channel, date, zone)
    return {(date, entry.id): entry.catchup for entry in schedule.entries} if schedule is not None else {}
