"""What there is to do with assets: questions over all tables that the agent plans from. Nothing here writes."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.moment import US
from appliance.core.rundown import tick_of
from appliance.core.stock import Transfer
from appliance.core.ts import HOUSE_PROFILE
from appliance.store.database import first, rows, text_of
from appliance.store.needs import COMING, MADE_HERE

LISTED_US: Final = 90 * US
"""So long a segment that was announced may be asked for, at least (playout of two minutes less what is cut)."""
QUEUE_SHOWN: Final = 500
FETCHES_SHOWN: Final = 4000
"""Enough small assets for the transfers that run and those that come next."""
GIVEN_SHOWN: Final = 1500
"""The same where small ones come in the session: as many as are on their way at once, and those behind them."""
ALIKE_MAX: Final = 5
"""Files of one name that are looked at: the films of a series may all be called the same."""


class Fetching(msgspec.Struct, frozen=True):
    """An asset that comes down. `is_for_air`: a channel waits for it."""

    digest: str
    size_bytes: int
    has_failed: bool
    deadline_us: int | None
    attempts: int
    not_before_us: int
    is_for_air: bool


class Sending(msgspec.Struct, frozen=True):
    """An asset that goes up. `is_taken`: the hub has said that it has it; `is_running`: it travels now."""

    digest: str
    size_bytes: int
    done_bytes: int
    is_taken: bool
    is_running: bool
    not_before_us: int
    attempts: int


class ToPackage(msgspec.Struct, frozen=True):
    """An asset that is here and has no rendition yet; `size_bytes` is about what that will have."""

    source: str
    size_bytes: int


REMAKE_AFTER_US: Final = 6 * 3600 * US
"""What airs within this time is not made again: whatever it is like, it is there."""


class Alike(msgspec.Struct, frozen=True):
    """An asset that is here, and one that comes and may be much like it. `is_replaced`: a record says so."""

    wanted: str
    held: str
    size_bytes: int
    is_replaced: bool


def to_fetch(db: Database, limit: int = FETCHES_SHOWN) -> tuple[Fetching, ...]:
    """The front of the queue, the most urgent first."""
    found = db.conn.execute(
        "SELECT digest, size_bytes, state = 'failed', deadline_us, attempts, not_before_us,"
        " EXISTS (SELECT 1 FROM reasons WHERE reasons.digest = transfers.digest"
        "   AND (reason GLOB 'air:*' OR reason GLOB 'insert:*')) FROM transfers WHERE direction = 'down'"
        " ORDER BY deadline_us IS NULL, deadline_us, digest LIMIT ?",
        (limit,),
    )
    return tuple(
        Fetching(digest, size_bytes, bool(has_failed), deadline_us, attempts, not_before_us, bool(is_for_air))
        for digest, size_bytes, has_failed, deadline_us, attempts, not_before_us, is_for_air in found
    )


def alike(db: Database, bytes_min: int) -> tuple[Alike, ...]:
    """For what comes and is not small: what is here and what it replaces, and the last ones of the same name."""
    found = rows(
        db,
        "SELECT transfers.digest AS wanted, held.digest AS held, held.size_bytes,"
        " held.digest IS replaces AS is_replaced"
        " FROM transfers INDEXED BY transfers_large JOIN assets AS mine USING (digest)"
        " JOIN assets AS held ON held.state = 'here'"
        " AND held.digest IN (SELECT replaces UNION SELECT digest FROM (SELECT digest FROM assets AS other"
        "   WHERE other.name = mine.name AND other.name != '' AND other.role = mine.role AND other.state = 'here'"
        "   ORDER BY last_used_us DESC LIMIT :each))"
        " WHERE direction = 'down' AND transfers.size_bytes >= 1048576 AND transfers.size_bytes >= :bytes_min"
        " ORDER BY deadline_us IS NULL, deadline_us LIMIT :all",
        {"each": ALIKE_MAX, "bytes_min": bytes_min, "all": QUEUE_SHOWN * ALIKE_MAX},
    )
    return tuple(Alike(**{**row, "is_replaced": bool(row["is_replaced"])}) for row in found)


def to_send(db: Database) -> tuple[Sending, ...]:
    """Assets of submissions that the hub has not answered yet."""
    found = rows(
        db,
        "SELECT digest, size_bytes, done_bytes, state = 'done' AS is_taken, state = 'running' AS is_running,"
        " not_before_us, attempts FROM transfers"
        " WHERE direction = 'up' ORDER BY deadline_us, digest LIMIT ?",
        (FETCHES_SHOWN,),
    )
    return tuple(
        Sending(**{**row, "is_taken": bool(row["is_taken"]), "is_running": bool(row["is_running"])}) for row in found
    )


def to_package(db: Database, recipe: str, now_us: int) -> tuple[ToPackage, ...]:
    """Clips that are here, the small ones first: a long one must not hold up the news.

    When none is left, those whose rendition was made here by another recipe, that a coming schedule or a channel's
    fillers name and that do not air soon.
    """
    found = rows(
        db,
        "SELECT source, coalesce(duration_s * 350000 + 8388608, assets.size_bytes) AS size_bytes"
        " FROM renditions JOIN assets ON assets.digest = source"
        " WHERE renditions.state IN ('wanted', 'packaging') AND renditions.digest IS NULL AND assets.state = 'here'"
        " AND renditions.profile = ?"
        " AND source NOT IN (SELECT target FROM tombstones) ORDER BY assets.size_bytes LIMIT ?",
        (HOUSE_PROFILE, QUEUE_SHOWN),
    ) or rows(
        db,
        _MADE_BY_OTHERS,
        {
            "profile": HOUSE_PROFILE,
            "made_here": MADE_HERE,
            "recipe": recipe,
            "since_us": now_us,
            "now_tick": tick_of(now_us),
            "until_tick": tick_of(now_us + REMAKE_AFTER_US),
        },
    )
    return tuple(ToPackage(row["source"], int(row["size_bytes"])) for row in found)


def recalled_here(db: Database, now_us: int) -> tuple[str, ...]:
    """Assets and renditions on disk that were recalled. A rendition whose announced segments may still be asked for
    stays until they are over: the air goes on."""
    found = rows(
        db,
        "SELECT digest FROM assets WHERE digest IN (SELECT target FROM tombstones UNION"
        "   SELECT digest FROM renditions WHERE source IN (SELECT target FROM tombstones))"
        " AND digest NOT IN (SELECT digest FROM renditions"
        "   WHERE digest IS NOT NULL AND source NOT IN (SELECT target FROM tombstones))"
        " AND digest NOT IN (SELECT rendition FROM ledger WHERE start_tick + frames * 3600 > ?)",
        (tick_of(now_us - LISTED_US),),
    )
    return tuple(row["digest"] for row in found)


def transfer(db: Database, digest: str, direction: str) -> Transfer | None:
    """One of the queue; None when it is not in it."""
    row = first(db, "SELECT * FROM transfers WHERE digest = ? AND direction = ?", (digest, direction))
    return msgspec.convert({**row, "reason": text_of(row["reason"])}, Transfer) if row else None


def coming_among(db: Database, digests: Iterable[str]) -> frozenset[str]:
    """Those of these assets that are in the queue."""
    found = db.conn.execute(
        "SELECT digest FROM transfers WHERE direction = 'down' AND digest IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(tuple(digests)).decode(),),
    )
    return frozenset(digest for (digest,) in found)


def sizes_of(db: Database, digests: Iterable[str]) -> dict[str, int]:
    """The bytes of those of these assets that are known."""
    found = rows(
        db,
        "SELECT digest, size_bytes FROM assets WHERE digest IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(tuple(digests)).decode(),),
    )
    return {row["digest"]: row["size_bytes"] for row in found}


def renditions_among(db: Database, digests: Iterable[str]) -> frozenset[str]:
    """Those of these assets that are in house format, be it as they came."""
    found = rows(
        db,
        "SELECT digest FROM assets WHERE digest IN (SELECT value FROM json_each(?))"
        " AND (role = 'rendition' OR digest IN (SELECT source FROM renditions WHERE renditions.digest = source))",
        (msgspec.json.encode(tuple(digests)).decode(),),
    )
    return frozenset(row["digest"] for row in found)


def is_rendition(db: Database, digest: str) -> bool:
    """Whether an asset is one in house format."""
    return digest in renditions_among(db, (digest,))


_MADE_BY_OTHERS: Final = f"""
    SELECT source, renditions.size_bytes AS size_bytes FROM renditions
    JOIN assets ON assets.digest = source JOIN assets AS made ON made.digest = renditions.digest
    WHERE renditions.profile = :profile AND renditions.state = 'here' AND assets.state = 'here'
        AND made.why = :made_here AND made_by IS NOT :recipe AND source IN ({COMING})
        AND source NOT IN (SELECT target FROM tombstones)
        AND renditions.digest NOT IN (SELECT rendition FROM ledger
            WHERE start_tick < :until_tick AND start_tick + frames * 3600 > :now_tick)
    ORDER BY assets.size_bytes LIMIT 1
"""  # noqa: S608
