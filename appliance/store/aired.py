"""The as-run for somebody who looks back: from any moment, a page at a time, the newest first."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.asrun import AiredRow
from appliance.core.rundown import tick_of
from appliance.store.database import Row, first, rows

SEARCHED_ROWS_MAX: Final = 100_000
"""So many rows back a word is looked for: some months of a channel."""
_AS_PLANNED: Final = '"status":["Aired Without Discrepancy"]'


class Kept(msgspec.Struct, frozen=True):
    """A row as it was kept, and the hash by which the next one names it."""

    row: AiredRow
    hash: str


def aired_before(
    db: Database, channel: str, until_us: int, words: str = "", before_seq: int | None = None, limit: int = 200
) -> tuple[AiredRow, ...]:
    """What began before a moment, the row that ran then first; those that have `words` in them. Goes on before a
    row's number."""
    if before_seq is None:
        newest = first(
            db,
            "SELECT seq FROM asrun WHERE channel = ? AND end_tick > ? AND start_tick < ? ORDER BY end_tick LIMIT 1",
            (channel, tick_of(until_us), tick_of(until_us)),
        ) or first(
            db,
            "SELECT seq FROM asrun WHERE channel = ? AND end_tick <= ? ORDER BY end_tick DESC, seq DESC LIMIT 1",
            (channel, tick_of(until_us)),
        )
        before_seq = newest["seq"] + 1 if newest is not None else 0
    found = rows(
        db,
        "SELECT document FROM asrun WHERE channel = :channel AND seq < :seq AND seq >= :last"
        " AND (:words = '' OR instr(lower(cast(document AS TEXT)), lower(:words))) ORDER BY seq DESC LIMIT :limit",
        {
            "channel": channel,
            "seq": before_seq,
            "last": before_seq - SEARCHED_ROWS_MAX,
            "words": words,
            "limit": limit,
        },
    )
    return tuple(_rows(found))


def not_as_planned(db: Database, channel: str, from_us: int, to_us: int) -> tuple[AiredRow, ...]:
    """The rows of a time that are not simply as planned, in order: all accidents are among them."""
    found = rows(
        db,
        "SELECT document FROM asrun WHERE channel = ? AND end_tick > ? AND end_tick < ?"
        " AND (NOT instr(cast(document AS TEXT), ?) OR instr(cast(document AS TEXT), '\"planned\":false'))"
        " ORDER BY end_tick, seq",
        (channel, tick_of(from_us), tick_of(to_us), _AS_PLANNED),
    )
    return tuple(_rows(found))


def row_of(db: Database, channel: str, seq: int) -> Kept | None:
    """One row by its number."""
    found = first(db, "SELECT document, hash FROM asrun WHERE channel = ? AND seq = ?", (channel, seq))
    return Kept(next(_rows([found])), found["hash"]) if found is not None else None


def _rows(found: Iterable[Row]) -> Iterator[AiredRow]:
    return (msgspec.json.decode(row["document"], type=AiredRow) for row in found)
