"""What systemd is told, sd_notify(3): that a service is ready, and that it lives. Nothing, where nobody listens.

tell(state)      one word of it
Life             that a loop goes on: told by the loop, from where it works, and by no thread beside it
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

PARTS: Final = 4
"""A loop that waits says so this often within the time that the watchdog gives it."""
TOLD_EVERY_S: Final = 1.0


def tell(state: str) -> None:
    """`READY=1`, `WATCHDOG=1`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        line.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)


class Life:
    """The watchdog of a loop, where systemd keeps one on this process; else it says nothing and hurries nobody."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        watched = environ.get("WATCHDOG_USEC", "")
        is_ours = environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        self.wait_s_max = int(watched) / 1e6 / PARTS if watched.isdigit() and is_ours else float("inf")
        """The loop may wait so long at a time; then it goes on waiting."""
        self._told_s = 0.0

    def goes_on(self) -> None:
        """Say that the loop got here. May be said after every small thing: it is told once a second."""
        if self.wait_s_max == float("inf"):
            return
        now_s = time.monotonic()
        if now_s - self._told_s >= min(TOLD_EVERY_S, self.wait_s_max):
            self._told_s = now_s
            tell("WATCHDOG=1")
