"""The real program under a real pseudo-terminal: starts, paints, ends, and leaves the terminal as it was."""

import os
import re
import signal
import subprocess
import sys
import termios
import unicodedata
from pathlib import Path

import psutil
import pytest

from tests.tui.boxes import make_box, run_agent_once
from tests.tui.seat import DEADLINE_S, SONGSHAN, seat
from tui.pages import PAGES

STEADY_S = 11
STEADY_BYTES_PER_S_MAX = 300
"""What a line of 9,600 baud carries, with two thirds of it left for others."""


NOISE = b"\xff\xfe\x1b[1;9X\x1b[999;999R"


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


def test_a_terminal_of_other_widths_gets_borders_that_hold(home: Path) -> None:
    """Drawn over two cells each, the lines of a border push all behind them out of the window."""
    with seat(home, columns=(3, 3)) as taken:
        taken.wait_for("登封市融媒体中心")
        taken.read_for(2.0)
        assert "------" in taken.shown
        assert "同步" in taken.shown
        assert not any(unicodedata.east_asian_width(each) == "A" for each in taken.shown)


def test_a_terminal_that_shows_bytes_gets_english_in_ascii(home: Path) -> None:
    """By its answer alone: nobody has to know an option on the day that the line is serial and the name is not."""
    with seat(home, columns=(4, 4)) as taken:
        taken.wait_for("Songshan Edge")
        taken.read_for(2.0)
        assert "On air" in taken.shown
        assert taken.shown.isascii()


def test_a_terminal_that_does_not_answer_is_not_waited_for(home: Path) -> None:
    """Half of the terminals in use never answer."""
    with seat(home, columns=()) as taken:
        taken.wait_for("登封市融媒体中心")
        assert "─" in taken.shown


SLOW = """
import time
from pathlib import Path
from tests.tui.readings import LOOKS
from tui.app import TechnicianApp
from tui.gather.door import Door
from tui.terminal import Terminal
slow = lambda _page, _asked, _followed: time.sleep(600)
TechnicianApp(slow, Door(Path("/nowhere"), {}), LOOKS, Terminal(("zh",), False, 2.0)).run(mouse=False)
"""


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "Ctrl+C"])
def test_it_ends_also_while_a_thread_is_at_something_that_takes_minutes(home: Path, key: bytes) -> None:
    """A check of a million records, a disk that does not answer: who wants to go is not held by it."""
    with seat(home, program=[sys.executable, "-c", SLOW], PYTHONPATH=str(Path(__file__).parents[2])) as taken:
        taken.wait_for("嵩山边缘节点")
        taken.press(key)
        assert taken.wait_for_end() == 0
        assert termios.tcgetattr(taken.theirs) == taken.before
        assert b"\x1b[?1049l" in taken.written


def test_without_colours_nothing_is_coloured(home: Path) -> None:
    """NO_COLOR is how somebody says that colours are of no use to them; words and letters say the same."""
    with seat(home, NO_COLOR="1") as taken:
        taken.wait_for("登封市融媒体中心")
        taken.press(b"7", 2.0)
        assert set(re.findall(rb"\x1b\[([\d;]*)m", taken.written)) <= {b"0", b"0;1", b"0;7", b"0;1;7"}
        assert ">" in taken.shown


def test_every_page_is_walked_by_keys_and_resized_in_one_run(home: Path) -> None:
    """One program for a whole night, a window dragged to nothing and back, garbage between the keys."""
    with seat(home, "--lang", "en") as taken:
        taken.wait_for("登封市融媒体中心")
        for page in PAGES:
            taken.press(b":" + page.title.encode() + b"\r")
            taken.wait_for(page.title)
            for key in (
                b"j",
                b"\t",
                b"\x1b[6~",
                b"\r",
                b"\x1b",
                b"\x1bOP",
                b"\x1bOP",
                b"/zz\x1b",
                b"\xff\xfe\x1b[1;9X",
            ):
                taken.press(key, 0.02)
        for cells in (*range(79, 1, -6), 1, 200, 80):
            taken.resize(cells, 25 if cells == 80 else cells // 2 + 1)
        taken.press(b"\x1b", 0.3)
        taken.press(b"1\x0c", 1.5)
        assert taken.process.poll() is None
        assert "Overview" in taken.shown
        taken.press(b"q")
        assert taken.wait_for_end() == 0
        assert termios.tcgetattr(taken.theirs) == taken.before


def test_without_a_terminal_it_says_what_to_use(home: Path) -> None:
    """In a pipe the screens would be a flood of escapes."""
    done = subprocess.run(
        [SONGSHAN, "--home", home, "tui"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 2
    assert "songshan status --plain" in done.stderr
    assert "Traceback" not in done.stderr
