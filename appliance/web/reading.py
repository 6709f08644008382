"""The box's database as the threads of the web server read it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from appliance.core.errors import WorldError
from appliance.store.database import open_read_only, sqlite_errors

Identity = tuple[int, int]


class Reading:
    """Looks into one database, through a connection that each thread keeps while the agent has the file open.

    A connection is kept only while database and log are the files that it was opened on: without a log it was opened as
    a file that nobody writes, which it stops to be when the agent starts; and after a restore it is another file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._kept = threading.local()

    @contextmanager
    def look(self) -> Iterator[Database]:
        """A connection for one look. Raises WorldError, with what to do, when there is no database to look into."""
        files = self._files()
        db: Database | None = getattr(self._kept, "db", None)
        if db is None or files is None or self._kept.files != files:
            self._forget()
            db = open_read_only(self._path)
            if files is not None and files == self._files():
                self._kept.db, self._kept.files = db, files
        try:
            with sqlite_errors(self._path):
                yield db
        except WorldError:
            self._forget()
            raise
        finally:
            if getattr(self._kept, "db", None) is not db:
                db.close()

    def _files(self) -> tuple[Identity, Identity] | None:
        try:
            found = [path.stat() for path in (self._path, self._log)]
        except OSError:
            return None
        database, log = ((each.st_dev, each.st_ino) for each in found)
        return database, log

    def _forget(self) -> None:
        db: Database | None = getattr(self._kept, "db", None)
        if db is not None:
            del self._kept.db
            db.close()
