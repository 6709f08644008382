"""Where records begin: `EPOCH.index` beside `EPOCH.records`, so that a place is found without reading all before it.

Derived, and nothing is lost with it: whoever has read past its end adds to it, and a line that does not lead to the
record that follows on it is thrown away with the whole file and found again by reading. docs/formats.md, section 4.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INDEX_EVERY: Final = 2048
"""Records between two lines: what may have to be read to find one, some 20 milliseconds."""
INDEX_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Mark:
    """Just behind record `seq`, whose hash is `head`, `offset` bytes into the epoch's file."""

    seq: int
    offset: int
    head: str


def nearest(folder: Path, epoch: int, seq: int) -> Mark | None:
    """The last mark before record `seq`; None when there is none."""
    marks = read(folder, epoch)
    found = bisect_left(marks, seq, key=lambda mark: mark.seq)
    return marks[found - 1] if found else None


def read(folder: Path, epoch: int) -> list[Mark]:
    """All marks of an epoch; [] where the file is missing or is none."""
    try:
        with _path(folder, epoch).open("r", encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file.read(INDEX_BYTES_MAX).splitlines()]
        return [Mark(int(seq), int(offset), head) for seq, offset, head in lines]
    except (FileNotFoundError, ValueError):
        return []


def add(folder: Path, epoch: int, marks: Sequence[Mark]) -> None:
    """Keep marks behind those that are there."""
    from appliance.durable import write_atomically

    known = read(folder, epoch)
    new = [mark for mark in marks if not known or mark.seq > known[-1].seq]
    if new:
        text = "".join(f"{mark.seq} {mark.offset} {mark.head}\n" for mark in (*known, *new))
        write_atomically(_path(folder, epoch), text.encode())


def forget(folder: Path, epoch: int) -> None:
    """Throw the file away: it was wrong."""
    _path(folder, epoch).unlink(missing_ok=True)


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch}.index"
