"""A report that comes by two ways at once, a session and a stick: what counts is found out when nobody else writes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.core import records
from appliance.core.journal import Checkpoint, Record, append, genesis, position_after, sign_checkpoint
from appliance.core.judge import Judgement, Verdict
from provisioning.hub.intake import Intake
from provisioning.hub.keeping import receive
from tests.carrying import SITE, Pair, pair

AT_US = 1_795_500_000_000_000
REPORT = f"{SITE}/report"


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


@dataclass
class Interrupted(Intake):
    """An intake beside which another one is at work, just before it comes to the lock."""

    meanwhile: Callable[[], object] | None = None

    def before_accepting(self, arrived: tuple[records.Body, ...]) -> None:
        super().before_accepting(arrived)
        assert self.meanwhile is not None
        self.meanwhile()


def written(count: int, word: str) -> list[Record]:
    position, made = genesis(REPORT), list[Record]()
    for number in range(count):
        body = records.Tip(f"{word}{number}", "路灯不亮", "2026-11-24T06:00:00Z", "139")
        made.append(append(position, "tip", body.id, records.encode(body), AT_US + number))
        position = position_after(made[-1])
    return made


def signed(ends: Pair, made: Sequence[Record]) -> Checkpoint:
    return sign_checkpoint(position_after(made[-1]), AT_US, AT_US + 600_000_000, ends.box_key)


def received(ends: Pair, first: list[Record], meanwhile: list[Record]) -> Judgement:
    """`first` was judged when `meanwhile` came by the other way, before it was written."""
    key = ends.box_key.public_key()
    other = Intake(ends.folder, SITE, ends.journals)
    one = Interrupted(
        ends.folder,
        SITE,
        ends.journals,
        meanwhile=lambda: receive(other, key, meanwhile, signed(ends, meanwhile)),
    )
    return receive(one, key, first, signed(ends, first))


def kept(ends: Pair) -> list[str]:
    return [record.header.key for record in ends.journals.stream(REPORT).records()]


@pytest.mark.parametrize("more", [2, 3], ids=["the same", "more"])
def test_what_the_other_way_brought_meanwhile_is_kept_once(ends: Pair, more: int) -> None:
    """The second judgement finds it known; the box is told the place that the hub has now."""
    made = written(more, "t")
    judgement = received(ends, made[:2], made)
    assert judgement.verdict in (Verdict.DUPLICATE, Verdict.STALE)
    assert judgement.position == position_after(made[-1])
    assert kept(ends) == [record.header.key for record in made]


def test_what_the_other_way_brought_in_part_is_kept_once_and_the_rest_behind_it(ends: Pair) -> None:
    """Three records by the session, the first of them by the stick while they were judged."""
    made = written(3, "t")
    judgement = received(ends, made, made[:1])
    assert (judgement.verdict, judgement.position) == (Verdict.ACCEPTED, position_after(made[-1]))
    assert judgement.accepted == tuple(made[1:])
    assert kept(ends) == ["t0", "t1", "t2"]


def test_another_history_that_came_meanwhile_stands(ends: Pair) -> None:
    """Two machines with one key: the second to come is the fork, and changes nothing."""
    judgement = received(ends, written(2, "a"), written(2, "b"))
    assert judgement.verdict is Verdict.FORKED
    assert kept(ends) == ["b0", "b1"]
