"""The program for the technician: one screen that shows any page, and which key does what. Nothing is decided here.

A worker thread looks at the box every few seconds, and at what the page on top asks for, and posts SeenAnew.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.driver import TerminalDriver
from tui.look import Look
from tui.messages import SeenAnew
from tui.pages import PAGES, Page
from tui.panel import Panel
from tui.seen import Seen
from tui.session import Session
from tui.view.sheet import Asked

HANG_UP_S: Final = 3
"""When the line is gone or we are told to end, this is how long tidying up may take before the kernel ends us."""


class Board(Screen[None], inherit_bindings=False):
    """The line about the box, the page, the line of what happened, the keys."""

    def compose(self) -> ComposeResult:
        for name in ("header", "body", "notice", "footer"):
            yield Panel(id=name)


class TechnicianApp(App[None], inherit_bindings=False):
    """`look_at` reads the box and a page of it and may take its time; it is called on a thread, once at a time."""

    CSS_PATH = "app.tcss"
    TITLE = "songshan tui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,ctrl+q,f10", "quit", show=False, priority=True)]

    def __init__(
        self,
        look_at: Callable[[Page, Asked], Seen],
        looks: Mapping[str, Look],
        language: str,
        refresh_s: float,
        pages: Sequence[Page] = PAGES,
    ) -> None:
        super().__init__(driver_class=TerminalDriver)
        self._look_at = look_at
        self._refresh_s = refresh_s
        self.session = Session(pages, looks, language)
        self.animation_level = "none"

    async def on_mount(self) -> None:
        if not self.is_headless:
            for number in (signal.SIGHUP, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._hang_up)
        await self.push_screen(Board())
        self._show()
        self._look()
        self.set_interval(self._refresh_s, self._look)

    def on_seen_anew(self, message: SeenAnew) -> None:
        self.session.see(message.page, message.seen)
        self._show()
        if self.session.wants(message.page, message.seen):
            self._look()

    def on_key(self, event: events.Key) -> None:
        """Every key but those that quit is the session's."""
        event.stop()
        event.prevent_default()
        lines = self.screen.query_one("#body", Panel).size
        outcome = self.session.press(event.key, event.character or "", lines.width, lines.height)
        if outcome == "quit":
            self.exit()
            return
        if outcome == "look":
            self._look()
        self._show()

    def _look(self) -> None:
        """Look at the box anew, unless that is being done; what is asked for meanwhile is looked at next."""
        if not any(worker.group == "look" and not worker.is_finished for worker in self.workers):
            self._look_now(self.session.page, self.session.asked)

    @work(thread=True, group="look", exit_on_error=True)
    def _look_now(self, page: Page, asked: Asked) -> None:
        self.post_message(SeenAnew(page.name, self._look_at(page, asked)))

    def _show(self) -> None:
        for name in ("header", "body", "notice", "footer"):
            self.screen.query_one(f"#{name}", Panel).show(self.session.drawing(name))

    def _hang_up(self) -> None:
        signal.alarm(HANG_UP_S)
        self.exit()
