"""Rows on the screen, repainted cell by cell: over a slow line only what changed is sent again."""

from collections.abc import Callable
from typing import ClassVar, Final

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.cells import width
from tui.rows import Row

Drawing = Callable[[int, int], tuple[Row, ...]]
"""(cells, lines) -> exactly that many rows of exactly that width."""

STYLES: Final = (
    *("title", "label", "value", "aside", "rule", "bar", "key", "cursor"),
    *("good", "note", "warn", "bad"),
)


class Panel(Widget):
    """A rectangle that shows rows. It knows nothing of what they mean; each span's style is a component class."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"{look}--{style}" for look in ("panel", "eco") for style in STYLES}

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawing: Drawing | None = None
        self._rows: tuple[Row, ...] = ()

    def show(self, drawing: Drawing) -> None:
        """Draw this from now on, at whatever size the panel has."""
        self._drawing = drawing
        self._draw()

    def on_resize(self) -> None:
        self._rows = ()
        self._draw()

    def _draw(self) -> None:
        cells, lines = self.size
        if self._drawing is None or cells == 0 or lines == 0:
            return
        before, self._rows = self._rows, self._drawing(cells, lines)
        changed = [
            Region(first, y, size, 1)
            for y, row in enumerate(self._rows)
            for first, size in [changed_cells(before[y] if y < len(before) else (), row, cells)]
            if size
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        look = "eco" if self.app.ansi_color else "panel"
        return Strip(
            [Segment(span.text, self.get_component_rich_style(f"{look}--{span.style}")) for span in self._rows[y]]
        )


def changed_cells(before: Row, after: Row, cells: int) -> tuple[int, int]:
    """Where the cells begin that differ, and how many they are up to the last one; (0, 0) where none do."""
    old, new = _drawn(before), _drawn(after)
    if old == new:
        return 0, 0
    if not old or _cells_of(old) != _cells_of(new):
        return 0, cells
    first = _alike(old, new)
    last = _alike(old[::-1], new[::-1])
    return first, max(1, cells - first - last)


def _drawn(row: Row) -> list[tuple[str, str]]:
    return [(character, span.style) for span in row for character in span.text]


def _cells_of(drawn: list[tuple[str, str]]) -> int:
    return sum(width(character) for character, _style in drawn)


def _alike(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> int:
    """Cells at the beginning that are the same in both."""
    taken = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        taken += width(one[0])
    return taken
