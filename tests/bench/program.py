"""What all programs that are compared have in common, and how a run is measured: seconds, bytes on the wire."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from tests.bench.corpus import Corpus

ENVIRON = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}
SETTLE_S = 0.3
"""What is still on its way when a program says that it is done belongs to its bytes."""
POLL_S = 0.01
CHANGED_BYTES = 2048


class TooSlow(Exception):
    """It was not done within its bound, and was ended."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"> {limit_s:.0f} s")
        self.limit_s = limit_s


class Program(Protocol):
    """Keeps a tree of the box as one of the hub is. Its servers run; `server_port` is what they listen at."""

    name: str
    server_port: int

    def connect(self, port: int) -> None:
        """Reach the hub through this port from now on."""

    def stock(self, corpus: Corpus) -> None:
        """The hub has the files, the box has none."""

    def seed(self, corpus: Corpus) -> None:
        """The box has them too, and the program knows it; copied here, since the line would take too long."""

    def sync(self, limit_s: float) -> None:
        """From the start of a process at the box until both ends are known to be the same. TooSlow where it is not."""

    def holds(self, corpus: Corpus) -> bool:
        """Whether all of it is at the box."""

    def change(self, number: int) -> "Arrived":
        """Put CHANGED_BYTES other bytes in the place of a file at the hub; the answer: has the box them?"""

    def replace(self, fresh: Path) -> None:
        """Put this file, called as the first of the tree, in its place at the hub, as a new version of it."""

    def rename(self) -> None:
        """Give a file at the hub another name."""

    def close(self) -> None:
        """Leave nothing running."""


class Counting(Protocol):
    """A line that says how much has passed, both ways together."""

    @property
    def bytes_both(self) -> int: ...


Arrived = Callable[[], bool]


@dataclass(frozen=True)
class Taken:
    """What one run took; `is_over` when it did not end within `seconds`, and the bytes count up to there."""

    seconds: float
    wire_bytes: int
    is_over: bool = False

    def text(self) -> str:
        return f"{'> ' if self.is_over else ''}{shown_s(self.seconds)} {shown_bytes(self.wire_bytes)}"

    def as_json(self) -> dict[str, float | int | bool]:
        return {"seconds": round(self.seconds, 4), "wire_bytes": self.wire_bytes, "is_over": self.is_over}


def measured(line: Counting, work: Callable[[], None]) -> Taken:
    """Do it, and count."""
    before, began = line.bytes_both, time.monotonic()
    try:
        work()
        took_s, is_over = time.monotonic() - began, False
    except TooSlow:
        took_s, is_over = time.monotonic() - began, True
    time.sleep(SETTLE_S)
    return Taken(took_s, line.bytes_both - before, is_over)


def run(argv: Sequence[str], limit_s: float, log: Path, environ: Mapping[str, str] = ENVIRON, ok: int = 0) -> None:
    """A program from its start to its end, which must be a good one; all that it started goes with it."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(environ), start_new_session=True
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise TooSlow(limit_s) from error
        finally:
            end(process)
    assert status == ok, f"{argv[0]} ended with {status}: {log.read_text(errors='replace')[-2000:]}"


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its group, if it is there, and wait for it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def kill_all(doomed: Sequence[psutil.Process]) -> None:
    """SIGKILL to each that is still there, and wait until none is."""
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed, 10)


def wait(holds: Callable[[], bool], limit_s: float, pause_s: float = POLL_S) -> None:
    """Until it holds; TooSlow after the bound."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise TooSlow(limit_s)
        time.sleep(pause_s)


def version_of(*argv: str) -> str | None:
    """The first line that a program says of itself, None when it is not installed."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=10, check=False, env={**ENVIRON, "HOME": "/nonexistent"}
        )
    except FileNotFoundError:
        return None
    said = (done.stdout or done.stderr).strip().splitlines()
    return said[0][:60] if said else "?"


def put_in_place(path: Path, number: int) -> bytes:
    """Other bytes under a name, as a new file: the old one may have other names."""
    data = number.to_bytes(8, "big") * (CHANGED_BYTES // 8)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    fresh.rename(path)
    return data


def link_in_place(path: Path, fresh: Path) -> None:
    """A second name of a file in the place of another one."""
    beside = path.with_name(f".{path.name}.new")
    beside.hardlink_to(fresh)
    beside.rename(path)


def shown_s(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def shown_bytes(size_bytes: int) -> str:
    if size_bytes < 10_000:
        return f"{size_bytes} B"
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.0f} kB"
    return f"{size_bytes / 1e6:.1f} MB"
