"""The air's own time: the wall clock, but never back.

A channel's media sequence may not go back, so neither may its time. The agent notes now and then how late it is on the
air and on the machine's running clock (CLOCK_BOOTTIME); everybody reckons on from there where the wall clock is behind.
When the wall clock was put back the air runs a little slower until the two meet.
"""

from typing import Final

import msgspec

FULL_RATE: Final = 1000
SLOW_RATE: Final = 995
"""Of a thousand: half a percent slower, which a viewer's buffer does not notice, makes up a second in 200."""
AHEAD_US_MAX: Final = 40_000
"""A clock that is steered by a time server wanders by less than a frame; that is no step back."""
PLAUSIBLE_SINCE_US: Final = 1_735_689_600_000_000
"""2025-01-01: before that no channel of this software was on the air, and the clock is wrong."""


class Mark(msgspec.Struct, frozen=True):
    """It was `air_us` on the air when the running clock stood at `running_us`; from there it goes `rate` per mille."""

    air_us: int
    running_us: int
    rate: int = FULL_RATE


def air_now_us(mark: Mark | None, wall_us: int, running_us: int) -> int:
    """What time it is on the air; at least this after a restart of the machine, whose running clock began anew."""
    if mark is None:
        return wall_us
    return max(wall_us, mark.air_us + max(0, running_us - mark.running_us) * mark.rate // FULL_RATE)


def mark_now(mark: Mark | None, wall_us: int, running_us: int) -> Mark:
    """The mark to note now."""
    air_us = air_now_us(mark, wall_us, running_us)
    return Mark(air_us, running_us, SLOW_RATE if air_us > wall_us + AHEAD_US_MAX else FULL_RATE)


def is_plausible(wall_us: int) -> bool:
    """Whether the wall clock can be right. A channel must not begin in 1970: its numbers would have to leap later."""
    return wall_us >= PLAUSIBLE_SINCE_US
