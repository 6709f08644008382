"""What a terminal shows already is not sent again: a picture of its cells, the least that brings it up to date. PURE.

The toolkit repaints whole rows, several times over at the start, with a colour before and a reset behind each word. A
Thrift takes what it would send, keeps what each cell then shows, and gives back only what differs:

    thrift.sent(data) -> what to send instead

It understands what the toolkit sends for text: cursor to a place, colours, line ends, text. Anything else (modes,
questions) goes through as it is, in its place. A picture that may be wrong is forgotten (`forget`): after a change of
size, on Ctrl+L. Then all is sent once more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tui.cells import width

PART: Final = re.compile(
    r"\x1b\[(?P<row>\d*)(?:;(?P<column>\d*))?H"
    r"|\x1b\[(?P<style>[\d;:]*)m"
    r"|(?P<other>\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~]))"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
    r"|(?P<control>[\x00-\x1f\x7f])"
)
GAP_CELLS: Final = 6
"""So many cells that are right already are sent again, where a move of the cursor over them would cost more."""
SYNC: Final = ("\x1b[?2026h", "\x1b[?2026l")
"""The begin and the end of an update, for terminals that show it in one go: sent only around something."""
OTHER_SCREEN: Final = "\x1b[?1049h"
CLEAR: Final = "\x1b[0m\x1b[2J"
ERASE: Final = "\x1b[K"
"""To the end of the line; only where the background is the terminal's own, that all terminals erase with."""


@dataclass(frozen=True)
class Cell:
    """A character in a style; `text` is "" behind one that takes two cells."""

    text: str
    style: str


BLANK: Final = Cell(" ", "")


class Thrift:
    """The picture of one terminal of so many cells and lines."""

    def __init__(self, cells: int, lines: int) -> None:
        self._cells = cells
        self._lines = lines
        self._row = self._column = 0
        self._style = ""
        self._shows_at_once = False
        self.forget()

    def forget(self) -> None:
        """Nothing is known of what the terminal shows."""
        self._shown: list[list[Cell | None]] = [[None] * self._cells for _ in range(self._lines)]
        self._wanted: dict[int, list[Cell | None]] = {}
        self._sent_style: str | None = None

    def resize(self, cells: int, lines: int) -> None:
        """The terminal has another size now."""
        if (cells, lines) != (self._cells, self._lines):
            self._cells, self._lines = cells, lines
            self.forget()

    def sent(self, data: str) -> str:
        """What to send in place of `data`, so that the terminal shows the same."""
        out: list[str] = []
        for part in PART.finditer(data):
            match part.lastgroup:
                case "text":
                    self._write(part["text"])
                case "style":
                    self._style = _styled(self._style, part["style"])
                case "control":
                    self._control(part["control"], out)
                case "other" if part["other"] in SYNC:
                    self._shows_at_once = True
                case "other" if part["other"] == OTHER_SCREEN:
                    out += [OTHER_SCREEN, CLEAR]
                    self.forget()
                    self._sent_style = ""
                    self._shown = [[BLANK] * self._cells for _ in range(self._lines)]
                case "other":
                    out += [self._update(), part["other"]]
                case _:
                    self._row = int(part["row"] or 1) - 1
                    self._column = int(part["column"] or 1) - 1
        out.append(self._update())
        return "".join(out)

    def _control(self, character: str, out: list[str]) -> None:
        if character == "\n":
            self._row, self._column = self._row + 1, 0
        elif character == "\r":
            self._column = 0
        else:
            out += [self._update(), character]

    def _write(self, text: str) -> None:
        if not 0 <= self._row < self._lines:
            return
        row = self._wanted.setdefault(self._row, list(self._shown[self._row]))
        for character in text:
            size = width(character)
            if self._column + size > self._cells:
                return
            _part(row, self._column, self._column + size)
            row[self._column] = Cell(character, self._style if character != " " else _ground(self._style))
            if size == 2:
                row[self._column + 1] = Cell("", self._style)
            self._column += size

    def _update(self) -> str:
        """The least that shows what is wanted; it is then what is shown."""
        out: list[str] = []
        for number, row in sorted(self._wanted.items()):
            for begin, end in _spans(self._shown[number], row):
                out.append(f"\x1b[{number + 1};{begin + 1}H")
                out += self._run(row[begin:end], is_to_the_end=end == self._cells)
            self._shown[number] = row
        self._wanted = {}
        changed = "".join(out)
        return f"{SYNC[0]}{changed}{SYNC[1]}" if changed and self._shows_at_once else changed

    def _run(self, cells: list[Cell | None], *, is_to_the_end: bool) -> Iterator[str]:
        """Cells next to each other; blanks at the end of the line are erased."""
        kept = list(cells)
        while is_to_the_end and len(kept) > 1 and kept[-1] == BLANK:
            kept.pop()
        for cell in kept:
            if cell is not None and cell.text:
                yield self._to_style(cell)
                yield cell.text
        left = len(cells) - len(kept)
        if left:
            yield self._to_style(BLANK)
            yield ERASE if left > len(ERASE) else " " * left

    def _to_style(self, cell: Cell) -> str:
        sent = self._sent_style
        if sent is not None and (sent == cell.style or (cell.text == " " and _ground(sent) == cell.style)):
            return ""
        self._sent_style = cell.style
        return f"\x1b[0;{cell.style}m" if cell.style else "\x1b[0m"


def _part(row: list[Cell | None], begin: int, end: int) -> None:
    """Characters of two cells that lie half in what is written now: their other half is a blank."""
    before, behind = row[begin], row[end] if end < len(row) else None
    if begin and before is not None and before.text == "":
        row[begin - 1] = Cell(" ", _ground(before.style))
    if behind is not None and behind.text == "":
        row[end] = Cell(" ", _ground(behind.style))


def _styled(before: str, parameters: str) -> str:
    """The style after one more sequence; "" is that of the terminal itself."""
    kept = parameters.split(";")
    if parameters == "" or kept[0] == "0":
        before, kept = "", kept[1:]
    # The terminal's own colours are what a reset gives.
    return ";".join([*([before] if before else []), *(code for code in kept if code not in ("39", "49"))])


@lru_cache(maxsize=256)
def _ground(style: str) -> str:
    """What of a style is seen where nothing is written: the background, and lines under and over."""
    codes, kept = style.split(";"), list[str]()
    while codes and codes[0]:
        code = codes.pop(0)
        more = {"5": 2, "2": 4}.get(codes[0], 0) if code in ("38", "48") and codes else 0
        whole = [code, *codes[:more]]
        codes = codes[more:]
        number = int(code) if code.isdigit() else 0
        if number in (4, 7, 9, 48) or 40 <= number <= 47 or 100 <= number <= 107:
            kept += whole
    return ";".join(kept)


def _spans(shown: list[Cell | None], wanted: list[Cell | None]) -> list[tuple[int, int]]:
    """Where they differ, from and to; never through a character of two cells, near ones as one."""
    spans: list[tuple[int, int]] = []
    for at, (old, new) in enumerate(zip(shown, wanted, strict=True)):
        if old == new or new is None:
            continue
        begin = at - 1 if new.text == "" and at else at
        end = at + 2 if new.text and width(new.text) == 2 else at + 1
        known = spans and None not in wanted[spans[-1][1] : begin]
        if spans and known and begin - spans[-1][1] <= GAP_CELLS:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
    return spans
