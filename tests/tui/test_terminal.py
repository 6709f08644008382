"""How a terminal is spoken to follows from its name and from how one came to it."""

import pytest

from tui.terminal import REFRESH_ECO_S, REFRESH_S, Terminal, Widths, needs_probe, terminal, widths


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


def test_the_saving_of_bytes_can_be_asked_for_and_refused() -> None:
    """The line of somebody at the next desk is not poor; that of somebody on a modem is, SSH or not."""
    remote = {"SSH_TTY": "/dev/pts/0"}
    assert terminal("/dev/pts/0", remote, "zh").is_eco
    assert not terminal("/dev/pts/0", remote, "zh", eco=False).is_eco
    assert terminal("/dev/ttyS0", {}, "zh", eco=True) == Terminal(
        ("en",), True, REFRESH_ECO_S, is_eco=True, few_colours=True
    )


@pytest.mark.parametrize(
    ("columns", "drawn"),
    [
        ((2, 3), Widths()),
        ((3, 3), Widths(is_wide=True)),
        ((4, 4), Widths(draws_chinese=False)),
        ((2,), Widths()),
        ((), Widths()),
    ],
    ids=["narrow", "wide", "bytes", "half an answer", "silent"],
)
def test_widths_follow_from_where_the_cursor_stood(columns: tuple[int, ...], drawn: Widths) -> None:
    """Terminals set for Chinese draw a border over two cells, and then every border breaks."""
    assert widths(columns) == drawn


def test_a_terminal_that_cannot_draw_chinese_is_spoken_to_in_english() -> None:
    """One that shows each byte for itself would show garbage, and columns that run away."""
    drawn = widths((4, 4))
    assert terminal("/dev/pts/0", {}, "zh", drawn=drawn).languages == ("en",)
    assert terminal("/dev/pts/0", {}, "zh", drawn=drawn).plain
    assert not terminal("/dev/pts/0", {}, "zh", "zh", drawn).plain
    assert terminal("/dev/pts/0", {}, "zh", drawn=widths((3, 3))).is_wide


def test_a_raw_console_is_not_asked() -> None:
    """Its widths are known, and a serial printer would print the question."""
    assert not needs_probe("/dev/ttyS0")
    assert needs_probe("/dev/ttyS0", "zh")
    assert needs_probe("/dev/pts/3")
