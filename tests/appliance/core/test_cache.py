"""What is in use is never let go; of the rest, what was not used for longest goes first."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.cache import (
    QUARANTINE_BYTES_MAX,
    QUARANTINE_KEPT_US,
    Pin,
    Quarantined,
    Why,
    let_go,
    order_of_eviction,
    over_quota_bytes,
    pins,
    quarantine_over,
)
from appliance.core.stock import Holding
from tests.appliance.boxes import AT_US, S, digest

HOLDINGS = st.lists(
    st.builds(
        Holding,
        digest=st.sampled_from([digest(letter) for letter in "0123456789abcdef"]),
        size_bytes=st.integers(1, 100),
        state=st.sampled_from(("here", "here", "here", "wanted", "bad")),
        last_used_us=st.integers(0, 5),
    ),
    max_size=16,
    unique_by=lambda holding: holding.digest,
)


def held(letter: str, used_us: int = 0, size_bytes: int = 10) -> Holding:
    return Holding(digest=digest(letter), size_bytes=size_bytes, state="here", last_used_us=used_us)


def test_every_reason_is_kept_the_most_pressing_first() -> None:
    """`songshan cache` is asked why something is here: that one story is over does not free what three others show."""
    air, item, sent = Pin("air", "新闻", "dengfeng-1", 5), Pin("item", "秋收", "i1"), Pin("transfer", "", "up")
    assert pins([("a", sent), ("a", item), ("a", air), ("a", item)], {}, ())["a"] == (air, item, sent)


def test_what_a_channel_is_to_play_keeps_source_and_rendition() -> None:
    """Either alone is no programme: the rendition airs, the source is what it can be made again from."""
    found = pins([("source", Pin("schedule")), ("picture", Pin("item")), ("film", Pin("air"))], {"source": "made"}, ())
    assert set(found) == {"source", "made", "picture", "film"}


def test_what_was_recalled_is_kept_by_nothing_but_what_was_announced() -> None:
    """A recalled story must not stay on the disk because a schedule still names it."""
    found = [("a", Pin(why)) for why in get_args(Why) if why != "air"]
    assert pins(found, {"a": "made"}, {"a", "made"}) == {}
    assert set(pins([*found, ("made", Pin("air"))], {"a": "made"}, {"a", "made"})) == {"made"}


@given(sizes=st.lists(st.integers(1, 9), max_size=9), short=st.integers(-3, 60))
def test_enough_goes_and_no_more_or_it_is_told_how_much_is_lacking(sizes: list[int], short: int) -> None:
    """One too few stops the air's next film; one too many is fetched again tomorrow."""
    chosen, lacking = let_go([(str(place), size) for place, size in enumerate(sizes)], short)
    freed = sum(sizes[: len(chosen)])
    assert chosen == tuple(str(place) for place in range(len(chosen)))
    assert lacking == max(0, short - sum(sizes))
    assert freed >= short or len(chosen) == len(sizes)
    assert not chosen or freed - sizes[len(chosen) - 1] < short


def aside(letter: str, size_bytes: int, days_ago: float, *, is_readable: bool = True) -> Quarantined:
    since_us = AT_US - round(days_ago * 86_400 * S)
    name = letter if is_readable else f"{letter}.unreadable"
    return Quarantined(name=name, digest=letter, size_bytes=size_bytes, since_us=since_us, is_readable=is_readable)


def test_quarantine_empties_itself_by_healing_by_age_and_by_size() -> None:
    """What was set aside is worth something as long as what comes is compared with it, and must never fill the disk."""
    most = QUARANTINE_BYTES_MAX
    held = [aside("healed", 1, 1), aside("wanted", 1, 1), aside("old", 1, 14), aside("idle", 1, 1)]
    assert quarantine_over(held, {"wanted", "old"}, {"healed"}, AT_US, is_short=False) == ("healed", "old")
    assert quarantine_over(held, {"wanted"}, (), AT_US, is_short=True) == ("healed", "idle", "old")
    large = [aside("a", most, 3), aside("b", most - 5, 2), aside("c", 6, 1)]
    assert quarantine_over(large, "abc", (), AT_US, is_short=False) == ("b", "a")


def test_unreadable_files_keep_their_bad_blocks_for_their_days() -> None:
    """Given back, the next film would be written over them."""
    bad = aside("a", 1, 1, is_readable=False)
    assert quarantine_over([bad], (), {"a"}, AT_US, is_short=True) == ()
    assert quarantine_over([aside("a", 1, 15, is_readable=False)], (), (), AT_US, is_short=False) == ("a.unreadable",)


@given(
    held=st.lists(
        st.builds(aside, st.sampled_from("abcdefgh"), st.integers(0, QUARANTINE_BYTES_MAX * 2), st.integers(0, 20)),
        max_size=8,
        unique_by=lambda each: each.name,
    ),
    wanted=st.sets(st.sampled_from("abcdefgh")),
)
def test_quarantine_is_bounded_whatever_is_in_it(held: list[Quarantined], wanted: set[str]) -> None:
    """By days and bytes, also when all of it is wanted."""
    gone = quarantine_over(held, wanted, (), AT_US, is_short=False)
    left = [each for each in held if each.name not in gone]
    assert sum(each.size_bytes for each in left) <= QUARANTINE_BYTES_MAX
    assert all(each.since_us > AT_US - QUARANTINE_KEPT_US for each in left)


@given(held=st.integers(0, 100), most=st.integers(0, 100))
def test_a_quota_of_nothing_is_none(held: int, most: int) -> None:
    """0 is the default: all that the disk has."""
    assert over_quota_bytes(held, 0) == 0
    assert held - over_quota_bytes(held, most) <= (most or held)


def test_the_longest_unused_goes_first_then_the_larger_then_by_digest() -> None:
    """Two boxes with the same history choose alike."""
    given_ = [held("a", 2), held("b", 1, 5), held("c", 1, 50), held("e", 0), held("d", 0)]
    assert [each.digest for each in order_of_eviction(given_, {})] == [digest(letter) for letter in "decba"]


@given(holdings=HOLDINGS, pinned=st.sets(st.sampled_from([digest(letter) for letter in "0123456789abcdef"])))
def test_everything_on_disk_is_either_pinned_or_in_the_order_once(holdings: list[Holding], pinned: set[str]) -> None:
    """A pinned asset let go is a hole in the air; what is not on the disk frees nothing."""
    found = order_of_eviction(holdings, {each: (Pin("air"),) for each in pinned})
    here = {holding.digest for holding in holdings if holding.state == "here"}
    assert sorted(each.digest for each in found) == sorted(here - pinned)
    assert [each.last_used_us for each in found] == sorted(each.last_used_us for each in found)
