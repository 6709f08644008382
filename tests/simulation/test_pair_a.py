"""A fixed number of seeded histories of the whole pair: half of them here, half in its twin, for two processes.

One that fails says which; `make sim SEED=N` plays it again, action by action.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation import SEEDS_IN_TEST
from tests.simulation.run import run
from tests.simulation.sides import template

PER_CASE = 25
FIRST = 0 * SEEDS_IN_TEST // 2 + 1


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with template() as made:
        yield made


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS_IN_TEST // 2, PER_CASE))
def test_whatever_befalls_both_sides_nothing_is_lost_and_in_the_end_they_agree(root: Path, first: int) -> None:
    """Each seed is another night: people at work on both sides, and cuts, kills, full disks and wrong clocks."""
    for seed in range(first, first + PER_CASE):
        run(root, seed)
