"""As-run in the database: rows of what has ended, chained, each once reported to the hub."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from sqlite_utils import Database

from appliance.core import records
from appliance.core.asrun import (
    NO_HASH,
    AiredRow,
    Meant,
    Planned,
    Sighting,
    first_break,
    logged,
    parts,
    with_preempted,
)
from appliance.core.ledger import Stretch, runs_joined, same_live
from appliance.core.moment import US, to_us
from appliance.core.rundown import Slot, content, tick_of, us_of
from appliance.core.ts import TICKS_PER_FRAME, TICKS_PER_S
from appliance.store import air
from appliance.store.database import first, rows

ROWS_PER_REPORT: Final = 200
WORD_US: Final = 60 * US
"""So long after a row has ended it is written, where somebody listens: what was heard of it comes once a minute."""
BREAK_TICKS_MAX: Final = 86_400 * TICKS_PER_S
"""What an emergency that began longer ago has taken is not looked for."""
HEARD_US: Final = 24 * 3600 * US
SIGHTINGS_KEPT_US: Final = 31 * 86_400 * US


def log_aired(db: Database, channel: str, at_us: int) -> int:
    """Write the rows of what has ended by now and is not yet written; how many. Inside a transaction.

    Where somebody listens to the channel its word is waited for, a minute. Call `air.keep_clock` first: what was leapt
    over must be known before it is written down as aired.
    """
    facts = first(db, "SELECT * FROM channels WHERE id = ?", (channel,))
    if facts is None:
        return 0
    last = first(db, "SELECT seq, end_tick, hash FROM asrun WHERE channel = ? ORDER BY seq DESC LIMIT 1", (channel,))
    since = last["end_tick"] if last else facts["epoch_tick"]
    now_tick = tick_of(at_us - (WORD_US if _is_heard(db, channel, at_us) else 0))
    ended = [
        each
        for each in air.rows_between(db, channel, since, now_tick)
        if since <= each.start_tick and each.end_tick <= now_tick
    ]
    ended = _whole_runs(db, channel, ended)
    if not ended:
        return 0
    until = ended[-1].end_tick
    slots = _slots(db, channel, facts["zone"], since, until)
    made = with_preempted(
        parts(ended, since, air.absences_between(db, us_of(since), us_of(until), channel)),
        _breaks(db, channel, since, until),
        tuple(_as_meant(slots, until)),
    )
    seq, prev = (last["seq"], last["hash"]) if last else (0, NO_HASH)
    written = list(logged(channel, made, seq, prev, _planned(db, slots, ended), sightings(db, channel, since, until)))
    db.conn.executemany(
        "INSERT INTO asrun (channel, seq, start_tick, end_tick, hash, document) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (channel, each.row.seq, tick_of(to_us(each.row.start)), each.end_tick, each.hash, each.document)
            for each in written
        ],
    )
    return len(written)


def _whole_runs(db: Database, channel: str, ended: list[Stretch]) -> list[Stretch]:
    """Each run of a live source as one stretch; one that goes on is written when it has ended."""
    if not ended or ended[-1].kind != "live":
        return runs_joined(ended)
    tick = ended[-1].end_tick
    following = next((each for each in air.rows_between(db, channel, tick, tick + 1) if each.start_tick == tick), None)
    joined = runs_joined(ended)
    return joined[:-1] if following is not None and same_live(ended[-1], following) else joined


def unserved(db: Database, channel: str, since_us: int, now_us: int) -> None:
    """Nobody has given this channel to viewers since then. Inside a transaction."""
    db.conn.execute(
        "INSERT OR REPLACE INTO unserved (channel, start_us, end_us) VALUES (?, ?, ?)", (channel, since_us, now_us)
    )
    db.conn.execute("DELETE FROM unserved WHERE end_us < ?", (now_us - SIGHTINGS_KEPT_US,))


def see(db: Database, channel: str, seen: Sighting, at_us: int) -> None:
    """Keep what somebody saw of a channel; what is a month old goes, and after a day the note that a probe said so: it
    says so every minute, and no person did anything. Inside a transaction."""
    db.conn.execute(
        "INSERT INTO sightings (channel, start_tick, end_tick, evidence, errors, output, asset)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (channel, seen.start_tick, seen.end_tick, seen.evidence, seen.errors, seen.output, seen.asset),
    )
    old_tick = tick_of(at_us - SIGHTINGS_KEPT_US)
    db.conn.execute("DELETE FROM sightings WHERE channel = ? AND end_tick < ?", (channel, old_tick))
    noted_before = f"{max(0, at_us - HEARD_US):020d}"
    db.conn.execute("DELETE FROM commands WHERE name < ? AND kind = 'observed'", (noted_before,))


def sightings(db: Database, channel: str, from_tick: int, to_tick: int) -> tuple[Sighting, ...]:
    """What was seen of a channel in a time."""
    found = rows(
        db,
        "SELECT start_tick, end_tick, evidence, errors, output, asset FROM sightings"
        " WHERE channel = ? AND end_tick > ? AND start_tick < ? ORDER BY start_tick",
        (channel, from_tick, to_tick),
    )
    return tuple(Sighting(**row) for row in found)


def has_begun(db: Database, channel: str) -> bool:
    """Whether a channel has any row."""
    return first(db, "SELECT 1 FROM asrun WHERE channel = ? LIMIT 1", (channel,)) is not None


def take_back(db: Database, body: records.AsRun) -> None:
    """Rows that the hub has and this database has lost: the chain goes on from them. Inside a transaction.

    What does not follow on is left with the hub; so is what another engine said, which has no chain.
    """
    for told in body.rows:
        last = first(
            db, "SELECT seq, hash FROM asrun WHERE channel = ? ORDER BY seq DESC LIMIT 1", (body.channel,)
        ) or {"seq": 0, "hash": NO_HASH}
        if (told.get("seq"), told.get("prev")) != (last["seq"] + 1, last["hash"]):
            continue
        document = msgspec.json.encode({key: value for key, value in told.items() if key != "hash"})
        start, length = tick_of(to_us(told["start"])), round(told["duration_s"] * TICKS_PER_S)
        db.conn.execute(
            "INSERT INTO asrun (channel, seq, start_tick, end_tick, hash, document, from_hub)"
            " VALUES (?, ?, ?, ?, ?, ?, 1)",
            (body.channel, told["seq"], start, start + length, told["hash"], document),
        )


def unreported(db: Database, channel: str) -> records.AsRun | None:
    """The next rows that the hub has not been told, as the body of a record; None when it knows all."""
    found = rows(
        db,
        "SELECT document, hash FROM asrun WHERE channel = :channel"
        " AND seq > (SELECT reported_seq FROM channels WHERE id = :channel)"
        " AND seq > (SELECT coalesce(max(seq), 0) FROM asrun WHERE channel = :channel AND from_hub)"
        " ORDER BY seq LIMIT :most",
        {"channel": channel, "most": ROWS_PER_REPORT},
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


def _slots(db: Database, channel: str, zone: str, since: int, until: int) -> tuple[Slot, ...]:
    return air.channel_slots(db, channel, zone, us_of(since), us_of(until))


def _is_heard(db: Database, channel: str, at_us: int) -> bool:
    found = first(
        db,
        "SELECT 1 FROM sightings WHERE channel = ? AND end_tick > ? LIMIT 1",
        (channel, tick_of(at_us - HEARD_US)),
    )
    return found is not None


def _breaks(db: Database, channel: str, since: int, until: int) -> list[tuple[int, int]]:
    """From when to when emergencies ran, those that follow each other joined."""
    found = rows(
        db,
        "SELECT start_tick, frames FROM ledger WHERE channel = ? AND start_tick >= ? AND start_tick < ?"
        " AND kind = 'emergency' ORDER BY start_tick",
        (channel, since - BREAK_TICKS_MAX, until),
    )
    joined: list[tuple[int, int]] = []
    for start, end in ((row["start_tick"], row["start_tick"] + row["frames"] * TICKS_PER_FRAME) for row in found):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _as_meant(slots: Iterable[Slot], until: int) -> Iterator[Stretch]:
    """The entries of the rundown as if they had aired as planned."""
    for slot in slots:
        if slot.entry is not None and slot.end_tick <= until:
            yield Stretch(
                first_msn=0,
                segments=1,
                start_tick=slot.start_tick,
                frames=(slot.end_tick - slot.start_tick) // TICKS_PER_FRAME,
                rendition="",
                source=slot.entry.asset,
                entry_id=slot.entry.id,
                title=slot.entry.title,
                kind=slot.entry.kind,
                date=slot.date,
                version=slot.version,
            )


def _planned(db: Database, slots: Iterable[Slot], ended: list[Stretch]) -> Planned:
    """What the entries were to play; of a schedule that was replaced since, only how much time they had is known."""
    frames = {packed.rendition: packed.frames for packed in air.ready_assets(db).values()}
    whole = {(each.date, each.entry_id): frames.get(each.rendition) for each in ended if each.planned}
    planned: dict[tuple[str, int, str], Meant] = {}
    for slot in slots:
        if slot.entry is not None and slot.version is not None:
            length = whole.get((slot.date, slot.entry.id))
            first_segment, meant = 0, (slot.end_tick - slot.start_tick) // TICKS_PER_FRAME
            if length is not None:
                first_segment, meant = content(slot.entry, length)
            planned[slot.date, slot.version, slot.entry.id] = Meant(first_segment, meant, slot.start_tick)
    return planned
