"""An item as pages and API show it: which of its assets are here, where they are, what to call them."""

import os
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from appliance.core.asset import Asset, hex_of
from appliance.core.item import Item
from appliance.core.moment import to_us
from appliance.web.media import TYPES

PLAYABLE: Final = frozenset(("video/mp4", "video/webm", "video/quicktime"))
"""What a phone's browser may be able to play; other films are there to be fetched."""

_ENDINGS: Final = {media_type.partition(";")[0]: ending for ending, media_type in reversed(TYPES.items())}
_ROLE_WORDS: Final = {"video/": "video", "audio/": "audio", "image/": "picture"}


class Shown(NamedTuple):
    """The assets of an item that can be served now, by what a page does with them."""

    pictures: tuple[Asset, ...]
    videos: tuple[Asset, ...]
    sounds: tuple[Asset, ...]
    files: tuple[Asset, ...]
    missing: int
    """How many of its assets are not here."""

    @property
    def picture(self) -> Asset | None:
        """The one for a list, and for a video before it plays."""
        return self.pictures[0] if self.pictures else None


def shown(item: Item, public: Path) -> Shown:
    """Sort an item's assets; those without a link in `public` are only counted."""
    here = [asset for asset in item.assets if is_public(public, asset)]
    kinds: dict[str, list[Asset]] = {"picture": [], "video": [], "audio": [], "file": []}
    for asset in sorted(here, key=lambda asset: asset.role != "poster"):
        kind = kind_of(asset)
        kinds["file" if kind == "video" and asset.media_type not in PLAYABLE else kind].append(asset)
    picture, video, audio, file = (tuple(kind) for kind in kinds.values())
    return Shown(picture, video, audio, file, len(item.assets) - len(here))


def is_public(public: Path, asset: Asset) -> bool:
    """Whether /media would serve it."""
    return os.access(f"{public}{os.sep}{hex_of(asset.digest)}", os.R_OK)


def kind_of(asset: Asset) -> str:
    """`picture`, `video`, `audio` or `file`: what the record says, else what its media type says."""
    if asset.role in ("picture", "poster"):
        return "picture"
    if asset.role != "file":
        return asset.role
    return next((kind for start, kind in _ROLE_WORDS.items() if asset.media_type.startswith(start)), "file")


def url_of(asset: Asset) -> str:
    """Its address under /media, with a name whose ending says the type: by that alone it is served."""
    name = asset.name.replace("/", " ").strip() or kind_of(asset)
    ending = name.rpartition(".")[2].lower()
    expected = _ENDINGS.get(asset.media_type)
    if expected is not None and TYPES.get(ending, "").partition(";")[0] != asset.media_type:
        name = f"{name}.{expected}"
    return f"/media/{hex_of(asset.digest)}/{quote(name, safe='')}"


def shown_from_us(item: Item) -> int:
    """When readers may first have seen it: what lists are ordered and dated by."""
    return to_us(item.publish_at or item.created_at)
