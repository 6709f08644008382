"""Half an hour of a channel over midnight and the wrap of its clock, with much of what may happen in two days."""

from pathlib import Path

from tests.days.history import BEGIN_US, SECOND, Plan, play

PLAN = Plan(hours=0.5, edits=50, kills=12, steps=3, ledger_hours=2, begin_us=BEGIN_US + 2400 * SECOND)


def test_whatever_happens_no_rule_is_broken_and_the_twin_says_the_same(tmp_path: Path) -> None:
    """A viewer notices no edit, no kill and no wrong clock; and a box that stands by would say the same."""
    seen = play(1, PLAN, tmp_path)
    assert seen.polls == 1800
    assert (seen.midnights, seen.wraps) == (1, 1)
    assert seen.events["killed while writing"] > 2
