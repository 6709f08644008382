"""The first screen: in five seconds, are we on the air, what is wrong, what to do."""

from collections.abc import Iterable
from functools import partial

from textual.containers import Grid
from textual.widget import Widget

from tui import view
from tui.look import Look
from tui.panel import Panel
from tui.rows import Row, Tile, draw
from tui.screens.board import Board
from tui.view import Reading


class Overview(Board):
    """Six tiles."""

    def __init__(self) -> None:
        super().__init__()
        self._tiles: dict[str, Tile] = {}
        self._look: Look | None = None
        self._alarms_skipped = 0

    def body(self) -> Iterable[Widget]:
        yield Grid(*(Panel(id=name, classes="tile") for name in view.TILES), id="tiles")

    def show(self, reading: Reading | None, look: Look) -> None:
        super().show(reading, look)
        self._tiles, self._look = view.overview(reading, look), look
        for name in view.TILES:
            self._paint(name)

    def scroll_alarms(self, lines: int) -> None:
        """Move the list of alarms, no further than its last line."""
        if self._look is None:
            return
        panel = self.query_one("#alarms", Panel)
        last = view.last_skip(self._tiles["alarms"], panel.size.width, panel.size.height, self._look)
        self._alarms_skipped = max(0, min(last, self._alarms_skipped + lines))
        self._paint("alarms")

    def _paint(self, name: str) -> None:
        skip = self._alarms_skipped if name == "alarms" else 0
        assert self._look is not None
        self.query_one(f"#{name}", Panel).show(partial(_drawn, self._tiles[name], self._look, skip))


def _drawn(tile: Tile, look: Look, skip: int, cells: int, lines: int) -> tuple[Row, ...]:
    """Scrolled no further than makes sense at this size: the panel may have grown since."""
    return draw(tile, cells, lines, look, min(skip, view.last_skip(tile, cells, lines, look)))
