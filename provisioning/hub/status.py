"""What a box last said of itself. Not journalled: only the newest counts."""

from typing import Any

import msgspec

from appliance.core import moment
from appliance.durable import write_atomically
from provisioning.hub.folder import SiteFolder


class Said(msgspec.Struct, frozen=True):
    """status.json: the box's own words, and when the hub heard them."""

    heard_at: str
    status: dict[str, Any]


def write_status(site: SiteFolder, status: dict[str, Any], at_us: int) -> None:
    write_atomically(site.status, msgspec.json.encode(Said(moment.to_text(at_us), status)))


def read_status(site: SiteFolder) -> Said | None:
    """None when the box never said anything."""
    try:
        return msgspec.json.decode(site.status.read_bytes(), type=Said)
    except FileNotFoundError:
        return None
