"""The box's own keys, as `songshan join` made them."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from appliance.core.errors import OperatorError, Text


def read_sign_key(path: Path) -> Ed25519PrivateKey:
    """What signs this site's own stream. Raises OperatorError when there is none."""
    hint = Text("请先 songshan join", "songshan join first")
    try:
        key = load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise OperatorError(Text(f"读不出密钥 {path}", f"cannot read the key {path}"), hint=hint) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError(Text(f"{path} 不是 Ed25519 密钥", f"{path} is not an Ed25519 key"), hint=hint)
    return key


def unused_mark(sign_key: Path) -> Path:
    """Beside a signing key that was made here and has signed nothing yet; goes when the agent first starts."""
    return sign_key.with_name("unused")
