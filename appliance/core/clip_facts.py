"""Clips as somebody looks at them who must put something on the air: which can, and how far one is. PURE."""

from typing import Literal

import msgspec

from appliance.core.stock import Holding, RenditionState, Transfer


class AirClip(msgspec.Struct, frozen=True, kw_only=True):
    """A clip that can air; `name` is that of its file, "" where nobody gave it one."""

    digest: str
    name: str
    frames: int
    severity: Literal["amber", "info"] | None
    """The worst that the technical check found; red is not among them."""

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands in the list: what to go on after."""
        return self.name, self.digest


class ClipFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the box knows of a clip; None where it knows nothing of that part."""

    source: Holding | None
    rendition: RenditionState | None
    made: Holding | None
    """The bytes of the rendition."""
    transfers: tuple[Transfer, ...] = ()
    """Of the source and of the rendition, on their way down."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Why it has to come, and by when."""


class Insertion(msgspec.Struct, frozen=True, kw_only=True):
    """An emergency insertion that is on or to come; moments None where nothing was said of them."""

    id: str
    digest: str
    name: str
    at_us: int | None
    until_us: int | None
    start_tick: int | None
    end_tick: int | None
    state: Literal["waiting", "placed"]
