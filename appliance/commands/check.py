"""What a check of the doctor says, and how it is said."""

from typing import Literal

import msgspec

from appliance.core.errors import Text

State = Literal["good", "warning", "bad"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and found. `hint` is the next step, where one is due."""

    name: str
    state: State
    found: Text
    hint: Text | None = None


def good(name: str, zh: str, en: str) -> Check:
    """Nothing is wrong with it."""
    return Check(name=name, state="good", found=Text(zh, en))


def wrong(name: str, state: State, found: Text, hint: Text | None) -> Check:
    """What was found, and what to do next."""
    return Check(name=name, state=state, found=found, hint=hint)
