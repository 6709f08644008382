"""A snapshot on its way: its records wait in a file until all are there and fit what the hub signed; then they count.

Applied in bounded transactions, the cursor set in the last one only: killed in between, the box takes the snapshot
again and passes over what it has. One that is cut off by the line is begun again; nothing of it was believed.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlite_utils import Database

from appliance.core.errors import Text
from appliance.core.journal import Broken, Record, body_of_line, parse_record
from appliance.core.judge import Verdict
from appliance.core.snapshot import Gauge, Statement, judge_snapshot
from appliance.durable import disk_errors
from appliance.store import journals

SNAPSHOT_SUFFIX: Final = "snapshot.part"
"""Ends the name of a snapshot whose records are still coming; at a start none is."""
BATCH_RECORDS = 256
_BROKEN = Text("快照与声明不符", "the snapshot is not what its statement says")


class Arriving:
    """One snapshot; `path` is where its records wait."""

    def __init__(self, path: Path, statement: Statement) -> None:
        self._path, self.statement, self._gauge = path, statement, Gauge()
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")

    def add(self, records: Sequence[Record]) -> None:
        """The next records. Broken when they cannot be of this snapshot; then forget it."""
        for record in records:
            if record.header.stream != self.statement.position.stream:
                raise Broken(_BROKEN)
            self._gauge.add(record)
            if self._gauge.size_bytes > self.statement.size_bytes or self._gauge.records > self.statement.records:
                raise Broken(_BROKEN)
            with disk_errors(self._path):
                self._file.write(record.header_bytes + b"\n" + (record.body or b"") + b"\n")

    @property
    def is_whole(self) -> bool:
        """All have come."""
        return self._gauge.records == self.statement.records

    def take(self, db: Database, apply: journals.Apply, hold: journals.Hold) -> None:
        """Let it count, but for what `hold` holds. Broken when it does not fit its statement; then nothing has."""
        with disk_errors(self._path):
            self._file.close()
        if not self._gauge.fits(self.statement):
            raise Broken(_BROKEN)
        last = journals.cursor(db, self.statement.position.stream).position
        members = []
        with self._path.open("rb") as file:
            records = _records(file)
            while batch := list(islice(records, BATCH_RECORDS)):
                members += [record.header.place for record in batch]
                journals.take_part(db, [record for record in batch if record.header.place > last.place], apply, hold)
        journals.take_snapshot(db, last, self.statement, members)
        self.forget()

    def forget(self) -> None:
        """It is over, or it came to nothing."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _records(file: Iterator[bytes]) -> Iterator[Record]:
    for header in file:
        yield parse_record(header[:-1], body_of_line(next(file)[:-1]))


class Snapshots:
    """Those on their way in this session, at most one of each stream. `database`: they wait in files beside it."""

    def __init__(self, db: Database, database: Path, apply: journals.Apply) -> None:
        self._db, self._database, self._apply = db, database, apply
        self._arriving: dict[str, Arriving] = {}

    def is_expected(self, stream: str) -> bool:
        """Whether what comes of a stream without a checkpoint is a part of a snapshot."""
        return stream in self._arriving

    def expect(self, stream: str, statement: Statement, key: Ed25519PublicKey) -> tuple[Verdict, Text]:
        """A snapshot is announced. With any verdict but accepted it is not taken."""
        verdict, reason = judge_snapshot(journals.cursor(self._db, stream).position, statement, key)
        if verdict is Verdict.ACCEPTED:
            name = f"{stream.replace('/', '-')}-{SNAPSHOT_SUFFIX}"
            self._arriving[stream] = Arriving(self._database.with_name(name), statement)
        return verdict, reason

    def take(self, stream: str, records: Sequence[Record], hold: journals.Hold) -> bool:
        """More of it; True when it is whole and counts now. Broken when it is not what was signed; it is forgotten."""
        arriving = self._arriving[stream]
        try:
            arriving.add(records)
            if not arriving.is_whole:
                return False
            arriving.take(self._db, self._apply, hold)
        except Broken:
            arriving.forget()
            del self._arriving[stream]
            raise
        del self._arriving[stream]
        return True

    def forget(self) -> None:
        """The session is over: what was on its way begins again in the next."""
        for arriving in self._arriving.values():
            arriving.forget()
        self._arriving.clear()
