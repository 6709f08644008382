"""What lies between two marks of the air's time: only what passed on the running clock can have aired."""

import pytest

from appliance.core.airtime import Absence, Mark, absences, air_now_us
from appliance.core.moment import US

AT = 1_795_500_000 * US
MINUTE = 60 * US
MARK = Mark(AT, 3600 * US)


@pytest.mark.parametrize(
    ("wall", "running", "expected"),
    [
        (10 * US, 3610 * US, ()),
        (30 * MINUTE, 3600 * US + 30 * MINUTE, (Absence(AT, AT + 30 * MINUTE, "unattended"),)),
        # An hour without power, and half a minute until the first mark.
        (61 * MINUTE, 30 * US, (Absence(AT, AT + 61 * MINUTE, "off"),)),
        # The machine came back, and the agent only ten minutes later.
        (
            60 * MINUTE, 10 * MINUTE,
            (Absence(AT, AT + 50 * MINUTE, "off"), Absence(AT + 50 * MINUTE, AT + 60 * MINUTE, "unattended")),
        ),
        # Up for longer than before the cut: it looks like one boot, and the hour is missing all the same.
        (60 * MINUTE, 3605 * US, (Absence(AT, AT + 60 * MINUTE - 5 * US, "off"),)),
        # The clock was put forward.
        (60 * MINUTE, 3610 * US, (Absence(AT, AT + 60 * MINUTE - 10 * US, "off"),)),
        # Put back, or dead at the start: the air goes on from the mark, and nothing was leapt over.
        (-60 * MINUTE, 3610 * US, ()),
        (-(2**50), 20 * US, ()),
        # Steered by a time server.
        (10 * US + 500_000, 3610 * US, ()),
    ],
)  # fmt: skip
def test_what_nobody_vouches_for(wall: int, running: int, expected: tuple[Absence, ...]) -> None:
    """An hour of darkness is found from two marks alone, whatever the clocks did."""
    found = absences(MARK, AT + wall, running)
    assert found == expected
    assert all(AT <= each.start_us < each.end_us <= air_now_us(MARK, AT + wall, running) for each in found)
