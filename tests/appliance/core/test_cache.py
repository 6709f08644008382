"""What is in use is never let go; of the rest, what was not used for longest goes first."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.cache import order_of_eviction, pins
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


@given(holdings=HOLDINGS, pinned=st.sets(st.sampled_from([digest(letter) for letter in "0123456789abcdef"])))
def test_everything_on_disk_is_either_pinned_or_in_the_order_once(holdings: list[Holding], pinned: set[str]) -> None:
    """A pinned asset let go is a hole in the air; what is not on the disk frees nothing."""
    found = order_of_eviction(holdings, dict.fromkeys(pinned, PINNED))
    here = {holding.digest for holding in holdings if holding.state == "here"}
    assert sorted(each.digest for each in found) == sorted(here - pinned)
    assert [each.last_used_us for each in found] == sorted(each.last_used_us for each in found)
