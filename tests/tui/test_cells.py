"""Text in cells: what reaches the terminal is safe and of known width."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.cells import ascii_cells, ascii_only, cut, drawable, fit, narrow, width, wrap

TEXTS = st.text(st.characters() | st.sampled_from("早间新闻，。（）a b-\x1b\n\u200d\ufe0f☰👍🏽🇨🇳\u1160"), max_size=60)


def test_every_character_there_is_has_the_width_that_the_terminal_library_gives_it() -> None:
    """One character that counts otherwise here than where it is drawn pushes a whole row out of line."""
    blocks = [range(first, first + 256) for first in range(0, sys.maxunicode + 1, 256)]
    drawn = [drawable("a".join(chr(point) for point in block)) for block in blocks]
    assert [text for text in drawn if width(text) != cell_len(text)] == []


@given(TEXTS)
def test_no_control_reaches_the_screen_and_width_is_what_is_drawn(text: str) -> None:
    """A title with an escape sequence must not move the cursor, and any mixture keeps its measured width."""
    shown = drawable(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} for character in shown)
    assert width(shown) == cell_len(shown)


@given(TEXTS, st.integers(0, 40))
def test_fitted_text_takes_exactly_its_cells(text: str, cells: int) -> None:
    """Columns stand under each other whatever a title is made of."""
    assert cell_len(fit(drawable(text), cells)) == cells
    assert width(cut(drawable(text), cells)) <= cells


@given(TEXTS, st.integers(2, 40), st.integers(1, 5))
def test_wrapped_lines_fit_and_lose_nothing_before_the_last(text: str, cells: int, lines_max: int) -> None:
    """Advice that loses a word in the middle is wrong advice."""
    shown = drawable(text)
    lines = wrap(shown, cells, lines_max)
    assert len(lines) <= lines_max
    assert all(width(line) <= cells for line in lines)
    assert shown.replace(" ", "").startswith("".join(lines[:-1]).replace(" ", ""))


def test_a_cut_text_says_that_it_was_cut() -> None:
    """A shortened title must not be taken for the whole one."""
    assert cut("早间新闻联播", 7) == "早间新…"
    assert cut("早间新闻联播", 8) == "早间新…"
    assert cut("morning", 5, "~") == "morn~"


def test_a_line_does_not_begin_with_a_closing_mark() -> None:
    """Chinese text is set so; a line that begins with a comma reads as broken."""
    assert wrap("代理没有运行，请启动它", 12, 3) == ["代理没有运", "行，请启动它"]


def test_what_a_console_font_does_not_hold_becomes_one_mark() -> None:
    """A console without Chinese shows that something stands there, and nothing at all where only that stood there."""
    assert ascii_only("早间新闻 12 min") == "? 12 min"
    assert ascii_only("早间") == ""


@given(st.text())
def test_what_replaces_a_sign_takes_as_many_cells(text: str) -> None:
    """The net under a console's font and under a terminal of other widths must not itself move a column."""
    shown = drawable(text)
    for plainly in (narrow(shown), ascii_cells(shown)):
        assert width(plainly) == width(shown)
    assert ascii_cells(shown).isascii()
    assert not any(unicodedata.east_asian_width(each) == "A" for each in narrow(shown))
