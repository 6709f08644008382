"""Fillers close every gap to the frame: as close as the library allows, each as often as the others."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.filler import (
    CLOSE_FRAMES,
    MORE_ROUNDS,
    PLAYS_MAX,
    SHOWN_FRAMES_MIN,
    SOLVED_FRAMES,
    Filling,
    filling,
)

LENGTHS = st.lists(st.integers(13, 4000), min_size=1, max_size=12)
GAPS = st.integers(0, 8 * 3600 * 25)


def frames(lengths: list[int], made: Filling) -> int:
    return made.rounds * sum(lengths) + sum(each.frames for each in made.shown) + made.slate_frames


def sums(lengths: list[int], gap: int) -> set[int]:
    """All that whole fillers can make, up to the gap and one filler more, none coming oftener than it may."""
    times = -(-gap // sum(length for length in lengths if length <= gap or min(lengths) > gap)) + MORE_ROUNDS
    found = {0}
    for length in lengths:
        if length <= gap or min(lengths) > gap:
            found |= {
                total + n * length for total in found for n in range(1, times + 1) if total + n * length < gap * 3
            }
    return found


@settings(max_examples=300, deadline=None)
@given(lengths=LENGTHS, gap=GAPS, turn=st.integers(0, 10_000))
def test_every_gap_is_closed_to_the_frame(lengths: list[int], gap: int, turn: int) -> None:
    """Whatever the library: what follows begins on time, and only the last filler is ever cut."""
    made = filling(lengths, gap, turn)
    assert frames(lengths, made) == gap
    assert all(each.frames == lengths[each.number] for each in made.shown[:-1])
    if made.shown:
        last = made.shown[-1]
        cut = lengths[last.number] - last.frames
        assert cut >= 0 and not (cut and made.slate_frames)
        assert not cut or last.frames >= min(SHOWN_FRAMES_MIN, lengths[last.number] // 2)
        assert made.short_frames == (cut or made.slate_frames)
    assert made.slate_frames < SHOWN_FRAMES_MIN


@settings(max_examples=150, deadline=None)
@given(lengths=st.lists(st.integers(13, 60), min_size=1, max_size=4), gap=st.integers(1, 400))
def test_the_library_is_used_as_well_as_it_allows(lengths: list[int], gap: int) -> None:
    """Against all sums there are: none is closer to the gap from above, but for the one frame that nobody looks for."""
    made = filling(lengths, gap, 0)
    over = min((total for total in sums(lengths, gap) if total >= gap), default=gap) - gap
    if made.slate_frames:
        assert made.short_frames == gap - max(total for total in sums(lengths, gap) if total <= gap)
    else:
        assert over <= made.short_frames <= max(over, CLOSE_FRAMES)


@settings(max_examples=100, deadline=None)
@given(lengths=LENGTHS, gap=st.integers(2 * 3600 * 25, 8 * 3600 * 25), turn=st.integers(0, 50))
def test_no_filler_is_worn_out(lengths: list[int], gap: int, turn: int) -> None:
    """Over hours every filler comes as often as the others, but for the last minutes."""
    made = filling(lengths, gap, turn)
    used = Counter(dict.fromkeys(range(len(lengths)), made.rounds))
    used.update(each.number for each in made.shown)
    counts = [used[number] for number in range(len(lengths))]
    in_the_end = -(-(SOLVED_FRAMES + max(lengths)) // sum(lengths)) + MORE_ROUNDS
    assert max(counts) - min(counts) <= in_the_end + 1


def test_a_real_library_closes_every_gap_within_a_frame() -> None:
    """A dozen trailers of odd lengths, as a county has them: from five minutes on not a frame is lost."""
    library = [373, 502, 611, 747, 748, 751, 875, 1127, 1250, 1499, 1501, 1873]
    for gap in (*range(7500, 12_000, 7), *range(20_000, 90_000, 1009)):
        made = filling(library, gap, gap)
        assert (made.slate_frames, made.short_frames <= CLOSE_FRAMES) == (0, True), gap


def test_the_turn_begins_and_nothing_is_shown_twice_before_the_others() -> None:
    """Two gaps in a row do not begin alike; within one gap the whole list comes before anything comes again."""
    library = [500, 700, 900]
    assert [filling(library, 2100, turn).shown[0].number for turn in range(4)] == [0, 1, 2, 0]
    made = filling(library, 4200, 1)
    assert [each.number for each in made.shown] == [1, 2, 0, 1, 2, 0]
    assert made.short_frames == 0


def test_what_cannot_be_closed_is_cut_at_the_end_and_says_by_how_much() -> None:
    """One filler of thirty seconds: the last one loses its end, and a rest in which nothing can be seen is slate."""
    assert filling([750], 2500, 0).shown[-1].frames == 250
    assert filling([750], 2500, 0).short_frames == 500
    short = filling([750], 1550, 0)
    assert ([each.frames for each in short.shown], short.slate_frames, short.short_frames) == ([750, 750], 50, 50)
    tiny = filling([750], 20, 0)
    assert (tiny.shown, tiny.slate_frames, tiny.short_frames) == ((), 20, 20)


def test_without_fillers_the_slate_plays_it_all() -> None:
    """A box that has nothing yet."""
    assert filling([], 1000, 3) == Filling(0, (), 1000, 1000)


def test_very_short_and_very_long_fillers_are_bounded() -> None:
    """A library of jingles, or one film among them, must not keep the agent from its work."""
    for library in ([1], [13] * 500, [90_000, 20, 21], [90_000], list(range(13, 513))):
        made = filling(library, 6 * 3600 * 25 + 7, 3)
        assert frames(library, made) == 6 * 3600 * 25 + 7
        assert len(made.shown) <= len(library) + PLAYS_MAX * 8
