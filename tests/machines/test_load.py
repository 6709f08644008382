"""The newsroom that works while the power goes: every kind of its work has its turn."""

from tests.machines.load import turned


def test_each_act_is_the_first_of_every_third_round() -> None:
    """A round may be over before its first act is: what always came second would never be done."""
    rounds = [turned(("publish", "reschedule", "order"), number) for number in range(1, 4)]
    assert rounds == [
        ("reschedule", "order", "publish"),
        ("order", "publish", "reschedule"),
        ("publish", "reschedule", "order"),
    ]
