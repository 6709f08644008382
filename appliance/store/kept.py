"""What is on disk, for somebody who looks through it a page at a time: why each asset is here, what would go first.

The agent asks `appliance.store.cache` for all of it at once. Among 100,000 assets a screen cannot, for what that takes;
here SQL gives the same answers for the rows that are shown (`tests/appliance/store/test_kept.py` holds them together).
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.cache import Kept, Loose, Pin, pins
from appliance.core.scrub import Unread
from appliance.store.cache import LAST_USED, PINS, RECALLED, moments, pin_of
from appliance.store.database import Row, rows

_LOOSE: Final = f"""
    WITH recalled_here AS MATERIALIZED ({RECALLED}),
    pin AS MATERIALIZED (SELECT digest, why FROM ({PINS})),
    both AS (
        SELECT digest, why FROM pin
        UNION ALL SELECT renditions.digest, why FROM pin JOIN renditions ON source = pin.digest
            WHERE why IN ('schedule', 'template', 'filler', 'insert') AND renditions.digest IS NOT NULL
    ), held AS MATERIALIZED (
        SELECT digest, max(why != 'catchup') AS stays FROM both
        WHERE why = 'air' OR digest NOT IN (SELECT digest FROM recalled_here) GROUP BY digest
    )
    SELECT used.*, count(*) OVER () AS assets, sum(size_bytes) OVER () AS all_bytes
    FROM ({LAST_USED}) AS used LEFT JOIN held USING (digest) WHERE state = 'here' AND coalesce(stays, 0) = 0
    ORDER BY held.digest IS NOT NULL, last_used_us, -size_bytes, digest LIMIT :limit
"""  # noqa: S608
"""As `pins` and `order_of_eviction` of `appliance.core.cache`."""


def page(
    db: Database,
    now_us: int,
    catchup_days: int,
    words: str = "",
    after: tuple[str, str] = ("", ""),
    limit: int = 200,
) -> tuple[Kept, ...]:
    """Assets that are here or went bad, by name, behind a name and digest; those with `words` in either."""
    found = rows(
        db,
        "SELECT digest, name, role, size_bytes, state, last_used_us, verified_at_us FROM assets"
        " WHERE state IN ('here', 'bad') AND (name > :name OR (name = :name AND digest > :digest))"
        " AND (:words = '' OR instr(lower(name), lower(:words)) OR instr(digest, lower(:words)))"
        " ORDER BY name, digest LIMIT :limit",
        {"name": after[0], "digest": after[1], "words": words, "limit": limit},
    )
    held = pinned_among(db, [row["digest"] for row in found], now_us, catchup_days)
    return tuple(_kept(row, held.get(row["digest"], ())) for row in found)


def one(db: Database, digest: str, now_us: int, catchup_days: int) -> Kept | None:
    """An asset that is here or went bad; None for every other."""
    found = rows(
        db,
        "SELECT digest, name, role, size_bytes, state, last_used_us, verified_at_us FROM assets"
        " WHERE digest = ? AND state IN ('here', 'bad')",
        (digest,),
    )
    held = pinned_among(db, [digest], now_us, catchup_days)
    return _kept(found[0], held.get(digest, ())) if found else None


def pinned_among(db: Database, digests: Iterable[str], now_us: int, catchup_days: int) -> dict[str, tuple[Pin, ...]]:
    """Why these stay: see `appliance.core.cache`."""
    asked = set(digests)
    among = msgspec.json.encode(sorted(asked)).decode()
    made = rows(
        db,
        "SELECT source, digest FROM renditions WHERE digest IN (SELECT value FROM json_each(:among))"
        " OR (digest IS NOT NULL AND source IN (SELECT value FROM json_each(:among)))",
        {"among": among},
    )
    sources = sorted(asked | {row["source"] for row in made})
    found = rows(
        db,
        f"SELECT * FROM ({PINS}) WHERE digest IN (SELECT value FROM json_each(:among))",  # noqa: S608
        {**moments(now_us, catchup_days), "among": msgspec.json.encode(sources).decode()},
    )
    recalled = rows(
        db,
        f"SELECT digest FROM ({RECALLED}) WHERE digest IN (SELECT value FROM json_each(?))",  # noqa: S608
        (msgspec.json.encode(sources).decode(),),
    )
    pinned = pins(
        ((row["digest"], pin_of(row)) for row in found),
        {row["source"]: row["digest"] for row in made},
        frozenset(row["digest"] for row in recalled),
    )
    return {digest: held for digest, held in pinned.items() if digest in asked}


def loose(db: Database, now_us: int, catchup_days: int, limit: int = 200) -> Loose:
    """What goes when room is short, the first of it first. Looks at every asset: not to be asked each second."""
    found = rows(db, _LOOSE, {**moments(now_us, catchup_days), "limit": limit})
    held = pinned_among(db, [row["digest"] for row in found], now_us, catchup_days)
    first = tuple(
        msgspec.structs.replace(_kept(row, held.get(row["digest"], ())), goes=number)
        for number, row in enumerate(found, start=1)
    )
    return Loose(
        first=first,
        assets=found[0]["assets"] if found else 0,
        size_bytes=found[0]["all_bytes"] if found else 0,
    )


def readings(db: Database) -> tuple[Unread, ...]:
    """When each asset was last read and how large it is, for `scrub.progress`; which one it is it does not ask."""
    found = db.conn.execute(
        "SELECT size_bytes, coalesce(verified_at_us, last_used_us) FROM assets WHERE state = 'here'"
    )
    return tuple(Unread("", size_bytes, read_us) for size_bytes, read_us in found)


def _kept(row: Row, held: tuple[Pin, ...]) -> Kept:
    return Kept(
        digest=row["digest"],
        name=row["name"],
        role=row["role"],
        size_bytes=row["size_bytes"],
        state=row["state"],
        last_used_us=row["last_used_us"],
        verified_us=row["verified_at_us"],
        pins=held,
    )


def names(db: Database, digests: Iterable[str]) -> dict[str, str]:
    """What people call those of these that are known."""
    found = db.conn.execute(
        "SELECT digest, name FROM assets WHERE name != '' AND digest IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(sorted(digests)).decode(),),
    )
    return dict(found.fetchall())


def here_among(db: Database, digests: Iterable[str]) -> frozenset[str]:
    """Those of these that are here and good."""
    found = db.conn.execute(
        "SELECT digest FROM assets WHERE state = 'here' AND digest IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(sorted(digests)).decode(),),
    )
    return frozenset(digest for (digest,) in found)
