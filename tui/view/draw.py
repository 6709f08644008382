"""A sheet and the rows it is drawn as: every row takes exactly the cells it is given. PURE.

    draw_sheet(sheet, place, cells, lines, look) -> rows

Blocks that know their height have it, those with a share and those that take the rest divide what is left; where that
is too little, tiles say how many lines of them are not shown.
"""

from dataclasses import dataclass
from typing import Final

from tui.cells import wrap
from tui.look import Look
from tui.rows import Advice, Level, Row, Span, Tile, blank_filled, blank_row, body_rows, draw, last_skip
from tui.view.pictures import spark_rows, timeline_rows
from tui.view.sheet import Beside, Block, Prose, Sheet, Spark, Table, Timeline
from tui.view.table import table_rows

GUTTER: Final = 2
"""Blank cells between tiles that stand next to each other."""
TABLE_LINES_MIN: Final = 5
PROSE_LINES_MAX: Final = 400
SHARED_LINES_MIN: Final = 3


@dataclass(frozen=True)
class Place:
    """Where on a sheet the person is: the row of the table under the cursor, and how far the rest is scrolled."""

    cursor: str = ""
    skip: int = 0


def draw_sheet(sheet: Sheet, place: Place, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
    """Exactly `lines` rows of exactly `cells`."""
    head = [*_tab_rows(sheet, cells, look), *_trouble_rows(sheet, cells, look)]
    left = max(0, lines - len(head))
    rows = list(head)
    for block, height in zip(sheet.blocks, heights(sheet.blocks, cells, left, look), strict=True):
        rows += _block_rows(block, place, cells, height, look)
    return tuple(rows[:lines]) + tuple(blank_row(cells) for _ in range(lines - len(rows)))


def heights(blocks: tuple[Block, ...], cells: int, lines: int, look: Look) -> list[int]:
    """How many lines each block gets; together at most `lines`."""
    has_table = any(isinstance(block, Table) for block in blocks)
    wanted = [
        len(_prose_rows(block, cells, look)) + 1
        if has_table and isinstance(block, Prose)
        else _lines_of(block, cells, look)
        for block in blocks
    ]
    fixed = sum(size for size in wanted if size is not None)
    open_blocks = [number for number, size in enumerate(wanted) if size is None]
    reserved = sum(_least(blocks[number]) for number in open_blocks)
    given = [size or 0 for size in wanted]
    over = max(0, fixed - max(0, lines - reserved))
    # What does not fit is taken from the tallest first; nothing below the two lines that a title and a hint need.
    while over > 0 and given and max(given) > 2:
        tallest = max(range(len(given)), key=lambda number: given[number])
        given[tallest] -= 1
        over -= 1
    left = max(0, lines - sum(given))
    shares = {number: _share(blocks[number]) for number in open_blocks}
    total = sum(shares.values())
    for number in open_blocks:
        part = left * shares[number] // total
        given[number] = part
    rest = left - sum(given[number] for number in open_blocks)
    for number in open_blocks[:rest]:
        given[number] += 1
    return given


def skip_max(sheet: Sheet, cells: int, lines: int, look: Look) -> int:
    """How far a sheet can be scrolled at this size; 0 where all of it is shown or only a cursor moves."""
    head = len(_tab_rows(sheet, cells, look)) + len(_trouble_rows(sheet, cells, look))
    sizes = heights(sheet.blocks, cells, max(0, lines - head), look)
    found = [0]
    for block, height in zip(sheet.blocks, sizes, strict=True):
        match block:
            case Tile() if block.scrolls:
                found.append(last_skip(block, cells, height, look))
            case Beside(tiles=tiles):
                each = _beside_cells(len(tiles), cells)
                found += [last_skip(tile, each, height - 1, look) for tile in tiles if tile.scrolls]
            case Prose():
                found.append(len(_prose_rows(block, cells, look)) - height)
            case _:
                continue
    return max(found)


def _lines_of(block: Block, cells: int, look: Look) -> int | None:
    """How many lines a block wants, with the blank one under it; None for one that takes what is left."""
    match block:
        case Tile():
            return None if block.scrolls else 1 + len(body_rows(block, cells, look)) + 1
        case Beside(tiles=tiles, share=0):
            each = _beside_cells(len(tiles), cells)
            return max(1 + len(body_rows(tile, each, look)) for tile in tiles) + 1
        case Timeline():
            return len(timeline_rows(block, cells, look)) + 1
        case Spark():
            return len(spark_rows(block, cells, look))
        case Table() | Prose() | Beside():
            return None


def _least(block: Block) -> int:
    return TABLE_LINES_MIN if isinstance(block, Table) else SHARED_LINES_MIN


def _share(block: Block) -> int:
    return block.share if isinstance(block, Beside) and block.share else 10


def _block_rows(block: Block, place: Place, cells: int, lines: int, look: Look) -> list[Row]:
    match block:
        case Tile():
            rows = draw(block, cells, lines, look, _skip(block, place, cells, lines, look)) if lines else ()
        case Beside(tiles=tiles):
            rows = _beside_rows(tiles, place, cells, lines, look)
        case Table():
            rows = table_rows(block, place.cursor, cells, lines, look)
        case Timeline():
            rows = tuple(timeline_rows(block, cells, look))
        case Spark():
            rows = tuple(spark_rows(block, cells, look))
        case Prose():
            written = _prose_rows(block, cells, look)
            skip = max(0, min(place.skip, len(written) - lines))
            rows = tuple(written[skip : skip + lines])
    return [*rows[:lines], *(blank_row(cells) for _ in range(lines - len(rows)))]


def _beside_cells(count: int, cells: int) -> int:
    return max(0, (cells - GUTTER * (count - 1)) // count)


def _beside_rows(tiles: tuple[Tile, ...], place: Place, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
    """The last line is left blank."""
    each = _beside_cells(len(tiles), cells)
    tall = max(0, lines - 1)
    drawn = [draw(tile, each, tall, look, _skip(tile, place, each, tall, look)) for tile in tiles]
    rows = []
    for number in range(tall):
        row: list[Span] = []
        for column, part in enumerate(drawn):
            row += [Span(" " * GUTTER, "value"), *part[number]] if column else part[number]
        rows.append(blank_filled(row, cells, look))
    return tuple(rows)


def _skip(tile: Tile, place: Place, cells: int, lines: int, look: Look) -> int:
    return min(place.skip, last_skip(tile, cells, lines, look)) if tile.scrolls else 0


def _prose_rows(block: Prose, cells: int, look: Look) -> list[Row]:
    rows: list[Row] = []
    if block.title:
        rows.append(blank_filled([Span(block.title, "title")], cells, look))
    for paragraph in block.paragraphs:
        lines = wrap(paragraph, cells, PROSE_LINES_MAX, look.ellipsis) or [""]
        rows += [blank_filled([Span(line, "value")], cells, look) for line in lines]
    return rows


def _tab_rows(sheet: Sheet, cells: int, look: Look) -> list[Row]:
    if not sheet.tabs:
        return []
    spans: list[Span] = []
    for tab in sheet.tabs:
        is_on = tab.key == sheet.tab
        shown = f"[{tab.title}]" if is_on else f" {tab.title} "
        spans += [Span(shown, "title" if is_on else "label"), Span(" ", "label")]
    return [blank_filled(spans, cells, look)]


def _trouble_rows(sheet: Sheet, cells: int, look: Look) -> list[Row]:
    lines = tuple(
        Advice(Level.BAD, look.of(trouble.text), look.of(trouble.hint) if trouble.hint is not None else "")
        for trouble in sheet.troubles
    )
    return [*body_rows(Tile("", "", Level.BAD, lines), cells, look), blank_row(cells)] if lines else []
