"""Gives back what a look at a large box has left behind: a terminal is left open for days."""

import ctypes
from contextlib import suppress


def trim() -> None:
    """Free memory within the heap goes back to the system; SQLite leaves some megabytes of it after 10,000 entries."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
