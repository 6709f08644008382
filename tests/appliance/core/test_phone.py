"""Six digits on the telephone say which parts of a box are not in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.errors import OperatorError
from appliance.core.phone import DIGITS, NAMES, code_of, wrong_of


@given(st.sets(st.sampled_from(NAMES)))
def test_the_other_end_knows_what_was_wrong(wrong: set[str]) -> None:
    """Every set of them, also with the pauses that people make."""
    code = code_of(wrong)
    assert len(code) == DIGITS
    assert set(wrong_of(f"{code[:3]} {code[3:]}")) == wrong


def test_what_is_well_and_what_is_new_have_a_code_too() -> None:
    """An older hub says at least that something else is wrong."""
    assert wrong_of(code_of(())) == ()
    assert wrong_of(code_of(("a-check-of-tomorrow", "disk"))) == ("disk", "other")


def test_most_slips_of_one_digit_are_noticed() -> None:
    """Somebody who is tired reads 3 for 8."""
    code, noticed, tried = code_of(("agent", "hub")), 0, 0
    for at in range(DIGITS):
        for digit in "0123456789":
            if digit != code[at]:
                tried += 1
                try:
                    wrong_of(code[:at] + digit + code[at + 1 :])
                except OperatorError:
                    noticed += 1
    assert noticed >= tried * 0.85


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12a456", "９９９９９９", "999999"])
def test_what_is_no_code_is_refused(code: str) -> None:
    """Nobody is sent after a fault that nobody has."""
    with pytest.raises(OperatorError):
        wrong_of(code)
