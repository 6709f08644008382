"""What one look found: the box, and what the page on top asked for besides."""

from dataclasses import dataclass
from typing import Any

from tui.view.reading import Reading, Trouble
from tui.view.sheet import Asked


@dataclass(frozen=True)
class Seen:
    """`asked` is what it answers; `found` is None where nothing could be read, and `troubles` say why."""

    reading: Reading
    asked: Asked
    found: Any = None
    troubles: tuple[Trouble, ...] = ()
