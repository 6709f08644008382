"""The newsroom that works while the power goes: every kind of its work has its turn."""

import pytest

from tests.machines.load import said_no, turned
from tests.machines.shell import CommandFailed


def test_each_act_is_the_first_of_every_third_round() -> None:
    """A round may be over before its first act is: what always came second would never be done."""
    rounds = [turned(("publish", "reschedule", "order"), number) for number in range(1, 4)]
    assert rounds == [
        ("reschedule", "order", "publish"),
        ("order", "publish", "reschedule"),
        ("publish", "reschedule", "order"),
    ]


@pytest.mark.parametrize(
    ("failed", "answered"),
    [
        (CommandFailed("version 2 is out already", 2), True),
        (CommandFailed("it failed", 1), True),
        (CommandFailed("Connection closed", 255), False),
        (CommandFailed("not done within 90 s"), False),
        (ConnectionResetError(), False),
    ],
    ids=lambda each: str(each),
)
def test_only_an_answer_is_a_refusal(failed: Exception, answered: bool) -> None:
    """What broke off with the power is no fault of the machine."""
    assert said_no(failed) is answered
