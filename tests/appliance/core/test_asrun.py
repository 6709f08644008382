"""As-run: every frame is accounted for, in words a supervisor knows, in a chain that shows any change."""

import json
from itertools import pairwise

import pytest

from appliance.core.asrun import NO_HASH, Logged, first_break, logged, status_of
from appliance.core.errors import Text
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
    planned = {("2026-11-24", 1, "e1"): (0, 4500), ("2026-11-24", 1, "e3"): (0, 1500)}
    return box, list(logged("ch-1", ended, 0, NO_HASH, planned))


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
    stretch = Stretch(
        first_msn=1, segments=1, start_tick=0, frames=50, rendition="r", kind="filler", date="d", version=1
    )
    assert status_of(stretch, {}) == ("Aired Without Discrepancy",)


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
