"""What may lie over a page and takes the keys while it does: the palette, the list of all pages, a form. PURE."""

from dataclasses import dataclass
from typing import Any, Protocol

from tui.look import Look
from tui.rows import Row


@dataclass(frozen=True)
class Chosen:
    """The person is through with it, and wants this."""

    what: Any


@dataclass(frozen=True)
class Closed:
    """The person wants nothing."""


class Layer(Protocol):
    """Each key gives the layer that follows, or an end."""

    def press(self, key: str, character: str) -> "Layer | Chosen | Closed":
        """What follows from a key."""
        ...

    def rows(self, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
        """Exactly `lines` rows of exactly `cells`."""
        ...


def typed(text: str, key: str, character: str, chars_max: int) -> str:
    """A line of text after one more key; only what can be seen is taken."""
    if key in ("backspace", "ctrl+h"):
        return text[:-1]
    if key == "ctrl+u":
        return ""
    return (text + character)[:chars_max] if character and character.isprintable() else text
