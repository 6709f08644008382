"""Bodies that must not be kept: what a record said goes, its place in the chain stays. docs/formats.md, section 1.

The bytes leave the file: `secure_delete` overwrites what a row gave up, and once no reader is in the way the log that
still has the old pages is emptied. Until then a redaction is not `wiped`, also over a restart.
"""

import msgspec
from sqlite_utils import Database

from appliance.core.journal import Record, parse_record
from appliance.core.records import Redact
from appliance.store.database import BUSY_TIMEOUT_S, first, rows


def redact(db: Database, body: Redact) -> tuple[Record, ...]:
    """Remove a body, now or when it comes, inside a transaction; the records that had it and whose effects stand here.

    What was made of them is the caller's business. A branch of history that was given up may hold the same words, for
    they were said again: they go there too.
    """
    assert db.conn.in_transaction, "a record and what it does are one"
    db.conn.execute(
        "INSERT INTO redactions (stream, epoch, seq, hash) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (stream, epoch, seq, hash) DO UPDATE SET wiped = 0",
        (body.stream, body.epoch, body.seq, body.hash),
    )
    standing, done = find(db, body), _done_before(db, body)
    for record in standing:
        place = (body.stream, *record.header.place)
        db.conn.execute("UPDATE lost SET body = NULL WHERE stream = ? AND body = ?", (body.stream, record.body))
        db.conn.execute("UPDATE journal SET body = NULL WHERE stream = ? AND epoch = ? AND seq = ?", place)
    db.conn.execute("UPDATE lost SET body = NULL WHERE stream = ? AND origin = ?", (body.stream, body.hash))
    return tuple(record for record in (*done, *standing) if record.body is not None)


def find(db: Database, body: Redact) -> tuple[Record, ...]:
    """The records of a stream, as it stands here, that a redaction means. Reads the whole stream where the place is not
    that of the record: after a restore it may be issued again elsewhere, or stand here at the place that it had before.
    """
    where = "SELECT header, body FROM journal WHERE stream = ?"
    row = first(db, f"{where} AND epoch = ? AND seq = ?", (body.stream, body.epoch, body.seq))
    found = [parse_record(row["header"], row["body"])] if row is not None else []
    if body.hash and not any(map(body.names, found)):
        # Its hash stands in the header that follows it, too.
        others = rows(
            db, f"{where} AND (hash = ? OR instr(header, ?) > 0)", (body.stream, body.hash, body.hash.encode())
        )
        found = [parse_record(row["header"], row["body"]) for row in others]
    return tuple(filter(body.names, found))


def _done_before(db: Database, body: Redact) -> tuple[Record, ...]:
    """Those that were done here on a branch that was given up."""
    found = rows(
        db, "SELECT header, body FROM lost WHERE stream = ? AND origin = ? AND done = 1", (body.stream, body.hash)
    )
    return tuple(parse_record(row["header"], row["body"]) for row in found)


def newest_of(db: Database, stream: str, key: str) -> tuple[int, int] | None:
    """Epoch and sequence of the last record that still has words, about this key. Reads the whole stream."""
    row = first(
        db,
        "SELECT epoch, seq FROM journal WHERE stream = ? AND key = ? AND body IS NOT NULL AND kind != 'redact'"
        " ORDER BY epoch DESC, seq DESC LIMIT 1",
        (stream, key),
    )
    return (row["epoch"], row["seq"]) if row is not None else None


def before(db: Database, record: Record) -> Record | None:
    """The last one before it of the same stream, kind and key that still has words. Reads the whole stream."""
    header = record.header
    row = first(
        db,
        "SELECT header, body FROM journal WHERE stream = ? AND kind = ? AND key = ? AND (epoch, seq) < (?, ?)"
        " AND body IS NOT NULL ORDER BY epoch DESC, seq DESC LIMIT 1",
        (header.stream, header.kind, header.key, *header.place),
    )
    return parse_record(row["header"], row["body"]) if row is not None else None


def redacted(db: Database, record: Record) -> Record:
    """The record as it may be kept: without its body where that was redacted before it came."""
    row = first(
        db,
        "SELECT 1 FROM redactions WHERE stream = ? AND (hash = ? OR (hash = '' AND epoch = ? AND seq = ?))",
        (record.header.stream, record.origin, *record.header.place),
    )
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
