"""Bodies that must not be kept: what a record said goes, its place in the chain stays. docs/formats.md, section 1.

The bytes leave the file: `secure_delete` overwrites what a row gave up, and once no reader is in the way the log that
still has the old pages is emptied. Until then a redaction is not `wiped`, also over a restart.
"""

import msgspec
from sqlite_utils import Database

from appliance.core.journal import Record
from appliance.store.database import BUSY_TIMEOUT_S, first, rows


def redact(db: Database, stream: str, epoch: int, seq: int) -> None:
    """Remove a body, now or when it comes, inside a transaction. What was made of it is the caller's business.

    A branch of history that was given up may hold the same words, for they were said again: they go there too.
    """
    assert db.conn.in_transaction, "a record and what it does are one"
    place = (stream, epoch, seq)
    db.conn.execute(
        "INSERT INTO redactions (stream, epoch, seq) VALUES (?, ?, ?)"
        " ON CONFLICT (stream, epoch, seq) DO UPDATE SET wiped = 0",
        place,
    )
    db.conn.execute(
        "UPDATE lost SET body = NULL WHERE stream = ? AND body ="
        " (SELECT body FROM journal WHERE stream = ? AND epoch = ? AND seq = ?)",
        (stream, *place),
    )
    db.conn.execute("UPDATE journal SET body = NULL WHERE stream = ? AND epoch = ? AND seq = ?", place)


def newest_of(db: Database, stream: str, key: str) -> tuple[int, int] | None:
    """Epoch and sequence of the last record that still has words, about this key. Reads the whole stream."""
    row = first(
        db,
        "SELECT epoch, seq FROM journal WHERE stream = ? AND key = ? AND body IS NOT NULL AND kind != 'redact'"
        " ORDER BY epoch DESC, seq DESC LIMIT 1",
        (stream, key),
    )
    return (row["epoch"], row["seq"]) if row is not None else None


def redacted(db: Database, record: Record) -> Record:
    """The record as it may be kept: without its body where that was redacted before it came."""
    place = (record.header.stream, *record.header.place)
    row = first(db, "SELECT 1 FROM redactions WHERE stream = ? AND epoch = ? AND seq = ?", place)
    return msgspec.structs.replace(record, body=None) if row is not None else record


def is_wiped(db: Database) -> bool:
    """Whether nothing is left to wipe."""
    return not rows(db, "SELECT 1 FROM redactions WHERE wiped = 0 LIMIT 1")


def wipe(db: Database) -> bool:
    """See to it that no redacted byte is left beside the database; False while a reader is in the way: ask again."""
    if is_wiped(db):
        return True
    db.conn.execute("PRAGMA busy_timeout = 0")
    try:
        is_busy, *_pages = db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.conn.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}")
    if not is_busy:
        db.conn.execute("UPDATE redactions SET wiped = 1 WHERE wiped = 0")
    return not is_busy
