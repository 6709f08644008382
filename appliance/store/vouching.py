"""Signatures to give back under: table `vouched`, of the streams that somebody else writes.

A stream's newest checkpoint replaces the one before. Here one is kept for each stretch that fits into a batch, so that
all that was accepted can be given back to its writer, batch by batch, each under his own signature.
"""

from collections.abc import Sequence

from sqlite_utils import Database

from appliance.core.journal import Checkpoint, Position, Record, parse_checkpoint
from appliance.core.wire import BATCH_BYTES, RECORDS_PER_BATCH
from appliance.store.database import first


def keep(db: Database, signed: Checkpoint | None, accepted: Sequence[Record]) -> None:
    """Keep the newest checkpoint, before it is replaced, if what comes now would not fit into one batch with what
    follows the last one kept."""
    if signed is None or not accepted:
        return
    stream = signed.position.stream
    epoch, seq = signed.position.place
    kept = first(db, "SELECT epoch, seq FROM vouched WHERE stream = ? ORDER BY epoch DESC, seq DESC LIMIT 1", (stream,))
    since = (kept["epoch"], kept["seq"]) if kept else (1, 0)
    span = first(
        db,
        "SELECT count(*) AS records, coalesce(sum(length(header) + coalesce(length(body), 0)), 0) AS size_bytes"
        " FROM (SELECT header, body FROM journal WHERE stream = ? AND (epoch, seq) > (?, ?) LIMIT ?)",
        (stream, *since, RECORDS_PER_BATCH),
    )
    assert span is not None
    size_bytes = span["size_bytes"] + sum(len(record.header_bytes) + len(record.body or b"") for record in accepted)
    if span["records"] + len(accepted) > RECORDS_PER_BATCH or size_bytes > BATCH_BYTES:
        db.conn.execute(
            "INSERT OR REPLACE INTO vouched (stream, epoch, seq, head, payload, signature) VALUES (?, ?, ?, ?, ?, ?)",
            (stream, epoch, seq, signed.position.head, signed.payload, signed.signature),
        )


def at(db: Database, position: Position) -> Checkpoint | None:
    """The one that was kept for this place."""
    place = "SELECT * FROM vouched WHERE stream = ? AND epoch = ? AND seq = ?"
    row = first(db, place, (position.stream, *position.place))
    if row is None or row["head"] != position.head:
        return None
    return parse_checkpoint(row["payload"], row["signature"])


def forget(db: Database, parting: Position) -> None:
    """What lies behind this place is given up."""
    behind = "DELETE FROM vouched WHERE stream = ? AND (epoch, seq) > (?, ?)"
    db.conn.execute(behind, (parting.stream, *parting.place))
