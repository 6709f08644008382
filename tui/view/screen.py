"""The whole screen: the line about the box, the page, the line of what just happened, the keys. PURE."""

from collections.abc import Callable

from tui.keys import KEYS
from tui.look import Look
from tui.rows import Row, safe
from tui.view import frame
from tui.view.draw import Place, draw_sheet
from tui.view.sheet import Sheet

Drawing = Callable[[int, int], tuple[Row, ...]]
"""(cells, lines) -> exactly that many rows of exactly that width."""


def drawing(panel: str, around: frame.Around, sheet: Sheet, place: Place, look: Look) -> Drawing:
    """How one of the parts of the screen is drawn: `header`, `body`, `notice` or `footer`."""
    match panel:
        case "header":
            return safely(lambda cells, _: (frame.header(around.reading, around.standing, cells, look),), look)
        case "notice":
            return safely(lambda cells, _: (frame.notice(around.standing, cells, look),), look)
        case "footer":
            keys = tuple(key for key in KEYS if _does_something(key.action, sheet))
            acts = around.acts
            if around.is_covered:
                keys, acts = tuple(key for key in KEYS if key.action == "back"), ()
            return safely(lambda cells, _: (frame.footer(acts, keys, cells, look),), look)
        case _:
            return safely(lambda cells, lines: draw_sheet(sheet, place, cells, lines, look), look)


def _does_something(action: str, sheet: Sheet) -> bool:
    """Whether a key of the frame would do anything here: only such a one stands at the foot."""
    table = sheet.table
    if action == "search":
        return table is not None and table.is_searchable
    return action != "open" or (table is not None and table.opens and bool(table.rows))


def safely(drawn: Drawing, look: Look) -> Drawing:
    """The same with nothing in it that the terminal cannot draw."""
    return lambda cells, lines: tuple(safe(row, look) for row in drawn(cells, lines))
