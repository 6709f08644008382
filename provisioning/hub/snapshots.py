"""Snapshots at the hub: made of a stream of its own, kept beside it, and where a stream begins once it was compacted.

    snapshot        three lines: payload and signature of the statement, the offset of its place in EPOCH.records
    begins          the same, of the snapshot that stands for all that was compacted away; reading begins at its place
    DIGEST.snapshot the records, as in EPOCH.records

Compacting punches a hole into EPOCH.records: no offset changes, so checkpoint, index and open places stay true.
"""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from appliance.core.errors import Refused, Text
from appliance.core.journal import Broken, Position, Record
from appliance.core.session import batch_of
from appliance.core.snapshot import Gauge, InForce, Statement, parse_statement_text, sign_statement, statement_text
from appliance.core.wire import RECORDS_PER_BATCH
from appliance.durable import put_in_place, staged_beside
from provisioning.hub.beginnings import begins, damaged, snapshot_records
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.journals import HubJournals
from provisioning.hub.stream import Place, Stream

SNAPSHOT: Final = "snapshot"
BEGINS: Final = "begins"
PUNCH_HOLE: Final = 0x02 | 0x01
"""FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, fallocate(2)."""
BLOCK_BYTES: Final = 4096
RETRIES_MAX: Final = 3
FAR_RECORDS: Final = 10_000
"""So many records behind a snapshot, a reader gets that instead."""


@dataclass(frozen=True)
class Kept:
    """A snapshot beside its stream; `place` is where reading goes on behind it."""

    statement: Statement
    place: Place


def newest(stream: Stream) -> Kept | None:
    """The newest snapshot of a stream; None when none was made."""
    return _read(stream, SNAPSHOT)


def beginning(stream: Stream) -> Kept | None:
    """The snapshot that a stream begins with; None for one that was not compacted."""
    return _read(stream, BEGINS)


def sign_anew(stream: Stream, vouched: Callable[[Kept], Kept]) -> None:
    """Put other statements on the same snapshots into force. The hub's lock is held."""
    for name in (SNAPSHOT, BEGINS):
        kept = _read(stream, name)
        if kept is not None:
            _name(stream, name, vouched(kept))


def records(stream: Stream, kept: Kept) -> Iterator[Record]:
    """The records of a snapshot, in order."""
    return snapshot_records(stream.folder, kept.statement.digest)


def snapshot_for(stream: Stream, position: Position) -> Kept | None:
    """What a reader who stands there should have in place of the records behind it; None when those are better.

    It must have it where what it lacks was compacted away; it is better off with it where it is far behind.
    """
    kept = newest(stream)
    if kept is None or position.place >= kept.place.position.place:
        return None
    is_compacted = position.place < stream.start().position.place
    is_far = position.epoch < kept.place.position.epoch or kept.place.position.seq - position.seq > FAR_RECORDS
    return kept if is_compacted or is_far else None


class Sending:
    """The records of a snapshot on their way to one reader."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records, self._read = records, list[Record]()

    def next_batch(self) -> Sequence[Record]:
        """As many as may be offered at once; () when all were given out."""
        self._read += islice(self._records, RECORDS_PER_BATCH - len(self._read))
        batch = batch_of(self._read)
        self._read = self._read[len(batch) :]
        return batch


def make(journals: HubJournals, name: str) -> Kept:
    """Make a snapshot of a stream of the hub at its head, and put it in place of the one before.

    The stream is read without the lock: what is covered does not change, but for bodies that are redacted meanwhile;
    then it is read again. Refused when that happens RETRIES_MAX times.
    """
    for _attempt in range(RETRIES_MAX):
        redacted = _redacted(journals, name)
        with _written(journals, name, redacted) as (kept, into, staged), journals.folder.locked():
            # What stands under a name a redaction finds; what does not is swept.
            if _redacted(journals, name) == redacted:
                stream = journals.stream(name)
                put_in_place(into, staged, stream.folder / f"{kept.statement.digest}.snapshot")
                _name(stream, SNAPSHOT, kept)
                _sweep(stream)
                return kept
    raise Refused(Text(f"{name} 正在抹除，请再试", f"{name} is being redacted, try again"))


@contextmanager
def _written(
    journals: HubJournals, name: str, redacted: frozenset[tuple[int, int]]
) -> Iterator[tuple[Kept, int, Path]]:
    """The records in force as a staged file, open, and a statement on them; nothing names them yet."""
    stream, now_us = journals.stream(name), journals.folder.now_us()
    covered = stream.covered()
    if covered is None:
        raise Refused(Text(f"流 {name} 还没有记录", f"there is nothing in {name} yet"))
    place = Place(covered.checkpoint.position, covered.size_bytes)
    in_force = InForce(now_us, _catalogue(journals, name).recalled)
    for record in _all(stream, place):
        in_force.feed(record)
    chosen, gauge = in_force.places() - redacted, Gauge()
    with staged_beside(stream.folder / SNAPSHOT, 0o600) as (into, staged):
        with os.fdopen(os.dup(into), "wb") as file:
            for record in _all(stream, place):
                if record.header.place in chosen:
                    gauge.add(record)
                    file.write(record.header_bytes + b"\n" + (record.body or b"") + b"\n")
        os.fsync(into)
        signed = sign_statement(place.position, gauge.digest, gauge.size_bytes, gauge.records, now_us, journals.key)
        yield Kept(signed, place), into, staged


def _catalogue(journals: HubJournals, name: str) -> Catalogue:
    scope = name.split("/")[0]
    return Catalogue().read(journals, () if scope == "all" else (scope,))


def _redacted(journals: HubJournals, name: str) -> frozenset[tuple[int, int]]:
    """Bodies of this stream that must not be kept."""
    return frozenset(_catalogue(journals, name).redacted_in(name))


def compact(journals: HubJournals, name: str, kept: Kept) -> int:
    """Drop what a snapshot stands for; how many bytes of the disk that gives back.

    First the snapshot is named as the beginning, then the bytes go: killed in between, they go the next time. Refused
    where the file system makes no holes; then the bytes stay, and no harm is done.
    """
    with journals.folder.locked():
        stream = journals.stream(name)
        _name(stream, BEGINS, kept)
        freed = 0
        for path in stream.folder.glob("*.records"):
            if path.stem.isdecimal() and int(path.stem) <= kept.place.position.epoch:
                is_whole = int(path.stem) < kept.place.position.epoch
                freed += _punch(path, path.stat().st_size if is_whole else kept.place.offset)
        _sweep(stream)
    return freed


def _name(stream: Stream, name: str, kept: Kept) -> None:
    """Put a statement into force, in one step."""
    from appliance.durable import write_atomically

    payload, signature = statement_text(kept.statement)
    write_atomically(stream.folder / name, f"{payload}\n{signature}\n{kept.place.offset}\n".encode())


def _all(stream: Stream, until: Place) -> Iterator[Record]:
    """What a stream says up to a place: of what was compacted away the records still in force, then the rest."""
    first = begins(stream.folder)
    if first is not None:
        yield from snapshot_records(stream.folder, first.digest)
    for record in stream.records():
        if record.header.place > until.position.place:
            return
        yield record


def _read(stream: Stream, name: str) -> Kept | None:
    path = stream.folder / name
    try:
        payload, signature, offset = path.read_text().split()
        statement = parse_statement_text(payload, signature)
    except FileNotFoundError:
        return None
    except (ValueError, Broken) as error:
        raise damaged(path, str(error)) from error
    return Kept(statement, Place(statement.position, int(offset)))


def _sweep(stream: Stream) -> None:
    """Let go of records that no statement names any more."""
    named = {kept.statement.digest for name in (SNAPSHOT, BEGINS) if (kept := _read(stream, name)) is not None}
    for path in stream.folder.glob("*.snapshot"):
        if path.stem not in named:
            path.unlink()


def _punch(path: Path, size_bytes: int) -> int:
    """Give the blocks of the beginning of a file back to the disk; it reads as zeros then. How many bytes that was."""
    before = path.stat().st_blocks
    length = size_bytes // BLOCK_BYTES * BLOCK_BYTES
    with path.open("r+b") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        fallocate = libc.fallocate
        fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        if length and fallocate(file.fileno(), PUNCH_HOLE, 0, length):
            why = os.strerror(ctypes.get_errno())
            raise Refused(Text(f"文件系统不能释放 {path} 的前段：{why}", f"no hole can be made in {path}: {why}"))
        file.seek(length)
        file.write(bytes(size_bytes - length))
        file.flush()
        os.fsync(file.fileno())
    return (before - path.stat().st_blocks) * 512
