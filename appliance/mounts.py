"""What is mounted where, as the kernel tells it: proc(5), mountinfo. Reads one file; needs no right and no program."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.durable import disk_errors

MOUNTINFO: Final = Path("/proc/self/mountinfo")
MOUNTS_MAX: Final = 4000
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One line of it. `device` is `major:minor` as under /dev and /sys."""

    device: str
    point: str
    kind: str
    source: str
    is_read_only: bool


def mounts(table: Path = MOUNTINFO) -> tuple[Mount, ...]:
    """All mounts, in the order in which they came; lines that are none are passed over. WorldError without /proc."""
    with disk_errors(table):
        lines = table.read_text(errors="replace").splitlines()[:MOUNTS_MAX]
    return tuple(mount for line in lines if (mount := _mount(line)) is not None)


def mount_of(path: Path, among: tuple[Mount, ...]) -> Mount | None:
    """The mount that a path lies on: of those with the longest way to it the last, which lies on top."""
    real = os.path.realpath(path)
    above = [each for each in among if _is_below(real, each.point)]
    longest = max((len(each.point) for each in above), default=0)
    return next((each for each in reversed(above) if len(each.point) == longest), None)


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted at this very place, be it a part of the same disk."""
    real = os.path.realpath(path)
    return any(each.point == real for each in mounts())


def _mount(line: str) -> Mount | None:
    before, _dash, behind = line.partition(" - ")
    words, rest = before.split(" "), behind.split(" ")
    if len(words) < 6 or len(rest) < 3:
        return None
    options = {*words[5].split(","), *rest[2].split(",")}
    return Mount(words[2], _plain(words[4]), rest[0], _plain(rest[1]), "ro" in options)


def _plain(word: str) -> str:
    """Blanks and the like stand there as `\\040`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), word)


def _is_below(path: str, point: str) -> bool:
    return path == point or point == "/" or path.startswith(f"{point}/")
