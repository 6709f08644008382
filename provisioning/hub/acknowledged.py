"""How far each site has the hub's streams, as its box last said: what may be compacted away follows from it."""

from collections.abc import Iterable
from typing import Final

import msgspec

from appliance.core import moment
from appliance.core.journal import Position
from provisioning.hub.folder import HubFolder

WRITTEN_EVERY_US: Final = 60 * moment.US
"""What a busy minute acknowledges is written once; to know less than is true only keeps more."""


class Acknowledged(msgspec.Struct, frozen=True):
    """`sites/SITE/acknowledged.json`: when the box was last heard, and by stream where it stands."""

    heard_at: str
    streams: dict[str, Position]
    trusts: str = ""
    """The signing key of the hub's that it trusts; "" where it did not say."""


def of_site(folder: HubFolder, site: str) -> Acknowledged | None:
    """What is known of a site; None when it never spoke, or the file cannot be read."""
    try:
        return msgspec.json.decode((folder.site(site).path / "acknowledged.json").read_bytes(), type=Acknowledged)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def note(folder: HubFolder, site: str, positions: Iterable[Position], trusts: str = "") -> None:
    """Remember what a box said that it has, and which key of the hub's it trusts, where it says so."""
    from appliance.durable import write_atomically

    known = of_site(folder, site)
    streams = {**(known.streams if known is not None else {}), **{each.stream: each for each in positions}}
    trusts = trusts or (known.trusts if known is not None else "")
    path = folder.site(site).path / "acknowledged.json"
    write_atomically(path, msgspec.json.encode(Acknowledged(moment.to_text(folder.now_us()), streams, trusts)))
