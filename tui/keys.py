"""Every key of the program, once: the bindings, the line at the foot and the help page are made from it. PURE.

Only keys that any terminal sends: letters, digits, F1 to F10, arrows, Esc (no Alt, no Ctrl with Enter). No key acts on
the air or destroys anything.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Key:
    """`names` as the toolkit calls them, `shown` as keys are printed; `message` is an English text of the catalogue."""

    names: tuple[str, ...]
    shown: str
    action: str
    message: str
    in_footer: bool = True
    all_shown: str = ""
    """Every key that does it, for the help page."""


def say(message: str) -> str:
    """Marks a text for the catalogue; it is said when it is shown."""
    return message


KEYS: Final = (
    Key(("f1", "question_mark"), "F1", "help", say("Help"), all_shown="F1 ?"),
    Key(("r",), "r", "look_again", say("Look again"), all_shown="r"),
    Key(("down", "j"), "j", "scroll_alarms(1)", say("Next alarms"), all_shown="Down j"),
    Key(("up", "k"), "k", "scroll_alarms(-1)", say("Previous alarms"), in_footer=False, all_shown="Up k"),
    Key(("l",), "l", "language", say("中文"), all_shown="l"),
    Key(("escape",), "Esc", "back", say("Back"), in_footer=False, all_shown="Esc"),
    Key(("q", "f10", "ctrl+c", "ctrl+q"), "q", "quit", say("Quit"), all_shown="q F10 Ctrl+C"),
)
