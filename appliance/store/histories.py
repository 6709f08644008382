"""Histories that part, in the database: what is given back, taken back, given up and issued again.

Of the own stream (`appliance.core.history` says when):

    doubt          nothing is appended until it is known where the stream stands; what is said waits in `outbox`
    take_back      records of our own that the hub holds and we lost; what we had in their place goes to `lost`
    settle         issue the lost records again, in a new epoch, and append what waited

Of a stream of the hub's: `returned` gives it back what it signed, `come_over` follows it into a newer epoch. Each is
one transaction; what lies in `lost` is evidence and never goes.
"""

import msgspec
from sqlite_utils import Database

from appliance.core.history import trail_of
from appliance.core.journal import (
    Checkpoint,
    Position,
    Record,
    append,
    genesis,
    next_epoch,
    parse_record,
    position_after,
)
from appliance.core.judge import Judgement
from appliance.core.moment import to_us
from appliance.core.wire import batch_of
from appliance.store import journals, vouching
from appliance.store.database import first, rows, transaction
from appliance.store.journals import (
    Apply,
    Hold,
    Waiting,
    append_own,
    append_record,
    at_once,
    checkpoint,
    cursor,
    keep_accepted,
    read_from,
)


class Standing(msgspec.Struct, frozen=True):
    """What this database was last sure of: `machine` is where it ran then, "" before the first time."""

    is_sure: bool
    machine: str


def standing(db: Database, stream: str) -> Standing | None:
    """None: nobody has doubted this stream yet, and nobody has settled it."""
    row = first(db, "SELECT * FROM standing WHERE stream = ?", (stream,))
    return Standing(bool(row["is_sure"]), row["machine"]) if row else None


def is_unwritten(db: Database, stream: str) -> bool:
    """Whether nothing was ever said on a stream, as far as this database knows."""
    return cursor(db, stream).position == genesis(stream)


def doubt(db: Database, stream: str) -> None:
    """It is not known where the own stream stands: nothing is appended until `settle`."""
    with transaction(db):
        _stand(db, stream, is_sure=False, machine=None)


def be_sure(db: Database, stream: str, machine: str) -> None:
    """Nobody can have said anything on the own stream yet: it begins here."""
    with transaction(db):
        _stand(db, stream, is_sure=True, machine=machine)


def holds(db: Database, position: Position) -> bool:
    """Whether a stream, as it stands here, once stood there."""
    if position == genesis(position.stream) or position == cursor(db, position.stream).position:
        return True
    before = "SELECT hash FROM journal WHERE stream = ? AND epoch = ?"
    if position.seq:
        row = first(db, f"{before} AND seq = ?", (position.stream, *position.place))
    else:
        row = first(db, f"{before} ORDER BY seq DESC LIMIT 1", (position.stream, position.epoch - 1))
    return row is not None and row["hash"] == position.head


def trail(db: Database, stream: str) -> tuple[Position, ...]:
    """Where a stream was, newest first, ever more thinly; ends at its genesis."""
    ends = {
        row["epoch"]: row["seq"]
        for row in rows(db, "SELECT epoch, max(seq) AS seq FROM journal WHERE stream = ? GROUP BY epoch", (stream,))
    }
    found = [cursor(db, stream).position]
    for epoch, seq in trail_of(ends):
        row = first(db, "SELECT hash FROM journal WHERE stream = ? AND epoch = ? AND seq = ?", (stream, epoch, seq))
        if row is not None:
            found.append(Position(stream, epoch, seq, row["hash"]))
    found.append(genesis(stream))
    return tuple(dict.fromkeys(found))


def returned(db: Database, asked: tuple[Position, ...]) -> tuple[Position, tuple[Record, ...], Checkpoint | None]:
    """What to give back to the writer who asked: behind the newest of these places that we have, as much as fits into a
    batch and ends under a signature of his. No records: there is nothing more. Where no place is known, the last of
    them stands for the beginning.
    """
    since = next((position for position in asked if holds(db, position)), genesis(asked[-1].stream))
    batch = tuple(batch_of(read_from(db, since.stream, since.place)))
    newest = checkpoint(db, since.stream)
    for number in range(len(batch), 0, -1):
        end = position_after(batch[number - 1])
        if newest is not None and newest.position == end:
            return since, batch[:number], newest
        signed = vouching.at(db, end)
        if signed is not None:
            return since, batch[:number], signed
    return since, (), None


def take_back(
    db: Database, since: Position, judgement: Judgement, signed: Checkpoint, apply: Apply, now_us: int
) -> int:
    """Take the hub's branch of our own stream as the truth, as far as it was given back; how many records that costs.

    `judgement` is on records that follow `since`, a place of ours. What they did is done again here, if need be.
    """
    stream = judgement.position.stream
    with transaction(db):
        _stand(db, stream, is_sure=False, machine=None)
        parting, new = _parting(db, since, judgement.accepted)
        if not new:
            return 0
        lost = _give_up(db, parting, now_us)
        keep_accepted(db, msgspec.structs.replace(judgement, accepted=new), signed, apply, at_once)
        db.conn.execute("UPDATE cursors SET acked_epoch = epoch, acked_seq = seq WHERE stream = ?", (stream,))
    return lost


def stand_behind(db: Database, position: Position, now_us: int) -> int:
    """The hub holds a history of this site that another key signed, the one before ours: go on behind it, in a new
    epoch. What we had is lost there, and issued again; how many records that is.
    """
    with transaction(db):
        lost = _give_up(db, genesis(position.stream), now_us)
        begun = next_epoch(position)
        db.conn.execute("DELETE FROM cursors WHERE stream = ?", (position.stream,))
        db.conn.execute(
            "INSERT INTO cursors (stream, epoch, seq, head, acked_epoch, acked_seq) VALUES (?, ?, 0, ?, ?, 0)",
            (position.stream, begun.epoch, begun.head, begun.epoch),
        )
    return lost


def settle(db: Database, stream: str, machine: str, now_us: int) -> int:
    """Box and hub stand in one history: issue again what was lost, in a new epoch, and append what waited for that.

    Returns how many records were issued again; each once, however often this is called.
    """
    with transaction(db):
        _stand(db, stream, is_sure=True, machine=machine)
        lost = rows(
            db,
            "SELECT * FROM lost WHERE stream = ? AND again IS NULL AND body IS NOT NULL ORDER BY epoch, seq",
            (stream,),
        )
        position = cursor(db, stream).position
        if lost and position.seq:
            position = next_epoch(position)
        for row in lost:
            old = parse_record(row["header"], row["body"])
            assert old.body is not None, "what was redacted is not issued again"
            record = append(position, old.header.kind, old.header.key, old.body, now_us, row["origin"])
            position = append_record(db, record)
            db.conn.execute(
                "UPDATE lost SET again = ? WHERE stream = ? AND hash = ?",
                (f"{position.epoch}:{position.seq}", stream, old.hash),
            )
        for row in rows(db, "SELECT * FROM outbox WHERE stream = ? ORDER BY id", (stream,)):
            append_own(db, stream, [(row["kind"], row["key"], row["body"])], row["at_us"])
        db.conn.execute("DELETE FROM outbox WHERE stream = ?", (stream,))
    return len(lost)


def come_over(
    db: Database,
    since: Position,
    judgement: Judgement,
    signed: Checkpoint | None,
    apply: Apply,
    hold: Hold,
) -> tuple[Waiting, ...]:
    """Leave the branch that the hub gave up, for the one that it signed in a newer epoch.

    What is issued again there and was done here is not done again.
    """
    with transaction(db):
        parting, new = _parting(db, since, judgement.accepted)
        assert new, "a branch is left for another one"
        _give_up(db, parting, to_us(new[-1].header.at))
        return keep_accepted(db, msgspec.structs.replace(judgement, accepted=new), signed, apply, hold)


def behind(db: Database, record: Record) -> Position | None:
    """The place of ours that a record follows; None where it follows none."""
    header = record.header
    if header.seq > 1:
        place = Position(header.stream, header.epoch, header.seq - 1, header.prev)
        return place if holds(db, place) else None
    if header.epoch == 1:
        return genesis(header.stream) if header.prev == genesis(header.stream).head else None
    row = first(
        db,
        "SELECT seq FROM journal WHERE stream = ? AND epoch = ? AND hash = ?",
        (header.stream, header.epoch - 1, header.prev),
    )
    return Position(header.stream, header.epoch - 1, row["seq"], header.prev) if row else None


def of_key(db: Database, stream: str, kind: str, key: str) -> tuple[Record, ...]:
    """The records of one kind and key that were applied, the newest first; at most a page."""
    found = rows(
        db,
        "SELECT header, body FROM journal WHERE stream = ? AND key = ? AND kind = ?"
        " AND state = 'applied' ORDER BY epoch DESC, seq DESC LIMIT ?",
        (stream, key, kind, journals.PAGE_RECORDS_MAX),
    )
    return tuple(parse_record(row["header"], row["body"]) for row in found)


def held_count(db: Database) -> int:
    """How many records wait for a fresh signature."""
    return int(rows(db, "SELECT count(*) AS held FROM journal WHERE state = 'held'")[0]["held"])


def last_seen(db: Database, stream: str) -> Record | None:
    """The newest `seen` of a stream; its kind stands in the query, so that the index of these few is used."""
    row = first(
        db,
        "SELECT header, body FROM journal WHERE stream = ? AND kind = 'seen' ORDER BY epoch DESC, seq DESC LIMIT 1",
        (stream,),
    )
    return parse_record(row["header"], row["body"]) if row else None


def _parting(db: Database, since: Position, records: tuple[Record, ...]) -> tuple[Position, tuple[Record, ...]]:
    """The last place that is ours too, and the records behind it."""
    for number, record in enumerate(records):
        if not holds(db, position_after(record)):
            return since, records[number:]
        since = position_after(record)
    return since, ()


def _give_up(db: Database, parting: Position, now_us: int) -> int:
    """Set aside, as evidence, all that we have behind a place; how many records."""
    stream, place = parting.stream, parting.place
    found = rows(
        db,
        "SELECT * FROM journal WHERE stream = ? AND (epoch, seq) > (?, ?) ORDER BY epoch, seq",
        (stream, *place),
    )
    for row in found:
        record = parse_record(row["header"], row["body"])
        origin = record.header.again or record.hash
        done = row["state"] in ("applied", "own")
        db.conn.execute(
            "INSERT OR IGNORE INTO lost (stream, hash, epoch, seq, header, body, origin, done, lost_at_us)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (stream, record.hash, *record.header.place, row["header"], row["body"], origin, done, now_us),
        )
    db.conn.execute("DELETE FROM journal WHERE stream = ? AND (epoch, seq) > (?, ?)", (stream, *place))
    vouching.forget(db, parting)
    db.conn.execute("UPDATE cursors SET checkpoint_payload = NULL, checkpoint_at_us = 0 WHERE stream = ?", (stream,))
    return len(found)


def _stand(db: Database, stream: str, *, is_sure: bool, machine: str | None) -> None:
    known = standing(db, stream)
    named = machine if machine is not None else (known.machine if known else "")
    db.conn.execute(
        "INSERT OR REPLACE INTO standing (stream, is_sure, machine) VALUES (?, ?, ?)", (stream, is_sure, named)
    )
