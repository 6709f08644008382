"""The as-run is found from any moment back, page by page; accidents are among what is not as planned."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance.core.accidents import tally
from appliance.core.moment import to_us
from appliance.core.rundown import tick_of
from appliance.store import aired, asrun
from appliance.store.database import transaction, writing
from tests.appliance.core.air_box import SECOND, clock, entry
from tests.appliance.store.test_air import recompile, schedule
from tests.appliance.store.test_asrun import NOON, made

UNTIL = clock("14:00:00")
PLANNED = "Aired Without Discrepancy"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with writing(tmp_path / "box.db") as opened:
        made(opened)
        schedule(opened, *(entry(n, 1 + n % 3, f"12:{n:02}:00") for n in range(1, 50, 4)))
        recompile(opened, NOON)
        with transaction(opened):
            asrun.log_aired(opened, "ch-1", UNTIL)
        yield opened


def test_the_row_that_ran_at_a_moment_comes_first_and_then_what_was_before(db: Database) -> None:
    """What aired at 12:13 yesterday, and what led to it."""
    found = aired.aired_before(db, "ch-1", clock("12:13:20"), limit=500)
    assert to_us(found[0].start) <= clock("12:13:20") < to_us(found[0].start) + found[0].duration_s * SECOND
    assert [row.seq for row in found] == list(range(found[0].seq, 0, -1))
    assert aired.aired_before(db, "ch-1", NOON - 3600 * SECOND) == ()


def test_pages_join_without_a_row_twice_or_left_out(db: Database) -> None:
    """Also from a moment long after the last row."""
    pages, last = [], None
    while page := aired.aired_before(db, "ch-1", UNTIL * 2, before_seq=last, limit=7):
        pages += page
        last = page[-1].seq
    assert [row.seq for row in pages] == list(range(len(pages), 0, -1))
    assert len(pages) > 20


def test_a_title_is_found(db: Database) -> None:
    """Of the whole log only the rows that name it."""
    rows = aired.aired_before(db, "ch-1", UNTIL, limit=500)
    title = next(row.title for row in rows if row.entry == "e5")
    found = aired.aired_before(db, "ch-1", UNTIL, title.upper())
    assert found
    assert {title in row.title for row in found} == {True}


def test_every_accident_is_among_what_is_not_as_planned(db: Database) -> None:
    """The short list counts the same accidents as the whole day."""
    begin, end = NOON - 3600 * SECOND, UNTIL
    short = aired.not_as_planned(db, "ch-1", begin, end)
    whole = asrun.aired(db, "ch-1", begin, end)
    assert 0 < len(short) < len(whole)
    assert tally(short, begin, end).accidents == tally(whole, begin, end).accidents != ()


def test_a_filler_that_nobody_planned_is_among_them_whatever_its_status(db: Database) -> None:
    """It counts as an accident by what it is."""
    last = aired.aired_before(db, "ch-1", UNTIL, limit=1)[0]
    row = msgspec.structs.replace(last, seq=last.seq + 1, kind="filler", planned=False, status=(PLANNED,), reason=None)
    document = msgspec.json.encode(row)
    tick = tick_of(to_us(row.start))
    db.conn.execute("INSERT INTO asrun VALUES ('ch-1', ?, ?, ?, '', ?, 0)", (row.seq, tick, tick + 90, document))
    assert row.seq in {each.seq for each in aired.not_as_planned(db, "ch-1", NOON, UNTIL)}


def test_one_row_comes_with_the_hash_that_the_next_one_names(db: Database) -> None:
    """What an inspector asks for."""
    first, second = aired.row_of(db, "ch-1", 1), aired.row_of(db, "ch-1", 2)
    assert first is not None and second is not None
    assert second.row.prev == first.hash
    assert aired.row_of(db, "ch-1", 10**6) is None
