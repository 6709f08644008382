"""Names for people of the files that a day plays: `DATE/CHANNEL/NN-HHMMSS-TITLE.ts` in the library. docs/formats.md, 6.

Third-party engines and editors find files by them. They are links to assets, made and taken away by the agent, and no
part of any format: what a file is called by its digest stays.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

NAME_BYTES_MAX: Final = 255
"""Of ext4, XFS and NTFS alike."""
ENDING: Final = ".ts"
SLATE_NAME: Final = f"slate{ENDING}"
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")

_UNSAFE: Final = re.compile(r'[/\\:*?"<>|]')
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Links(msgspec.Struct, frozen=True):
    """What is to be done in the library: links to make, path and digest, and paths to take away."""

    make: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


def safe_name(text: str, bytes_max: int) -> str:
    """What of a title can stand in the name of a file anywhere: no slash, no line break, not hidden, not an option."""
    shown = "".join(each for each in unicodedata.normalize("NFC", text) if unicodedata.category(each) not in _HIDDEN)
    name = " ".join(_UNSAFE.sub("_", shown).split()).lstrip(".- ").rstrip(". ")
    cut = name.encode()[:bytes_max].decode(errors="ignore").rstrip(". ")
    return cut or "无题"


def entry_name(number: int, of: int, time_of_day: str, title: str) -> str:
    """`07-190000-新闻联播`: the entry's place in the day, its planned start, its title; without the ending."""
    head = f"{number:0{max(2, len(str(of)))}}-{time_of_day.replace(':', '')}-"
    return head + safe_name(title, NAME_BYTES_MAX - len(head) - _ROOM)


def file_name(what: str, digest: str, name: str) -> str:
    """`垫片-1a2b3c4d-风光`: a file that is no entry's own, by some of its digest."""
    head = f"{what}-{digest.removeprefix('sha256:')[:8]}-"
    return head + safe_name(name, NAME_BYTES_MAX - len(head.encode()) - _ROOM)


_ROOM: Final = len(ENDING) + 9
"""For the ending, and for what tells two files of one name apart."""


def named(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """File names for (name, digest) pairs: two files of one name get some of their digest behind it."""
    found: dict[tuple[str, str], str] = {}
    taken: dict[str, str] = {}
    for name, digest in wanted:
        file = f"{name}{ENDING}"
        if taken.setdefault(file, digest) != digest:
            file = f"{name}-{digest.removeprefix('sha256:')[:8]}{ENDING}"
            taken[file] = digest
        found[name, digest] = file
    return found


def changes(
    wanted: Mapping[str, str], there: Mapping[str, str | None], kept_days: Collection[str], gone: Collection[str]
) -> Links:
    """What brings the library from what is `there` to what is wanted, each path with its digest; None: none of ours.

    A link that is not wanted any more stays until its day is over, for an engine may have read its name; unless its
    asset is `gone`, which means recalled. Files that somebody else put there are never touched.
    """
    remove = [
        path
        for path, digest in there.items()
        if digest is not None
        and wanted.get(path) != digest
        and (path in wanted or digest in gone or path.split("/")[0] not in kept_days)
    ]
    make = [
        (path, digest) for path, digest in wanted.items() if there.get(path) != digest and path not in _foreign(there)
    ]
    return Links(tuple(make), tuple(sorted(remove)))


def _foreign(there: Mapping[str, str | None]) -> set[str]:
    return {path for path, digest in there.items() if digest is None}
