"""The program for the technician: gives a session to a terminal and does what keys ask for. Nothing is decided here.

A worker thread looks at the box every few seconds, and at what the page on top asks for, and posts SeenAnew.
"""

import asyncio
import atexit
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from appliance.core.errors import SongshanError, Text
from appliance.core.moment import to_text
from tui.acting import Acting, Notice
from tui.driver import TerminalDriver
from tui.gather.door import Door
from tui.look import Look as TheLook
from tui.memory import trim
from tui.messages import SeenAnew
from tui.outcomes import Do, Look, OpenDoor, Outcome, Put, Quit, Redraw
from tui.page import Page
from tui.pages import PAGES
from tui.panel import Panel
from tui.seen import Seen
from tui.session import Session
from tui.terminal import Terminal
from tui.view.sheet import Asked

HANG_UP_S: Final = 3
"""When the line is gone or we are told to end, this is how long tidying up may take before we are ended."""
SOON_S: Final = 0.7
"""After a command was put, its outcome is looked for so much later; a running agent is mostly through with it."""
PARTS: Final = ("header", "body", "notice", "footer")


class Board(Screen[None], inherit_bindings=False):
    """The line about the box, the page, the line of what happened, the keys."""

    def compose(self) -> ComposeResult:
        for name in PARTS:
            yield Panel(id=name)


class TechnicianApp(App[None], inherit_bindings=False):
    """`look_at` reads the box and a page of it and may take its time; it is called on a thread, once at a time.

    `start` is the name of the page to begin with; the first where there is none of it.
    """

    CSS_PATH = "app.tcss"
    TITLE = "songshan tui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,ctrl+q,f10", "quit", show=False, priority=True)]

    def __init__(
        self,
        look_at: Callable[[Page, Asked, Collection[str]], Seen],
        door: Door,
        looks: Mapping[str, TheLook],
        terminal: Terminal,
        pages: Sequence[Page] = PAGES,
        start: str = "",
    ) -> None:
        super().__init__(driver_class=TerminalDriver, ansi_color=terminal.few_colours)
        self._look_at = look_at
        self._door = door
        self._terminal = terminal
        acting = Acting(door.account, time.monotonic, lambda: to_text(time.time_ns() // 1000))
        self.session = Session(pages, looks, terminal.languages[0], acting, start)
        self.animation_level = "none"

    async def on_mount(self) -> None:
        if not self.is_headless:
            for number in (signal.SIGHUP, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._hang_up)
        await self.push_screen(Board())
        self._show()
        self._look()
        self.set_interval(self._terminal.refresh_s, self._look)

    def on_seen_anew(self, message: SeenAnew) -> None:
        self.session.see(message.page, message.seen)
        self._show()
        if self.session.wants(message.page, message.seen):
            self._look()

    def on_resize(self) -> None:
        """What the terminal shows now is not what it was sent."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.forget()

    def on_key(self, event: events.Key) -> None:
        """Every key but those that quit at once is the session's."""
        event.stop()
        event.prevent_default()
        size = self.screen.query_one("#body", Panel).size
        self._follow(self.session.press(event.key, event.character or "", size.width, size.height))
        self._show()

    def _follow(self, outcome: Outcome) -> None:
        match outcome:
            case Quit():
                self._leave()
            case Look():
                self._look()
            case Redraw():
                self.on_resize()
                self.screen.refresh()
            case OpenDoor():
                self._open(outcome)
            case Put():
                self._put(outcome)
            case Do(act=act):
                said = self.session.look.say(act.message)
                self.session.tell(Notice(self.session.look.say("{act}: under way").format(act=said)))
                self._do(outcome)
            case _:
                return

    def _look(self) -> None:
        """Look at the box anew, unless that is being done; what is asked for meanwhile is looked at next."""
        if not any(worker.group == "look" and not worker.is_finished for worker in self.workers):
            self._look_now(self.session.page, self.session.asked, tuple(self.session.acting.followed))

    @work(thread=True, group="look", exit_on_error=True)
    def _look_now(self, page: Page, asked: Asked, followed: Collection[str]) -> None:
        seen = self._look_at(page, asked, followed)
        trim()
        self.post_message(SeenAnew(page.name, seen))

    @work(thread=True, group="act", exit_on_error=True)
    def _open(self, opening: OpenDoor) -> None:
        self._tried(self._door.open, lambda _nothing: self._follow(self.session.elevated(opening)))

    @work(thread=True, group="act", exit_on_error=True)
    def _put(self, put: Put) -> None:
        def told(name: str) -> None:
            runs = (reading := self.session.reading) is not None and reading.agent_runs
            self.session.tell(self.session.acting.was_put(put, name, self.session.look, agent_runs=runs))
            self.set_timer(SOON_S, self._look)

        self._tried(lambda: self._door.put(put.command), told)

    @work(thread=True, group="act", exit_on_error=True)
    def _do(self, do: Do) -> None:
        self._tried(lambda: self._door.do(do.deed, do.case), lambda text: self._done(do, text))

    def _done(self, do: Do, text: Text) -> None:
        self.session.tell(Notice(f"{self.session.look.say(do.act.message)}: {self.session.look.of(text)}"))
        self._look()

    def _tried(self, attempt: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """On a worker thread: attempt it, and tell the session on its own thread what came of it."""

        def told() -> None:
            then(result)
            self._show()

        def failed(error: SongshanError) -> None:
            self.session.fail(error)
            self._show()

        try:
            result = attempt()
        except SongshanError as error:
            self.call_from_thread(failed, error)
        else:
            self.call_from_thread(told)

    def _show(self) -> None:
        for name in PARTS:
            self.screen.query_one(f"#{name}", Panel).show(self.session.drawing(name))

    async def action_quit(self) -> None:
        """By the keys that always quit."""
        self._leave()

    def _leave(self) -> None:
        """End, also while a thread is at something that takes minutes: its result would be shown to nobody."""
        if not self.is_headless:
            signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(0))
            signal.alarm(HANG_UP_S)
            # No thread runs any more then; the rest may be slow, and an alarm in it would end us as a failure.
            atexit.register(signal.alarm, 0)
        self.exit()

    def _hang_up(self) -> None:
        signal.alarm(HANG_UP_S)
        self.exit()
