"""As-run in the database: rows of what has ended, chained, each once reported to the hub."""

from typing import Any, Final

import msgspec
from sqlite_utils import Database

from appliance.core import records
from appliance.core.asrun import NO_HASH, AiredRow, Planned, first_break, logged
from appliance.core.ledger import LEDGER_ENDED, Stretch
from appliance.core.rundown import content, tick_of
from appliance.store.air import channel_slots, ready_assets, rows_between
from appliance.store.database import first, rows

ROWS_PER_REPORT: Final = 200


def log_aired(db: Database, channel: str, at_us: int) -> int:
    """Write the rows of what has ended by now and is not yet written; how many. Inside a transaction."""
    facts = first(db, "SELECT * FROM channels WHERE id = ?", (channel,))
    if facts is None:
        return 0
    last = first(db, "SELECT seq, end_tick, hash FROM asrun WHERE channel = ? ORDER BY seq DESC LIMIT 1", (channel,))
    since = last["end_tick"] if last else facts["epoch_tick"]
    now_tick = tick_of(at_us)
    ended = [
        each
        for each in rows_between(db, channel, since, now_tick)
        if since <= each.start_tick and each.end_tick <= now_tick
    ]
    seq, prev = (last["seq"], last["hash"]) if last else (0, NO_HASH)
    made = list(logged(channel, ended, seq, prev, _planned(db, channel, facts["zone"], ended)))
    db.conn.executemany(
        "INSERT INTO asrun (channel, seq, start_tick, end_tick, hash, document) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (channel, each.row.seq, stretch.start_tick, stretch.end_tick, each.hash, each.document)
            for each, stretch in zip(made, ended, strict=True)
        ],
    )
    return len(made)


def unreported(db: Database, channel: str) -> records.AsRun | None:
    """The next rows that the hub has not been told, as the body of a record; None when it knows all."""
    found = rows(
        db,
        "SELECT document, hash FROM asrun WHERE channel = ?"
        " AND seq > (SELECT reported_seq FROM channels WHERE id = asrun.channel) ORDER BY seq LIMIT ?",
        (channel, ROWS_PER_REPORT),
    )
    return records.AsRun(channel=channel, rows=tuple(_as_reported(row) for row in found)) if found else None


def reported(db: Database, body: records.AsRun) -> None:
    """These rows are in a record now; in the same transaction as that record."""
    db.conn.execute("UPDATE channels SET reported_seq = ? WHERE id = ?", (body.rows[-1]["seq"], body.channel))


def aired(db: Database, channel: str, from_us: int, to_us: int) -> tuple[AiredRow, ...]:
    """The rows that touch a time."""
    found = rows(
        db,
        "SELECT document FROM asrun WHERE channel = ? AND end_tick > ? AND start_tick < ? ORDER BY seq",
        (channel, tick_of(from_us), tick_of(to_us)),
    )
    return tuple(msgspec.json.decode(row["document"], type=AiredRow) for row in found)


def bad_row(db: Database, channel: str) -> int | None:
    """The number of the first row that does not continue the chain; None when all is well."""
    found = rows(db, "SELECT document, hash FROM asrun WHERE channel = ? ORDER BY seq", (channel,))
    return first_break((bytes(row["document"]), row["hash"]) for row in found)


def _as_reported(row: dict[str, Any]) -> dict[str, Any]:
    return {**msgspec.json.decode(row["document"]), "hash": row["hash"]}


def _planned(db: Database, channel: str, zone: str, ended: list[Stretch]) -> Planned:
    """What the entries of these rows were to play; an entry of a schedule that was replaced since is not known."""
    told = [each for each in ended if each.entry_id is not None and each.planned and each.reason != LEDGER_ENDED]
    if not told:
        return {}
    from_us, to_us = (tick * 100 // 9 for tick in (told[0].start_tick, told[-1].end_tick))
    frames = {packed.rendition: packed.frames for packed in ready_assets(db).values()}
    whole = {(each.date, each.entry_id): frames.get(each.rendition) for each in told}
    planned: dict[tuple[str, int, str], tuple[int, int]] = {}
    for slot in channel_slots(db, channel, zone, from_us, to_us):
        length = whole.get((slot.date, slot.entry.id)) if slot.entry is not None else None
        if slot.entry is not None and slot.version is not None and length is not None:
            planned[slot.date, slot.version, slot.entry.id] = content(slot.entry, length)
    return planned
