"""The bundle: what a hub operator hands to a county so that its box can join. One JSON file, good for one box, once."""

from pathlib import Path
from typing import Final

import msgspec

from appliance.config import ChannelConfig, HubAddress
from appliance.core.errors import OperatorError, Text

BUNDLE_BYTES_MAX: Final = 64 * 1024


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


class JoinRequest(msgspec.Struct, frozen=True):
    """What the box hands in: the public halves of its two keys."""

    ssh_key: str
    """An `ssh-ed25519 <base64>` line."""
    sign_key: str
    """32 bytes in base64."""
    software: str = ""


class JoinAnswer(msgspec.Struct, frozen=True):
    """`approved`: the key is let in from now on; `joined`: once it is approved; `refused`: nothing was taken."""

    verdict: str
    reason: Text | None = None


def read_bundle(path: Path) -> Bundle:
    """Load a bundle; OperatorError when the file is none."""
    try:
        with path.open("rb") as file:
            data = file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise OperatorError(Text(f"读不出 {path}：{error}", f"cannot read {path}: {error}")) from error
    if len(data) > BUNDLE_BYTES_MAX:
        raise OperatorError(Text(f"{path} 太大，不是加入包", f"{path} is too large to be a bundle"))
    try:
        bundle = msgspec.json.decode(data, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OperatorError(Text(f"{path} 不是加入包：{error}", f"{path} is not a bundle: {error}")) from error
    if bundle.v != 1:
        raise OperatorError(Text(f"加入包版本 {bundle.v} 不认识", f"a bundle of version {bundle.v} is not known here"))
    return bundle
