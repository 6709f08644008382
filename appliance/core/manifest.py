"""What a stick that is plugged in has to say, and how far an export to one is: for people who choose. PURE."""

from typing import Literal

import msgspec

from appliance.core.errors import Text

Whose = Literal["ours", "empty", "unlabelled", "foreign", "unreadable"]
"""empty: no label and nothing else, so that it may be labelled. unlabelled: something else lies on it."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What lies on a stick. `problem` and `hint` say why it is not ours, or what of it cannot be read.

    `records` is about how many records it has that are not here; `new_*` the assets that are not here.
    """

    whose: Whose
    problem: Text | None = None
    hint: Text | None = None
    site: str = ""
    hub: str = ""
    labelled_at: str = ""
    free_bytes: int = 0
    total_bytes: int = 0
    loaded_at: str | None = None
    """When the hub wrote it; None where it never did, or its note cannot be believed."""
    not_carried: int = 0
    """Assets that the hub had no room for."""
    records: int = 0
    assets: int = 0
    new_assets: int = 0
    new_bytes: int = 0
    is_counted: bool = True
    """False where there are more assets than could be counted in the time that there was."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """An export to a stick: the one under way, or the last one, as the process that does it says."""

    path: str
    pid: int
    state: Literal["running", "done", "failed"]
    began_us: int
    at_us: int
    done_bytes: int = 0
    all_bytes: int = 0
    records: int = 0
    assets: int = 0
    left_assets: int = 0
    problem: Text | None = None
