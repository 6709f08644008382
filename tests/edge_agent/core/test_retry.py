"""When to try again."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.retry import LINK, is_due, next_attempt_us

NOW_US = 1_795_478_400_000_000


@given(failures=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_shorter_than_half_nor_longer_than_the_longest(failures: int, jitter: float) -> None:
    """A hub that comes back must not find a county asleep for an hour, nor be hammered by it until then."""
    wait_us = next_attempt_us(NOW_US, failures, jitter, LINK) - NOW_US
    assert LINK.first_us // 2 <= wait_us <= LINK.longest_us


def test_waits_double() -> None:
    """The first failures are often a hiccup, the later ones an outage."""
    assert [next_attempt_us(0, failures, 0.0, LINK) for failures in (1, 2, 3, 4)] == [
        500_000,
        10**6,
        2 * 10**6,
        4 * 10**6,
    ]


def test_boxes_that_fail_together_do_not_come_back_together() -> None:
    """Sixteen counties on one cut line would knock in the same millisecond, again and again."""
    moments = {next_attempt_us(NOW_US, 6, jitter / 16, LINK) for jitter in range(16)}
    assert len(moments) == 16
    assert max(moments) - min(moments) > 14_000_000


def test_a_wait_noted_under_another_clock_does_not_last_for_years() -> None:
    """A clock that stood in 2037 when a transfer failed must not keep it from 2026."""
    assert is_due(NOW_US, NOW_US, LINK)
    assert not is_due(NOW_US + LINK.longest_us, NOW_US, LINK)
    assert is_due(NOW_US + 11 * 365 * 86_400_000_000, NOW_US, LINK)
