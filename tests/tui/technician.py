"""A technician in front of the real session, the real box's folder and the real door; keys are counted.

li = Technician(home)
li.keys("2", "enter", "f")
li.type("防汛")                     a text that is typed counts as one
li.agent()                          the agent comes by and does what was put
assert "..." in li.shown and li.pressed <= KEYS_MAX
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from appliance.config import Config, load
from appliance.core.moment import to_text
from appliance.store.database import transaction, writing
from tests.edge_agent.test_record import take_commands
from tests.simulators.hub import SimulatedHub
from tests.tui.looks import screen, text_of
from tests.tui.readings import LOOKS
from tui.acting import Acting
from tui.gather.box import look_at
from tui.gather.door import Door
from tui.outcomes import Do, Look, OpenDoor, Outcome, Put
from tui.pages import PAGES
from tui.session import Session

KEYS_MAX: Final = 10
NAMES: Final = {"/": "slash", ":": "colon", "-": "minus", " ": "space"}


class Technician:
    """One person at 80x25, in Chinese, on the overview."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.pressed = 0
        self.door = Door(home, {})
        self.session = Session(PAGES, LOOKS, "zh", Acting("li", time.monotonic, _now))
        self._look()

    @property
    def config(self) -> Config:
        return load(self.home, {})

    @property
    def shown(self) -> str:
        """The screen, as text."""
        return "\n".join(text_of(row).rstrip() for row in screen(self.session, 80, 25))

    def keys(self, *keys: str) -> None:
        """Press these keys, one after the other."""
        self.pressed += len(keys)
        for key in keys:
            self._follow(self.session.press(NAMES.get(key, key), key if len(key) == 1 else "", 78, 22))

    def type(self, text: str) -> None:
        """Fill in a text."""
        before = self.pressed
        self.keys(*text)
        self.pressed = before + 1

    def confirm(self) -> None:
        """The reason and the site's id that whatever touches the air wants: only the Enters count."""
        self.type("防汛")
        self.keys("enter")
        self.type("dengfeng")
        self.keys("enter")
        self.pressed -= 2

    def agent(self) -> None:
        """The agent comes by, does what lies in the spool, and the screen looks again."""
        take_commands(self.home, SimulatedHub())
        self._look()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The box's database, in one transaction."""
        with writing(self.config.database) as db, transaction(db):
            yield db

    def look(self) -> None:
        """The screen looks again by itself."""
        self._look()

    def _look(self) -> None:
        page, asked = self.session.page, self.session.asked
        self.session.see(page.name, look_at(self.home, {}, page, asked, tuple(self.session.acting.followed)))

    def _follow(self, outcome: Outcome) -> None:
        match outcome:
            case Look():
                self._look()
            case OpenDoor():
                self.door.open()
                self._follow(self.session.elevated(outcome))
            case Put():
                name = self.door.put(outcome.command)
                look = self.session.look
                self.session.tell(self.session.acting.was_put(outcome, name, look, agent_runs=True))
            case Do():
                self.door.do(outcome.deed, outcome.case)
                self._look()
            case _:
                return


def _now() -> str:
    return to_text(time.time_ns() // 1000)
