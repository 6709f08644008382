"""The as-run in the database: honest about outages, whole across a new disk, and never said twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core import records
from appliance.core.asrun import LOST, OFF, AiredRow, Sighting
from appliance.core.moment import to_us
from appliance.core.rundown import tick_of
from appliance.store import air, asrun
from appliance.store.database import transaction, writing
from tests.appliance.core.air_box import LENGTHS, SECOND, ZONE, clock, entry
from tests.appliance.store.test_air import recompile, schedule, stock
from tests.simulators.clock import SimulatedClock

NOON = clock("12:00:00")


def made(db: Database, at_us: int = NOON) -> Database:
    with transaction(db):
        assert air.ensure_channel(db, "ch-1", ZONE, at_us)
        for number, frames in enumerate(LENGTHS, 1):
            stock(db, number, frames)
    return db


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with writing(tmp_path / "box.db") as opened:
        yield made(opened)


def log(db: Database, at_us: int) -> list[AiredRow]:
    with transaction(db):
        asrun.log_aired(db, "ch-1", at_us)
    return list(asrun.aired(db, "ch-1", NOON - 3600 * SECOND, at_us + 3600 * SECOND))


def live(db: Database, machine: SimulatedClock, seconds: int) -> None:
    """The agent marks the time every ten seconds and compiles every minute."""
    for tenth in range(0, seconds, 10):
        machine.pass_us(10 * SECOND)
        with transaction(db):
            now = air.keep_clock(db, machine)
        if tenth % 60 == 0:
            recompile(db, now)


def test_an_hour_without_power_is_told_as_such(db: Database) -> None:
    """The ledger reached beyond it, and says that all of it aired."""
    machine = SimulatedClock(now_us=NOON)
    schedule(db, *(entry(n, 8, f"{12 + n // 60}:{n % 60:02}:00") for n in range(0, 170, 5)))
    with transaction(db):
        air.keep_clock(db, machine)
    live(db, machine, 1205)
    machine.pass_us(3600 * SECOND)
    machine.start_anew()
    live(db, machine, 1800)
    rows = log(db, machine.now_us)
    off = [row for row in rows if row.reason == OFF]
    assert 3600 <= sum(row.duration_s for row in off) <= 3650
    assert {row.status for row in off} == {("Did not air", "Technical Difficulty")}
    assert {row.evidence for row in off} == {()}
    back = next(row for row in rows if to_us(row.start) > to_us(off[-1].start))
    assert back.status[0] == "Joined in Progress" or back.kind == "filler"
    assert rows[0].status == ("Technical Difficulty",)
    assert asrun.bad_row(db, "ch-1") is None


def test_what_is_heard_of_a_row_is_waited_for(db: Database) -> None:
    """A probe tells of the last minute when it is over: the row must not be closed before."""
    schedule(db, entry(1, 1, "12:01:00"), entry(2, 3))
    recompile(db, NOON)
    end = clock("12:02:00")
    seen = Sighting(start_tick=tick_of(NOON), end_tick=tick_of(end), evidence="ts_probe")
    with transaction(db):
        asrun.see(db, "ch-1", seen, NOON)
    assert "e1" not in {row.entry for row in log(db, end + 10 * SECOND)}
    (row,) = [row for row in log(db, end + 60 * SECOND) if row.entry == "e1"]
    assert row.evidence == ("ledger", "ts_probe")
    assert (row.planned_start, row.planned_s) == ("2026-11-24T04:01:00Z", 60.0)


def reported(db: Database) -> list[records.AsRun]:
    found = []
    with transaction(db):
        while (body := asrun.unreported(db, "ch-1")) is not None:
            asrun.reported(db, body)
            found.append(body)
    return found


def test_a_new_disk_goes_on_where_the_hub_has_the_log(db: Database, tmp_path: Path) -> None:
    """The numbers and the chain go on, what lies between is told as lost, and nothing is reported a second time."""
    schedule(db, *(entry(n, n % 8 + 1, f"12:{n:02}:00") for n in range(1, 30)))
    recompile(db, NOON)
    log(db, clock("12:30:00"))
    said = reported(db)
    with writing(tmp_path / "new.db") as new:
        made(new, clock("13:00:00"))
        recompile(new, clock("13:00:00"))
        with transaction(new):
            for body in (*said, *said):
                asrun.take_back(new, body)
            asrun.take_back(new, records.AsRun("ch-1", ({"start": "2026-11-24T04:00:00Z", "title": "x"},)))
        assert reported(new) == []
        rows = log(new, clock("14:00:00"))
        lost = next(row for row in rows if row.reason == LOST)
        assert to_us(lost.start) + lost.duration_s * SECOND == clock("12:59:00")
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert asrun.bad_row(new, "ch-1") is None
        assert [body.rows[0]["seq"] for body in reported(new)] == [said[-1].rows[-1]["seq"] + 1]


def test_a_chain_that_parted_is_not_glued_together(db: Database, tmp_path: Path) -> None:
    """A box that logged something else under the same numbers keeps its own rows; the hub has both."""
    schedule(db, *(entry(n, n % 8 + 1, f"12:{n:02}:00") for n in range(1, 30)))
    recompile(db, NOON)
    log(db, clock("12:30:00"))
    said = reported(db)
    with writing(tmp_path / "other.db") as other:
        made(other)
        schedule(other, entry(1, 8, "12:01:00"))
        recompile(other, NOON)
        before = log(other, clock("12:20:00"))
        with transaction(other):
            asrun.take_back(other, said[0])
        assert log(other, clock("12:20:00")) == before
