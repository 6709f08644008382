"""What a site's key may ask for. Pure: the command that came over SSH in, what to do with it out.

Three things are let in: the control session, rsync down of named digests, rsync up into `incoming/`. rrsync checks the
rsync command again; here it is held to the few options that moving one file by its digest takes, because what rrsync
lets through is a list of everything rsync can do (links, devices, deletion, filter files), and grows with it.
"""

import re
from dataclasses import dataclass
from typing import Final

from appliance.core.errors import Text

COMMAND_CHARS_MAX: Final = 65_536
"""A word of a program's environment, as which it comes in, ends at 128 KiB."""
DOWNLOADS_MAX: Final = 900
"""Files that one rsync may name, 64 digits each. rsync itself gives up at 1,000 words (MAX_ARGS in its main.c)."""

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_SHORT: Final = re.compile(r"-[vtpzciInuWhxS]*(e[0-9]*\.[A-Za-z]*)?")
"""Flags that concern one plain file. Not among them: r d (folders), l L K k H (links), D (devices), R b y o g A X."""
_LONG: Final = frozenset(
    {
        "--append", "--inplace", "--partial", "--whole-file", "--no-W", "--no-whole-file", "--size-only",
        "--ignore-times", "--checksum", "--times", "--perms", "--no-r", "--no-relative", "--numeric-ids", "--stats",
        "--msgs2stderr", "--no-msgs2stderr", "--new-compress", "--old-compress", "--fsync", "--no-implied-dirs",
    }
)  # fmt: skip
_LONG_WITH_VALUE: Final = re.compile(
    r"--(timeout|bwlimit|block-size|checksum-seed|max-alloc|compress-level|compress-threads|modify-window)=[0-9.KMG]+"
    r"|--(checksum-choice|compress-choice|stderr|info|log-format|skip-compress)=[A-Za-z0-9%_,./-]*"
)


@dataclass(frozen=True)
class ControlSession:
    """Speak the control protocol over stdin and stdout."""


@dataclass(frozen=True)
class Download:
    """rsync sends these files of `readable/`."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Upload:
    """rsync receives into `incoming/`."""


@dataclass(frozen=True)
class Join:
    """A new box hands in its public keys."""


@dataclass(frozen=True)
class Rekey:
    """A box hands in the keys that are to follow its own; or says that it has them in use."""

    is_confirmed: bool


@dataclass(frozen=True)
class Denied:
    reason: Text


Admission = ControlSession | Download | Upload | Join | Rekey | Denied

_NOT_OFFERED: Final = Denied(Text("不提供此操作", "this is not offered here"))


def admit(command: str | None) -> Admission:
    """What the key of an approved site gets for this command."""
    if command == "session":
        return ControlSession()
    if command in ("rekey", "rekeyed"):
        return Rekey(command == "rekeyed")
    if command is not None and command.startswith("rsync --server "):
        return _rsync(command)
    return _NOT_OFFERED


def admit_claim(command: str | None) -> Admission:
    """What the key of a claim gets: `join`, nothing else."""
    return Join() if command == "join" else _NOT_OFFERED


def _rsync(command: str) -> Admission:
    if len(command) > COMMAND_CHARS_MAX:
        return Denied(Text("命令过长", "the command is too long"))
    words = command.split(" ")[2:]
    sends = words[:1] == ["--sender"]
    words = words[1:] if sends else words
    if "." not in words:
        return Denied(Text("rsync 命令不完整", "an incomplete rsync command"))
    dot = words.index(".")
    bad = next((option for option in words[:dot] if not _is_permitted(option)), None)
    if bad is not None:
        return Denied(Text(f"不允许的 rsync 选项 {bad[:60]!r}", f"rsync option {bad[:60]!r} is not permitted"))
    return _download(words[dot + 1 :]) if sends else _upload(words[dot + 1 :])


def _is_permitted(option: str) -> bool:
    if option.startswith("--"):
        return option in _LONG or _LONG_WITH_VALUE.fullmatch(option) is not None
    return option != "-" and _SHORT.fullmatch(option) is not None


def _download(paths: list[str]) -> Admission:
    if not paths or len(paths) > DOWNLOADS_MAX or not all(_HEX.fullmatch(path) for path in paths):
        return Denied(Text("只能按指纹下载媒资", "downloads are of assets, by their digest"))
    return Download(tuple(paths))


def _upload(paths: list[str]) -> Admission:
    if paths != ["."] and not (len(paths) == 1 and _HEX.fullmatch(paths[0])):
        return Denied(Text("只能上传到收件处，以指纹为名", "uploads go to the incoming folder, named by digest"))
    return Upload()
