"""For how long keys are good, decided by two moments of the hub's clock and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.key_alarm import finding_of
from appliance.core.key_term import DAY_US, Key, KeyPolicy, Standing, standing, term_of

SINCE_US = 1_795_478_400_000_000
ORDER: tuple[Standing, ...] = ("good", "due", "late", "renew_only", "out")
policies = st.builds(KeyPolicy, st.integers(1, 4000), st.integers(0, 4000), st.integers(0, 4000))


@pytest.mark.parametrize(
    ("age_days", "expected"),
    [
        (-20_000, "good"),
        (0, "good"),
        (119.99, "good"),
        (120, "due"),
        (149.99, "due"),
        (150, "late"),
        (179.99, "late"),
        (180, "renew_only"),
        (544.99, "renew_only"),
        (545, "out"),
        (20_000, "out"),
    ],
)
def test_what_keys_of_an_age_are_good_for(age_days: float, expected: Standing) -> None:
    """As hub.toml has it where nobody chose otherwise."""
    assert standing(term_of(KeyPolicy(), SINCE_US), SINCE_US + round(age_days * DAY_US)) == expected


def test_a_county_that_was_away_for_a_year_comes_back_by_itself() -> None:
    """It may have gone the moment before it would have changed its keys."""
    key = term_of(KeyPolicy(), SINCE_US)
    assert key.renew_from_us is not None
    assert standing(key, key.renew_from_us - 1 + 366 * DAY_US) == "renew_only"


@given(policies, st.integers(-(10**17), 10**17), st.integers(0, 10**17))
def test_it_only_gets_worse_as_time_goes_by(policy: KeyPolicy, at_us: int, later_us: int) -> None:
    """And between being let in and being let out there is always the warning, where the policy leaves time for one."""
    key = term_of(policy, SINCE_US)
    assert ORDER.index(standing(key, at_us)) <= ORDER.index(standing(key, at_us + later_us))
    assert key.until_us is not None and key.renew_from_us is not None
    if policy.renew_before_days:
        assert standing(key, key.until_us - 1) == "late"
        assert standing(key, key.renew_from_us) in ("due", "late")


@given(policies, st.integers(0, 10**17), st.integers(0, 10**17))
def test_an_operators_word_lets_keys_be_changed_and_makes_none_good(
    policy: KeyPolicy, let_until_us: int, at_us: int
) -> None:
    """Nobody comes in with keys that ran out but to change them; and no word takes time away."""
    plainly, let = (standing(term_of(policy, SINCE_US, each), at_us) for each in (0, let_until_us))
    assert let == plainly or (plainly, let) == ("out", "renew_only")
    assert (let == "renew_only") == (plainly == "renew_only" or (plainly == "out" and at_us < let_until_us))


@given(st.integers(-(10**17), 10**17))
def test_keys_that_never_run_out_are_good(at_us: int) -> None:
    """And nobody is told anything of them."""
    key = term_of(KeyPolicy(valid_days=0), SINCE_US)
    assert (standing(key, at_us), standing(Key(), at_us)) == ("good", "good")
    assert not [*finding_of(key, at_us), *finding_of(Key(), at_us)]


@pytest.mark.parametrize(
    ("age_days", "severity"), [(10, None), (130, None), (160, "amber"), (300, "amber"), (600, "red")]
)
def test_people_are_told_when_it_did_not_happen_by_itself(age_days: int, severity: str | None) -> None:
    """Not before: a box that has just come due needs nobody."""
    found = [*finding_of(term_of(KeyPolicy(), SINCE_US), SINCE_US + age_days * DAY_US)]
    assert [(each.id, each.severity) for each in found] == ([("key", severity)] if severity else [])
