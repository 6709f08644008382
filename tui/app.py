"""The program for the technician: which screens there are, which key does what. Nothing is decided here.

A worker thread reads the box every few seconds and posts SnapshotChanged; the screen on top shows it.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType

from tui.driver import TerminalDriver
from tui.keys import KEYS
from tui.look import Look
from tui.messages import SnapshotChanged
from tui.screens.board import Board
from tui.screens.help import Help
from tui.screens.overview import Overview
from tui.view import Reading

HANG_UP_S: Final = 3
"""When the line is gone or we are told to end, this is how long tidying up may take before the kernel ends us."""


class TechnicianApp(App[None]):
    """`gather` reads the box and may take its time; it is called on a worker thread, one call at a time."""

    CSS_PATH = "app.tcss"
    TITLE = "songshan tui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(",".join(key.names), key.action, show=False, priority=True) for key in KEYS
    ]

    def __init__(
        self, gather: Callable[[], Reading], looks: Mapping[str, Look], language: str, refresh_s: float
    ) -> None:
        super().__init__(driver_class=TerminalDriver)
        self._gather = gather
        self._looks = looks
        self._language = language
        self._refresh_s = refresh_s
        self.reading: Reading | None = None
        self.animation_level = "none"

    @property
    def look(self) -> Look:
        return self._looks[self._language]

    async def on_mount(self) -> None:
        if not self.is_headless:
            for number in (signal.SIGHUP, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._hang_up)
        await self.push_screen(Overview())
        self._show()
        self.action_look_again()
        self.set_interval(self._refresh_s, self.action_look_again)

    def on_snapshot_changed(self, message: SnapshotChanged) -> None:
        self.reading = message.reading
        self._show()

    def action_look_again(self) -> None:
        """Read the box anew, unless that is being done."""
        if not any(worker.group == "gather" and not worker.is_finished for worker in self.workers):
            self._look_again()

    @work(thread=True, group="gather", exit_on_error=True)
    def _look_again(self) -> None:
        self.post_message(SnapshotChanged(self._gather()))

    def action_language(self) -> None:
        """The other language, where this terminal can draw it."""
        self._language = next((other for other in self._looks if other != self._language), self._language)
        self._show()

    def action_scroll_alarms(self, lines: int) -> None:
        if isinstance(self.screen, Overview):
            self.screen.scroll_alarms(lines)

    async def action_help(self) -> None:
        """The help page, or back from it."""
        if isinstance(self.screen, Help):
            await self.action_back()
        else:
            await self.push_screen(Help())
            self._show()

    async def action_back(self) -> None:
        if not isinstance(self.screen, Overview):
            await self.pop_screen()
            self._show()

    def _show(self) -> None:
        if isinstance(self.screen, Board):
            self.screen.show(self.reading, self.look)

    def _hang_up(self) -> None:
        signal.alarm(HANG_UP_S)
        self.exit()
