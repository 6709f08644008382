"""A tile and the rows it is drawn as: every row takes exactly the cells it is given. PURE.

Tile      a title, a word for its state with colour and letter, and facts
draw      Tile -> rows of spans; a span is text and the name of a style, which app.tcss gives a colour
"""

import enum
from dataclasses import dataclass
from typing import Final

from tui.cells import ascii_cells, cut, fit, narrow, width, wrap
from tui.look import Look

GAP: Final = 1
"""Blank cells between a label, its value and what stands at the right."""
INDENT: Final = 2
"""Cells by which advice stands in under the alarm that it is for."""
ADVICE_LINES_MAX: Final = 3


class Level(enum.IntEnum):
    """How things are, worst last. The letter says the same as the colour, for those who see no colour."""

    GOOD = 0
    NOTE = 1
    """Worth knowing and in order: offline is a state of this kind."""
    WARN = 2
    """Look at it today."""
    BAD = 3
    """Act now."""

    @property
    def letter(self) -> str:
        return "GIAR"[self]

    @property
    def style(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Span:
    """Text in one style: `title`, `label`, `value`, `aside`, `rule`, `bar`, `key`, `cursor`, or that of a level."""

    text: str
    style: str


Row = tuple[Span, ...]


@dataclass(frozen=True)
class Fact:
    """One line: what, how much, and at the right how old. `level` colours the value and puts its letter before it."""

    label: str
    value: str
    aside: str = ""
    level: Level | None = None
    is_title: bool = False
    """A title is cut where it and what stands at the right do not both fit; of a figure nothing is cut for its age."""


@dataclass(frozen=True)
class Advice:
    """What is the matter and what to do about it, in as many lines as it needs."""

    level: Level
    text: str
    hint: str = ""
    aside: str = ""


@dataclass(frozen=True)
class Heading:
    """What the lines under it are about, and at the right how that is."""

    text: str
    word: str
    level: Level


Line = Fact | Advice | Heading


@dataclass(frozen=True)
class Tile:
    """What one part of a screen says. `word` is its state in one word."""

    title: str
    word: str
    level: Level
    facts: tuple[Line, ...] = ()
    scrolls: bool = False
    """Whether the keys that scroll a page move what stands in it."""


def safe(row: Row, look: Look) -> Row:
    """The row with nothing in it that this terminal cannot draw, or draws in another width; as wide as before."""
    if look.has_signs:
        return row
    to_ascii = ascii_cells if look.plain else narrow
    return tuple(Span(to_ascii(span.text), span.style) for span in row)


def row_width(row: Row) -> int:
    """Cells that a row takes."""
    return sum(width(span.text) for span in row)


def draw(tile: Tile, cells: int, lines: int, look: Look, skip: int = 0) -> tuple[Row, ...]:
    """Exactly `lines` rows of exactly `cells`: the title, then the facts from number `skip` on.

    Where not all lines fit the last row says how many are not shown.
    """
    body = body_rows(tile, cells, look)
    shown = body[skip : skip + lines - 1]
    hidden = len(body) - skip - len(shown)
    if hidden > 0 and shown:
        shown[-1] = blank_filled([Span(look.say("{n} lines more").format(n=hidden + 1), "aside")], cells, look)
    rows = [title_row(tile, cells, look), *shown]
    return tuple(rows[:lines]) + tuple(blank_row(cells) for _ in range(lines - len(rows)))


def body_rows(tile: Tile, cells: int, look: Look) -> list[Row]:
    """All rows under the title, however many; labels stand in one column."""
    column = max((width(fact.label) for fact in tile.facts if isinstance(fact, Fact)), default=0)
    column = min(column, cells // 2)
    rows: list[Row] = []
    for line in tile.facts:
        match line:
            case Fact():
                rows.append(_fact_row(line, column, cells, look))
            case Heading():
                rows.append(_heading_row(line, cells, look))
            case Advice():
                rows += _advice_rows(line, cells, look)
    return rows


def title_row(tile: Tile, cells: int, look: Look) -> Row:
    """`播出 正常 G ──────`: the rule fills what is left."""
    row = [Span(tile.title, "title")]
    if tile.word:
        row += [Span(" ", "rule"), Span(f"{tile.word} {tile.level.letter}", tile.level.style)]
    left = cells - row_width(tuple(row)) - 1
    if left > 0:
        row.append(Span(" " + ("─" if look.has_signs else "-") * left, "rule"))
    return blank_filled(row, cells, look)


def blank_row(cells: int) -> Row:
    return (Span(" " * cells, "value"),)


def blank_filled(row: list[Span], cells: int, look: Look) -> Row:
    """The row, exactly `cells` wide: cut where it is longer, blanks behind it where it is shorter."""
    filled: list[Span] = []
    left = cells
    for span in row:
        text = cut(span.text, left, look.ellipsis)
        if text:
            filled.append(Span(text, span.style))
        left -= width(text)
    return (*filled, Span(" " * left, "value")) if left else tuple(filled)


def spread(left: list[Span], right: list[Span], cells: int, look: Look) -> Row:
    """One part at the left end and one at the right; the left one is cut where both do not fit."""
    room = cells - row_width(tuple(right))
    if room < 0:
        return blank_filled(left, cells, look)
    return (*blank_filled(left, room, look), *right)


def last_skip(tile: Tile, cells: int, lines: int, look: Look) -> int:
    """How far a tile may be scrolled: its last line is then the last one shown."""
    return max(0, len(body_rows(tile, cells, look)) - (lines - 1))


def _fact_row(fact: Fact, column: int, cells: int, look: Look) -> Row:
    label = Span(fit(fact.label, column, look.ellipsis) + " " * GAP, "label") if column else Span("", "label")
    letter = f"{fact.level.letter} " if fact.level is not None and fact.level > Level.GOOD else ""
    value = Span(letter + fact.value, fact.level.style if fact.level is not None else "value")
    row = [label, value] if column else [value]
    if not fact.aside:
        return blank_filled(row, cells, look)
    aside = " " * GAP + fact.aside
    room = cells - column - GAP - width(aside)
    if row_width(tuple(row)) + width(aside) > cells and (not fact.is_title or room < width(aside) // 2):
        return blank_filled(row, cells, look)
    return spread(row, [Span(aside, "aside")], cells, look)


def _heading_row(heading: Heading, cells: int, look: Look) -> Row:
    word = Span(f" {heading.word} {heading.level.letter}", heading.level.style)
    return spread([Span(heading.text, "title")], [word], cells, look)


def _advice_rows(advice: Advice, cells: int, look: Look) -> list[Row]:
    lines = wrap(f"{advice.level.letter} {advice.text}", cells, ADVICE_LINES_MAX, look.ellipsis)
    head = [blank_filled([Span(line, advice.level.style)], cells, look) for line in lines]
    if head and advice.aside and width(lines[-1]) + GAP + width(advice.aside) <= cells:
        head[-1] = spread([Span(lines[-1], advice.level.style)], [Span(advice.aside, "aside")], cells, look)
    hint = wrap(advice.hint, cells - INDENT, ADVICE_LINES_MAX, look.ellipsis)
    return [*head, *(blank_filled([Span(" " * INDENT + line, "value")], cells, look) for line in hint)]
