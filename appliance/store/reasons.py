"""Why an asset has to come and by when: one row for each reason, of which the earliest counts.

    queue(db, digest, reason, deadline_us)   it has to come, for this reason
    end(db, reason)                          the reason is over or is about to be stated anew

A reason is its kind and what it is about: `air:dengfeng-1/2026-11-24`, `item:i-17`. So when a schedule changes or an
item is taken back, the deadlines follow. Rows go with their transfer. Both are called inside `with transaction(db)`.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlite_utils import Database

LOST: Final = "lost:"
MADE: Final = "made:"


def queue(db: Database, digest: str, reason: str, deadline_us: int) -> None:
    """Put what is not here into the queue, once however many ask; nothing happens to what is here."""
    queue_all(db, (digest,), reason, deadline_us)


def queue_all(db: Database, digests: Sequence[str], reason: str, deadline_us: int) -> None:
    """The same of many."""
    values = {"listed": msgspec.json.encode(digests).decode(), "reason": reason, "deadline_us": deadline_us}
    # What is queued only now has no reason but this one, and its deadline.
    among = "digest IN (SELECT value FROM json_each(:listed))"
    queued = db.conn.execute(
        f"SELECT digest FROM transfers WHERE direction = 'down' AND {among}",  # noqa: S608  # a text of our own
        values,
    ).fetchall()
    db.conn.execute(
        "INSERT INTO transfers (digest, direction, state, deadline_us, size_bytes)"
        " SELECT digest, 'down', 'queued', :deadline_us, size_bytes FROM json_each(:listed) CROSS JOIN assets"
        " ON digest = value WHERE state != 'here' ON CONFLICT (digest, direction) DO NOTHING",
        values,
    )
    db.conn.execute(
        "INSERT INTO reasons (digest, reason, deadline_us)"
        " SELECT digest, :reason, :deadline_us FROM json_each(:listed) CROSS JOIN transfers"
        " ON digest = value AND direction = 'down' WHERE true"
        " ON CONFLICT (digest, reason) DO UPDATE SET deadline_us = min(deadline_us, excluded.deadline_us)",
        values,
    )
    db.conn.executemany(f"{_RECKON} AND digest = ?", queued)


def end(db: Database, reason: str) -> None:
    """What comes for other reasons too has the earliest deadline of those; what has none left keeps its own, until
    `needs.let_go` says that nothing needs it or the reason is stated anew."""
    found = [row[0] for row in db.conn.execute("SELECT digest FROM reasons WHERE reason = ?", (reason,)).fetchall()]
    db.conn.execute("DELETE FROM reasons WHERE reason = ?", (reason,))
    db.conn.executemany(f"{_RECKON} AND digest = ?", [(digest,) for digest in found])


_RECKON: Final = (
    "UPDATE transfers SET deadline_us = coalesce((SELECT min(deadline_us) FROM reasons"
    " WHERE reasons.digest = transfers.digest), deadline_us) WHERE direction = 'down'"
)


def reasons_of(db: Database, digest: str, limit: int = 20) -> tuple[tuple[str, int], ...]:
    """Why an asset comes and by when, the most pressing first."""
    found = db.conn.execute(
        "SELECT reason, deadline_us FROM reasons WHERE digest = ? ORDER BY deadline_us, reason LIMIT ?", (digest, limit)
    )
    return tuple((reason, deadline_us) for reason, deadline_us in found)
