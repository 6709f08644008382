"""What the program has to do after a key, beside drawing. PURE data; `tui.app` does it."""

from dataclasses import dataclass

from appliance.core.command import Command
from tui.page import Deed
from tui.view.acts import Act, Case


@dataclass(frozen=True)
class Nothing:
    """Draw, that is all."""


@dataclass(frozen=True)
class Look:
    """Look at the box and at the page on top."""


@dataclass(frozen=True)
class Redraw:
    """Draw everything once more: somebody else has written over the screen."""


@dataclass(frozen=True)
class Quit:
    """End."""


@dataclass(frozen=True)
class OpenDoor:
    """See whether this account may act; then this person does, and goes on with what was wanted."""

    by: str
    then: Act | None = None


@dataclass(frozen=True)
class Put:
    """Hand this to the agent."""

    act: Act
    case: Case
    command: Command


@dataclass(frozen=True)
class Do:
    """Do this here."""

    act: Act
    case: Case
    deed: Deed


Outcome = Nothing | Look | Redraw | Quit | OpenDoor | Put | Do
NOTHING = Nothing()
LOOK = Look()
REDRAW = Redraw()
QUIT = Quit()
