"""The queue of transfers for somebody who looks through it, a page at a time."""

import msgspec
from sqlite_utils import Database

from appliance.core.queued import NEVER_US, Queued
from appliance.store.database import rows, text_of


def queue_page(
    db: Database, words: str = "", after: tuple[int, str, str] = (-(2**62), "", ""), limit: int = 200
) -> tuple[Queued, ...]:
    """Transfers that are not done, the most urgent first; those whose name or digest has `words` in it."""
    found = rows(
        db,
        "SELECT transfers.digest, direction, coalesce(name, '') AS name, transfers.state, transfers.size_bytes,"
        " coalesce(deadline_us, :never) AS due_us, done_bytes, rate_bytes_per_s, attempts, not_before_us, reason"
        " FROM transfers LEFT JOIN assets USING (digest)"
        " WHERE transfers.state != 'done'"
        " AND (coalesce(deadline_us, :never), transfers.digest, direction) > (:due_us, :digest, :direction)"
        " AND (:words = '' OR instr(lower(name), lower(:words)) OR instr(digest, :words))"
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
    return tuple(msgspec.convert({**row, "reason": text_of(row["reason"])}, Queued) for row in found)


def queue_count(db: Database) -> int:
    """All transfers that are not done."""
    return int(rows(db, "SELECT count(*) AS n FROM transfers WHERE state != 'done'")[0]["n"])
