"""The queue of transfers for somebody who looks through it, a page at a time."""

from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.queued import NEVER_US, Queued
from appliance.store.database import Row, rows, text_of

_QUEUED: Final = (
    "SELECT transfers.digest, direction, coalesce(name, '') AS name, transfers.state, transfers.size_bytes,"
    " coalesce(deadline_us, :never) AS due_us, done_bytes, rate_bytes_per_s, attempts, not_before_us, reason"
    " FROM transfers LEFT JOIN assets USING (digest) WHERE transfers.state != 'done'"
)


def queue_page(
    db: Database, words: str = "", after: tuple[int, str, str] = (-(2**62), "", ""), limit: int = 200
) -> tuple[Queued, ...]:
    """Transfers that are not done, the most urgent first; those whose name or digest has `words` in it."""
    found = rows(
        db,
        f"{_QUEUED} AND (coalesce(deadline_us, :never), transfers.digest, direction) > (:due_us, :digest, :direction)"
        " AND (:words = '' OR instr(lower(name), lower(:words)) OR instr(digest, lower(:words)))"
        " ORDER BY due_us, transfers.digest, direction LIMIT :limit",
        {
            "never": NEVER_US,
            "due_us": after[0],
            "digest": after[1],
            "direction": after[2],
            "words": words,
            "limit": limit,
        },
    )
    return tuple(map(_queued, found))


def queued(db: Database, digest: str, direction: str) -> Queued | None:
    """One transfer that is not done; None for every other."""
    found = rows(
        db,
        f"{_QUEUED} AND transfers.digest = :digest AND direction = :direction",
        {"never": NEVER_US, "digest": digest, "direction": direction},
    )
    return _queued(found[0]) if found else None


def queue_count(db: Database) -> int:
    """All transfers that are not done."""
    return int(rows(db, "SELECT count(*) AS n FROM transfers WHERE state != 'done'")[0]["n"])


def _queued(row: Row) -> Queued:
    return msgspec.convert({**row, "reason": text_of(row["reason"])}, Queued)
