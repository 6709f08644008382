"""J5: a hub that came back from a backup is killed while it mends its history: each record is there once."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.core.journal import Checkpoint, Position, Record
from provisioning.hub import forks
from tests.appliance.boxes import dies
from tests.sync.pair import SITE, World, world

CONTROL = f"{SITE}/control"
STEPS_MOST = 400
"""More than the work takes: each test ends at the first step that is not reached."""


@pytest.fixture
def pair(tmp_path: Path) -> World:
    return world(tmp_path)


@dataclass(frozen=True)
class Branch:
    """What a box holds of a history of the hub's: records behind `since`, and the hub's signature on the last."""

    since: Position
    records: list[Record]
    signed: Checkpoint


def branch(pair: World, since: Position, *orders: str) -> Branch:
    """The hub gives orders, a box hears them, and the hub's disk is lost: it stands at `since` again."""
    backup = pair.hub.back_up()
    for name in orders:
        pair.hub.order(SITE, name)
    stream = pair.hub.journals.stream(CONTROL)
    covered = stream.covered()
    assert covered is not None
    held = Branch(since, list(stream.records())[since.seq :], covered.checkpoint)
    pair.hub.come_back(backup)
    return held


def give_back(pair: World, held: Branch) -> None:
    forks.take_back(pair.hub.journals, CONTROL, held.since, held.records, held.signed)


def test_what_was_given_up_is_issued_again_once_wherever_the_hub_is_killed(pair: World) -> None:
    """The most dangerous place: the record is written, and that it was is not noted yet."""
    pair.hub.order(SITE, "o1")
    held = branch(pair, pair.hub.position(CONTROL), "o2")
    for name in ("n1", "n2"):
        pair.hub.order(SITE, name)
    give_back(pair, held)
    assert pair.hub.keys(CONTROL) == ["o1", "o2"]
    before, reached = pair.hub.back_up(), 0
    while dies(lambda: forks.issue_again(pair.hub.journals, CONTROL), reached + 1):
        reached += 1
        assert reached < STEPS_MOST
        forks.issue_again(pair.hub.journals, CONTROL)
        assert pair.hub.keys(CONTROL) == ["o1", "o2", "n1", "n2"]
        pair.hub.come_back(before)
    assert reached > 10


def test_what_a_reader_of_an_older_branch_shows_is_issued_again_once_wherever_the_hub_is_killed(pair: World) -> None:
    """The box gives it back in the next session too: it cannot know how far the hub came."""
    pair.hub.order(SITE, "o1")
    since = pair.hub.position(CONTROL)
    other, held = branch(pair, since, "x1", "x2"), branch(pair, since, "o2")
    pair.hub.order(SITE, "n1")
    give_back(pair, held)
    forks.issue_again(pair.hub.journals, CONTROL)
    before, reached = pair.hub.back_up(), 0
    while dies(lambda: give_back(pair, other), reached + 1):
        reached += 1
        assert reached < STEPS_MOST
        give_back(pair, other)
        assert pair.hub.keys(CONTROL) == ["o1", "o2", "n1", "x1", "x2"]
        pair.hub.come_back(before)
    assert reached > 10
