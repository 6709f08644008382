"""Readiness from the database: what the channels' schedules need, and the stock that it is measured against."""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.config import Config
from appliance.core.moment import US
from appliance.core.readiness import Ready, Stock, rows
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, database, live
from appliance.store.assets import holdings, renditions, transfers_up_to
from appliance.store.line_rates import rate_of

UNMEASURED_BYTES_PER_S: Final = 1_000_000
"""What an open line is taken to carry before anything was measured on it."""
ASKED_US: Final = 60 * US
"""A link is taken as open when the agent said so within this time."""


def readiness_of(
    db: Database, config: Config, channels: Iterable[str], from_us: int, until_us: int
) -> tuple[Ready, ...]:
    """How ready the entries are that start in this time, in the order in which they start."""
    coming = [entry for channel in channels for entry in air.coming_entries(db, channel, from_us, until_us)]
    named = {entry.asset for entry in coming if entry.asset is not None}
    return rows(sorted(coming, key=lambda entry: (entry.start_us, entry.channel)), stock(db, config, from_us, named))


def stock(db: Database, config: Config, now_us: int, named: Collection[str]) -> Stock:
    """What the box holds of these assets, has in house format and is fetching. While the line is down nothing more is
    expected. Of a hundred thousand pictures that no schedule names nothing is read: this is asked every few seconds."""
    line = rate_of(db, "down")
    made = _renditions(db)
    of_them = [digest for source in named if source in made and (digest := made[source].digest) is not None]
    recalled = database.rows(db, "SELECT target FROM tombstones WHERE target LIKE 'sha256:%'")
    return Stock(
        now_us=now_us,
        holdings=holdings(db, [*named, *of_them]),
        renditions=made,
        transfers=transfers_up_to(db, [*named, *of_them]),
        recalled=frozenset(row["target"] for row in recalled),
        rate_bytes_per_s=(line.now_bytes_per_s or UNMEASURED_BYTES_PER_S) if _is_open(db, now_us) else None,
        worst_bytes_per_s=line.worst_bytes_per_s,
        sources=live.answers(db),
        packaged_us=_packaged_us(db, now_us),
        allowed=tuple((since_us, each.down_bytes_per_s) for since_us, each in config.allowances(now_us)),
    )


def _renditions(db: Database) -> dict[str, RenditionState]:
    """As the air sees them: what is on disk and not yet known by its segments is still being looked at."""
    airable = air.ready_assets(db)
    return {
        source: made if made.state != "here" or source in airable else msgspec.structs.replace(made, state="packaging")
        for source, made in renditions(db, HOUSE_PROFILE).items()
    }


def _packaged_us(db: Database, now_us: int) -> dict[str, int]:
    """By what the agent said a moment ago."""
    said = database.first(
        db,
        "SELECT value ->> 'source' AS source, value ->> 'ends_us' AS ends_us FROM status"
        " WHERE name = 'packaging' AND at_us > ? AND value ->> 'ends_us' IS NOT NULL",
        (now_us - ASKED_US,),
    )
    return {said["source"]: said["ends_us"]} if said is not None else {}


def _is_open(db: Database, now_us: int) -> bool:
    said = database.first(
        db,
        "SELECT value ->> 'state' AS state, at_us FROM status WHERE name = 'link' AND at_us > ?",
        (now_us - ASKED_US,),
    )
    return said is not None and said["state"] == "connected"
