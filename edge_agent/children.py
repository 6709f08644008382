"""Processes that work for the agent: started without waiting, looked at once a turn, dead when the agent is.

`setpriv --pdeathsig` has the kernel kill each of them when the agent dies, however it dies. (The signal is tied to the
thread that started them, so only the control thread does.) That one has ended is told by its pidfd, which the loop
selects on; no signal handler is needed.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from appliance.core.source_url import without_secrets
from edge_agent.core.observation import Child

OUTPUT_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of what a child says the end is kept: the last line is its answer."""
COMPLAINTS_BYTES_MAX: Final = 16 * 1024
TOLD_BYTES_MAX: Final = 32 * 1024
"""Half of what a pipe holds."""
END_TIMEOUT_S: Final = 3.0
READ_BYTES: Final = 64 * 1024
READS_MAX: Final = 64
"""In one look: one that never stops talking must not have the loop to itself."""


class Ended(msgspec.Struct, frozen=True):
    """A child that has ended. `status` is negative for the signal that ended it; `was_stopped`: we wanted it so.
    `complained` is for the log: addresses in it are as people may see them."""

    child: Child
    status: int
    said: bytes
    complained: str
    was_stopped: bool


@dataclass
class _Running:
    child: Child
    process: subprocess.Popen[bytes]
    pidfd: int
    until_s: float
    open: list[int]
    """Of its output and complaints, what it has not closed."""
    said: bytearray = field(default_factory=bytearray)
    complained: bytearray = field(default_factory=bytearray)
    was_stopped: bool = False


class Children:
    """All children of one agent."""

    def __init__(self) -> None:
        self._running: list[_Running] = []

    def start(
        self, child: Child, argv: Sequence[str | bytes], limit_s: float, environ: Mapping[str, str], told: bytes = b""
    ) -> None:
        """Let `argv` do the work; after `limit_s` it is killed. `told` is what it reads on its standard input, at most
        TOLD_BYTES_MAX: all users of the machine see argv.

        Raises OSError when there is no setpriv; another program that is missing is a child that ends with status 127.
        """
        assert len(told) <= TOLD_BYTES_MAX, "more would have to be waited for"
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv],
            stdin=subprocess.PIPE if told else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environ,
        )
        if process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(told)
        assert process.stdout is not None
        assert process.stderr is not None
        streams = [process.stdout.fileno(), process.stderr.fileno()]
        for stream in streams:
            os.set_blocking(stream, False)
        pidfd, until_s = os.pidfd_open(process.pid), time.monotonic() + limit_s
        self._running.append(_Running(child, process, pidfd, until_s, streams))

    def running(self) -> tuple[Child, ...]:
        """Those at work."""
        return tuple(running.child for running in self._running)

    def filenos(self) -> list[int]:
        """Readable when a child has said something or has ended."""
        return [fileno for running in self._running for fileno in (running.pidfd, *running.open)]

    def said(self, child: Child) -> bytes:
        """What a running child has said so far."""
        return next((bytes(running.said) for running in self._running if running.child == child), b"")

    def lines(self, child: Child) -> tuple[bytes, ...]:
        """The whole lines that a running child has said since this was last asked: they are not kept."""
        running = next((each for each in self._running if each.child == child), None)
        if running is None:
            return ()
        whole, newline, rest = bytes(running.said).rpartition(b"\n")
        running.said = bytearray(rest)
        return tuple(whole.splitlines()) if newline else ()

    def look(self) -> list[Ended]:
        """Read what they say; those that have ended, once each."""
        ended = []
        for running in list(self._running):
            status = running.process.poll()
            _hear(running)
            if status is not None:
                self._running.remove(running)
                ended.append(_buried(running, status))
            elif time.monotonic() > running.until_s:
                running.process.kill()
        return ended

    def stop(self, subjects: tuple[str, ...]) -> None:
        """Ask those that work on exactly these subjects to end; `look` tells when they have."""
        for running in self._running:
            if running.child.subjects == subjects:
                running.was_stopped = True
                running.process.terminate()

    def stop_all(self) -> None:
        """End all of them, politely, then not. Returns when none is left."""
        for running in self._running:
            running.process.terminate()
        until_s = time.monotonic() + END_TIMEOUT_S
        for running in self._running:
            try:
                status = running.process.wait(max(0.0, until_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                running.process.send_signal(signal.SIGKILL)
                status = running.process.wait()
            _buried(running, status)
        self._running.clear()


def _hear(running: _Running) -> None:
    assert running.process.stdout is not None
    for fileno in list(running.open):
        is_output = fileno == running.process.stdout.fileno()
        into, bytes_max = (running.said, OUTPUT_BYTES_MAX) if is_output else (running.complained, COMPLAINTS_BYTES_MAX)
        with suppress(BlockingIOError):
            for _read in range(READS_MAX):
                data = os.read(fileno, READ_BYTES)
                into += data
                if not data:
                    running.open.remove(fileno)
                    break
        del into[:-bytes_max]


def _buried(running: _Running, status: int) -> Ended:
    os.close(running.pidfd)
    for stream in (running.process.stdout, running.process.stderr):
        assert stream is not None
        stream.close()
    complained = without_secrets(running.complained.decode(errors="replace"))
    return Ended(running.child, status, bytes(running.said), complained, running.was_stopped)
