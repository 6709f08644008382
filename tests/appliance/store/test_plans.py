"""Which plan counts on a day: the last good schedule, the weekday's template, the default programme; then the slate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlite_utils import Database

from appliance.core import records
from appliance.core.air import FREEZE_S
from appliance.core.errors import OperatorError, Refused
from appliance.core.rundown import SLATE, tick_of
from appliance.store import air
from appliance.store.database import transaction, writing
from tests.appliance.core.air_box import DATE, LENGTHS, SECOND, ZONE, clock, entry
from tests.appliance.core.test_template import clip, day
from tests.appliance.store.test_air import CHANNEL, recompile, schedule, segments, stock

NOON = clock("12:00:00")
EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with writing(tmp_path / "box.db") as opened:
        with transaction(opened):
            assert air.ensure_channel(opened, "ch-1", ZONE, NOON)
            for number, frames in enumerate(LENGTHS, 1):
                stock(opened, number, frames)
        yield opened


def template(db: Database, version: int = 1, **content: Any) -> None:
    document = {"channel": "ch-1", "version": version, **content}
    raw = msgspec.Raw(json.dumps(document).encode())
    with transaction(db):
        air.receive_template(db, records.Template(channel="ch-1", version=version, document=raw), ["ch-1"], NOON)


def on(db: Database, local: str) -> tuple[str, int | None, str | None, bool]:
    """Whose plan, which version, which entry, and whether it was planned."""
    tick = tick_of(clock(local))
    row = air.stretches(db, "ch-1", tick, tick + 1)[0]
    return row.plan, row.version, row.entry_id, row.planned


def test_the_ladder_from_the_schedule_to_the_slate(db: Database) -> None:
    """Each rung carries when the one above it is missing, and gives way again when that comes."""
    recompile(db, NOON)
    assert on(db, "13:00:00") == ("", None, None, False)
    assert air.stretches(db, "ch-1", tick_of(clock("13:00:00")), tick_of(clock("13:00:01")))[0].rendition == SLATE
    template(db, 1, default=[clip(1), clip(8)])
    recompile(db, NOON)
    assert on(db, "13:00:00") == ("default", None, None, False)
    template(db, 2, default=[clip(1), clip(8)], days=[day(*EVERY_DAY, entries=[entry(7, 8, "13:00:00")])])
    recompile(db, NOON)
    assert on(db, "13:00:00") == ("template", 2, "e7", True)
    schedule(db, entry(1, 8, "12:59:00"))
    recompile(db, NOON)
    assert on(db, "13:00:00") == ("schedule", 1, "e1", True)


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b'{"channel": "ch-1", "date": "%b", "version": 2, "entries": []}' % DATE.encode(),
        b'{"channel": "ch-1", "date": "%b", "version": 2, "entries": [{"id": 7}]}' % DATE.encode(),
        b'{"channel": "ch-1", "date": "%b", "version": 3, "entries": []}' % DATE.encode(),
        b'{"channel": "ch-1", "date": "%b", "version": 2, "style": "new", "entries": []}' % DATE.encode(),
        b"[]",
    ],
    ids=["nothing", "empty", "broken", "another version", "written by newer software", "no object"],
)
def test_the_last_good_schedule_wins(db: Database, document: bytes) -> None:
    """An empty or broken schedule that got as far as the box changes nothing on the air."""
    schedule(db, entry(1, 8, "12:59:00"))
    recompile(db, NOON)
    before = segments(db, NOON, NOON + 3600 * SECOND)
    body = records.Schedule(channel="ch-1", date=DATE, version=2, document=msgspec.Raw(document))
    with pytest.raises((OperatorError, Refused)), transaction(db):
        air.receive_schedule(db, body, ZONE, ["ch-1"], NOON)
    recompile(db, NOON)
    assert segments(db, NOON, NOON + 3600 * SECOND) == before


def test_a_schedule_on_disk_that_is_not_taken_any_more_gives_way_to_the_one_before(db: Database) -> None:
    """A rule that an upgrade adds must not turn a good evening into filler."""
    schedule(db, entry(1, 8, "12:59:00"))
    empty = json.dumps({"channel": "ch-1", "date": DATE, "version": 2, "entries": []}).encode()
    db.conn.execute("INSERT INTO schedules VALUES ('ch-1', ?, 2, ?, ?)", (DATE, empty, NOON))
    recompile(db, NOON)
    assert on(db, "13:00:00") == ("schedule", 1, "e1", True)


def test_an_older_version_changes_nothing(db: Database) -> None:
    """What was late on its way, or came again from a stick, must not undo what counts."""
    schedule(db, entry(2, 8, "12:59:00"), version=2)
    recompile(db, NOON)
    schedule(db, entry(1, 3, "12:59:00"), version=1)
    template(db, 5, default=[clip(1)])
    template(db, 4, default=[clip(2)])
    recompile(db, NOON)
    assert on(db, "13:00:00") == ("schedule", 2, "e2", True)
    assert air.assets_of_entries(db, "ch-1", DATE) == {"e2": entry(2, 8)["asset"]}
    known = air.template_of(db, "ch-1")
    assert known is not None and known.version == 5


def test_one_that_comes_within_the_freeze_takes_effect_behind_it_and_the_screen_says_when(db: Database) -> None:
    """What was committed airs; a technician must see that the new version is known, and from when on it plays."""
    schedule(db, entry(1, 8, "12:00:20"))
    recompile(db, NOON)
    now = NOON + 60 * SECOND
    recompile(db, now)
    frozen = now + FREEZE_S * SECOND
    before = [one for one in segments(db, now, frozen) if one.start_tick < tick_of(frozen)]
    schedule(db, entry(9, 8, "12:00:20"), version=2)
    recompile(db, now)
    assert [one for one in segments(db, now, frozen) if one.start_tick < tick_of(frozen)] == before
    seen = air.on_air(db, CHANNEL, now)
    assert (seen.plan, seen.schedule_version, seen.next_version) == ("schedule", 1, 2)
    assert seen.next_version_at_us is not None
    assert frozen <= seen.next_version_at_us < now + (FREEZE_S + 2) * SECOND
    later = air.on_air(db, CHANNEL, seen.next_version_at_us)
    assert (later.schedule_version, later.next_version, later.next_version_at_us) == (2, None, None)


def test_during_a_break_in_the_version_behind_it_is_told(db: Database) -> None:
    """What the channel will go back to is the question while an emergency is on."""
    schedule(db, entry(1, 8, "12:00:20"), version=3)
    recompile(db, NOON)
    with transaction(db):
        air.add_insert(db, "i1", "ch-1", f"sha256:{3:064x}", NOON)
    recompile(db, NOON + 60 * SECOND)
    seen = air.on_air(db, CHANNEL, NOON + 70 * SECOND)
    assert (seen.kind, seen.schedule_version) == ("emergency", 3)


def test_readiness_tells_what_a_hard_start_takes(db: Database) -> None:
    """An entry that will not be seen, or only half of it, is no secret of the compiler."""
    schedule(db, entry(1, 1, "13:00:00"), entry(2, 1), entry(3, 3), entry(4, 2, "13:01:30"))
    found = air.coming_entries(db, "ch-1", NOON, NOON + 7200 * SECOND)
    assert [(each.entry_id, each.cut_s, each.is_dropped) for each in found] == [
        ("e1", 0.0, False),
        ("e2", 30.0, False),
        ("e4", 0.0, False),
        ("e3", 92.0, True),
    ]
