"""What a box and a hub rely on in a machine's clocks, asked of the kernel's and of the simulated ones alike."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.core.airtime import is_plausible
from tests.simulators.clock import SimulatedClock


@dataclass
class Told:
    """A clock, and how time passes on it without anybody waiting long."""

    clock: Clock
    pass_some: Callable[[], None]


def _simulated() -> Told:
    clock = SimulatedClock()
    return Told(clock, lambda: clock.pass_us(1000))


def _system() -> Told:
    def work() -> None:
        began_us = SYSTEM_CLOCK.running_us()
        while SYSTEM_CLOCK.running_us() < began_us + 1000:
            pass

    return Told(SYSTEM_CLOCK, work)


@pytest.fixture(params=[_system, _simulated], ids=["system", "simulated"])
def told(request: pytest.FixtureRequest) -> Told:
    made: Told = request.param()
    return made


def test_the_running_clock_goes_on_and_never_back(told: Told) -> None:
    """The air reckons on with it when the wall clock was put back."""
    read = []
    for _time in range(5):
        read.append(told.clock.running_us())
        told.pass_some()
    assert read == sorted(read)
    assert told.clock.running_us() >= read[0] + 5000


def test_the_wall_clock_is_microseconds_since_1970(told: Told) -> None:
    """Every moment in database and journals is in these."""
    assert is_plausible(told.clock.wall_us())
    assert told.clock.wall_us() < 7_258_118_400_000_000


def test_the_running_clock_began_with_the_machine(told: Told) -> None:
    """It has nothing to do with the date, so a date that is set wrong does not move it."""
    assert 0 <= told.clock.running_us() < told.clock.wall_us() // 10


def test_a_step_of_the_wall_clock_leaves_the_running_one_alone() -> None:
    """Only a simulated clock may be stepped in a test."""
    clock = SimulatedClock()
    before_us = clock.running_us()
    clock.step_to(40_000_000)
    assert (clock.wall_us(), clock.running_us()) == (40_000_000, before_us)
