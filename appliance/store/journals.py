"""Streams in the database: what was received, what this site said, and how far each stream has come.

A record and what it does are one transaction with the cursor that has passed it (`accept`): killed at any point, the
box has done all of a batch or nothing of it, and the hub sends again what was not acknowledged.
"""

from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec
from sqlite_utils import Database

from appliance.core.errors import MissingParent, OperatorError, Refused, Text
from appliance.core.journal import Checkpoint, Position, Record, append, genesis, parse_checkpoint, parse_record
from appliance.core.journal import position_after as position_after
from appliance.core.judge import Judgement
from appliance.core.snapshot import Statement
from appliance.store import vouching
from appliance.store.database import Row, first, reason_of, rows, text_json, text_of, transaction
from appliance.store.redactions import redacted

PAGE_RECORDS_MAX: Final = 256

_NO_REASON: Final = Text("未注明", "none given")

Apply = Callable[[Database, Record], None]
"""Does what a record says. Refused or OperatorError: it cannot be applied, and nothing of it was."""
Hold = Callable[[Record], Text | None]
"""Why a record is not to be done yet; None when it is."""
PARENT_KINDS: Final = {"item": "item", "offer": "item", "order": "order"}
"""Kinds of record that others can wait for, and what these call it."""


class Cursor(msgspec.Struct, frozen=True):
    """How far a stream has come. `seen_us` is the time of the newest checkpoint, 0 before the first.

    `acked` is what the other end has: of the site's own stream only.
    """

    position: Position
    seen_us: int
    next_by_us: int | None
    acked: tuple[int, int]


class Waiting(msgspec.Struct, frozen=True):
    """A record that is here and was not done: parked, or held. `key` is what it is about."""

    stream: str
    epoch: int
    seq: int
    kind: str
    key: str
    reason: Text


def cursor(db: Database, stream: str) -> Cursor:
    """Where a stream stands; at its genesis when nothing of it was ever received."""
    row = first(db, "SELECT * FROM cursors WHERE stream = ?", (stream,))
    return _cursor(row) if row else Cursor(genesis(stream), 0, None, (1, 0))


def cursors(db: Database) -> dict[str, Cursor]:
    """All streams that have begun."""
    return {row["stream"]: _cursor(row) for row in rows(db, "SELECT * FROM cursors ORDER BY stream")}


def checkpoint(db: Database, stream: str) -> Checkpoint | None:
    """The newest checkpoint accepted of a stream, or signed of the own one."""
    row = first(db, "SELECT * FROM cursors WHERE stream = ? AND checkpoint_payload IS NOT NULL", (stream,))
    return parse_checkpoint(row["checkpoint_payload"], row["checkpoint_signature"]) if row else None


def at_once(_record: Record) -> Text | None:
    """Nothing is held."""
    return None


def accept(
    db: Database, judgement: Judgement, signed: Checkpoint | None, apply: Apply, hold: Hold = at_once
) -> tuple[Waiting, ...]:
    """Keep and apply the records that the judge accepted and move the cursor past them, in one transaction.

    A record that cannot be applied is parked with the reason; the ones after it go on. Returns what was parked. One
    that `hold` holds is kept, and done by `release`.
    """
    with transaction(db):
        return keep_accepted(db, judgement, signed, apply, hold)


def keep_accepted(
    db: Database, judgement: Judgement, signed: Checkpoint | None, apply: Apply, hold: Hold
) -> tuple[Waiting, ...]:
    """`accept`, inside a transaction of the caller's."""
    vouching.keep(db, checkpoint(db, judgement.position.stream), judgement.accepted)
    last = cursor(db, judgement.position.stream).position
    # What a snapshot that was begun and not ended left beyond the cursor comes again now, in order.
    db.conn.execute("DELETE FROM journal WHERE stream = ? AND (epoch, seq) > (?, ?)", (last.stream, *last.place))
    parked = tuple(_keep(db, record, apply, hold) for record in judgement.accepted)
    _move(db, judgement.position, signed)
    return tuple(each for each in parked if each is not None)


def take_part(db: Database, records: Iterable[Record], apply: Apply, hold: Hold = at_once) -> None:
    """Keep and apply records of a snapshot, in one transaction; the cursor stays. What is here is passed over."""
    with transaction(db):
        for record in records:
            if not _is_here(db, record):
                place = (record.header.stream, *record.header.place)
                db.conn.execute("DELETE FROM journal WHERE stream = ? AND epoch = ? AND seq = ?", place)
                _keep(db, record, apply, hold)


def take_snapshot(db: Database, last: Position, statement: Statement, members: Iterable[tuple[int, int]]) -> None:
    """All parts of a snapshot are in: the stream stands where it says. `last` is where it stood before."""
    place = statement.position
    with transaction(db):
        db.conn.execute(
            "INSERT OR REPLACE INTO snapshots (stream, epoch, seq, from_epoch, from_seq, payload, signature, members)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(place.stream, place.epoch, place.seq, last.epoch, last.seq),
                *(statement.payload, statement.signature, msgspec.msgpack.encode(tuple(members))),
            ),
        )
        _move(db, place, None)


def append_own(db: Database, stream: str, bodies: Iterable[tuple[str, str, bytes]], at_us: int) -> Position:
    """Say something on the site's own stream: (kind, key, body) each. Call it inside the transaction that does it.

    While it is not sure where the stream stands (`appliance.store.histories`), what is said waits for its place.
    """
    assert db.conn.in_transaction, "what is said and what is done belong together"
    position = cursor(db, stream).position
    if not is_sure(db, stream):
        db.conn.executemany(
            "INSERT INTO outbox (stream, kind, key, body, at_us) VALUES (?, ?, ?, ?, ?)",
            [(stream, kind, key, body, at_us) for kind, key, body in bodies],
        )
        return position
    for kind, key, body in bodies:
        position = append_record(db, append(position, kind, key, body, at_us))
    return position


def append_record(db: Database, record: Record) -> Position:
    """Put a record of the own stream behind its head."""
    _insert(db, record, "own")
    position = position_after(record)
    _move(db, position, None)
    return position


def is_sure(db: Database, stream: str) -> bool:
    """Whether the own stream may be written on; it may unless there is doubt."""
    row = first(db, "SELECT is_sure FROM standing WHERE stream = ?", (stream,))
    return row is None or bool(row["is_sure"])


def keep_checkpoint(db: Database, signed: Checkpoint) -> None:
    """Remember the newest checkpoint of a stream that stands where it says."""
    with transaction(db):
        _move(db, signed.position, signed)


def acknowledged(db: Database, stream: str, epoch: int, seq: int) -> None:
    """The hub has the own stream up to here. Never goes back."""
    with transaction(db):
        db.conn.execute(
            "UPDATE cursors SET acked_epoch = ?, acked_seq = ? WHERE stream = ? AND (acked_epoch, acked_seq) < (?, ?)",
            (epoch, seq, stream, epoch, seq),
        )


def read_from(db: Database, stream: str, after: tuple[int, int], limit: int = PAGE_RECORDS_MAX) -> tuple[Record, ...]:
    """The records after a place (epoch, sequence), in order, at most `limit`."""
    found = rows(
        db,
        "SELECT header, body FROM journal WHERE stream = ? AND (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?",
        (stream, *after, limit),
    )
    return tuple(parse_record(row["header"], row["body"]) for row in found)


def unsent(db: Database, stream: str) -> int:
    """How many records of the own stream the hub has not acknowledged."""
    own = cursor(db, stream)
    acked_epoch, acked_seq = own.acked
    waiting = int(rows(db, "SELECT count(*) AS waiting FROM outbox WHERE stream = ?", (stream,))[0]["waiting"])
    if acked_epoch == own.position.epoch:
        return waiting + max(0, own.position.seq - acked_seq)
    counted = "SELECT count(*) AS waiting FROM journal WHERE stream = ? AND (epoch, seq) > (?, ?)"
    return waiting + int(rows(db, counted, (stream, acked_epoch, acked_seq))[0]["waiting"])


def parked(
    db: Database, limit: int = PAGE_RECORDS_MAX, after: tuple[str, int, int] = ("", 0, 0)
) -> tuple[Waiting, ...]:
    """What waits for an upgrade or a person, oldest first; `after` a stream, epoch and sequence."""
    return waiting(db, "parked", limit, after)


def waiting(
    db: Database, state: Literal["parked", "held"], limit: int, after: tuple[str, int, int]
) -> tuple[Waiting, ...]:
    """What waits in this way, oldest first, behind a stream, epoch and sequence."""
    found = rows(
        db,
        "SELECT stream, epoch, seq, kind, key, reason FROM journal"
        " WHERE state = ? AND (stream, epoch, seq) > (?, ?, ?) ORDER BY stream, epoch, seq LIMIT ?",
        (state, *after, limit),
    )
    return tuple(Waiting(**{**row, "reason": text_of(row["reason"]) or _NO_REASON}) for row in found)


def has_newer(db: Database, record: Record) -> bool:
    """Whether a later record of the same stream and key, of this kind, was applied: then this one is out of date."""
    header = record.header
    row = first(
        db,
        "SELECT 1 FROM journal WHERE stream = ? AND key = ? AND (epoch, seq) > (?, ?) AND kind = ?"
        " AND state = 'applied' LIMIT 1",
        (header.stream, header.key, header.epoch, header.seq, header.kind),
    )
    return row is not None


def parked_count(db: Database) -> int:
    """How many there are."""
    return int(rows(db, "SELECT count(*) AS parked FROM journal WHERE state = 'parked'")[0]["parked"])


def apply_parked(db: Database, apply: Apply) -> int:
    """Try again what was parked, as after an upgrade; how many could now be applied."""
    applied, after = 0, ("", 0, 0)
    while page := parked(db, after=after):
        for each in page:
            with transaction(db):
                applied += try_again(db, each.stream, (each.epoch, each.seq), apply)
        after = (page[-1].stream, page[-1].epoch, page[-1].seq)
    return applied


def release(db: Database, stream: str, apply: Apply, limit: int = PAGE_RECORDS_MAX) -> int:
    """Do what was held of a stream, in order, now that a fresh signature covers it; how many were done."""
    found = rows(
        db,
        "SELECT epoch, seq FROM journal WHERE stream = ? AND state = 'held' ORDER BY epoch, seq LIMIT ?",
        (stream, limit),
    )
    done = 0
    for row in found:
        with transaction(db):
            done += try_again(db, stream, (row["epoch"], row["seq"]), apply)
    return done


def try_again(db: Database, stream: str, place: tuple[int, int], apply: Apply) -> bool:
    """Whether a record that is kept could be applied now; if so, what waited for it is too."""
    record = read_from(db, stream, (place[0], place[1] - 1), 1)[0]
    reason, needs = _apply(db, record, apply)
    if reason is not None:
        _set_state(db, record, "parked", reason, needs)
        return False
    _set_state(db, record, _done_state(stream), None, None)
    _apply_waiting(db, record, apply)
    return True


def _keep(db: Database, record: Record, apply: Apply, hold: Hold) -> Waiting | None:
    record = redacted(db, record)
    header = record.header
    held = hold(record)
    if held is not None:
        _insert(db, record, "held", held)
        return None
    reason, needs = None, None
    if not _was_done(db, record):
        reason, needs = _waits_with_its_key(db, record)
        if reason is None:
            reason, needs = _apply(db, record, apply)
    _insert(db, record, _done_state(header.stream) if reason is None else "parked", reason, needs)
    if reason is None:
        _apply_waiting(db, record, apply)
        return None
    return Waiting(header.stream, header.epoch, header.seq, header.kind, header.key, reason)


def _is_here(db: Database, record: Record) -> bool:
    """Whether a snapshot that was begun and not ended has left the record here, applied.

    Should the hub send all records instead, each is applied again, in order: newer ones were applied before older ones.
    """
    identity = (record.header.stream, *record.header.place, record.hash)
    where = "stream = ? AND epoch = ? AND seq = ? AND hash = ?"
    return first(db, f"SELECT 1 FROM journal WHERE {where}", identity) is not None  # noqa: S608  # a text of our own


def _was_done(db: Database, record: Record) -> bool:
    """Whether it is issued again for one that this box did in a history that was given up."""
    again = record.header.again
    if again is None:
        return False
    found = first(db, "SELECT 1 FROM lost WHERE stream = ? AND origin = ? AND done = 1", (record.header.stream, again))
    return found is not None


def _waits_with_its_key(db: Database, record: Record) -> tuple[Text | None, str | None]:
    """A record waits where one before it, of its key, waits for its parent: out of order they mean something else."""
    row = first(
        db,
        "SELECT reason, needs FROM journal WHERE needs IS NOT NULL AND stream = ? AND key = ? LIMIT 1",
        (record.header.stream, record.header.key),
    )
    return (text_of(row["reason"]), row["needs"]) if row else (None, None)


def _apply_waiting(db: Database, parent: Record, apply: Apply) -> None:
    """Apply, in order, what waited for a record that has now been applied."""
    kind = PARENT_KINDS.get(parent.header.kind)
    if kind is None:
        return
    waiting = rows(
        db,
        "SELECT stream, epoch, seq FROM journal WHERE needs = ? AND state = 'parked'"
        " ORDER BY stream, epoch, seq LIMIT ?",
        (f"{kind}:{parent.header.key}", PAGE_RECORDS_MAX),
    )
    for row in waiting:
        try_again(db, row["stream"], (row["epoch"], row["seq"]), apply)


def _done_state(stream: str) -> str:
    return "own" if stream.endswith("/report") else "applied"


def _apply(db: Database, record: Record, apply: Apply) -> tuple[Text | None, str | None]:
    """(None, None) when it was applied; else why not and what it waits for, and then nothing of it was."""
    try:
        with db.atomic():
            apply(db, record)
    except MissingParent as missing:
        return reason_of(missing), missing.needs
    except (Refused, OperatorError) as error:
        return reason_of(error), None
    return None, None


def _insert(db: Database, record: Record, state: str, reason: Text | None = None, needs: str | None = None) -> None:
    header = record.header
    db.conn.execute(
        "INSERT INTO journal (stream, epoch, seq, hash, header, body, kind, key, state, reason, needs)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(header.stream, header.epoch, header.seq, record.hash, record.header_bytes, record.body),
            *(header.kind, header.key, state, text_json(reason), needs),
        ),
    )


def _set_state(db: Database, record: Record, state: str, reason: Text | None, needs: str | None) -> None:
    header = record.header
    db.conn.execute(
        "UPDATE journal SET state = ?, reason = ?, needs = ? WHERE stream = ? AND epoch = ? AND seq = ?",
        (
            *(state, text_json(reason), needs),
            *(header.stream, header.epoch, header.seq),
        ),
    )


def _move(db: Database, position: Position, signed: Checkpoint | None) -> None:
    """Put the cursor at `position`. Of two checkpoints the one that reaches further stays, of one place the newer.

    So all that is here can be given back under it, also where the writer's clock was set back. The newest time never
    goes back but by a newer epoch, which gets rid of whoever once signed a time that is still to come.
    """
    before, seen_us = checkpoint(db, position.stream), cursor(db, position.stream).seen_us
    db.conn.execute(
        "INSERT INTO cursors (stream, epoch, seq, head) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (stream) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, head = excluded.head",
        (position.stream, position.epoch, position.seq, position.head),
    )
    if signed is None:
        return
    is_anew = before is None or signed.position.epoch > before.position.epoch
    if before is None or signed.position.place > before.position.place or signed.at_us >= seen_us:
        at_us = signed.at_us if is_anew else max(seen_us, signed.at_us)
        db.conn.execute(
            "UPDATE cursors SET checkpoint_payload = ?, checkpoint_signature = ?, checkpoint_at_us = ?, next_by_us = ?"
            " WHERE stream = ?",
            (signed.payload, signed.signature, at_us, signed.next_by_us, position.stream),
        )


def _cursor(row: Row) -> Cursor:
    position = Position(row["stream"], row["epoch"], row["seq"], row["head"])
    return Cursor(position, row["checkpoint_at_us"], row["next_by_us"], (row["acked_epoch"], row["acked_seq"]))
