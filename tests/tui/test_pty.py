"""The real program under a real pseudo-terminal: starts, paints, ends, and leaves the terminal as it was."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.tui.boxes import make_box, run_agent_once

SONGSHAN = Path(sys.executable).with_name("songshan")
DEADLINE_S = 30
STEADY_S = 11
STEADY_BYTES_PER_S_MAX = 300
"""What a line of 9,600 baud carries, with two thirds of it left for others."""


class Seat:
    """A technician at a terminal: sees what the program writes, presses keys."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
        self.before = termios.tcgetattr(theirs)
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            [SONGSHAN, "--home", home, "tui"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**clean, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "SONGSHAN_LANG": "zh", **environ},
        )
        self.theirs = theirs
        self.written = b""

    def read_for(self, seconds: float) -> bytes:
        """What is written within that time."""
        until, got = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    got += os.read(self.fd, 65536)
                except OSError:
                    break
        self.written += got
        return got

    def wait_for(self, text: str) -> None:
        """Until the text was written, in one piece."""
        until = time.monotonic() + DEADLINE_S
        while text.encode() not in self.written:
            assert time.monotonic() < until, self.written[-2000:]
            assert self.process.poll() is None, self.written[-2000:]
            self.read_for(0.1)

    def wait_for_end(self) -> int:
        until = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < until:
            self.read_for(0.1)
        return self.process.wait(1)


@contextmanager
def seat(home: Path, **environ: str) -> Iterator[Seat]:
    taken = Seat(home, **environ)
    try:
        yield taken
    finally:
        if taken.process.poll() is None:
            taken.process.kill()
        taken.process.wait(10)
        for fd in (taken.fd, taken.theirs):
            try:
                os.close(fd)
            except OSError:
                continue


@pytest.fixture
def home(tmp_path: Path) -> Path:
    run_agent_once(make_box(tmp_path))
    return tmp_path


@pytest.mark.parametrize("key", [b"q", b"\x1b[21~", b"\x03"], ids=["q", "F10", "Ctrl+C"])
def test_it_starts_and_quits_and_the_terminal_is_as_before(home: Path, key: bytes) -> None:
    """A terminal left in raw mode or on the other screen looks broken to whoever comes next."""
    with seat(home) as taken:
        taken.wait_for("登封市融媒体中心")
        taken.read_for(0.5)
        os.write(taken.fd, key)
        assert taken.wait_for_end() == 0
        assert termios.tcgetattr(taken.theirs) == taken.before
        assert taken.written.rstrip().endswith((b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1004l", b"\x1b[<u"))
        assert b"\x1b[?1049l" in taken.written
        assert b"\x1b[?25h" in taken.written


def test_it_never_asks_for_the_mouse(home: Path) -> None:
    """When the line drops, a terminal in mouse mode sprays escapes over the shell at each move."""
    with seat(home, SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 22") as taken:
        taken.wait_for("登封市融媒体中心")
        assert re.search(rb"\x1b\[\?100[0-35]h", taken.written.replace(b"\x1b[?1004h", b"")) is None


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=["SIGHUP", "SIGTERM"])
def test_told_to_end_it_ends_soon_leaves_nobody_and_a_sane_terminal(home: Path, number: signal.Signals) -> None:
    """Each dropped line would otherwise leave one more process on a box that runs for years."""
    with seat(home) as taken:
        taken.wait_for("登封市融媒体中心")
        family = psutil.Process(taken.process.pid).children(recursive=True)
        os.kill(taken.process.pid, number)
        taken.wait_for_end()
        assert not any(child.is_running() for child in family)
        assert termios.tcgetattr(taken.theirs) == taken.before
        assert b"\x1b[?1049l" in taken.written


def test_a_line_that_is_cut_ends_it(home: Path) -> None:
    """The terminal is gone and nothing can be written any more; that must not keep the process alive."""
    with seat(home) as taken:
        taken.wait_for("登封市融媒体中心")
        os.close(taken.theirs)
        os.close(taken.fd)
        taken.process.wait(DEADLINE_S)


def test_keys_that_nobody_bound_and_garbage_do_no_harm(home: Path) -> None:
    """Line noise is input too."""
    with seat(home) as taken:
        taken.wait_for("登封市融媒体中心")
        os.write(taken.fd, bytes(range(128, 256)) + b"\x1b[\x1b[999;999R\x1b[99999999u\x1bO\xff\xfe")
        taken.read_for(0.5)
        os.write(taken.fd, b" xyzXYZ0123\x00\x1b]0;\x07")
        taken.read_for(1.0)
        assert taken.process.poll() is None
        os.write(taken.fd, b"\x1b")
        taken.read_for(0.5)
        os.write(taken.fd, b"q")
        assert taken.wait_for_end() == 0


def test_over_a_poor_line_it_is_nearly_silent(home: Path) -> None:
    """An hour of looking on must not cost an hour of transfers."""
    with seat(home, SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 22") as taken:
        taken.wait_for("登封市融媒体中心")
        taken.read_for(3.0)
        assert len(taken.read_for(STEADY_S)) <= STEADY_S * STEADY_BYTES_PER_S_MAX


def test_without_a_terminal_it_says_what_to_use(home: Path) -> None:
    """In a pipe the screens would be a flood of escapes."""
    done = subprocess.run(
        [SONGSHAN, "--home", home, "tui"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 2
    assert "songshan status --plain" in done.stderr
    assert "Traceback" not in done.stderr
