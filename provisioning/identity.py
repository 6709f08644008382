"""Keys: who a hub, a site or a claim is. All are Ed25519, kept as OpenSSH private keys that only their owner reads."""

import base64
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.core.errors import OperatorError, Text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_TYPE: Final = "ssh-ed25519"
PUBLIC_LINE_BYTES_MAX: Final = 1024
_BLOB_PREFIX: Final = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
"""RFC 8709: the name of the algorithm and the 32 bytes of the key, each after its length."""


def make_key() -> "Ed25519PrivateKey":
    """A new key, from the system's randomness."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def private_text(key: "Ed25519PrivateKey") -> bytes:
    """The key as ssh, ssh-keygen and this project read it."""
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def read_private(path: Path) -> "Ed25519PrivateKey":
    """Load a key; OperatorError when the file is missing or holds something else."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise OperatorError(Text(f"读不出密钥 {path}：{error}", f"cannot read the key {path}: {error}")) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError(Text(f"{path} 不是 Ed25519 密钥", f"{path} is not an Ed25519 key"))
    return key


def make_key_files(path: Path, comment: str) -> "Ed25519PrivateKey":
    """Make a key in `path` (0600) and its public line in `path`.pub, or load the one that is there already.

    A key is never replaced: losing one loses the identity.
    """
    if path.exists():
        key = read_private(path)
    else:
        key = make_key()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = path.with_name(f".{path.name}.new")
        staged.unlink(missing_ok=True)
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(private_text(key))
            file.flush()
            os.fsync(file.fileno())
        staged.rename(path)
    path.with_name(f"{path.name}.pub").write_text(f"{public_line(key.public_key())} {comment}\n")
    return key


def public_line(key: "Ed25519PublicKey") -> str:
    """`ssh-ed25519 <base64>`, as authorized_keys and known_hosts have it."""
    return f"{KEY_TYPE} {base64.b64encode(_BLOB_PREFIX + key.public_bytes_raw()).decode()}"


def parse_public_line(line: str) -> str:
    """The line without its comment; OperatorError for anything but one Ed25519 key.

    What a site sends goes into authorized_keys, so nothing but the two known words may come through.
    """
    words = line.split()
    try:
        blob = base64.b64decode(words[1], validate=True) if len(words) >= 2 else b""
    except ValueError:
        blob = b""
    good = len(line) <= PUBLIC_LINE_BYTES_MAX and "\n" not in line and words[:1] == [KEY_TYPE]
    if not good or not blob.startswith(_BLOB_PREFIX) or len(blob) != len(_BLOB_PREFIX) + 32:
        raise OperatorError(Text("不是 ssh-ed25519 公钥", "not an ssh-ed25519 public key"))
    return f"{KEY_TYPE} {base64.b64encode(blob).decode()}"


def sign_key_of_line(line: str) -> str:
    """The 32 bytes of a public line in base64, as configuration and records name a signing key; OperatorError."""
    return base64.b64encode(base64.b64decode(parse_public_line(line).split()[1])[-32:]).decode()


def fingerprint(line: str) -> str:
    """`SHA256:…` of a public line, as ssh-keygen -l shows it."""
    blob = base64.b64decode(line.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
