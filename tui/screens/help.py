"""What the keys, the letters and the tiles mean."""

from collections.abc import Iterable

from textual.widget import Widget

from tui import view
from tui.look import Look
from tui.panel import Panel
from tui.rows import draw
from tui.screens.board import Board
from tui.view import Reading


class Help(Board):
    """One page of help; Esc or F1 goes back."""

    def body(self) -> Iterable[Widget]:
        yield Panel(id="help")

    def show(self, reading: Reading | None, look: Look) -> None:
        super().show(reading, look)
        tile = view.help_page(look)
        self.query_one("#help", Panel).show(lambda cells, lines: draw(tile, cells, lines, look))
