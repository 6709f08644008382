"""Every key of the frame, once: what it does, the line at the foot and the help page are made from it. PURE.

Only keys that any terminal sends: letters, digits, signs, F1 to F10, arrows, Esc, Enter, Tab, Ctrl with a letter (no
Alt, no Ctrl with Enter). No key alone changes anything: an act asks first. Pages bring letters of their own for what
can be done there (`tui.view.acts`); those in RESERVED are not theirs.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Key:
    """`names` as the toolkit calls them, `shown` as they are printed; `message` is an English text of the catalogue."""

    names: tuple[str, ...]
    shown: str
    action: str
    message: str
    footer: int = 0
    """0: not at the foot; else the higher the sooner it stands there."""
    all_shown: str = ""
    """Every key that does it, for the help page."""


def say(message: str) -> str:
    """Marks a text for the catalogue; it is said when it is shown."""
    return message


KEYS: Final = (
    Key(("f1", "question_mark"), "F1", "help", say("Help"), 9, "F1 ?"),
    Key(("colon", "ctrl+p"), ":", "palette", say("Go to"), 8, ": Ctrl+P"),
    Key(("ctrl+o",), "^O", "jump", say("All pages"), all_shown="Ctrl+O"),
    Key(("slash",), "/", "search", say("Search"), 6, "/"),
    Key(("enter",), "Enter", "open", say("Open"), 5, "Enter"),
    Key(("escape",), "Esc", "back", say("Back"), 1, "Esc"),
    Key(("down", "j"), "j", "move(1)", say("Down the list"), all_shown="Down j"),
    Key(("up", "k"), "k", "move(-1)", say("Up the list"), all_shown="Up k"),
    Key(("pagedown", "ctrl+f"), "PgDn", "move(20)", say("A page down"), all_shown="PgDn Ctrl+F"),
    Key(("pageup", "ctrl+b"), "PgUp", "move(-20)", say("A page up"), all_shown="PgUp Ctrl+B"),
    Key(("home", "g"), "g", "first", say("To the beginning"), all_shown="Home g"),
    Key(("tab", "right"), "Tab", "tab(1)", say("Next side of the page"), all_shown="Tab Right"),
    Key(("shift+tab", "left"), "", "tab(-1)", say("Previous side"), all_shown="Shift+Tab Left"),
    Key(("r",), "r", "look_again", say("Look again"), 2, "r"),
    Key(("ctrl+l",), "^L", "redraw", say("Draw all anew"), all_shown="Ctrl+L"),
    Key(("e",), "e", "elevate", say("Who are you"), 4, "e"),
    Key(("u",), "u", "undo", say("Take back"), all_shown="u"),
    Key(("l",), "l", "language", say("中文"), 3, "l"),
    Key(("q", "f10", "ctrl+c", "ctrl+q"), "q", "quit", say("Quit"), 7, "q F10 Ctrl+C"),
)


def bound(key: str) -> Key | None:
    """What a key is bound to in the frame."""
    return next((each for each in KEYS if key in each.names), None)


def parts_of(action: str) -> tuple[str, tuple[int, ...]]:
    """The name of an action and its argument, if it has one."""
    name, _open, argument = action.partition("(")
    return name, (int(argument.rstrip(")")),) if argument else ()


RESERVED: Final = frozenset(name for key in KEYS for name in key.names) | frozenset("1234567890")
"""No act of a page may have one of these."""
