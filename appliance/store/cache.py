"""What the cache is made of: why each asset is here, when it was last used and read, when it airs next.

Questions over all tables; nothing here writes. What counts as a use is derived, so that nobody has to write it down: an
asset was last used when it came, when it last aired, or when an item that had it was last shown, taken or given back.
"""

from typing import Any, Final

import msgspec
from sqlite_utils import Database

from appliance.core.cache import Pin, pins
from appliance.core.moment import US
from appliance.core.rundown import tick_of
from appliance.core.scrub import Unread
from appliance.core.stock import Holding
from appliance.store.database import Row, rows
from appliance.store.needs import DAYS_BACK_US
from appliance.store.work import LISTED_US

DVR_US: Final = (4 * 3600 + 60) * US
"""So long a segment that aired can be had."""
DAY_US: Final = 86_400 * US

RECALLED: Final = """
    SELECT target AS digest FROM tombstones WHERE target LIKE 'sha256:%' UNION
    SELECT digest FROM renditions WHERE digest IS NOT NULL AND source IN (SELECT target FROM tombstones)
        AND digest NOT IN (SELECT digest FROM renditions
            WHERE digest IS NOT NULL AND source NOT IN (SELECT target FROM tombstones))
"""
PINS: Final = f"""
    WITH recalled AS ({RECALLED})
    SELECT rendition AS digest, 'air' AS why, max(title) AS name, channel AS place,
        min(CASE WHEN start_tick + frames * 3600 > :now_tick THEN start_tick * 100 / 9 END) AS at_us
    FROM ledger WHERE start_tick + frames * 3600 >
        CASE WHEN rendition IN (SELECT digest FROM recalled) THEN :listed_tick ELSE :dvr_tick END
    GROUP BY rendition, channel
    UNION ALL
    SELECT entry.value ->> 'asset', 'schedule', max(coalesce(entry.value ->> 'title', '')), channel || ' ' || date, NULL
    FROM schedules, json_each(cast(schedules.document AS TEXT), '$.entries') AS entry
    WHERE date >= date(:since_us / 1000000, 'unixepoch') AND entry.value ->> 'asset' IS NOT NULL
        AND version = (SELECT max(version) FROM schedules AS newest
            WHERE newest.channel = schedules.channel AND newest.date = schedules.date)
    GROUP BY entry.value ->> 'asset', channel, date
    UNION ALL SELECT asset.value, 'template', '', channel, NULL FROM templates, json_each(assets) AS asset
    WHERE version = (SELECT max(version) FROM templates AS newest WHERE newest.channel = templates.channel)
    UNION ALL SELECT digest, 'filler', '', channel, NULL FROM fillers
    UNION ALL SELECT digest, 'insert', '', channel, at_us FROM inserts WHERE state IN ('waiting', 'placed')
    UNION ALL
    SELECT digest, 'item', title, id, until_us FROM item_assets JOIN items ON items.id = item
    WHERE (state = 'published' OR (state = 'offered' AND taken = 1)) AND (until_us IS NULL OR until_us > :now_us)
    UNION ALL
    SELECT asset.value ->> 'digest', 'submission', title, submissions.id, NULL
    FROM submissions, json_each(document, '$.assets') AS asset WHERE submissions.state NOT IN ('accepted', 'refused')
    UNION ALL SELECT digest, 'transfer', '', direction, NULL FROM transfers
    UNION ALL
    SELECT rendition, 'catchup', max(title), channel, NULL FROM ledger
    WHERE start_tick + frames * 3600 BETWEEN :catchup_tick AND :now_tick AND catchup = 1
        AND kind IN ('programme', 'live') AND rendition NOT IN (SELECT digest FROM recalled)
    GROUP BY rendition, channel
"""  # noqa: S608
LAST_USED: Final = """
    WITH aired AS (
        SELECT rendition AS digest, max(min(start_tick + frames * 3600, :now_tick)) * 100 / 9 AS used_us
        FROM ledger WHERE start_tick < :now_tick GROUP BY rendition
    ), used AS (
        SELECT digest, max(used_us) AS used_us FROM (
            SELECT digest, used_us FROM aired
            UNION ALL SELECT source, used_us FROM aired JOIN renditions USING (digest)
            UNION ALL SELECT digest, CASE WHEN until_us <= :now_us THEN until_us ELSE changed_at_us END
                FROM item_assets JOIN items ON items.id = item
        ) GROUP BY digest
    )
    SELECT digest, size_bytes, media_type, name, role, state, why, verified_at_us, duration_s,
        max(last_used_us, coalesce(used_us, 0)) AS last_used_us
    FROM assets LEFT JOIN used USING (digest) WHERE state IN ('here', 'bad')
"""


def pinned(db: Database, now_us: int, catchup_days: int = 0) -> dict[str, tuple[Pin, ...]]:
    """What may not go, and why: see `appliance.core.cache`."""
    made = rows(db, "SELECT source, digest FROM renditions WHERE digest IS NOT NULL")
    return pins(
        ((row["digest"], pin_of(row)) for row in rows(db, PINS, moments(now_us, catchup_days))),
        {row["source"]: row["digest"] for row in made},
        frozenset(row["digest"] for row in rows(db, RECALLED)),
    )


def moments(now_us: int, catchup_days: int) -> dict[str, int]:
    """The values of PINS."""
    return {
        "now_us": now_us,
        "now_tick": tick_of(now_us),
        "listed_tick": tick_of(now_us - LISTED_US),
        "dvr_tick": tick_of(now_us - DVR_US),
        "catchup_tick": tick_of(now_us - catchup_days * DAY_US),
        "since_us": now_us - DAYS_BACK_US,
    }


def on_disk(db: Database, now_us: int) -> tuple[Holding, ...]:
    """What is here, or was and went bad, with the moment of its last use."""
    found = rows(db, LAST_USED, {"now_us": now_us, "now_tick": tick_of(now_us)})
    return tuple(msgspec.convert(row, Holding) for row in found)


def is_here(db: Database, digest: str) -> bool:
    """Whether an asset is here and good."""
    return bool(rows(db, "SELECT 1 FROM assets WHERE digest = ? AND state = 'here'", (digest,)))


def unread(db: Database, now_us: int) -> tuple[Unread, ...]:
    """Everything that is here, as reading again looks at it."""
    found = db.conn.execute(
        "SELECT assets.digest, size_bytes, coalesce(verified_at_us, last_used_us) AS read_us, airs_us FROM assets"
        " LEFT JOIN (SELECT rendition, min(start_tick) * 100 / 9 AS airs_us FROM ledger WHERE start_tick >= ?"
        "   GROUP BY rendition) ON rendition = assets.digest WHERE state = 'here'",
        (tick_of(now_us),),
    )
    return tuple(Unread(*row) for row in found)


def pin_of(row: Row) -> Pin:
    """A row of PINS."""
    values: dict[str, Any] = {key: row[key] for key in ("why", "name", "place", "at_us")}
    return Pin(**values)
