"""Words under an Ed25519 signature: the signed bytes, and how signature and bytes are written as text.

Each kind of word is signed under a prefix of its own, so that none can be taken for one of another kind.
"""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def is_signed(prefix: bytes, payload: bytes, signature: bytes, key: Ed25519PublicKey) -> bool:
    """Whether the holder of `key` signed this payload under this prefix."""
    try:
        key.verify(signature, prefix + payload)
    except InvalidSignature:
        return False
    return True


def as_text(payload: bytes, signature: bytes) -> tuple[str, str]:
    """Both in base64, as sessions, files and records carry them."""
    return base64.b64encode(payload).decode(), base64.b64encode(signature).decode()


def from_text(payload: str, signature: str) -> tuple[bytes, bytes]:
    """The inverse of `as_text`; ValueError where it is not base64."""
    try:
        return base64.b64decode(payload, validate=True), base64.b64decode(signature, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
