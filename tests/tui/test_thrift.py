"""What is not sent again must be there already: the terminal shows the same as if all had been sent."""

from hypothesis import given
from hypothesis import strategies as st

from tests.tui.emulator import Emulator
from tui.thrift import Thrift

CELLS, LINES = 12, 4
STYLES = ("", "1;31", "38;5;188;48;5;16", "48;5;17", "7")


@st.composite
def drawn(draw: st.DrawFn) -> str:
    """A row, or a part of one, as the toolkit sends it: a place, words in their styles, a reset behind each."""
    at = draw(st.integers(0, CELLS - 1))
    parts = [f"\x1b[{draw(st.integers(1, LINES))};{at + 1}H"]
    for _ in range(draw(st.integers(1, 3))):
        text, style = draw(st.text("ab中文 ", min_size=1, max_size=6)), draw(st.sampled_from(STYLES))
        while text and at + sum(2 if each in "中文" else 1 for each in text) > CELLS:
            text = text[:-1]
        at += sum(2 if each in "中文" else 1 for each in text)
        parts.append(f"\x1b[{style}m{text}\x1b[0m" if style else text)
    return "".join(parts)


@given(st.lists(st.lists(drawn(), min_size=1, max_size=4).map("".join), min_size=1, max_size=6))
def test_the_terminal_shows_what_it_would_have_shown(writes: list[str]) -> None:
    """A cell that is wrong once stays wrong until somebody presses a key, and nobody knows that it is."""
    whole, less, thrift = Emulator(CELLS, LINES), Emulator(CELLS, LINES), Thrift(CELLS, LINES)
    for write in ["\x1b[?1049h", *writes]:
        whole.feed(write)
        less.feed(thrift.sent(write))
        assert less.seen == whole.seen


def test_the_same_once_more_costs_nothing() -> None:
    """The toolkit paints its first screen several times."""
    thrift = Thrift(CELLS, LINES)
    assert thrift.sent("\x1b[1;1H\x1b[1m同步\x1b[0m")
    assert thrift.sent("\x1b[1;1H\x1b[1m同步\x1b[0m") == ""


def test_of_a_row_only_what_differs_is_sent() -> None:
    """A clock of one minute more is one figure."""
    thrift = Thrift(CELLS, LINES)
    thrift.sent("\x1b[2;1H12:03 online")
    assert thrift.sent("\x1b[2;1H12:04 online") == "\x1b[2;5H4"


def test_what_is_no_text_goes_through_in_its_place() -> None:
    """Questions to the terminal and its modes are the toolkit's business."""
    thrift = Thrift(CELLS, LINES)
    assert thrift.sent("\x1b[1;1Ha\x1b[?25l\x1b[6n\x1b]0;title\x07") == (
        "\x1b[1;1H\x1b[0ma\x1b[?25l\x1b[6n\x1b]0;title\x07"
    )


def test_after_another_size_and_when_asked_all_is_sent_once_more() -> None:
    """Somebody else wrote over the screen, or the window is another one."""
    thrift = Thrift(CELLS, LINES)
    row = "\x1b[1;1Hoverview"
    thrift.sent(row)
    thrift.resize(CELLS, LINES)
    assert thrift.sent(row) == ""
    thrift.resize(CELLS + 1, LINES)
    assert thrift.sent(row)
    thrift.forget()
    assert thrift.sent(row)
