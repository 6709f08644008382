"""Answers that a thread has just made, for whoever asks the same within a second and before the database has changed.

A recall must bite with the next request, so an answer is worth nothing once the agent has written anything. Whether it
has is asked of SQLite (`PRAGMA data_version`) on one connection for all threads, because the number means something on
its own connection only.
"""

import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from sqlite_utils import Database

from appliance.core.errors import WorldError
from appliance.store.database import open_read_only, sqlite_errors
from appliance.web.front import Reply, Request

KEPT_S: Final = 1.0
ANSWERS_MAX: Final = 256
ANSWER_BYTES_MAX: Final = 256 * 1024
MARK: Final = ("X-Accel-Expires", "1")
"""The field of an answer that may be given again for a second; nginx keeps by it, too."""

Files = tuple[int, int, int, int]
Version = tuple[int, int, int, int, int]


class _Answer(NamedTuple):
    until_s: float
    version: Version
    reply: Reply


class Memory:
    """The last answers of one worker."""

    def __init__(self, database: Path) -> None:
        self._path = database
        self._log = database.with_name(f"{database.name}-wal")
        self._answers: OrderedDict[tuple[str, ...], _Answer] = OrderedDict()
        self._db: Database | None = None
        self._files: Files | None = None
        self._asking = Lock()

    def recall(self, request: Request) -> Reply | None:
        """The answer that was given to this a moment ago, if it would be given again. Never waits."""
        found = self._answers.get(key_of(request))
        if found is None or found.until_s < time.monotonic() or not self._asking.acquire(blocking=False):
            return None
        try:
            if self._db is None or found.version != self._ask(self._identity()):
                return None
        finally:
            self._asking.release()
        return found.reply if request.method == "GET" else found.reply._replace(body=b"")

    def keep(self, request: Request, version: Version | None, reply: Reply) -> None:
        """Remember an answer that was made from the database as it was at `version`, taken before it was made."""
        if version is None or reply.status[:3] != "200" or MARK not in reply.headers:
            return
        if len(reply.body) <= ANSWER_BYTES_MAX and isinstance(reply.body, bytes):
            with self._asking:
                self._answers[key_of(request)] = _Answer(time.monotonic() + KEPT_S, version, reply)
                while len(self._answers) > ANSWERS_MAX:
                    self._answers.popitem(last=False)

    def version(self) -> Version | None:
        """What changes with the database; None while the agent has it not open, or there is none."""
        with self._asking:
            files = self._identity()
            if files is None or files != self._files:
                self._open(files)
            return self._ask(files)

    def _ask(self, files: Files | None) -> Version | None:
        if self._db is None or files is None or files != self._files:
            return None
        try:
            with sqlite_errors(self._path):
                (number,) = self._db.conn.execute("PRAGMA data_version").fetchone()
        except WorldError:
            self._open(None)
            return None
        return (*files, int(number))

    def _open(self, files: Files | None) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._files = None, None
        if files is not None:
            try:
                self._db = open_read_only(self._path)
            except WorldError:
                return
            # Opened while the log went away it would be a file that nobody is expected to write: not to be kept.
            self._files = files if self._identity() == files else None

    def _identity(self) -> Files | None:
        try:
            database, log = self._path.stat(), self._log.stat()
        except OSError:
            return None
        return database.st_dev, database.st_ino, log.st_dev, log.st_ino


def key_of(request: Request) -> tuple[str, ...]:
    """All of a request without query that an answer depends on, as it was sent: two readings of one field would give
    one reader's answer to another."""
    headers = request.headers
    return request.path, *(headers.get(name, "") for name in ("cookie", "accept-language", "accept-encoding"))
