"""A machine's two clocks, told by whoever runs the simulation; and the kernel's, at another time of day and faster."""

import time
from dataclasses import dataclass, field

from tests.simulators.hub import START_US


@dataclass
class SimulatedClock:
    """`appliance.clock.Clock`: time passes when `pass_us` says so, and the wall clock is set by `step_to`."""

    now_us: int = START_US
    up_us: int = 3_600_000_000

    def wall_us(self) -> int:
        return self.now_us

    def running_us(self) -> int:
        return self.up_us

    def pass_us(self, passed_us: int) -> None:
        """Time goes by, on both."""
        self.now_us += passed_us
        self.up_us += passed_us

    def step_to(self, wall_us: int) -> None:
        """Somebody, or a dead battery, sets the time of day."""
        self.now_us = wall_us

    def start_anew(self) -> None:
        """The machine boots: its running clock begins again."""
        self.up_us = 20_000_000


@dataclass(frozen=True)
class QuickClock:
    """The kernel's running clock, `times` as fast; the wall clock said `begin_us` when this was made."""

    begin_us: int
    times: float = 1.0
    began_ns: int = field(default_factory=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def wall_us(self) -> int:
        passed_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.began_ns
        return self.begin_us + round(passed_ns * self.times / 1000)

    def running_us(self) -> int:
        return self.began_ns // 1000 + self.wall_us() - self.begin_us
