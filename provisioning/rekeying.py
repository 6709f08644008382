"""A box changes its own two keys: what it says to the hub, signed by the key that goes and by the one that comes. Pure.

    said(hub, site, ...)       the request, one line of JSON over the old transport key (or the new one)
    is_proven(hub, site, ...)  whether both keys said so
    confirmed, is_confirmed    the box has the new ones in use: the old may go

Who has stolen the transport key alone changes nothing with it; who has both is the box (docs/security.md).
"""

import base64
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.errors import OperatorError
from appliance.core.journal import parse_public_key, public_key_text
from appliance.core.signed import is_signed

PREFIX: Final = b"songshan-rekey-v1\n"
CONFIRMED: Final = b"songshan-rekeyed-v1\n"


class RekeyRequest(msgspec.Struct, frozen=True):
    """The public halves of the keys that are to come."""

    ssh_key: str
    """An `ssh-ed25519 <base64>` line."""
    sign_key: str
    word: str
    """The signature of the key that goes, in base64."""
    proof: str
    """That of the one that comes."""


def said(hub: str, site: str, ssh_key: str, former: Ed25519PrivateKey, following: Ed25519PrivateKey) -> RekeyRequest:
    """What the box says."""
    sign_key = public_key_text(following.public_key())
    statement = _statement(hub, site, ssh_key, sign_key)
    word, proof = (base64.b64encode(key.sign(PREFIX + statement)).decode() for key in (former, following))
    return RekeyRequest(ssh_key, sign_key, word, proof)


def is_proven(hub: str, site: str, former: str, request: RekeyRequest) -> bool:
    """Whether the key that counts now, and the one that is to come, both signed it for this site of this hub."""
    statement = _statement(hub, site, request.ssh_key, request.sign_key)
    try:
        return all(
            is_signed(PREFIX, statement, base64.b64decode(signature, validate=True), parse_public_key(key))
            for key, signature in ((former, request.word), (request.sign_key, request.proof))
        )
    except (OperatorError, ValueError):
        return False


class RekeyedRequest(msgspec.Struct, frozen=True):
    """The box signs with this key now."""

    sign_key: str
    proof: str


def confirmed(hub: str, site: str, key: Ed25519PrivateKey) -> RekeyedRequest:
    """What the box says when it has changed over."""
    sign_key = public_key_text(key.public_key())
    signature = key.sign(CONFIRMED + _statement(hub, site, "", sign_key))
    return RekeyedRequest(sign_key, base64.b64encode(signature).decode())


def is_confirmed(hub: str, site: str, request: RekeyedRequest) -> bool:
    """Whether the holder of that key said so."""
    try:
        key, signature = parse_public_key(request.sign_key), base64.b64decode(request.proof, validate=True)
    except (OperatorError, ValueError):
        return False
    return is_signed(CONFIRMED, _statement(hub, site, "", request.sign_key), signature, key)


def _statement(hub: str, site: str, ssh_key: str, sign_key: str) -> bytes:
    return f"{hub}\n{site}\n{ssh_key}\n{sign_key}".encode()
