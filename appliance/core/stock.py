"""What a box holds, has in house format, and is fetching or sending: the rows that planning and readiness look at."""

from typing import Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.findings import Check


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """An asset that the box wants or has. `role` is that of the asset, or `rendition`; `why` is the first reason."""

    digest: str
    size_bytes: int
    media_type: str = "application/octet-stream"
    name: str = ""
    role: str = "file"
    state: Literal["wanted", "here", "bad"] = "wanted"
    why: str = ""
    verified_at_us: int | None = None
    last_used_us: int = 0
    duration_s: float | None = None


class RenditionState(msgspec.Struct, frozen=True, kw_only=True):
    """How far an asset's rendition is: to be fetched or made, being made, on disk, or impossible with the reason."""

    source: str
    profile: str
    state: Literal["wanted", "packaging", "here", "failed"] = "wanted"
    digest: str | None = None
    """None until it is known: what the box makes itself has no digest before it is made."""
    size_bytes: int | None = None
    frames: int | None = None
    reason: Text | None = None
    check: Check | None = None
    """What the technical check found; red never airs."""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """An asset on its way. It is not tried before `not_before_us`."""

    digest: str
    direction: Literal["down", "up"]
    size_bytes: int
    state: Literal["queued", "running", "done", "failed"] = "queued"
    deadline_us: int | None = None
    done_bytes: int = 0
    rate_bytes_per_s: float | None = None
    attempts: int = 0
    not_before_us: int = 0
    reason: Text | None = None
    replaces: str | None = None
    """The asset in whose place a record has put this one."""
