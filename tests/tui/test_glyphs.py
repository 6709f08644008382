"""The bare console: every sign that the screens can show there is in the fonts that Debian gives it."""

import gzip
import struct
from pathlib import Path

import pytest

from tests.tui.readings import PLAIN
from tui.cells import ascii_cells
from tui.rows import Span, safe

FONTS = sorted(Path("/usr/share/consolefonts").glob("Lat15-*.psf.gz"))
SHOWN = {chr(point) for point in range(0x20, 0x7F)}
"""What `safe` lets through to a plain terminal."""


def glyphs_of(font: Path) -> set[str]:
    """The characters in the table of a PC Screen Font, of either version; sequences of several are left out."""
    data = gzip.decompress(font.read_bytes())
    if data[:2] == b"\x36\x04":
        mode, size = data[2], data[3]
        count = 512 if mode & 1 else 256
        assert mode & 2, f"{font.name} has no table of characters"
        table = struct.unpack(f"<{(len(data) - 4 - count * size) // 2}H", data[4 + count * size :])
        return {chr(each) for entry in _split(list(table), 0xFFFF) for each in _before(entry, 0xFFFE)}
    _magic, _version, begin, flags, count, size = struct.unpack("<6I", data[:24])
    assert flags & 1, f"{font.name} has no table of characters"
    entries = data[begin + count * size :].split(b"\xff")
    return {each for entry in entries for each in entry.split(b"\xfe")[0].decode()}


def _split(table: list[int], end: int) -> list[list[int]]:
    entries: list[list[int]] = [[]]
    for each in table:
        if each == end:
            entries.append([])
        else:
            entries[-1].append(each)
    return entries


def _before(entry: list[int], mark: int) -> list[int]:
    return entry[: entry.index(mark)] if mark in entry else entry


@pytest.mark.parametrize("font", FONTS, ids=lambda font: font.name)
def test_a_console_font_holds_every_sign_that_is_shown_there(font: Path) -> None:
    """A square in place of a letter is a wrong letter; who stands at the bare machine has no other screen."""
    assert SHOWN - glyphs_of(font) == set()


def test_there_are_fonts_to_hold_it_against() -> None:
    """make test installs them (console-setup-linux)."""
    assert any("Fixed16" in font.name for font in FONTS)


def test_nothing_else_gets_through_to_a_plain_terminal() -> None:
    """Whatever a page says: the last net is under all of them."""
    everything = "".join(chr(point) for point in range(0x20, 0x30000) if not 0xD800 <= point < 0xE000)
    drawn = "".join(span.text for span in safe((Span(ascii_cells(everything), "value"),), PLAIN))
    assert {each for each in drawn if each.isprintable()} <= SHOWN
    assert set("".join(span.text for span in safe((Span("中─…é", "bad"),), PLAIN))) <= SHOWN
