"""J15: killed at every call that changes a disk, and around every commit: cursor and effect stay together."""

from pathlib import Path

import pytest

from appliance import spool
from appliance.core import command
from appliance.core.moment import to_text
from tests.sync.nights import Night, night

STEPS_MOST = 400
"""More than the work below takes; each test ends at the first step that is not reached."""
TESTS = 4
"""Each takes every fourth step; together they meet all."""


def begin(at: Night) -> None:
    """An order, a story, a tip: they are there, and the box has not looked yet."""
    config = at.box.config
    at.rounds(2)
    at.order("o1")
    at.publish("i1", b"story" * 200)
    tip = command.Tip(by="值班", via="cli", at=to_text(config.clock.wall_us()), text="线索")
    assert at.pair.person(lambda: spool.put(config, tip))


def is_whole(at: Night) -> None:
    """After some calm rounds everything is there, once; the oracle has looked after every round."""
    for _round in range(12):
        at.rounds(1, 30_000_000)
        if at.box.agent and at.shown() and at.oracle.signed["dengfeng/report"]:
            break
    assert at.rows("SELECT id FROM orders") == [("o1",)]
    assert at.rows("SELECT count(*) FROM journal WHERE kind = 'tip'") == [(1,)]
    assert len(at.shown()) == 1
    assert at.oracle.signed["dengfeng/report"]


@pytest.mark.parametrize("first", range(TESTS))
def test_a_box_killed_at_any_step_goes_on_as_if_it_had_not_been(root: Path, first: int) -> None:
    """With its machine's power at every other step, the process alone at the others."""
    reached = 0
    for steps in range(first, STEPS_MOST, TESTS):
        with night(root, seed=steps) as at:
            begin(at)
            at.pair.power_goes = steps // TESTS % 2 == 0
            at.box.volume.kill_after(steps)
            at.rounds(5)
            is_reached = at.box.volume.countdown is None
            at.box.volume.countdown = None
            is_whole(at)
        reached += is_reached
        if not is_reached:
            break
    assert reached > 5
