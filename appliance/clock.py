"""The two clocks of a machine: what a process is told the time by, so that a simulated machine can tell it another."""

import time
from typing import Final, Protocol


class Clock(Protocol):
    """Both in microseconds. Neither waits, neither fails."""

    def wall_us(self) -> int:
        """The time of day, since 1970. It may be wrong, and it may step back when somebody sets it right."""
        ...

    def running_us(self) -> int:
        """How long the machine has been up, asleep or not. It never goes back while the machine runs."""
        ...


class SystemClock:
    """The kernel's clocks: CLOCK_REALTIME and CLOCK_BOOTTIME (clock_gettime(2))."""

    def wall_us(self) -> int:
        return time.time_ns() // 1000

    def running_us(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


SYSTEM_CLOCK: Final[Clock] = SystemClock()
