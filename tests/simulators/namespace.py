"""The same line of the kernel's own parts: a network namespace whose loopback has a token bucket for each direction.

Only for root. Whatever is started inside the block by the thread that entered it, processes too, is in the namespace:
it finds 127.0.0.1 as ever, with nobody else on it. What goes to a port that `serve_at` named is up, all else is down.
"""

import ctypes
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

PORT = 2222
MTU_BYTES = 1500
QUEUE_BYTES = 64 * 1024
CLONE_NEWNET = 0x40000000
LIMIT_S = 10
UP, DOWN = "1:1", "1:2"


@dataclass
class Namespace:
    """The line of the namespace that the current thread is in."""

    port: int = PORT

    def serve_at(self, port: int) -> None:
        """What goes to this port is on its way up."""
        match = ("u32", "match", "ip", "dport", str(port), "0xffff", "flowid", UP)
        _run("tc", "filter", "add", "dev", "lo", "parent", "1:", "protocol", "ip", *match)
        self.port = port

    @property
    def bytes_up(self) -> int:
        """As the kernel counts: with the headers of TCP, IP and the loopback's frames."""
        return self._sent_bytes(UP)

    @property
    def bytes_down(self) -> int:
        return self._sent_bytes(DOWN)

    @property
    def bytes_both(self) -> int:
        return self.bytes_up + self.bytes_down

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told."""
        _run("ip", "link", "set", "lo", "down")

    def mend(self) -> None:
        _run("ip", "link", "set", "lo", "up")

    def _sent_bytes(self, class_id: str) -> int:
        said = _run("tc", "-s", "class", "show", "dev", "lo")
        found = re.search(rf"class htb {class_id} .*?\n Sent (\d+) bytes", said)
        assert found, said
        return int(found[1])


@contextmanager
def namespace(round_trip_s: float, rate_bytes_per_s: float) -> Iterator[Namespace]:
    """Enter a new namespace with this thread, and leave it at the end of the block. A server may listen at PORT."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(libc.unshare(CLONE_NEWNET))
        try:
            _shape(round_trip_s, rate_bytes_per_s)
            made = Namespace()
            made.serve_at(PORT)
            yield made
        finally:
            _check(libc.setns(before, CLONE_NEWNET))
    finally:
        os.close(before)


def _shape(round_trip_s: float, rate_bytes_per_s: float) -> None:
    rate = f"{round(rate_bytes_per_s * 8)}bit"
    _run("ip", "link", "set", "lo", "mtu", str(MTU_BYTES))
    # Without this the kernel hands over packets of 64 KiB, and a bucket lets through whole ones.
    _run("ip", "link", "set", "lo", "gso_max_size", str(MTU_BYTES * 2))
    _run("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb", "default", "2")
    for number, class_id in ((10, UP), (20, DOWN)):
        _run("tc", "class", "add", "dev", "lo", "parent", "1:", "classid", class_id, "htb", "rate", rate, "burst", "3k")
        kind = ("pfifo",) if not round_trip_s else ("netem", "delay", f"{round(round_trip_s * 500_000)}us")
        _run("tc", "qdisc", "add", "dev", "lo", "parent", class_id, "handle", f"{number}:", *kind, "limit", "1000")
    _run("ip", "link", "set", "lo", "up")


@cache
def lacking(round_trip_s: float, rate_bytes_per_s: float) -> str:
    """Why this machine cannot make such a namespace, "" where it can."""
    if os.getuid() != 0:
        return "a network namespace needs root"
    try:
        with namespace(round_trip_s, rate_bytes_per_s):
            return ""
    except (OSError, subprocess.SubprocessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        asked = subprocess.list2cmdline(error.cmd) if isinstance(error, subprocess.CalledProcessError) else "unshare"
        return f"no such namespace here: {asked}: {said}"


def _run(*argv: str) -> str:
    path = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=LIMIT_S, env=path).stdout


def _check(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
