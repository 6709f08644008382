"""What can be done on a page: an act, what it asks for, what it will change, and the command that does it. PURE.

    ACTS = (
        Act("take", "t", say("Take"), Weight.BOX, needs_row=True,
            preview=lambda case: (case.look.say("..."),), command=lambda case: Take(item=case.row, **case.asked_by)),
    )

The frame shows fields, preview and confirmation, and puts the command into the spool; there the agent finds it, now or
when it is back. Nothing is changed before the person is known (`e`), and what is done to the air wants the site's id
typed and a reason. Who and why travel in the command and stand in the audit trail.

An act that is no command for the agent (a bundle made, a stick looked at) is a *deed*: a function in `tui/gather` that
`tui.pages` names beside the act; `command` is then None.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from appliance.core.command import Command
from appliance.core.errors import Text
from tui.look import Look
from tui.view.reading import Reading
from tui.view.sheet import Asked


class Weight(enum.IntEnum):
    """What an act can do to us."""

    LOOK = 0
    """Changes nothing: done at once, by anybody."""
    BOX = 1
    """Changes the box: needs to know who, and a yes under the preview."""
    AIR = 2
    """Changes what is on the air: also the site's id typed, and a reason."""


class AskedBy(TypedDict):
    """What every command says of its origin: who, through which door, when, why."""

    by: str
    via: Literal["tui"]
    at: str
    reason: str


@dataclass(frozen=True)
class Case:
    """What an act is about: the page as it stands, the row under the cursor or opened, and what was filled in."""

    found: Any
    """What the page's `gather` gave, None where it gave nothing."""
    reading: Reading
    look: Look
    asked: Asked
    row: str = ""
    """The key of the row; never "" for an act that `needs_row`."""
    values: dict[str, str] | None = None
    by: str = ""
    at: str = ""
    reason: str = ""

    @property
    def asked_by(self) -> AskedBy:
        return AskedBy(by=self.by, via="tui", at=self.at, reason=self.reason)

    def value(self, name: str) -> str:
        """What was filled in for a field; "" before."""
        return (self.values or {}).get(name, "")


@dataclass(frozen=True)
class Field:
    """Something to fill in. Never one that needs Chinese to be typed: where words are wanted, a choice stands beside.

    `choices` are pairs of the value and the text shown. A number is digits; a time is `HH:MM` of the site or empty.
    """

    name: str
    label: str
    kind: Literal["choice", "text", "number", "time"]
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    is_needed: bool = False
    chars_max: int = 200
    hint: str = ""


def _no_fields(_case: Case) -> tuple[Field, ...]:
    return ()


def _nothing_said(_case: Case) -> tuple[str, ...]:
    return ()


def _always(_case: Case) -> Text | None:
    return None


@dataclass(frozen=True)
class Act:
    """One thing that can be done. `name` is unique on its page, `key` a small letter, `message` an English text."""

    name: str
    key: str
    message: str
    weight: Weight
    command: Callable[[Case], Command] | None = None
    """OperatorError from it is shown as what is wrong with the fields."""
    fields: Callable[[Case], tuple[Field, ...]] = _no_fields
    preview: Callable[[Case], tuple[str, ...]] = _nothing_said
    """What will change, line by line, said; asked anew whenever a field changes."""
    refusal: Callable[[Case], Text | None] = _always
    """Why it cannot be done now; None where it can."""
    undo: Callable[[Case], Command] | None = None
    """The command that takes it back; the screen offers it until the next act."""
    needs_row: bool = False
    tabs: tuple[str, ...] = ()
    """The sides of the page (`asked.tab`) on which it can be done; () on all."""
    in_footer: bool = True
    is_light: bool = False
    """Enter in its last field does it: nothing is changed by it."""
