"""The terminal's keys, read so that line noise cannot end the program.

Textual's own reader decodes strictly: one byte that is not UTF-8, as a terminal set to GBK sends for each Chinese
character, ends the program with a traceback on the technician's screen (8.2.8, tests/tui/test_pty.py).
"""

import codecs
import os
import select
from typing import Any, Final

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from tui.thrift import Thrift

READ_BYTES: Final = 4096
TICK_S: Final = 0.1
"""How soon a lone Esc is taken for the key and not for the beginning of a sequence."""


class TerminalDriver(LinuxDriver):
    """As LinuxDriver, but what is no UTF-8 is passed over, a line that is gone ends the program quietly, and what the
    terminal shows already is not sent again."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._thrift = Thrift(*self._get_terminal_size())

    def write(self, data: str) -> None:
        """Only what the terminal does not show already."""
        self._thrift.resize(*self._get_terminal_size())
        if less := self._thrift.sent(data):
            super().write(less)

    def forget(self) -> None:
        """What the terminal shows may not be what it was sent: all is sent once more."""
        self._thrift.forget()

    def run_input_thread(self) -> None:
        """Turn bytes into events until the program ends or the line does."""
        parser = XTermParser()
        decode = codecs.getincrementaldecoder("utf-8")("ignore").decode
        while not self.exit_event.is_set():
            text = ""
            if select.select([self.fileno], [], [], TICK_S)[0]:
                data = self._read()
                if not data:
                    self._app.call_later(self._app.exit)
                    return
                text = decode(data)
            try:
                for message in (*parser.feed(text), *parser.tick()) if text else parser.tick():
                    self.process_message(message)
            except (ValueError, OverflowError):
                # A sequence with a number that no character has; what else it said is lost with it.
                parser = XTermParser()

    def _read(self) -> bytes:
        """What was typed; nothing where the terminal is gone."""
        try:
            return os.read(self.fileno, READ_BYTES)
        except OSError:
            return b""
