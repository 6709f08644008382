"""What a backup holds, what its files are called, and which of them go. Pure. docs/formats.md, section 11."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec

from appliance.core.errors import Corrupt, Text

V: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "box.db"
CONFIG: Final = "appliance.toml"
KEYS: Final = ("ssh", "ssh.pub", "sign", "sign.pub", "recovery")
TOKEN: Final = "playout-token"  # noqa: S105  # the name of a file
NIGHTLY: Final = re.compile(r"[a-z][a-z0-9-]{1,31}-\d{8}T\d{6}Z\.backup")
MANIFEST_BYTES_MAX: Final = 1024 * 1024


class Part(msgspec.Struct, frozen=True):
    """A file of the backup, in the order in which they follow."""

    name: str
    size_bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class Head(msgspec.Struct, frozen=True):
    """How far a stream had come."""

    stream: str
    epoch: int
    seq: int
    head: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The first file of a backup."""

    v: int
    site: str
    made_at: str
    software: str
    steps: tuple[str, ...]
    """Which changes of the tables the database has seen: an older software cannot read a newer one's."""
    heads: tuple[Head, ...]
    files: tuple[Part, ...]


class BackupFact(msgspec.Struct, frozen=True, kw_only=True):
    """The nightly backups. `last_us` None: there is none; `joined_us`: since when there could be.

    `code_shown_us`: when the recovery code, without which none can be read elsewhere, was last shown to a person;
    `is_rehearsed`: the last one was opened as a restore would open it. `at_hub_us`: when the hub last said that
    it keeps one; `at_stick_us`: when one was last put on a stick.
    """

    last_us: int | None = None
    count: int = 0
    size_bytes: int = 0
    path: str = ""
    joined_us: int | None = None
    code_shown_us: int | None = None
    is_rehearsed: bool = False
    at_hub_us: int | None = None
    at_stick_us: int | None = None


def nightly_name(site: str, made_at: str) -> str:
    """`dengfeng-20261126T020000Z.backup`; sorts by time within a site."""
    return f"{site}-{re.sub('[-:]', '', made_at.partition('.')[0].removesuffix('Z'))}Z.backup"


def superfluous(names: Iterable[str], keep: int) -> list[str]:
    """Which nightly backups go; names of other files are nobody's business here. The newest always stays."""
    mine = sorted(name for name in names if NIGHTLY.fullmatch(name))
    return mine[: max(0, len(mine) - max(1, keep))]


def parse_manifest(data: bytes) -> Manifest:
    """Read what a backup says of itself. Raises Corrupt for what cannot be one."""
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise Corrupt(Text(f"{MANIFEST} 读不出：{error}", f"{MANIFEST} cannot be read: {error}")) from error
    if found.v != V:
        raise Corrupt(Text(f"备份版本 {found.v} 不认识", f"a backup of version {found.v} is not known here"))
    names = [part.name for part in found.files]
    if len(set(names)) != len(names) or not set(names) <= known_names():
        raise Corrupt(Text(f"{MANIFEST} 列了别的文件", f"{MANIFEST} names files that are none of ours"))
    return found


def known_names() -> frozenset[str]:
    """All that a backup may hold."""
    return frozenset({DATABASE, CONFIG, TOKEN, *(f"keys/{key}" for key in KEYS)})


def behind(kept: Sequence[Head], now: Sequence[Head]) -> tuple[tuple[str, int], ...]:
    """By how many records each stream in the backup is behind the database that stands now; in another epoch 0."""
    there = {head.stream: head for head in now}
    found = []
    for head in kept:
        newer = there.get(head.stream)
        if newer is not None and newer.epoch == head.epoch and newer.seq > head.seq:
            found.append((head.stream, newer.seq - head.seq))
    return tuple(found)
