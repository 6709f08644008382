"""A bundle (升级包): a release, its Debian packages and its playbooks under one signature of the hub's. Pure.

    bundle.json   what is in it, each file with size and hash
    bundle.sig    the hub's word for those bytes
    wheels/       what a release is made of, pip among them; boxes install these
    controller/   wheels of what carries out the playbooks, for a machine that has none
    ansible/      the playbooks
    debs/         Debian packages and their index: a flat repository for apt

docs/formats.md, section 11; ADR 39.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core.errors import Corrupt, Refused, Text
from appliance.core.release import check_version
from appliance.core.signed import is_signed

V: Final = 2
MANIFEST: Final = "bundle.json"
SIGNATURE: Final = "bundle.sig"
MANIFEST_BYTES_MAX: Final = 4 * 1024 * 1024
SIGNATURE_BYTES_MAX: Final = 64
FILES_MAX: Final = 5000
PATH_CHARS_MAX: Final = 200
PREFIX: Final = b"songshan-bundle-v2\n"
WHEEL: Final = re.compile(r"([A-Za-z0-9_.]+)-([A-Za-z0-9_.!+]+)(-[0-9][A-Za-z0-9_.]*)?(-[A-Za-z0-9_.]+){3}\.whl")
"""PEP 427: name, version, build, and what it runs on."""
INDEX: Final = "debs/Packages"

_SEGMENT: Final = r"[A-Za-z0-9_@][A-Za-z0-9_@.+-]*"
_SHAPES: Final[dict[str, re.Pattern[str]]] = {
    "wheels": WHEEL,
    "controller": WHEEL,
    "ansible": re.compile(rf"{_SEGMENT}(/{_SEGMENT}){{0,11}}"),
    "debs": re.compile(r"Packages|[A-Za-z0-9][A-Za-z0-9.+~%_-]*\.deb"),
}
FOLDERS: Final = tuple(_SHAPES)
"""In the order in which they lie in the file: what a box takes comes first."""


class File(msgspec.Struct, frozen=True):
    """One file, by its path in the bundle."""

    path: Annotated[str, msgspec.Meta(max_length=PATH_CHARS_MAX)]
    size_bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]

    @property
    def folder(self) -> str:
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """Below its folder."""
        return self.path.partition("/")[2]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was signed. `python` is the oldest that it runs on, as in "3.11"; `arch` and `suite` are Debian's words."""

    v: int
    version: str
    made_at: str
    python: Annotated[str, msgspec.Meta(pattern=r"^3\.\d{1,2}$")]
    arch: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{1,20}$")]
    suite: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{0,20}$")] = ""
    """Whose packages these are; "" where there are none."""
    files: Annotated[tuple[File, ...], msgspec.Meta(min_length=1, max_length=FILES_MAX)]

    def within(self, folder: str) -> tuple[File, ...]:
        """The files of one folder."""
        return tuple(file for file in self.files if file.folder == folder)


def is_path(path: str) -> bool:
    """Whether a file of a bundle may be called so: it names a file below a folder of ours, and nothing else."""
    folder, _, name = path.partition("/")
    shape = _SHAPES.get(folder)
    return shape is not None and len(path) <= PATH_CHARS_MAX and shape.fullmatch(name) is not None


def in_order(paths: Iterable[str]) -> list[str]:
    """As they lie in the file."""
    return sorted(paths, key=lambda path: (FOLDERS.index(path.partition("/")[0]), path))


def sign(manifest: Manifest, key: Ed25519PrivateKey) -> tuple[bytes, bytes]:
    """The two files at the beginning of a bundle."""
    said = encode(manifest)
    return said, key.sign(PREFIX + said)


def encode(manifest: Manifest) -> bytes:
    """As it is signed, and as it lies beside unpacked parts."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def parse_signed(said: bytes, signature: bytes, key: Ed25519PublicKey) -> Manifest:
    """What the hub vouches for. Refused for another's signature, Corrupt for what a hub of ours does not write."""
    if not is_signed(PREFIX, said, signature, key):
        raise Refused(
            Text("升级包不是所认的嵩山云签名的", "the bundle is not signed by the hub that is trusted here"),
            hint=Text("请向嵩山云运维要新的升级包", "ask the hub's operator for a new one"),
        )
    return parse(said)


def parse(said: bytes) -> Manifest:
    """Read a manifest; Corrupt where it says what no bundle may."""
    try:
        manifest = msgspec.json.decode(said, type=Manifest)
        check_version(manifest.version)
    except ValueError as error:
        raise Corrupt(Text(f"{MANIFEST} 读不出：{error}", f"{MANIFEST} cannot be read: {error}")) from error
    paths = [file.path for file in manifest.files]
    strange = [path for path in paths if not is_path(path)]
    if manifest.v != V or strange or len(set(paths)) != len(paths) or paths != in_order(paths):
        raise Corrupt(Text(f"不认识的升级包 {strange[:1]}", f"a bundle that is not known here {strange[:1]}"))
    if not any(file.name.startswith("pip-") for file in manifest.within("wheels")):
        raise Corrupt(Text("升级包中没有 pip", "there is no pip in the bundle"))
    return manifest


def requirements(manifest: Manifest, folder: str = "wheels") -> str:
    """What pip is told to install: all that was signed, each by its hash; itself too, for there are libraries that ask
    for it."""
    lines = []
    for file in manifest.within(folder):
        match = WHEEL.fullmatch(file.name)
        assert match, "checked when it was read"
        lines.append(f"{match[1]}=={match[2]} --hash=sha256:{file.sha256}\n")
    return "".join(lines)
