"""What one look found: the box, what the page on top asked for besides, what became of commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.core.errors import Text
from tui.view.reading import Reading, Trouble
from tui.view.sheet import Asked


@dataclass(frozen=True)
class Seen:
    """`asked` is what it answers; `found` is None where nothing could be read, and `troubles` say why.

    `outcomes` has those of the commands that were asked for by name and are through: None for done, else the refusal.
    """

    reading: Reading
    asked: Asked
    found: Any = None
    troubles: tuple[Trouble, ...] = ()
    outcomes: Mapping[str, Text | None] = field(default_factory=dict)
