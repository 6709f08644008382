"""As-run: every frame is accounted for, in words a supervisor knows, in a chain that shows any change."""

import json
from itertools import pairwise

import pytest

from appliance.core.airtime import Absence
from appliance.core.asrun import (
    LOST,
    NO_HASH,
    OFF,
    UNWATCHED,
    Logged,
    Meant,
    Part,
    Sighting,
    evidence_of,
    first_break,
    later_words,
    logged,
    parts,
    status_of,
    with_preempted,
)
from appliance.core.errors import Text
from appliance.core.exports.asrun_csv import asrun_csv
from appliance.core.insertion import Break
from appliance.core.ledger import Stretch
from appliance.core.moment import to_us
from appliance.core.rundown import tick_of
from tests.appliance.core.air_box import SECOND, Box, clock, digest, entry


def an_evening() -> tuple[Box, list[Logged]]:
    box = Box(clock("11:59:00"), missing={digest(3)}, hours=1)
    box.write(entry(1, 8, "12:00:00"), entry(2, 3, "12:03:00"), entry(3, 1), entry(4, 5, "12:06:00"))
    box.compile(box.born_us)
    box.breaks = [Break(id="i1", source=digest(4), at_tick=tick_of(clock("12:01:00")))]
    for second in range(0, 1200, 20):
        box.compile(box.born_us + second * SECOND)
    ended = [row for row in box.rows if row.end_tick <= tick_of(clock("12:18:00"))]
    noon = tick_of(clock("12:00:00"))
    planned = {("2026-11-24", 1, "e1"): Meant(0, 4500, noon), ("2026-11-24", 1, "e3"): Meant(0, 1500, noon)}
    return box, list(logged("ch-1", parts(ended, box.epoch, ()), 0, NO_HASH, planned))


def stretch(kind: str = "programme", seconds: int = 120, start_s: int = 0, **more: object) -> Stretch:
    frames = seconds * 25
    made = {"first_msn": 1, "segments": -(-frames // 50), "start_tick": start_s * 90_000, "frames": frames}
    return Stretch(**{**made, "rendition": "r", "source": digest(1), "kind": kind, "date": "d", "version": 1, **more})  # type: ignore[arg-type]


def whole(stretch: Stretch, presence: str = "on") -> Part:
    return Part(stretch=stretch, start_tick=stretch.start_tick, end_tick=stretch.end_tick, presence=presence)  # type: ignore[arg-type]


def told(stretch: Stretch, *sightings: Sighting, presence: str = "on") -> tuple[str, ...]:
    part = whole(stretch, presence)
    return status_of(part, {}, sightings, evidence_of(part, sightings))[0]


def test_rows_join_without_a_hole() -> None:
    """The day must add up: a second that nobody can tell of is an accident of its own."""
    _, rows = an_evening()
    for before, after in pairwise(rows):
        assert to_us(before.row.start) + round(before.row.duration_s * SECOND) == to_us(after.row.start)
        assert before.row.last_msn + 1 == after.row.first_msn


def test_rows_say_what_went_wrong_in_the_words_of_the_trade() -> None:
    """Missing, joined in progress, cut, inserted: each is counted differently."""
    _, rows = an_evening()
    told = {(one.row.kind, one.row.entry): one.row.status for one in rows}
    assert told["programme", "e3"] == ("Aired Without Discrepancy",)
    assert told["emergency", "i1"] == ("Inserted by Operator",)
    assert told["filler", "e2"] == ("Did not air", "Missing Content")
    assert told["programme", "e1"] == ("Joined in Progress", "Aired with Duration Discrepancy")
    first = next(one.row for one in rows if one.row.entry == "e1")
    assert first.status == ("Aired with Duration Discrepancy",)
    missing = next(one.row for one in rows if one.row.entry == "e2")
    assert missing.reason == Text("媒资未就绪", "the asset is not ready")
    assert rows[0].row.status == ("Technical Difficulty",)


def test_planned_fillers_and_slates_are_no_discrepancy() -> None:
    """What was left to fillers by plan must not look like an accident."""
    assert told(stretch("filler")) == ("Aired Without Discrepancy",)


@pytest.mark.parametrize("spoil", ["change", "leave out", "swap", "garble"])
def test_a_changed_log_shows(spoil: str) -> None:
    """A log that could be touched up quietly would be worth nothing."""
    _, rows = an_evening()
    chain = [(one.document, one.hash) for one in rows]
    assert first_break(chain) is None
    if spoil == "change":
        facts = json.loads(chain[3][0]) | {"title": "别的节目"}
        chain[3] = (json.dumps(facts).encode(), chain[3][1])
    elif spoil == "leave out":
        del chain[3]
    elif spoil == "swap":
        chain[3], chain[4] = chain[4], chain[3]
    else:
        chain[3] = (b"{}", chain[3][1])
    assert first_break(chain) == 4


def seen(*spans_s: tuple[int, int], by: str = "ts_probe", **more: object) -> list[Sighting]:
    return [
        Sighting(start_tick=a * 90_000, end_tick=b * 90_000, evidence=by, **more)  # type: ignore[arg-type]
        for a, b in spans_s
    ]


@pytest.mark.parametrize(
    ("sightings", "evidence"),
    [
        ([], ("ledger",)),
        (seen((0, 60), (60, 120)), ("ledger", "ts_probe")),
        (seen((60, 121), (0, 60)), ("ledger", "ts_probe")),
        (seen((0, 60), (63, 120)), ("ledger",)),
        (seen((0, 60), (60, 110)), ("ledger",)),
        (seen((0, 60)) + seen((60, 120), by="engine_callback"), ("ledger",)),
        (seen((0, 120)) + seen((0, 200), by="engine_callback"), ("ledger", "ts_probe", "engine_callback")),
    ],
)
def test_evidence_counts_where_it_covers_the_whole_row(sightings: list[Sighting], evidence: tuple[str, ...]) -> None:
    """A probe that slept in between has not seen the programme."""
    assert evidence_of(whole(stretch()), sightings) == evidence


def test_a_box_that_was_off_has_aired_nothing_unless_somebody_else_did() -> None:
    """A ledger reaches a day ahead of the truth: what it says of a dark night is what was meant."""
    assert told(stretch(), presence="off") == ("Did not air", "Technical Difficulty")
    assert told(stretch(), presence="unattended") == ("Unknown",)
    assert told(stretch(), *seen((0, 120), by="engine_callback"), presence="off") == ("Aired Without Discrepancy",)


def test_a_row_is_parted_where_the_box_went_off_and_came_back() -> None:
    """The hour before the power cut did air, and the rest is joined in progress."""
    off = Absence(30 * SECOND, 50 * SECOND, "off")
    made = list(logged("c", parts([stretch()], 0, [off]), 0, NO_HASH, {}))
    assert [(each.row.duration_s, each.row.from_s, each.row.status[0]) for each in made] == [
        (30.0, 0.0, "Aired with Duration Discrepancy"),
        (20.0, 30.0, "Did not air"),
        (70.0, 50.0, "Joined in Progress"),
    ]
    assert [each.row.reason for each in made] == [None, OFF, None]
    assert [(each.row.first_msn, each.row.last_msn) for each in made] == [(1, 15), (16, 25), (26, 60)]


def test_where_the_ledger_has_a_hole_the_log_says_so() -> None:
    """A box on a new disk knows nothing of the old one's last hours; it must not jump over them."""
    made = list(logged("c", parts([stretch(start_s=60)], 0, ()), 0, NO_HASH, {}))
    assert [(each.row.duration_s, each.row.status, each.row.reason) for each in made] == [
        (60.0, ("Unknown",), LOST),
        (120.0, ("Aired Without Discrepancy",), None),
    ]
    assert told(stretch(), presence="unattended") == ("Unknown",)
    assert next(logged("c", [whole(stretch(), "unattended")], 0, NO_HASH, {})).row.reason == UNWATCHED


def test_what_was_received_is_held_against_what_was_meant() -> None:
    """The ledger cannot know that the engine played last week's film, or that packets were lost."""
    assert told(stretch(), *seen((0, 120), errors=3)) == ("Technical Difficulty",)
    other = seen((0, 120), by="engine_callback", asset=digest(2))
    assert told(stretch(), *other) == ("Aired with Content Discrepancy",)
    assert told(stretch(), *seen((0, 120), by="engine_callback", asset=digest(1))) == ("Aired Without Discrepancy",)
    assert told(stretch(), *seen((119, 300), by="engine_callback", asset=digest(2))) == ("Aired Without Discrepancy",)


def test_entries_that_an_emergency_took_whole_are_told_as_preempted() -> None:
    """They have no second of their own on the air, and their advertisers ask."""
    first, second = stretch("emergency", 60), stretch("emergency", 60, 60)
    meant = [stretch(seconds=20, start_s=50, entry_id="e1"), stretch(seconds=90, start_s=100, entry_id="e2")]
    made = with_preempted([whole(first), whole(second)], [(0, second.end_tick)], meant)
    rows = [each.row for each in logged("c", made, 0, NO_HASH, {})]
    assert [(row.entry, row.status, row.duration_s) for row in rows] == [
        (None, ("Inserted by Operator",), 60.0),
        (None, ("Inserted by Operator",), 60.0),
        ("e1", ("Preempted",), 0.0),
    ]


def test_a_word_that_comes_late_stands_beside_its_row() -> None:
    """The chain is not written anew. What was on the row already is not said twice, and half a row is not seen."""
    (row,) = (each.row for each in logged("c", [whole(stretch(seconds=120))], 0, NO_HASH, {}))
    seen = Sighting(start_tick=0, end_tick=120 * 90_000, evidence="ts_probe")
    half = Sighting(start_tick=0, end_tick=60 * 90_000, evidence="engine_callback")
    assert later_words([row], [seen, half]) == {1: ("ts_probe",)}
    (known,) = (each.row for each in logged("c", [whole(stretch(seconds=120))], 0, NO_HASH, {}, [seen]))
    assert later_words([known], [seen]) == {}
    assert [line.split(",")[13] for line in asrun_csv([row], "UTC", {1: ("ts_probe",)}).splitlines()] == [
        "evidence_later",
        "ts_probe",
    ]
