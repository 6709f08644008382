"""What every screen has: the line about the box at the top, the keys at the foot, the reading that it shows."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from tui import view
from tui.look import Look
from tui.panel import Panel
from tui.view import Reading


class Board(Screen[None]):
    """A screen between the two bars. It is told the reading and the look each time that one of them is new."""

    def compose(self) -> ComposeResult:
        yield Panel(id="header")
        yield from self.body()
        yield Panel(id="footer")

    def body(self) -> Iterable[Widget]:
        """The widgets between the bars."""
        raise NotImplementedError

    def show(self, reading: Reading | None, look: Look) -> None:
        """Show this reading, None before the first one."""
        self.query_one("#header", Panel).show(lambda cells, _lines: (view.header(reading, cells, look),))
        self.query_one("#footer", Panel).show(lambda cells, _lines: (view.footer(cells, look),))
