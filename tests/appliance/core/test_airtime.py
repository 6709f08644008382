"""The air's time never goes back, whoever asks, and comes home to the wall clock when that was put back."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.airtime import Mark, air_now_us, is_plausible, mark_now
from appliance.core.moment import to_us

SECOND = 1_000_000
NOON = to_us("2026-11-24T12:00:00Z")


@given(st.lists(st.tuples(st.integers(0, 3600), st.integers(-7200, 7200), st.booleans(), st.booleans()), max_size=40))
def test_it_never_goes_back(fates: list[tuple[int, int, bool, bool]]) -> None:
    """Steps of the clock, restarts of the machine, an agent that marks or is dead: time on the air goes on.

    After a restart of the machine the agent marks before the clock is put back; it starts with the machine.
    """
    wall, running, mark = NOON, 10 * SECOND, None
    mark = mark_now(mark, wall, running)
    before = air_now_us(mark, wall, running)
    for passed, step, restarted, marked in fates:
        wall += (passed + (step if passed > 1800 else 0)) * SECOND
        restarted = restarted and wall > before
        running = 0 if restarted else running + passed * SECOND
        now = air_now_us(mark, wall, running)
        assert now >= before
        before = now
        if marked or restarted:
            mark = mark_now(mark, wall, running)
            assert air_now_us(mark, wall, running) == now


def test_without_a_step_it_is_the_wall_clock() -> None:
    """Hard starts are on the second of the wall clock."""
    mark = mark_now(None, NOON, 0)
    for passed in (0, 1, 86_400, 40 * 86_400):
        assert air_now_us(mark, NOON + passed * SECOND, passed * SECOND) == NOON + passed * SECOND


def test_after_a_step_back_it_runs_slower_until_both_meet() -> None:
    """A minute that was lived too early is given back within some hours, unseen."""
    mark = mark_now(None, NOON, 0)
    wall, running = NOON - 60 * SECOND, 0
    for _ in range(4 * 360):
        mark = mark_now(mark, wall, running)
        wall, running = wall + 10 * SECOND, running + 10 * SECOND
    assert air_now_us(mark, wall, running) == wall


def test_a_restart_with_the_clock_of_1970_goes_on_where_it_was() -> None:
    """A box without a battery wakes up in 1970, with no network to ask: its channels go on."""
    mark = Mark(NOON, 900 * SECOND)
    assert air_now_us(mark, 30 * SECOND, 30 * SECOND) == NOON
    later = mark_now(mark, 30 * SECOND, 30 * SECOND)
    assert air_now_us(later, 40 * SECOND, 40 * SECOND) > NOON + 9 * SECOND
    assert not is_plausible(40 * SECOND) and is_plausible(NOON)
