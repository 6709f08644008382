"""Clips for somebody who looks: which can air, a page at a time; and all that is known of one.

clips_that_air, clips_like     what can be put on the air now
clip_of                        on disk, in house format, travelling, why and by when
insertions                     what breaks in, or waits to
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.clip_facts import AirClip, ClipFacts, Insertion
from appliance.core.rundown import tick_of
from appliance.core.stock import Transfer
from appliance.core.ts import HOUSE_PROFILE
from appliance.store.assets import holding, rendition
from appliance.store.database import rows, text_of
from appliance.store.plans import READY

REASONS_MAX: Final = 20


def clips_that_air(
    db: Database, words: str = "", after: tuple[str, str] = ("", ""), limit: int = 200
) -> tuple[AirClip, ...]:
    """By name; those whose name or digest has `words` in it."""
    found = rows(
        db,
        f"SELECT * FROM ({_AIRABLE}) WHERE (name, digest) > (:name, :digest)"  # noqa: S608
        " AND (:words = '' OR instr(lower(name), lower(:words)) OR instr(digest, :words))"
        " ORDER BY name, digest LIMIT :limit",
        {"name": after[0], "digest": after[1], "words": words, "limit": limit, **_OF},
    )
    return tuple(msgspec.convert(row, AirClip) for row in found)


def clips_like(db: Database, frames: int, limit: int) -> tuple[AirClip, ...]:
    """Those whose length comes nearest."""
    found = rows(
        db,
        f"SELECT * FROM ({_AIRABLE}) ORDER BY abs(frames - :frames), name, digest LIMIT :limit",  # noqa: S608
        {"frames": frames, "limit": limit, **_OF},
    )
    return tuple(msgspec.convert(row, AirClip) for row in found)


def clip_of(db: Database, digest: str) -> ClipFacts:
    """All that is known of an asset that a schedule names."""
    made = rendition(db, digest, HOUSE_PROFILE)
    made_digest = made.digest if made is not None else None
    of_both = (digest, made_digest)
    travels = rows(
        db,
        "SELECT * FROM transfers WHERE direction = 'down' AND digest IN (?, ?) ORDER BY digest",
        of_both,
    )
    why = rows(
        db,
        "SELECT reason, min(deadline_us) AS deadline_us FROM reasons WHERE digest IN (?, ?) GROUP BY reason"
        " ORDER BY deadline_us, reason LIMIT ?",
        (*of_both, REASONS_MAX),
    )
    return ClipFacts(
        source=holding(db, digest),
        rendition=made,
        made=holding(db, made_digest) if made_digest is not None and made_digest != digest else None,
        transfers=tuple(msgspec.convert({**row, "reason": text_of(row["reason"])}, Transfer) for row in travels),
        reasons=tuple((row["reason"], row["deadline_us"]) for row in why),
    )


def insertions(db: Database, channel: str, now_us: int, limit: int = 50) -> tuple[Insertion, ...]:
    """What breaks into a channel or waits to, in the order in which it came; without what a person has ended."""
    found = rows(
        db,
        "SELECT id, digest, '' AS name, at_us, until_us, start_tick, end_tick, state FROM inserts"
        " WHERE channel = ? AND state IN ('waiting', 'placed') AND NOT stopped AND coalesce(end_tick, ?) >= ?"
        " ORDER BY received_at_us, id LIMIT ?",
        (channel, tick_of(now_us), tick_of(now_us), limit),
    )
    called = names(db, [row["digest"] for row in found])
    return tuple(msgspec.convert({**row, "name": called.get(row["digest"], "")}, Insertion) for row in found)


def names(db: Database, digests: Iterable[str]) -> dict[str, str]:
    """What the files of assets are called, their own or those of their renditions; without what has no name."""
    listed = msgspec.json.encode(sorted(set(digests))).decode()
    found = rows(
        db,
        "SELECT value AS digest, coalesce((SELECT nullif(name, '') FROM assets WHERE assets.digest = value),"
        " (SELECT name FROM renditions JOIN assets ON assets.digest = renditions.digest WHERE source = value LIMIT 1))"
        " AS name FROM json_each(?)",
        (listed,),
    )
    return {row["digest"]: row["name"] for row in found if row["name"]}


_OF: Final = {"profile": HOUSE_PROFILE}
_AIRABLE: Final = f"""
    SELECT airable.source AS digest, coalesce(nullif(mine.name, ''), made.name, '') AS name, airable.frames,
        airable.severity
    FROM ({READY}) AS airable LEFT JOIN assets AS mine ON mine.digest = airable.source
    LEFT JOIN assets AS made ON made.digest = airable.digest
"""  # noqa: S608
