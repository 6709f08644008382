"""The shut-out list (吊销名单): keys of boxes that the hub has revoked, signed, for those that no line reaches. Pure.

    notice(listed, proofs, key)     the file, as it lies on sticks
    parse(data, hub, trusted)       what the hub says, if it is the hub that this box knows
    judge(kept, came, own)          whether it is newer, and whether this box is on it

The whole list is said each time, with a number that only grows: an older one, or the same again, changes nothing. A
key that is not on a newer list any more was put on it by mistake, and its box works again. docs/formats.md, section 9.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.journal import parse_public_key
from appliance.core.records import Rotate
from appliance.core.rotation import chain_from, is_proven
from appliance.core.signed import as_text, from_text, is_signed
from appliance.core.wire import KeyText

FILE: Final = "songshan-shut-out"
"""At the top of a stick, whosever that is."""
BYTES_MAX: Final = 512 * 1024
KEYS_MAX: Final = 4000
PROOFS_MAX: Final = 200
PREFIX: Final = b"songshan-shut-out-v1\n"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed. `keys`: public signing keys of boxes, in base64."""

    v: Literal[1] = 1
    hub: str
    seq: Annotated[int, msgspec.Meta(ge=1)]
    at: str
    keys: Annotated[tuple[KeyText, ...], msgspec.Meta(max_length=KEYS_MAX)] = ()


class _Notice(msgspec.Struct, frozen=True):
    listed: tuple[str, str]
    """Payload and signature in base64."""
    proofs: Annotated[tuple[Rotate, ...], msgspec.Meta(max_length=PROOFS_MAX)] = ()
    """How the hub's key came to be the one that signs: for a box that was away when it changed."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a box keeps: the newest list that it has seen, as it came, and whether it stands on it."""

    seq: int
    at: str
    is_shut_out: bool
    of_key: str
    """The box's key for which that was found."""
    notice: str
    """The file, so that it is passed on."""


def notice(listed: Listed, proofs: Sequence[Rotate], key: Ed25519PrivateKey) -> bytes:
    """The bytes of the file."""
    said = msgspec.json.encode(listed)
    return msgspec.json.encode(_Notice(as_text(said, key.sign(PREFIX + said)), tuple(proofs))) + b"\n"


def parse(data: bytes, hub: str, trusted: str) -> Listed:
    """What is said there. Refused where it was not signed by the key that is trusted, or one that it led to."""
    try:
        found = msgspec.json.decode(data, type=_Notice)
        said, signature = from_text(*found.listed)
        following = {proof.former: proof.sign_key for proof in found.proofs if is_proven(hub, proof)}
        keys = [parse_public_key(key) for key in chain_from(trusted, following)]
        if not any(is_signed(PREFIX, said, signature, key) for key in keys):
            raise ValueError("the signature is wrong")
        listed = msgspec.json.decode(said, type=Listed)
        if listed.hub != hub:
            raise ValueError("it is of another hub")
    except (ValueError, RecursionError, OperatorError) as error:
        raise Refused(Text(f"吊销名单不可信：{error}", f"the shut-out list cannot be believed: {error}")) from error
    return listed


def judge(kept: Kept | None, came: Listed, own: str, data: bytes) -> Kept | None:
    """What to keep from now on; None where this is nothing new."""
    if kept is not None and came.seq <= kept.seq:
        return None
    return Kept(seq=came.seq, at=came.at, is_shut_out=own in came.keys, of_key=own, notice=data.decode())


def next_list(before: Listed | None, hub: str, keys: Sequence[str], at: str, at_us: int) -> Listed:
    """The list that follows. The number is the time where that is greater: a hub that came back from an older copy
    must not say numbers that its boxes have seen."""
    seq = max(at_us, before.seq + 1 if before is not None else 1)
    return Listed(hub=hub, seq=seq, at=at, keys=tuple(sorted(set(keys))[:KEYS_MAX]))
