"""A machine's two clocks, told by whoever runs the simulation."""

from dataclasses import dataclass

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
