"""Live sources in the database: the chunks that came of them, where each airs, and whether a source could be reached.

    came, imported, keep_placed     a chunk is here; what the compiler is told of them; where it put them
    over, forget                    chunks that nobody can ask for any more
    asked, answer_of                whether a source answered when it was last asked

A chunk's file is an asset and a rendition like others, under a profile of its own: it is no candidate for anything but
the entry that it was imported for.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.errors import Text
from appliance.core.live import Answer, Chunk, Imported, moved
from appliance.core.moment import US
from appliance.core.rundown import Slot, tick_of
from appliance.core.ts import HOUSE_PROFILE, TARGET_DURATION_S, SegmentInfo, pack_table
from appliance.store.assets import RENDITION_TYPE
from appliance.store.database import Row, first, rows, text_json, text_of

LIVE_PROFILE: Final = f"{HOUSE_PROFILE}/live"
WHY: Final = "live"
RECENT_S: Final = 60
"""What aired or came longer ago is told to the compiler as a sum."""
UNAIRED_KEPT_US: Final = 10 * 60 * US
"""What came and was not aired."""
OVER_MAX: Final = 100
"""Chunks that are let go of at a time."""


class NewChunk(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that lies on disk. `source_us` is when its first picture was shown at the source, where that says so."""

    digest: str
    size_bytes: int
    frames: int
    burst_s: float = TARGET_DURATION_S
    source_us: int | None = None


def came(db: Database, channel: str, date: str, entry_id: str, title: str, chunk: NewChunk, now_us: int) -> None:
    """A chunk is here: it follows on those before it. Inside `with transaction(db)`, like all that writes here."""
    db.conn.execute(
        "INSERT INTO assets (digest, size_bytes, media_type, name, role, state, why, verified_at_us, last_used_us)"
        " VALUES (?, ?, ?, ?, 'rendition', 'here', ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET state = 'here'",
        (chunk.digest, chunk.size_bytes, RENDITION_TYPE, title, WHY, now_us, now_us),
    )
    db.conn.execute(
        "INSERT OR REPLACE INTO renditions (source, profile, digest, size_bytes, frames, state, segments)"
        " VALUES (?, ?, ?, ?, ?, 'here', ?)",
        (
            chunk.digest,
            LIVE_PROFILE,
            chunk.digest,
            chunk.size_bytes,
            chunk.frames,
            pack_table((SegmentInfo(0, chunk.size_bytes, chunk.frames),)),
        ),
    )
    db.conn.execute(
        "INSERT INTO live_chunks (channel, date, entry_id, number, rendition, frames, burst_ms, came_us, source_us)"
        " SELECT ?1, ?2, ?3, coalesce(max(number) + 1, 0), ?4, ?5, ?6, ?7, ?8 FROM live_chunks"
        " WHERE channel = ?1 AND date = ?2 AND entry_id = ?3",
        (
            channel,
            date,
            entry_id,
            chunk.digest,
            chunk.frames,
            round(chunk.burst_s * 1000),
            now_us,
            chunk.source_us,
        ),
    )


def imported(db: Database, channel: str, slots: Iterable[Slot], now_us: int) -> tuple[Imported, ...]:
    """What came for the live entries of these slots, and for entries that a schedule had a moment ago."""
    since_us = now_us - RECENT_S * US
    keys = {(slot.date, slot.entry.id) for slot in slots if slot.entry is not None and slot.entry.kind == "live"}
    lately = rows(
        db,
        "SELECT DISTINCT date, entry_id FROM live_chunks WHERE channel = ? AND came_us >= ?",
        (channel, since_us),
    )
    keys |= {(row["date"], row["entry_id"]) for row in lately}
    found = (_imported(db, channel, *key, since_us) for key in sorted(keys))
    return tuple(each for each in found if each is not None)


def keep_placed(db: Database, channel: str, before: Sequence[Imported], after: Sequence[Imported]) -> None:
    """Note where chunks air now; in the transaction that commits the ledger."""
    for old, new in zip(before, after, strict=True):
        db.conn.executemany(
            "UPDATE live_chunks SET start_tick = ?, begins = ?"
            " WHERE channel = ? AND date = ? AND entry_id = ? AND number = ?",
            [
                (chunk.air_tick, chunk.begins, channel, new.date, new.entry_id, chunk.number)
                for chunk in moved(old, new)
            ],
        )


def over(db: Database, now_us: int, kept_us: int) -> tuple[str, ...]:
    """Files of chunks that aired longer than `kept_us` ago, or came a while ago and did not air; the oldest first."""
    found = rows(
        db,
        "SELECT DISTINCT rendition FROM live_chunks AS old WHERE came_us < :unaired_us"
        " AND coalesce(start_tick < :aired_tick, 1) AND rendition NOT IN (SELECT rendition FROM live_chunks"
        "   WHERE came_us >= :unaired_us OR start_tick >= :aired_tick)"
        " ORDER BY came_us LIMIT :most",
        {
            "unaired_us": now_us - UNAIRED_KEPT_US,
            "aired_tick": tick_of(now_us - kept_us),
            "most": OVER_MAX,
        },
    )
    return tuple(row["rendition"] for row in found)


def forget(db: Database, digest: str) -> None:
    """A file is not here any more: so there are no such chunks."""
    db.conn.execute("DELETE FROM live_chunks WHERE rendition = ?", (digest,))


def asked(db: Database, url: str, reason: Text | None, now_us: int) -> None:
    """A source was asked, and answered as it should, or did not for a reason."""
    db.conn.execute(
        "INSERT OR REPLACE INTO live_sources (url, asked_us, reason) VALUES (?, ?, ?)", (url, now_us, text_json(reason))
    )


def answers(db: Database) -> dict[str, Answer]:
    """What each source said when it was last asked, by its address."""
    return {row["url"]: _answer(row) for row in rows(db, "SELECT url, asked_us, reason FROM live_sources")}


def drop_answers(db: Database, before_us: int) -> None:
    """Sources that nobody has asked for so long."""
    db.conn.execute("DELETE FROM live_sources WHERE asked_us < ?", (before_us,))


def _answer(row: Row) -> Answer:
    return Answer(row["asked_us"], text_of(row["reason"]))


def _imported(db: Database, channel: str, date: str, entry_id: str, since_us: int) -> Imported | None:
    values = {"channel": channel, "date": date, "entry": entry_id, "tick": tick_of(since_us), "since_us": since_us}
    sums = first(
        db,
        "SELECT count(*) AS chunks, sum(begins) FILTER (WHERE start_tick < :tick) AS runs,"
        " max(start_tick) FILTER (WHERE begins AND start_tick < :tick) AS run_tick,"
        " max(start_tick + frames * 3600) FILTER (WHERE start_tick < :tick) AS end_tick"
        " FROM live_chunks WHERE channel = :channel AND date = :date AND entry_id = :entry",
        values,
    )
    if sums is None or not sums["chunks"]:
        return None
    return Imported(
        date=date,
        entry_id=entry_id,
        chunks=tuple(_chunk(row) for row in rows(db, _CHUNKS, values)),
        runs=sums["runs"] or 0,
        run_tick=sums["run_tick"],
        end_tick=sums["end_tick"],
    )


_CHUNKS: Final = """
    SELECT number, rendition, frames, burst_ms, came_us, start_tick, begins FROM live_chunks
    JOIN assets ON assets.digest = rendition AND assets.state = 'here'
    WHERE channel = :channel AND date = :date AND entry_id = :entry
        AND (start_tick >= :tick OR (start_tick IS NULL AND came_us >= :since_us))
        AND rendition NOT IN (SELECT target FROM tombstones)
        AND NOT EXISTS (SELECT 1 FROM status WHERE name = 'media' AND value ->> 'is_away')
    ORDER BY number
"""


def _chunk(row: Row) -> Chunk:
    return Chunk(
        number=row["number"],
        rendition=row["rendition"],
        came_tick=tick_of(row["came_us"]),
        frames=row["frames"],
        burst_s=row["burst_ms"] / 1000,
        air_tick=row["start_tick"],
        begins=bool(row["begins"]),
    )
