"""What a page is made of: its name, its key, what it reads, what it says, what can be done there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.core.errors import Text
from tui.gather.where import Where
from tui.look import Look
from tui.view.acts import Act, Case
from tui.view.reading import Reading
from tui.view.sheet import Asked, Sheet

Gather = Callable[[Where, Asked], Any]
MakeSheet = Callable[[Any, Reading | None, Look, Asked], Sheet]
Deed = Callable[[Where, Case], Text]
"""Does what is no command for the agent, on a worker thread; what came of it. Raises SongshanError."""


@dataclass(frozen=True)
class Page:
    """`title` and `help` are English texts of the catalogue; `key` is a digit, or "" for a page without one."""

    name: str
    title: str
    key: str
    sheet: MakeSheet
    help: str
    gather: Gather | None = None
    """None where what every page knows is enough."""
    acts: tuple[Act, ...] = ()
    deeds: Mapping[str, Deed] = field(default_factory=dict)
    """By the name of an act that has no command."""
