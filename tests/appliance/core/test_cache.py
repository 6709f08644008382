"""What is in use is never let go; of the rest, what was not used for longest goes first."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.cache import evictions, order_of_eviction, pins
from appliance.core.errors import Text
from appliance.core.stock import Holding
from tests.appliance.boxes import digest

PINNED = Text("要用", "in use")
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


def test_the_most_pressing_reason_is_the_one_that_is_told() -> None:
    """`songshan cache` will be asked why something is here."""
    found = pins(ledger=["a"], coming=["a", "b"], published=["b", "c"], transfers=["d"])
    assert {each: why.en for each, why in found.items()} == {
        "a": "the air ledger has committed it",
        "b": "a coming schedule or the fillers name it",
        "c": "an item shows it",
        "d": "it is being transferred",
    }


def test_the_longest_unused_goes_first_then_the_larger_then_by_digest() -> None:
    """Two boxes with the same history choose alike."""
    given_ = [held("a", 2), held("b", 1, 5), held("c", 1, 50), held("e", 0), held("d", 0)]
    assert [each.digest for each in order_of_eviction(given_, {})] == [digest(letter) for letter in "decba"]


def test_no_more_goes_than_is_needed() -> None:
    """And nothing when nothing is."""
    given_ = [held("a", 1), held("b", 2), held("c", 3)]
    assert evictions(given_, {}, 0).digests == ()
    assert evictions(given_, {}, -5).digests == ()
    assert evictions(given_, {}, 11).digests == (digest("a"), digest("b"))


def test_what_cannot_be_freed_is_told_as_a_number() -> None:
    """A full disk is a state: the agent stops fetching and raises an alarm."""
    found = evictions([held("a"), held("b")], {digest("a"): PINNED}, 100)
    assert (found.digests, found.short_bytes) == ((digest("b"),), 90)


@given(
    holdings=HOLDINGS,
    pinned=st.sets(st.sampled_from([digest(letter) for letter in "0123456789abcdef"])),
    need=st.integers(-5, 900),
)
def test_nothing_pinned_or_absent_ever_goes_and_the_sum_is_right(
    holdings: list[Holding], pinned: set[str], need: int
) -> None:
    """Whatever the disk holds: a pinned asset let go is a hole in the air."""
    found = evictions(holdings, dict.fromkeys(pinned, PINNED), need)
    by_digest = {holding.digest: holding for holding in holdings}
    freed = sum(by_digest[each].size_bytes for each in found.digests)
    assert not set(found.digests) & pinned
    assert all(by_digest[each].state == "here" for each in found.digests)
    assert found.short_bytes == max(0, need - freed)
    assert found.short_bytes == 0 or len(found.digests) == len(
        order_of_eviction(holdings, dict.fromkeys(pinned, PINNED))
    )
    if found.digests:
        assert freed - by_digest[found.digests[-1]].size_bytes < need
