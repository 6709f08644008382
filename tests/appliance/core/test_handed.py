"""Which backups wait for the hub and which it keeps: always the newest, nobody pushes out the old in one night."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.handed import DAY_US, Handed, let_go, superseded

HOUR_US = DAY_US // 24
NIGHT_US = 1_795_478_400_000_000
moments = st.lists(st.integers(0, 100 * 24), min_size=1, max_size=40, unique=True)


def at(*hours: int) -> list[Handed]:
    return [Handed(f"b{hour}", NIGHT_US + hour * HOUR_US) for hour in hours]


def test_a_slow_line_gets_its_time_and_the_newest_is_not_forgotten() -> None:
    """Else a backup that takes longer than a night to send would begin anew each night, for ever."""
    assert superseded([]) == []
    assert superseded(at(0)) == []
    assert superseded(at(0, 24)) == []
    assert superseded(at(0, 24, 48)) == ["b24"]
    assert superseded(at(0, 24, 48, 72)) == ["b24", "b48"]
    assert superseded(at(0, 96)) == ["b0"]


@given(moments)
def test_two_wait_at_most_and_the_newest_is_one(hours: list[int]) -> None:
    """What waits is on the disk of the box: it must not grow while the line is away."""
    left = {f"b{hour}" for hour in hours} - set(superseded(at(*hours)))
    assert f"b{max(hours)}" in left and len(left) <= 2


def test_as_many_nights_stay_as_were_asked_for() -> None:
    """The oldest goes first."""
    nights = [24 * night for night in range(16)]
    assert let_go(at(*nights), 14) == ["b0", "b24"]
    assert let_go(at(0), 0) == [], "one stays whatever is asked"


def test_a_flood_in_one_night_takes_the_place_of_that_night_alone() -> None:
    """Somebody who has taken over a box must not be able to take its past away as well."""
    kept = [24 * night for night in range(14)]
    for hour in range(14 * 24 - 23, 14 * 24 - 13):
        kept = [each for each in (*kept, hour) if f"b{each}" not in let_go(at(*kept, hour), 14)]
    assert kept == [*(24 * night for night in range(13)), 14 * 24 - 14]


@given(moments, st.integers(1, 20))
def test_no_more_stay_than_asked_for_and_the_last_that_came_does(hours: list[int], keep: int) -> None:
    """Whatever came before it."""
    left = {f"b{hour}" for hour in hours} - set(let_go(at(*hours), keep))
    assert f"b{max(hours)}" in left and len(left) <= keep
