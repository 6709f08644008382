"""The box's database: one process writes (the agent), everybody else looks on.

    with writing(path) as db: ...      the agent; makes and migrates the file
    with reading(path) as db: ...      web, screens, commands: one look, then closed
    with transaction(db): ...          all of it or nothing, and on the disk when it returns

A reader never writes, not even the files beside the database that SQLite keeps while it is open. Where the agent has
ended and folded them away, a reader without write permission could not open the database at all (SQLITE_CANTOPEN,
measured on 3.40); it is then opened as immutable, which is what it is as long as nobody writes. So open for one look,
and open again for the next.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
from sqlite_utils import Database

from appliance.core.errors import DiskFull, Held, Refused, SongshanError, Text, WorldError
from appliance.durable import disk_errors, make_folder
from appliance.store.later_migrations import migrations

BUSY_TIMEOUT_S: Final = 5.0
LOG_PAGES: Final = 4096
"""Of 4 KiB: how long the log beside the database may get before it is folded in. A flood changes the same pages of its
indexes again and again, and each of them is folded in once."""
CACHE_KIB: Final = 16 * 1024
"""Of the writer: what a flood of small assets touches again and again, by digests that lie anywhere."""
Row = dict[str, Any]
Values = Sequence[Any] | Mapping[str, Any]

_START_AGENT: Final = Text("请启动 agent：songshan agent", "start the agent: songshan agent")
_SEE_DOCTOR: Final = Text("请运行 songshan doctor", "run songshan doctor")
_WAIT: Final = Text(
    "它一放开就自己恢复；一直不放：停下拷贝或备份的程序",
    "all is well once it lets go; if it does not, end what copies or saves it",
)


def open_for_writing(path: Path) -> Database:
    """Open the database, made and migrated where need be. Only the agent calls this, and once: see ADR 1.

    `synchronous=FULL`: what was committed is there after a power cut. Raises WorldError; Refused, with nothing changed,
    where a newer version of this software has been at work.
    """
    with disk_errors(path.parent):
        make_folder(path.parent)
    with sqlite_errors(path):
        db = Database(connect(f"file:{quote(str(path))}"))
        _refuse_what_is_newer(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        migrations.apply(db)
    return db


def _refuse_what_is_newer(db: Database) -> None:
    """An older agent on a newer database would write rows that the newer one does not understand."""
    known = known_steps()
    newer = sorted(step.name for step in migrations.applied(db) if step.name not in known)
    if newer:
        db.close()
        raise Refused(
            Text(f"数据库是更新版本的软件写的：{newer[0]}", f"the database is of a newer version: {newer[0]}"),
            hint=Text("请装回较新的版本", "install the newer version again"),
        )


def open_read_only(path: Path) -> Database:
    """Open the database for one look; the caller closes it. Works while the agent writes, and when it is dead.

    Raises WorldError with a hint when there is none yet, when it is of an older version, or when it cannot be read.
    """
    with disk_errors(path):
        is_there = path.exists()
    if not is_there:
        raise WorldError(Text(f"还没有数据库 {path}", f"there is no database {path} yet"), hint=_START_AGENT)
    with sqlite_errors(path):
        connection = connect(read_only_uri(path))
        try:
            db = Database(connection, recursive_triggers=False)
            connection.execute("PRAGMA query_only = ON")
            outdated = bool(migrations.pending(db))
        except sqlite3.Error:
            connection.close()
            raise
    if outdated:
        db.close()
        raise WorldError(
            Text("数据库是旧版本软件留下的", "the database was left by an older version of this software"),
            hint=_START_AGENT,
        )
    return db


def known_steps() -> frozenset[str]:
    """Those that this software knows."""
    return frozenset(step.name for step in migrations.pending(Database(memory=True)))


@contextmanager
def writing(path: Path) -> Iterator[Database]:
    """`open_for_writing`, closed at the end."""
    db = open_for_writing(path)
    try:
        yield db
    finally:
        db.close()


@contextmanager
def reading(path: Path) -> Iterator[Database]:
    """`open_read_only`, closed at the end; what SQLite reports meanwhile is a WorldError too."""
    db = open_read_only(path)
    try:
        with sqlite_errors(path):
            yield db
    finally:
        db.close()


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """All that happens inside is committed together, or nothing of it.

    Takes the write lock at once: a deferred transaction that reads and then writes can fail at its first write,
    whatever the timeout. Raises DiskFull or WorldError with nothing changed. Inside, `db.atomic()` is a savepoint.
    """
    begun = db.conn.in_transaction
    assert not begun, "transactions do not nest; use db.atomic()"
    with sqlite_errors(None):
        db.conn.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.conn.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled back already.
            if db.conn.in_transaction:
                db.conn.execute("ROLLBACK")
            raise


def rows(db: Database, sql: str, values: Values = ()) -> list[Row]:
    """What a SELECT finds, as dicts."""
    cursor = db.conn.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def first(db: Database, sql: str, values: Values = ()) -> Row | None:
    """The first of them, None when there is none."""
    found = rows(db, sql, values)
    return found[0] if found else None


def text_json(text: Text | None) -> str | None:
    """How a Text stands in a column; no Text is NULL."""
    return msgspec.json.encode(text).decode() if text is not None else None


def text_of(value: str | None) -> Text | None:
    """The inverse of `text_json`."""
    return msgspec.json.decode(value, type=Text) if value is not None else None


def reason_of(error: SongshanError) -> Text:
    """All problems of an error in one line, to be kept as the reason of something that was not done."""
    return Text("；".join(each.zh for each in error.problems), "; ".join(each.en for each in error.problems))


@contextmanager
def sqlite_errors(path: Path | None) -> Iterator[None]:
    """What the disk did to SQLite, in the terms of `appliance.core.errors`. A bug, as in the SQL, passes."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        where = str(path) if path is not None else "box.db"
        if code is None or code & 0xFF in _BUGS:
            raise
        if code == sqlite3.SQLITE_FULL:
            raise DiskFull(Text(f"磁盘已满：{where}", f"the disk is full: {where}")) from error
        if code & 0xFF in _HELD:
            raise Held(
                Text(f"数据库正被别的程序占用：{where}", f"another program holds the database: {where}"), hint=_WAIT
            ) from error
        raise WorldError(Text(f"数据库 {where}：{error}", f"database {where}: {error}"), hint=_SEE_DOCTOR) from error


_HELD: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BUGS: Final = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE})


def connect(uri: str) -> sqlite3.Connection:
    """A connection as all of them are: its own transactions, some patience."""
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def read_only_uri(path: Path) -> str:
    """Where there is no log beside the database nobody has it open: see the head of this file."""
    still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return f"file:{quote(str(path))}?mode=ro{still}"
