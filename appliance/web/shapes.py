"""What the API sends, shape by shape. Times are RFC 3339 UTC, addresses are paths on this box. docs/formats.md, 8."""

from typing import Final, Literal

import msgspec

from appliance.core.asset import AssetRole
from appliance.core.item import Section

PAGE_MAX: Final = 10_000
PER_PAGE: Final = 20
PER_PAGE_MAX: Final = 100
WORDS_CHARS_MAX: Final = 100


class ItemEntry(msgspec.Struct, frozen=True):
    """An item in a list."""

    id: str
    title: str
    section: Section
    origin: str
    summary: str
    published_at: str
    url: str
    picture: str | None
    has_video: bool


class ItemPage(msgspec.Struct, frozen=True):
    """One page of a list; `next` is the address of the one after it."""

    items: list[ItemEntry]
    page: int
    per_page: int
    total: int
    next: str | None


class AssetEntry(msgspec.Struct, frozen=True):
    """`available` tells whether `url` can be fetched now; an asset may still be on its way to this box."""

    digest: str
    url: str
    name: str
    media_type: str
    role: AssetRole
    size_bytes: int
    duration_s: float | None
    available: bool


class ItemDocument(msgspec.Struct, frozen=True):
    """A whole item; `body_html` is sanitised."""

    id: str
    title: str
    section: Section
    origin: str
    summary: str
    body_html: str
    published_at: str
    created_at: str
    until: str | None
    url: str
    assets: list[AssetEntry]


class ProgrammeEntry(msgspec.Struct, frozen=True):
    """A line of the guide; a `filler` has no title.

    `entry` is the day and the id of the schedule's entry, `2026-11-24/e1`; `catchup` an HLS playlist of the programme,
    from the moment when it has ended, for as long as it can be seen again.
    """

    title: str
    kind: Literal["programme", "live", "filler"]
    start: str
    end: str
    entry: str | None = None
    catchup: str | None = None


class ChannelEntry(msgspec.Struct, frozen=True):
    """A channel; `live` and `dvr` are HLS playlists, the second reaching two hours back; `cmaf` the first as fragmented
    MP4, which a radio channel does not have: its playlists are packed audio."""

    id: str
    name: str
    kind: Literal["tv", "radio"]
    url: str
    live: str
    dvr: str
    cmaf: str | None
    now: ProgrammeEntry | None
    next: ProgrammeEntry | None


class ChannelList(msgspec.Struct, frozen=True):
    """All channels of the site."""

    channels: list[ChannelEntry]


class Guide(msgspec.Struct, frozen=True):
    """The programmes of a channel that air on a day of the site's zone, as far as they are known."""

    channel: str
    name: str
    date: str
    zone: str
    programmes: list[ProgrammeEntry]
