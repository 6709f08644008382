"""A bundle (升级包): the wheels of a release under one signature of the hub's. Pure. docs/formats.md, section 11."""

import re
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core.errors import Corrupt, Refused, Text
from appliance.core.release import check_version
from appliance.core.signed import is_signed

V: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
MANIFEST_BYTES_MAX: Final = 1024 * 1024
SIGNATURE_BYTES_MAX: Final = 64
WHEELS_MAX: Final = 500
PREFIX: Final = b"songshan-bundle-v1\n"
WHEEL: Final = re.compile(r"([A-Za-z0-9_.]+)-([A-Za-z0-9_.!+]+)(-[0-9][A-Za-z0-9_.]*)?(-[A-Za-z0-9_.]+){3}\.whl")
"""PEP 427: name, version, build, and what it runs on."""


class Wheel(msgspec.Struct, frozen=True):
    """A file under wheels/."""

    name: str
    size_bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was signed. `python` is the oldest that it runs on, as in "3.11"."""

    v: int
    version: str
    made_at: str
    python: Annotated[str, msgspec.Meta(pattern=r"^3\.\d{1,2}$")]
    files: Annotated[tuple[Wheel, ...], msgspec.Meta(min_length=1, max_length=WHEELS_MAX)]


def sign(manifest: Manifest, key: Ed25519PrivateKey) -> tuple[bytes, bytes]:
    """The two files at the beginning of a bundle."""
    said = msgspec.json.encode(manifest)
    return said, key.sign(PREFIX + said)


def parse_manifest(said: bytes, signature: bytes, key: Ed25519PublicKey) -> Manifest:
    """What the hub vouches for. Refused for another's signature, Corrupt for what a hub of ours does not write."""
    if not is_signed(PREFIX, said, signature, key):
        raise Refused(
            Text("升级包不是本站所属嵩山云签名的", "the bundle is not signed by the hub that this box trusts"),
            hint=Text("请向嵩山云运维要新的升级包", "ask the hub's operator for a new one"),
        )
    try:
        manifest = msgspec.json.decode(said, type=Manifest)
        check_version(manifest.version)
    except ValueError as error:
        raise Corrupt(Text(f"{MANIFEST} 读不出：{error}", f"{MANIFEST} cannot be read: {error}")) from error
    names = [wheel.name for wheel in manifest.files]
    strange = [name for name in names if not WHEEL.fullmatch(name)]
    if manifest.v != V or strange or len(set(names)) != len(names):
        raise Corrupt(Text(f"不认识的升级包 {strange[:1]}", f"a bundle that is not known here {strange[:1]}"))
    if not any(name.startswith("pip-") for name in names):
        raise Corrupt(Text("升级包中没有 pip", "there is no pip in the bundle"))
    return manifest


def requirements(manifest: Manifest) -> str:
    """What pip is told to install: all that was signed, each by its hash; itself too, for there are libraries that ask
    for it."""
    lines = []
    for wheel in manifest.files:
        match = WHEEL.fullmatch(wheel.name)
        assert match, "checked when it was read"
        lines.append(f"{match[1]}=={match[2]} --hash=sha256:{wheel.sha256}\n")
    return "".join(lines)
