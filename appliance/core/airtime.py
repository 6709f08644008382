"""The air's own time: the wall clock, but never back.

A channel's media sequence may not go back, so neither may its time. The agent notes now and then how late it is on the
air and on the machine's running clock (CLOCK_BOOTTIME); everybody reckons on from there where the wall clock is behind.
When the wall clock was put back the air runs a little slower until the two meet.
"""

from typing import Final, Literal

import msgspec

FULL_RATE: Final = 1000
SLOW_RATE: Final = 995
"""Of a thousand: half a percent slower, which a viewer's buffer does not notice, makes up a second in 200."""
AHEAD_US_MAX: Final = 40_000
"""A clock that is steered by a time server wanders by less than a frame; that is no step back."""
PLAUSIBLE_SINCE_US: Final = 1_735_689_600_000_000
"""2025-01-01: before that no channel of this software was on the air, and the clock is wrong."""


SILENT_US: Final = 60_000_000
"""Marks are some ten seconds apart. Over a longer silence nobody can tell what went out."""
LEAP_US_MIN: Final = 1_000_000
SLEWED: Final = 1000
"""A clock that is steered gains a thousandth at the most: that, and a second, is no leap."""


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


class Absence(msgspec.Struct, frozen=True):
    """A time on the air that nobody vouches for. `off`: the machine did not run, or the time was leapt over, so nothing
    went out. `unattended`: it ran, and whoever notes so did not. `unserved`: nobody was there who gives it to viewers.
    """

    start_us: int
    end_us: int
    kind: Literal["off", "unattended", "unserved"]


def absences(before: Mark, wall_us: int, running_us: int) -> tuple[Absence, ...]:
    """What lies between a mark and the next one that is not known to have gone out.

    Only what passed on the running clock can have aired. What the air's time is ahead of that was leapt over: the
    machine was off, or its clock was put forward. It is taken to lie right behind the mark: of an outage the seconds
    since the last mark are not claimed, at most.
    """
    now_us = air_now_us(before, wall_us, running_us)
    is_new_boot = running_us < before.running_us
    passed_us = running_us if is_new_boot else running_us - before.running_us
    leapt_us = now_us - before.air_us - passed_us
    found: list[Absence] = []
    begin_us = before.air_us
    if leapt_us > LEAP_US_MIN + passed_us // SLEWED:
        # What serves the air starts with the machine, and so at about the time of its first mark.
        end_us = now_us if is_new_boot and passed_us <= SILENT_US else begin_us + leapt_us
        found.append(Absence(begin_us, end_us, "off"))
        begin_us = end_us
    if now_us - begin_us > SILENT_US:
        found.append(Absence(begin_us, now_us, "unattended"))
    return tuple(found)
