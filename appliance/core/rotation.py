"""The hub's signing key is changed: what both keys sign of it, and which keys follow from one that is trusted. Pure.

The key that goes and the one that comes sign the same statement. So the record proves itself, wherever it lies: no box
and no auditor need to have seen the old key's checkpoints. docs/formats.md, section 1; ADR 18.
"""

import base64
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.errors import OperatorError
from appliance.core.journal import parse_public_key, public_key_text
from appliance.core.moment import to_text
from appliance.core.records import Rotate
from appliance.core.signed import is_signed


def rotated(hub: str, former: Ed25519PrivateKey, following: Ed25519PrivateKey, at_us: int) -> Rotate:
    """What the hub says of it."""
    names = public_key_text(former.public_key()), public_key_text(following.public_key())
    said = _statement(hub, *names)
    return Rotate(*names, _signed(former, said), _signed(following, said), to_text(at_us))


def is_proven(hub: str, body: Rotate) -> bool:
    """Whether both keys signed that, at this hub, the one follows the other."""
    said = _statement(hub, body.former, body.sign_key)
    try:
        words = [
            is_signed(b"", said, base64.b64decode(signature, validate=True), parse_public_key(key))
            for key, signature in ((body.former, body.word), (body.sign_key, body.proof))
        ]
    except (OperatorError, ValueError):
        return False
    return all(words) and body.former != body.sign_key


def chain_from(original: str, following: Mapping[str, str]) -> tuple[str, ...]:
    """The key that is trusted at first and those that followed it, the one that counts now last."""
    found = [original]
    while (key := following.get(found[-1])) is not None and key not in found:
        found.append(key)
    return tuple(found)


def chain_through(key: str, following: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that led to one that is trusted, it, and those that followed."""
    former = {after: before for before, after in following.items()}
    return (*chain_from(key, former)[:0:-1], *chain_from(key, following))


def _statement(hub: str, former: str, following: str) -> bytes:
    return f"songshan-rotate-v1\n{hub}\n{former}\n{following}".encode()


def _signed(key: Ed25519PrivateKey, said: bytes) -> str:
    return base64.b64encode(key.sign(said)).decode()
