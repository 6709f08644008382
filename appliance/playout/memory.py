"""The air ledger of one channel as it was last read: what a sender goes on with when the database is gone."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from appliance import slate
from appliance.core import ts
from appliance.core.airtime import Mark
from appliance.core.errors import Text, WorldError
from appliance.core.ledger import Stretch
from appliance.core.rundown import SLATE
from appliance.core.ts import TICKS_PER_S
from appliance.store import air, assets
from appliance.store.database import open_read_only, sqlite_errors

NEAR_TICKS: Final = 30 * TICKS_PER_S
"""What is read again whenever anything was written."""
WHOLE_US: Final = 60_000_000
"""All of it is read again at the latest after so long."""
CHANGED_US: Final = 15_000_000
"""And so soon after a change: a live source changes what is near every two seconds, and what is far hardly ever."""
ROWS_MAX: Final = 50_000

Identity = tuple[int, int]


class Memory:
    """`stretches` from a while ago to the ledger's end. `trouble` says why it could not be read the last time."""

    def __init__(self, database: Path, channel: str) -> None:
        self.stretches: tuple[Stretch, ...] = ()
        self.mark: Mark | None = None
        self.trouble: Text | None = None
        self._path, self._channel = database, channel
        self._tables = {SLATE: ts.pack_table(ts.index(slate.slate_path().read_bytes()))}
        self._db: Database | None = None
        self._files: tuple[Identity | None, Identity | None] | None = None
        self._version: int | None = None
        self._whole_due_us = 0

    def look(self, from_tick: int, running_us: int) -> None:
        """Read what has changed. Never raises for what the world did: then all stays as it was."""
        try:
            with sqlite_errors(self._path):
                self._look(self._opened(), from_tick, running_us)
            self.trouble = None
        except WorldError as error:
            self.trouble = error.problems[0]
            self._close()

    def place(self, rendition: str, number: int) -> tuple[int, int] | None:
        """Offset and size of a segment in the file of a rendition; None where that is not known."""
        return ts.place(self._tables.get(rendition, b""), number)

    def _look(self, db: Database, from_tick: int, running_us: int) -> None:
        (version,) = db.conn.execute("PRAGMA data_version").fetchone()
        is_due = running_us >= self._whole_due_us
        if version == self._version and not is_due:
            return
        self.mark = air.clock_mark(db)
        if is_due:
            self._keep(db, air.rows_between(db, self._channel, from_tick))
            self._whole_due_us = running_us + WHOLE_US
        else:
            near_tick = from_tick + NEAR_TICKS
            near = air.rows_between(db, self._channel, from_tick, near_tick)
            if _within(near, from_tick, near_tick) != _within(self.stretches, from_tick, near_tick):
                end_tick = near[-1].end_tick if near else near_tick
                self._keep(db, [*near, *(each for each in self.stretches if each.start_tick >= end_tick)])
                self._whole_due_us = min(self._whole_due_us, running_us + CHANGED_US)
        self._version = version

    def _keep(self, db: Database, stretches: list[Stretch]) -> None:
        """These rows, and the tables of segments of what they name."""
        found = tuple(stretches[:ROWS_MAX])
        tables = {SLATE: self._tables[SLATE]}
        for rendition in {each.rendition for each in found} - {SLATE}:
            table = self._tables.get(rendition) or assets.segments_of(db, rendition)
            if table is not None:
                tables[rendition] = table
        self.stretches, self._tables = found, tables

    def _opened(self) -> Database:
        """A connection that is kept while database and log are the files that it was opened on.

        Where there is no log nobody has the database open, and what is in it does not change: see `store.database`.
        """
        files = _identity(self._path), _identity(self._path.with_name(f"{self._path.name}-wal"))
        if self._db is None or files != self._files:
            self._close()
            self._db = open_read_only(self._path)
            self._files = files
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._version, self._whole_due_us = None, None, 0


def _within(stretches: Sequence[Stretch], from_tick: int, to_tick: int) -> list[Stretch]:
    return [each for each in stretches if each.end_tick > from_tick and each.start_tick < to_tick]


def _identity(path: Path) -> Identity | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None
