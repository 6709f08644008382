"""The journal of this box as an auditor reads it: row by row, each column held against the bytes it was taken from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlite_utils import Database

from appliance.core.asrun import first_break
from appliance.core.audit import Audited, Auditor, Missing, Redactions
from appliance.core.errors import Text
from appliance.core.journal import Broken, Record, parse_public_key, parse_record
from appliance.core.records import BadBody, Rotate, decode
from appliance.core.rotation import chain_through, is_proven
from appliance.core.snapshot import Gauge, Statement, parse_statement
from appliance.store.database import Row, first, rows
from appliance.store.journals import checkpoint

TOLD_EVERY: Final = 2048
_PAGE: Final = "SELECT * FROM journal WHERE stream = ? ORDER BY epoch, seq"


def streams(db: Database) -> dict[str, int]:
    """Every stream there is anything of, and about how many records of it."""
    known = {row["stream"]: int(row["seq"]) for row in rows(db, "SELECT stream, seq FROM cursors ORDER BY stream")}
    stray = rows(db, "SELECT DISTINCT stream FROM journal WHERE stream NOT IN (SELECT stream FROM cursors)")
    return known | {row["stream"]: 0 for row in stray}


def keys_of_hub(db: Database, hub: str, trusted: str) -> tuple[Ed25519PublicKey, ...]:
    """The hub's key that is trusted, those that led to it and those that followed, as far as they signed that."""
    following: dict[str, str] = {}
    for row in rows(db, "SELECT header, body FROM journal WHERE stream = 'all/control' AND kind = 'rotate'"):
        with suppress(Broken, BadBody):
            match decode(parse_record(row["header"], row["body"])):
                case Rotate() as body if is_proven(hub, body):
                    following.setdefault(body.former, body.sign_key)
    return tuple(parse_public_key(key) for key in chain_through(trusted, following))


def audit_table(
    db: Database,
    stream: str,
    keys: Sequence[Ed25519PublicKey],
    redactions: Redactions,
    told: Callable[[int], None] = lambda _records: None,
) -> tuple[Audited, list[Missing]]:
    """Check one stream from its first record on; `db` must look at one moment. Constant memory."""
    try:
        signed = checkpoint(db, stream)
    except Broken as broken:
        auditor = Auditor(stream, keys, None)
        auditor.complain(broken.problems[0])
        return auditor.finish(), auditor.missing
    auditor = Auditor(stream, keys, signed)
    auditor.set_aside = int(rows(db, "SELECT count(*) AS lost FROM lost WHERE stream = ?", (stream,))[0]["lost"])
    leaps = _leaps(db, stream)
    for row in _each(db, stream):
        while leaps and (row["epoch"], row["seq"]) > leaps[0].place:
            _leap(db, auditor, redactions, leaps.pop(0))
        if leaps and leaps[0].last < (row["epoch"], row["seq"]):
            if (row["epoch"], row["seq"]) not in leaps[0].members:
                auditor.complain(Text(f"{row['seq']} 不在快照中", f"{row['seq']} is not of the snapshot"))
            continue
        record = auditor.feed(row["header"], row["body"])
        if record is not None:
            redactions.note(record)
            if _columns(record) != (row["epoch"], row["seq"], row["hash"], row["kind"], row["key"]):
                auditor.complain(
                    Text(f"第 {row['seq']} 行与其记录头不符", f"row {row['seq']} is not what its header says")
                )
        if auditor.records % TOLD_EVERY == 0:
            told(auditor.records)
    for leap in leaps:
        _leap(db, auditor, redactions, leap)
    for channel, (seq, hash_) in auditor.aired.items():
        _check_aired(db, auditor, channel, seq, hash_)
    audited = auditor.finish()
    cursor = first(db, "SELECT epoch, seq, head FROM cursors WHERE stream = ?", (stream,))
    if cursor != {"epoch": audited.epoch, "seq": audited.seq, "head": audited.head}:
        auditor.complain(Text("游标不在末条记录", "the cursor is not at the last record"))
        audited = auditor.finish()
    return audited, auditor.missing


class _Leap(msgspec.Struct):
    """A snapshot that was taken: from behind `last` to `place`, by these records."""

    stream: str
    last: tuple[int, int]
    place: tuple[int, int]
    statement: Statement
    members: dict[tuple[int, int], None]


def _leaps(db: Database, stream: str) -> list[_Leap]:
    found = rows(db, "SELECT * FROM snapshots WHERE stream = ? ORDER BY epoch, seq", (stream,))
    return [
        _Leap(
            stream,
            (row["from_epoch"], row["from_seq"]),
            (row["epoch"], row["seq"]),
            parse_statement(row["payload"], row["signature"]),
            dict.fromkeys(msgspec.msgpack.decode(row["members"], type=list[tuple[int, int]])),
        )
        for row in found
    ]


def _leap(db: Database, auditor: Auditor, redactions: Redactions, leap: _Leap) -> None:
    """Hold the records of a snapshot against its statement."""
    gauge = Gauge()
    for place in leap.members:
        row = first(
            db, "SELECT header, body FROM journal WHERE stream = ? AND epoch = ? AND seq = ?", (leap.stream, *place)
        )
        record = auditor.feed_part(row["header"], row["body"], gauge) if row is not None else None
        if record is not None:
            redactions.note(record)
    auditor.leap(leap.statement, gauge)


def contradicted(db: Database, redactions: Redactions) -> tuple[Text, ...]:
    """What this site said that it was shown of the hub's streams, and that is not what is here now.

    What a snapshot stands for is not here; a branch that was left is kept as evidence.
    """
    found = []
    for (stream, epoch, seq), head in redactions.seen.items():
        row = first(db, "SELECT hash FROM journal WHERE stream = ? AND epoch = ? AND seq = ?", (stream, epoch, seq))
        known = row["hash"] if row is not None else _leapt_to(db, stream, epoch, seq, head)
        if known != head and not first(db, "SELECT 1 FROM lost WHERE stream = ? AND hash = ?", (stream, head)):
            name = f"{stream} {epoch}:{seq}"
            found.append(Text(f"曾见过的 {name} 与现有的不符", f"{name} is not what this site said that it was shown"))
    return tuple(found)


def _leapt_to(db: Database, stream: str, epoch: int, seq: int, head: str) -> str | None:
    """The head at the place of a snapshot that was taken; `head` itself for a place before it."""
    row = first(
        db,
        "SELECT epoch, seq, payload, signature FROM snapshots WHERE stream = ? AND (epoch, seq) >= (?, ?)"
        " ORDER BY epoch, seq LIMIT 1",
        (stream, epoch, seq),
    )
    if row is None:
        return None
    is_its_place = (row["epoch"], row["seq"]) == (epoch, seq)
    return parse_statement(row["payload"], row["signature"]).position.head if is_its_place else head


def broken_asrun(db: Database) -> tuple[Text, ...]:
    """Channels whose as-run log does not hold together."""
    found = []
    for row in rows(db, "SELECT DISTINCT channel FROM asrun"):
        channel = row["channel"]
        log = db.conn.execute("SELECT document, hash FROM asrun WHERE channel = ? ORDER BY seq", (channel,))
        seq = first_break((bytes(document), hash_) for document, hash_ in log)
        if seq is not None:
            found.append(Text(f"{channel} 播出日志第 {seq} 行断链", f"the as-run log of {channel} breaks at row {seq}"))
    return tuple(found)


def _check_aired(db: Database, auditor: Auditor, channel: str, seq: int, hash_: str) -> None:
    """What was reported last must be what the log has there; both are chains, so all before it is the same too."""
    row = first(db, "SELECT hash FROM asrun WHERE channel = ? AND seq = ?", (channel, seq))
    if row is None or row["hash"] != hash_:
        auditor.complain(
            Text(
                f"{channel} 播出日志第 {seq} 行与已上报的不符",
                f"row {seq} of the as-run log of {channel} is not what was reported",
            )
        )


def _columns(record: Record) -> tuple[int, int, str, str, str]:
    header = record.header
    return header.epoch, header.seq, record.hash, header.kind, header.key


def _each(db: Database, stream: str) -> Iterator[Row]:
    cursor = db.conn.execute(_PAGE, (stream,))
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))
