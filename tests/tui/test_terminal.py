"""How a terminal is spoken to follows from its name and from how one came to it."""

import pytest

from tui.terminal import REFRESH_ECO_S, REFRESH_S, Terminal, terminal


@pytest.mark.parametrize("name", ["/dev/tty1", "/dev/tty12", "/dev/ttyS0", "/dev/ttyUSB0", "/dev/hvc0", "/dev/console"])
def test_a_raw_console_gets_english_in_ascii_by_itself(name: str) -> None:
    """Its font holds no Chinese; who stands at the bare machine must be able to read it without an option."""
    assert terminal(name, {"TERM": "linux"}, "zh") == Terminal(("en",), True, REFRESH_S)


@pytest.mark.parametrize("name", ["/dev/pts/0", "/dev/pts/17", "/dev/tty"])
def test_any_other_terminal_gets_the_language_of_the_box(name: str) -> None:
    """The name decides and not TERM: programs that draw Chinese on the console may say `linux` too."""
    assert terminal(name, {"TERM": "linux"}, "zh") == Terminal(("zh", "en"), False, REFRESH_S)
    assert terminal(name, {}, "en").languages == ("en", "zh")


def test_over_ssh_the_box_is_looked_at_less_often() -> None:
    """A poor line is paid by the byte."""
    assert terminal("/dev/pts/0", {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "zh").refresh_s == REFRESH_ECO_S


def test_who_asks_for_a_language_gets_it() -> None:
    """Somebody on a serial line from a terminal that draws Chinese knows it better than its name does."""
    assert terminal("/dev/ttyS0", {}, "en", "zh") == Terminal(("zh", "en"), False, REFRESH_S)
    assert terminal("/dev/pts/0", {}, "zh", "en").languages == ("en", "zh")
    assert terminal("/dev/tty1", {}, "zh", "en") == Terminal(("en",), True, REFRESH_S)
