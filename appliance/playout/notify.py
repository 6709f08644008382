"""What systemd is told, sd_notify(3): that a service is ready, and that it lives. Nothing, where nobody listens."""

import os
import socket
from contextlib import suppress


def tell(state: str) -> None:
    """`READY=1`, `WATCHDOG=1`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        line.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
