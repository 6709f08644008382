"""The clock of the air in the database: what time it is there, and the times for which nobody vouches."""

from sqlite_utils import Database

from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.core.airtime import Absence, Mark, absences, air_now_us, mark_now
from appliance.store.database import first, rows


def now_us(db: Database, clock: Clock = SYSTEM_CLOCK) -> int:
    """What time it is on the air; every process that asks gets the same answer, and it never goes back."""
    return air_now_us(clock_mark(db), clock.wall_us(), clock.running_us())


def keep_clock(db: Database, clock: Clock = SYSTEM_CLOCK) -> int:
    """Note what time it is on the air, for `now_us` to reckon from; the agent does so every few seconds.

    What cannot have gone out since it was last noted, or nobody can tell of, is noted too.
    """
    before, wall_us, running_us = clock_mark(db), clock.wall_us(), clock.running_us()
    mark = mark_now(before, wall_us, running_us)
    for each in absences(before, wall_us, running_us) if before is not None else ():
        db.conn.execute(
            "INSERT OR REPLACE INTO absences (start_us, end_us, kind) VALUES (?, ?, ?)",
            (each.start_us, each.end_us, each.kind),
        )
    db.conn.execute(
        "INSERT OR REPLACE INTO air_clock (id, air_us, running_us, rate) VALUES (1, ?, ?, ?)",
        (mark.air_us, mark.running_us, mark.rate),
    )
    return mark.air_us


def absences_between(db: Database, from_us: int, until_us: int, channel: str = "") -> tuple[Absence, ...]:
    """The times for which nobody vouches, that touch this one; with those of a channel, which count where no other
    does."""
    found = rows(
        db,
        "SELECT start_us, end_us, kind FROM absences WHERE end_us > ? AND start_us < ? ORDER BY start_us",
        (from_us, until_us),
    )
    found += rows(
        db,
        "SELECT start_us, end_us, 'unserved' AS kind FROM unserved WHERE channel = ? AND end_us > ? AND start_us < ?"
        " ORDER BY start_us",
        (channel, from_us, until_us),
    )
    return tuple(Absence(**row) for row in found)


def clock_mark(db: Database) -> Mark | None:
    """What `now_us` reckons from; None before the agent has noted anything."""
    row = first(db, "SELECT air_us, running_us, rate FROM air_clock")
    return Mark(**row) if row else None
