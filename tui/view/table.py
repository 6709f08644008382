"""A table and the rows it is drawn as; the one under the cursor has a mark as well as a colour. PURE."""

from typing import Final

from tui.cells import cut, fit, width
from tui.look import Look
from tui.rows import Level, Row, Span, blank_filled, spread
from tui.view.sheet import Column, Table, TableRow

MARK_CELLS: Final = 3
"""Before the first column: the cursor's mark and the letter of the level."""
GAP: Final = 1
DESIGN_CELLS: Final = 80


def table_rows(table: Table, cursor: str, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
    """At most `lines` rows of exactly `cells`: a title, the heads, then the rows around the cursor."""
    head = [*_title_rows(table, cells, look), _head_row(table, cells, look)]
    room = max(0, lines - len(head))
    at = cursor_at(table, cursor)
    if not table.rows:
        return (*head[:lines], *[blank_filled([Span(f"   {table.empty}", "aside")], cells, look)][:room])
    first = max(0, min(at - room // 2, len(table.rows) - room))
    shown = enumerate(table.rows[first : first + room], first)
    return (*head[:lines], *(_row(table, row, number == at, cells, look) for number, row in shown))


def cursor_at(table: Table, cursor: str) -> int:
    """The number of the row that the cursor is on; the first where it is on none."""
    return next((number for number, row in enumerate(table.rows) if row.key == cursor), 0)


def widths(table: Table, cells: int) -> list[int]:
    """How wide each column is, 0 for one that is not shown; with marks and gaps together at most `cells`."""
    shown = [column.from_cells <= cells for column in table.columns]
    found = [column.cells if is_shown else 0 for column, is_shown in zip(table.columns, shown, strict=True)]
    gaps = max(0, sum(shown) - 1) * GAP
    left = max(0, cells - MARK_CELLS - gaps - sum(found))
    for number, column in enumerate(table.columns):
        if column.cells == 0 and shown[number]:
            found[number] = left
    return found


def _title_rows(table: Table, cells: int, look: Look) -> list[Row]:
    if not table.title:
        return []
    left = [Span(table.title, "title")]
    right = []
    if table.total is not None:
        right = [Span(look.say("{n} in all").format(n=f"{table.total:,}"), "aside")]
    return [spread(left, right, cells, look)]


def _head_row(table: Table, cells: int, look: Look) -> Row:
    texts = [column.title for column in table.columns]
    return blank_filled([Span(" " * MARK_CELLS + _columns(table, texts, cells, look), "label")], cells, look)


def _row(table: Table, row: TableRow, is_under_cursor: bool, cells: int, look: Look) -> Row:
    letter = row.level.letter if row.level is not None and row.level > Level.GOOD else " "
    style = row.level.style if row.level is not None and row.level > Level.GOOD else "value"
    mark = ">" if is_under_cursor else " "
    text = f"{mark}{letter} " + _columns(table, list(row.texts), cells, look)
    return blank_filled([Span(fit(text, cells, look.ellipsis), "cursor" if is_under_cursor else style)], cells, look)


def _columns(table: Table, texts: list[str], cells: int, look: Look) -> str:
    parts = [
        _cell(text, column, size, look)
        for text, column, size in zip(texts, table.columns, widths(table, cells), strict=True)
        if size > 0
    ]
    return (" " * GAP).join(parts)


def _cell(text: str, column: Column, size: int, look: Look) -> str:
    if not column.is_right:
        return fit(text, size, look.ellipsis)
    shown = cut(text, size, look.ellipsis)
    return " " * (size - width(shown)) + shown
