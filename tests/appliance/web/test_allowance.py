"""How often one client may write."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.web.allowance import CLIENTS_MAX, Allowance


def test_a_few_at_once_then_one_a_while() -> None:
    """An eyewitness sends three messages in a row; a script sends three thousand."""
    allowance = Allowance(burst=3, every_s=10)
    assert [allowance.wait_s("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert allowance.wait_s("a", 0.0) == 10
    assert allowance.wait_s("b", 0.0) == 0
    assert allowance.wait_s("a", 9.0) == 1
    assert allowance.wait_s("a", 10.0) == 0
    assert allowance.wait_s("a", 10.0) > 0


def test_memory_is_bounded_whatever_addresses_come() -> None:
    """A flood from many addresses must not fill the box."""
    allowance = Allowance(burst=1, every_s=10)
    for number in range(CLIENTS_MAX + 10):
        assert allowance.wait_s(str(number), 0.0) == 0
    assert len(allowance._full_at) == CLIENTS_MAX


@given(st.lists(st.floats(0, 100), max_size=60).map(sorted), st.integers(1, 5), st.floats(0.5, 20))
def test_over_any_time_no_more_pass_than_burst_and_rate_allow(moments: list[float], burst: int, every_s: float) -> None:
    """The bound that the spool's size is reckoned from."""
    allowance = Allowance(burst, every_s)
    passed = sum(allowance.wait_s("a", moment) == 0 for moment in moments)
    span = moments[-1] - moments[0] if moments else 0
    assert passed <= burst + span / every_s + 1e-6
