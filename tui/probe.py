"""Asks the terminal how wide it draws: a line of a border, a Chinese character, and where the cursor then stands.

Terminals set for Chinese draw signs of ambiguous width over two cells, some over one; one byte-wise terminal draws
three for each Chinese character. The answer comes over the line, so it is waited for no longer than WAIT_S; a terminal
that does not answer is taken for one that draws them over one cell, and nothing is said.
"""

import os
import re
import select
import termios
import time
import tty
from contextlib import suppress
from typing import Final

from tui.terminal import Widths, widths

WAIT_S: Final = 0.3
ANSWERS_BYTES_MAX: Final = 256
ASK: Final = "\r─\x1b[6n\r中\x1b[6n\r\x1b[K".encode()
ANSWER: Final = re.compile(rb"\x1b\[\d{1,4};(\d{1,4})R")


def probe(read_fd: int, write_fd: int, wait_s: float = WAIT_S) -> Widths:
    """How wide this terminal draws. The terminal is left as it was; keys pressed meanwhile are lost."""
    try:
        before = termios.tcgetattr(read_fd)
    except termios.error:
        return widths(())
    try:
        tty.setcbreak(read_fd, termios.TCSANOW)
        os.write(write_fd, ASK)
        return widths(_answers(read_fd, time.monotonic() + wait_s))
    except (OSError, termios.error):
        return widths(())
    finally:
        with suppress(termios.error):
            termios.tcsetattr(read_fd, termios.TCSANOW, before)


def _answers(fd: int, deadline_s: float) -> tuple[int, ...]:
    """The columns that it names, as many as come in time, two at most."""
    got = b""
    while len(got) < ANSWERS_BYTES_MAX and (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([fd], [], [], left_s)[0]:
            break
        data = os.read(fd, ANSWERS_BYTES_MAX)
        got += data
        if not data or len(ANSWER.findall(got)) == 2:
            break
    return tuple(int(column) for column in ANSWER.findall(got)[:2])
