"""Text measured in terminal cells: a Chinese character takes two. PURE.

    drawable(text)      what is safe to put on a screen: one line, no control, nothing whose width terminals dispute
    width(text)         cells that a drawable text takes
    fit(text, cells)    exactly that many cells: cut with a mark, or filled with blanks
    wrap(text, cells)   lines of at most that many cells

Titles and reasons come from files and from other machines; an escape sequence in one of them must not reach the
terminal, and a character of unclear width would push a border out of line.
"""

import unicodedata
from typing import Final

DISPUTED: Final = (
    (0x1160, 0x11FF),  # Hangul vowels and finals that join what stands before them
    (0xD7B0, 0xD7FF),
    (0x3164, 0x3164),  # Hangul fillers
    (0xFFA0, 0xFFA0),
    (0x2630, 0x2637),  # trigrams and counting rods: narrow before Unicode 16, wide since
    (0x268A, 0x268F),
    (0x4DC0, 0x4DFF),
    (0x1D300, 0x1D37F),
    (0x1F1E6, 0x1F1FF),  # flags: two letters that some terminals draw as one
    (0x1F3FB, 0x1F3FF),  # skin tones
)
"""Ranges of characters that terminals draw in different widths."""

_DISPUTED: Final = frozenset(chr(point) for low, high in DISPUTED for point in range(low, high + 1))

MARK: Final = "?"
"""Stands for what cannot be drawn."""

_PLAINLY: Final = dict(zip("─━│┃┌┐└┘├┤┼…—–·“”‘’→←↑↓×°●○▲▼", "-=||+++++++~--.\"\"''><^vxo*oAV", strict=True))
"""What of ASCII stands for signs that are not in it, one cell for one."""

_SILENT: Final = {"Mn", "Mc", "Me", "Cf"}
_UNKNOWN: Final = {"Cn", "Co", "Cs"}
_BLANK: Final = {"Cc", "Zl", "Zp", "Zs"}
_WIDE: Final = {"W", "F"}
# A line may not begin with these: the convention for Chinese text (kinsoku).
_NOT_FIRST: Final = frozenset("，。、；：！？）》」』”’％,.;:!?)%")


def drawable(text: str) -> str:
    """The text in one line, with runs of blanks as one, without what has no width of its own, doubtful ones as `?`."""
    return " ".join("".join(_drawn(character) for character in unicodedata.normalize("NFC", text)).split())


def ascii_only(text: str) -> str:
    """For fonts without Chinese: each run of other characters as one `?`; "" when nothing but such was there."""
    kept = "".join(character if character.isascii() else "\0" for character in drawable(text))
    parts = kept.split("\0")
    joined = MARK.join([parts[0], *(part for part in parts[1:-1] if part), parts[-1]]) if len(parts) > 1 else kept
    return joined if any(character.isalnum() for character in joined) else ""


def narrow(text: str) -> str:
    """The text for a terminal that draws signs of ambiguous width over two cells: each as one of ASCII's."""
    return "".join(_PLAINLY.get(each, MARK) if unicodedata.east_asian_width(each) == "A" else each for each in text)


def ascii_cells(text: str) -> str:
    """The text in ASCII, cell by cell: the last net under a console's font."""
    return "".join(each if each.isascii() else _PLAINLY.get(each, MARK) + " " * (_width(each) - 1) for each in text)


def width(text: str) -> int:
    """Cells that a drawable text takes."""
    return sum(_width(character) for character in text)


def cut(text: str, cells: int, ellipsis: str = "…") -> str:
    """The text, or as much of its beginning as fits with the mark behind it; at most `cells` wide."""
    if width(text) <= cells:
        return text
    room = cells - width(ellipsis)
    if room < 0:
        return _head(ellipsis, cells)
    return _head(text, room).rstrip() + ellipsis


def fit(text: str, cells: int, ellipsis: str = "…") -> str:
    """Exactly `cells` wide: cut, or filled with blanks on the right."""
    shown = cut(text, cells, ellipsis)
    return shown + " " * (cells - width(shown))


def wrap(text: str, cells: int, lines_max: int, ellipsis: str = "…") -> list[str]:
    """At most `lines_max` lines of at most `cells`; the last is cut where that is not enough. [] for an empty text.

    Latin words stay whole where they fit; Chinese breaks anywhere but before its closing marks.
    """
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < lines_max - 1 and width(rest) > cells:
        head = _line(rest, cells)
        lines.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    return [*lines, cut(rest, cells, ellipsis)] if rest and lines_max > 0 else lines


def _line(text: str, cells: int) -> str:
    """How much of a text that is too long goes into its first line; at least one character."""
    size = max(1, len(_head(text, cells)))
    for end in range(size, size // 2, -1):
        if end < len(text) and _may_break(text[end - 1], text[end]):
            return text[:end]
    return text[:size]


def _may_break(before: str, after: str) -> bool:
    if after in _NOT_FIRST:
        return False
    return before == " " or after == " " or _width(before) == 2 or _width(after) == 2


def _head(text: str, cells: int) -> str:
    """The longest beginning of at most `cells`."""
    taken = 0
    for at, character in enumerate(text):
        taken += _width(character)
        if taken > cells:
            return text[:at]
    return text


def _drawn(character: str) -> str:
    category = unicodedata.category(character)
    if category in _BLANK:
        return " "
    if category in _SILENT:
        return ""
    if category in _UNKNOWN or character in _DISPUTED:
        return MARK
    return character


def _width(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
