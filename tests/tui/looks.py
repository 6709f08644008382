"""Pages drawn as text and compared with what somebody has looked at: each state in each language, size, set of glyphs.

    STATES = {**with_faults(Found(...)), "opened": seen(Found(...), asked=Asked(opened="k"))}

    def test_the_page_looks_as_it_did(as_before: Before) -> None:
        as_before("sync", STATES)

The text is in tests/tui/drawn/<page>.txt: a row of the screen, then its styles and the cells of each.
After a wanted change: pytest --drawn-update tests/tui/..., and look at the difference. Beside that each drawing is
held against what is true of every page: see `faults_of`.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final
from unicodedata import east_asian_width

from rich.cells import cell_len

from tests.tui.readings import (
    AGENT_DEAD,
    DATABASE_LOCKED,
    DISK_FULL,
    HEALTHY,
    LOOKS,
    NO_CONFIG,
    NO_DATABASE,
    OFFLINE,
    PLAIN,
    WEB_DEAD,
    WIDE,
)
from tui.acting import Acting
from tui.look import Look
from tui.pages import PAGES
from tui.rows import Row
from tui.seen import Seen
from tui.session import Session
from tui.view.reading import Reading, Trouble, troubles_of
from tui.view.sheet import Asked, Sheet
from tui.view.table import widths

FOLDER = Path(__file__).parent / "drawn"
SIZES = ((80, 25), (120, 40))
SHOWN = (("zh", LOOKS["zh"]), ("en", LOOKS["en"]), ("en ascii", PLAIN))
Before = Callable[[str, Mapping[str, Seen]], None]


def seen(found: object, reading: Reading = HEALTHY, *troubles: Trouble, asked: Asked | None = None) -> Seen:
    """A look at a page, as `tui.gather` gives it."""
    return Seen(reading, asked or Asked(), found, troubles)


EACH: Final = {
    "healthy": HEALTHY,
    "agent dead": AGENT_DEAD,
    "web dead": WEB_DEAD,
    "database locked": DATABASE_LOCKED,
    "no database": NO_DATABASE,
    "disk full": DISK_FULL,
    "no network": OFFLINE,
    "no configuration": NO_CONFIG,
}
"""Every page is drawn with each of these."""
UNREAD: Final = ("database locked", "no database", "no configuration")


def with_faults(found: object, unread: object = None, **otherwise: object) -> dict[str, Seen]:
    """A page healthy and with each fault. `unread`: what it finds where the database cannot be read; None: its trouble.

    `otherwise` has what else is found with one of the faults, by its name with `_` for the blank.
    """
    states = {}
    for name, reading in EACH.items():
        read = otherwise.get(name.replace(" ", "_"), unread if name in UNREAD else found)
        states[name] = seen(read, reading, *(troubles_in(reading) if read is None else ()))
    return states


def troubles_in(reading: Reading) -> tuple[Trouble, ...]:
    """What a page tells that needs what could not be read."""
    if reading.snapshot is None:
        return troubles_of(reading.problems, reading.hint)
    return tuple(Trouble(each.text, each.hint) for each in reading.snapshot.alarms if each.id == "database")


def states_of_pages() -> dict[str, dict[str, Seen]]:
    """STATES of every page, from the module of tests that is called like it."""
    modules = {page.name: f"tests.tui.test_{page.name.replace('-', '_')}" for page in PAGES}
    return {name: importlib.import_module(module).STATES for name, module in modules.items()}


def session_at(page: str, shown: Seen, look: Look) -> Session:
    """A program that has just looked at this page."""
    acting = Acting("admin", lambda: 0.0, lambda: "2026-11-24T06:03:00Z")
    session = Session(PAGES, {look.language: look}, look.language, acting, page)
    session.ask(shown.asked)
    session.see(page, shown)
    return session


def screen(session: Session, cells: int, lines: int) -> list[Row]:
    """All rows of the terminal."""
    parts = (("header", cells, 1), ("body", cells - 2, lines - 3), ("notice", cells, 1), ("footer", cells, 1))
    return [row for name, across, down in parts for row in session.drawing(name)(across, down)]


def written(page: str, states: Mapping[str, Seen]) -> str:
    """Every state in every look."""
    return "\n".join(line for name in states for line in _pictures(page, name, states[name])) + "\n"


def _pictures(page: str, name: str, shown: Seen) -> Iterator[str]:
    for words, look in SHOWN:
        for cells, lines in SIZES:
            rows = screen(session_at(page, shown, look), cells, lines)
            yield f"=== {name}, {words}, {cells}x{lines}"
            yield from (f"{text_of(row)}|{_styles(row)}" for row in rows if text_of(row).strip())


def text_of(row: Row) -> str:
    return "".join(span.text for span in row)


def _styles(row: Row) -> str:
    return " ".join(f"{span.style}{cell_len(span.text)}" for span in row)


def faults_of(page: str, states: Mapping[str, Seen]) -> list[str]:
    """What no page may do: rows of other cells than the screen's, words of ours cut, signs that the terminal lacks."""
    found: list[str] = []
    for name, shown in states.items():
        for words, look in (*SHOWN, *((f"{language} wide", look) for language, look in WIDE.items())):
            session = session_at(page, shown, look)
            faults = (*_bent(session, look), *_cut(session.sheet), *_shortened(session, look))
            found += [f"{name}, {words}: {fault}" for fault in faults]
    return found


def _bent(session: Session, look: Look) -> Iterator[str]:
    for cells, lines in (*SIZES, (80, 24), (40, 12), (200, 60), (12, 6)):
        rows = screen(session, cells, lines)
        for across, row in zip((cells, *[cells - 2] * (lines - 3), cells, cells), rows, strict=False):
            if cell_len(text_of(row)) != across:
                yield f"a row of {cell_len(text_of(row))} and not {across} cells: {text_of(row)!r}"
            if look.plain and not text_of(row).isascii():
                yield f"not ASCII: {text_of(row)!r}"
            if look.is_wide and (signs := {each for each in text_of(row) if east_asian_width(each) == "A"}):
                yield f"of ambiguous width: {signs} in {text_of(row)!r}"


def _shortened(session: Session, look: Look) -> Iterator[str]:
    """Our own words: labels, titles and what stands at the right of a line have room at the design size."""
    for row in screen(session, 80, 25):
        for span in row:
            if span.style in ("label", "aside", "title") and span.text.rstrip().endswith(look.ellipsis):
                yield f"cut: {span.text!r}"


def _cut(sheet: Sheet) -> Iterator[str]:
    if sheet.table is not None:
        for column, size in zip(sheet.table.columns, widths(sheet.table, 78), strict=True):
            if size and cell_len(column.title) > size:
                yield f"the head {column.title!r} is wider than its column of {size}"
