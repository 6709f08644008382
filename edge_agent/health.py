"""How the machine is, by psutil and the kernel."""

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from appliance.core.health import Machine

PLAUSIBLE_C: Final = 150.0
"""Sensors that are not there are read as absurd numbers."""

_TIMEX_BYTES: Final = 512
"""More than `struct timex` has on any architecture."""
_TIME_ERROR: Final = 5


def machine() -> Machine:
    """The machine now; the processor's share since the last call, 0 at the first."""
    memory = psutil.virtual_memory()
    return Machine(
        cpu_percent=psutil.cpu_percent(interval=None),
        memory_used_bytes=memory.total - memory.available,
        memory_total_bytes=memory.total,
        load_1m=psutil.getloadavg()[0],
        temperature_c=_temperature_c(),
        uptime_s=time.clock_gettime(time.CLOCK_BOOTTIME),
    )


def is_synchronised() -> bool | None:
    """Whether the kernel's clock follows a time server: adjtimex(2), which changes nothing when asked like this.

    None where it cannot be asked.
    """
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


def _temperature_c() -> float | None:
    """The hottest of the sensors; None where there are none, as in a virtual machine."""
    degrees: list[float] = []
    with suppress(AttributeError, OSError):
        for sensors in psutil.sensors_temperatures().values():
            degrees += [sensor.current for sensor in sensors if 0 < sensor.current < PLAUSIBLE_C]
    return max(degrees, default=None)


def device_of(path: Path) -> str:
    """What the system calls the device that a path lies on (proc(5), mountinfo); the path where it cannot be told."""
    with suppress(OSError, ValueError, IndexError):
        number = path.stat().st_dev
        wanted = f"{os.major(number)}:{os.minor(number)}"
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            words, _dash, rest = line.partition(" - ")
            if words.split()[2] == wanted:
                return rest.split()[1]
    return str(path)
