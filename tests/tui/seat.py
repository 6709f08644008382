"""A technician at a real pseudo-terminal, in front of the real program."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.tui.emulator import Emulator

SONGSHAN = Path(sys.executable).with_name("songshan")
DEADLINE_S = 30


class Seat:
    """A technician at a terminal: sees what the program writes, presses keys."""

    def __init__(
        self,
        home: Path,
        *options: str,
        columns: tuple[int, ...] = (2, 3),
        size: tuple[int, int] = (80, 25),
        program: Sequence[str | Path] = (),
        **environ: str,
    ) -> None:
        """`columns` is what the terminal answers when asked where its cursor stands: () for a silent one."""
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(theirs)
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            program or [SONGSHAN, "--home", home, "tui", *options],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**clean, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "SONGSHAN_LANG": "zh", **environ},
        )
        self.theirs = theirs
        self.written = b""
        self.size = size
        self._columns = list(columns)

    def read_for(self, seconds: float) -> bytes:
        """What is written within that time."""
        until, got = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    break
                got += data
                self._answer(data)
        self.written += got
        return got

    def _answer(self, data: bytes) -> None:
        for _ in range(data.count(b"\x1b[6n")):
            if self._columns:
                os.write(self.fd, b"\x1b[25;%dR" % self._columns.pop(0))

    def press(self, keys: bytes, seconds: float = 0.1) -> bytes:
        """What is written within that time after these keys."""
        os.write(self.fd, keys)
        return self.read_for(seconds)

    def resize(self, cells: int, lines: int) -> None:
        """The window has another size now."""
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, cells, 0, 0))
        self.read_for(0.02)

    @property
    def shown(self) -> str:
        """What the terminal shows now."""
        terminal = Emulator(*self.size)
        terminal.feed(self.written.decode(errors="replace").partition("\x1b[?1049h")[2])
        return terminal.text

    def wait_for(self, text: str) -> None:
        """Until the text is on the screen."""
        until = time.monotonic() + DEADLINE_S
        while text not in self.shown:
            assert time.monotonic() < until, self.written[-2000:]
            assert self.process.poll() is None, self.written[-2000:]
            self.read_for(0.1)

    def wait_for_end(self) -> int:
        until = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < until:
            self.read_for(0.1)
        return self.process.wait(1)


@contextmanager
def seat(
    home: Path,
    *options: str,
    columns: tuple[int, ...] = (2, 3),
    size: tuple[int, int] = (80, 25),
    program: Sequence[str | Path] = (),
    **environ: str,
) -> Iterator[Seat]:
    """Somebody sits down at the program; nobody is left when they rise."""
    taken = Seat(home, *options, columns=columns, size=size, program=program, **environ)
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
