"""The seam of every page: what is asked of it, what it says. PURE.

A page is three things, and an entry in `tui.pages` that holds them together:

    tui/gather/<page>.py   gather(where, asked) -> found    reads, bounded; raises SongshanError where it cannot, or
                                                            goes on without that part: `with where.kept(): ...`
    tui/view/<page>.py     sheet(found, reading, look, asked) -> Sheet                    PURE; found is None before the
                                                            first look and where nothing could be read
    ACTS in the same file  what can be done there, see `tui.view.acts`

A sheet is blocks, one under the other, and never knows how large the screen is:

    Tile        facts, advice, headings (tui.rows)                  as many lines as it has
    Beside      tiles next to each other; `share` of the height, or as many lines as the longest has
    Timeline    24 hours as a picture; Spark: one figure over time  one line and its title
    Prose       text that is wrapped and scrolls                     what is left; beside a table as many as it has
    Table       rows with a cursor, at most one in a sheet           what is left

The table is read a page at a time: `gather` gives at most PAGE_ROWS rows after `asked.after` (a key of its own making;
"" is the beginning) and in `Table.next` the key to go on after, "" at the end. Going back needs nothing of the page.
`asked.words` is what was typed behind `/`: data is searched by SQL or `in`, our own words also by pinyin initials
(`tui.finding.matches`). Enter sets `asked.opened` to the key of the row under the cursor, and the same functions are
asked again: they then give the detail. A sheet with `tabs` is asked with `asked.tab`, "" for the first; it says in
`tab` which one it shows.

What could not be read goes into `Sheet.troubles` and is drawn above the blocks, with its next step. The frame adds what
`gather` raised; a page adds what it went on without. All texts are said with `look`; none stands beside the catalogue.
"""

from dataclasses import dataclass, replace
from typing import Final

from tui.rows import Level, Line, Tile
from tui.view.reading import Trouble

PAGE_ROWS: Final = 200
"""As many rows of a table are read at a time; the cursor moves among them, and beyond them the next are read."""


@dataclass(frozen=True)
class Asked:
    """What the person wants of a page. Two that are equal are answered alike."""

    words: str = ""
    after: str = ""
    opened: str | None = None
    tab: str = ""


@dataclass(frozen=True)
class Beside:
    """Tiles next to each other, equally wide."""

    tiles: tuple[Tile, ...]
    share: int = 0
    """Of the lines that all blocks with a share divide among them; 0: as many lines as the longest tile has."""


@dataclass(frozen=True)
class Column:
    """`cells` is its width at 80 columns; one column has 0 and takes what is left. Figures are `is_right`."""

    title: str
    cells: int
    is_right: bool = False
    from_cells: int = 0
    """Shown where the table is at least so wide."""


@dataclass(frozen=True)
class TableRow:
    """`key` stays the same from one look to the next; the cursor follows it. `level` gives colour and letter."""

    key: str
    texts: tuple[str, ...]
    level: Level | None = None


@dataclass(frozen=True)
class Table:
    """`empty` is said where there are no rows. `total` counts all there are, None where that is dear."""

    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    empty: str
    title: str = ""
    total: int | None = None
    next: str = ""
    is_searchable: bool = True
    opens: bool = True
    """Whether Enter opens a row."""


@dataclass(frozen=True)
class Stretch:
    """A part of a timeline that is one way; moments in microseconds."""

    from_us: int
    to_us: int
    level: Level


@dataclass(frozen=True)
class Timeline:
    """From one moment to another as a line of cells, the worst of each cell, with the hours under it."""

    title: str
    from_us: int
    to_us: int
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Spark:
    """A figure over time, oldest first, None where nothing is known; `aside` says the newest with its unit."""

    title: str
    values: tuple[float | None, ...]
    aside: str = ""


@dataclass(frozen=True)
class Prose:
    """Paragraphs; each is wrapped. `level` colours one that matters."""

    paragraphs: tuple[str, ...]
    title: str = ""


Block = Tile | Beside | Table | Timeline | Spark | Prose


@dataclass(frozen=True)
class Tab:
    """One of the sides of a page: a channel, a queue. `key` is what `asked.tab` holds."""

    key: str
    title: str


@dataclass(frozen=True)
class Sheet:
    """All that a page says."""

    blocks: tuple[Block, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    tabs: tuple[Tab, ...] = ()
    tab: str = ""
    """The key of the side that is shown."""

    @property
    def table(self) -> Table | None:
        return next((block for block in self.blocks if isinstance(block, Table)), None)


def unclaimed(sheet: Sheet, word: str) -> Sheet:
    """The sheet with this word in place of what it says where a table has no rows, and of nothing at all."""
    blocks = (replace(block, empty=word) if isinstance(block, Table) else block for block in sheet.blocks)
    return replace(sheet, blocks=tuple(blocks) or (Prose((word,)),))


__all__ = [
    "PAGE_ROWS",
    "Asked",
    "Beside",
    "Block",
    "Column",
    "Level",
    "Line",
    "Prose",
    "Sheet",
    "Spark",
    "Stretch",
    "Tab",
    "Table",
    "TableRow",
    "Tile",
    "Timeline",
    "Trouble",
]
