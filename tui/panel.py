"""Rows on the screen, repainted line by line: over a slow line only what changed is sent again."""

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.rows import Row

Drawing = Callable[[int, int], tuple[Row, ...]]
"""(cells, lines) -> exactly that many rows of exactly that width."""


class Panel(Widget):
    """A rectangle that shows rows. It knows nothing of what they mean; each span's style is a component class."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"panel--{style}"
        for style in ("title", "label", "value", "aside", "rule", "bar", "key", "good", "note", "warn", "bad")
    }

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawing: Drawing | None = None
        self._rows: tuple[Row, ...] = ()

    def show(self, drawing: Drawing) -> None:
        """Draw this from now on, at whatever size the panel has."""
        self._drawing = drawing
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        cells, lines = self.size
        if self._drawing is None or cells == 0 or lines == 0:
            return
        before, self._rows = self._rows, self._drawing(cells, lines)
        changed = [y for y, row in enumerate(self._rows) if y >= len(before) or before[y] != row]
        if changed:
            self.refresh(*(Region(0, y, cells, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        return Strip(
            [Segment(span.text, self.get_component_rich_style(f"panel--{span.style}")) for span in self._rows[y]]
        )
