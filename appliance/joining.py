"""The bundle (加入包) that a hub operator hands to a county so that its box can join: one JSON file, for one box, once.

Read by `songshan join`, which spends it, and by the screens, which show first whom it is for.
"""

from pathlib import Path
from typing import Final

import msgspec

from appliance.config import ChannelConfig, HubAddress
from appliance.core.errors import OperatorError, Text

BUNDLE_BYTES_MAX: Final = 64 * 1024
UNITS: Final = (
    *("songshan-agent.service", "songshan-web.socket", "songshan-web.service", "songshan-transcode.socket"),
    *("songshan-backup.timer", "songshan-incident.path"),
    *("songshan-upgrade.path", "songshan-upgrade.service", "songshan-upgrade-boot.service"),
)
"""What runs on a box from its first start on; the senders of a channel are for the one who sets the modulator."""


class ClaimKey(msgspec.Struct, frozen=True):
    id: str
    ssh_private_key: str
    """An OpenSSH private key that the hub lets do one thing: hand in a box's public keys."""
    expires: str


class Bundle(msgspec.Struct, frozen=True):
    """v 1. Unknown keys are for later versions and are passed over."""

    v: int
    site: str
    name: str
    zone: str
    channels: tuple[ChannelConfig, ...]
    hub: HubAddress
    claim: ClaimKey


def read_bundle(path: Path) -> Bundle:
    """Load a bundle; OperatorError when the file is none."""
    try:
        with path.open("rb") as file:
            data = file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise OperatorError(Text(f"读不出 {path}：{error}", f"cannot read {path}: {error}")) from error
    return parse_bundle(data, str(path))


def parse_bundle(data: bytes, path: str) -> Bundle:
    """The same of its bytes; `path` is what to call it in errors."""
    if len(data) > BUNDLE_BYTES_MAX:
        raise OperatorError(Text(f"{path} 太大，不是加入包", f"{path} is too large to be a bundle"))
    try:
        bundle = msgspec.json.decode(data, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OperatorError(Text(f"{path} 不是加入包：{error}", f"{path} is not a bundle: {error}")) from error
    if bundle.v != 1:
        raise OperatorError(Text(f"加入包版本 {bundle.v} 不认识", f"a bundle of version {bundle.v} is not known here"))
    return bundle
