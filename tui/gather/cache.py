"""What the page of the cache reads: a page of the assets that are here, what would go first, what was set aside.

What is asked of every asset, the order in which they go and how far reading again is, is asked once a minute.
"""

from typing import Final

from sqlite_utils import Database

from appliance import files
from appliance.core.cache import Quarantined
from appliance.core.moment import US
from appliance.core.scrub import progress
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, assets, kept
from tui.gather.where import Where
from tui.view.cache import GOING, QUARANTINE, Found, Round
from tui.view.sheet import PAGE_ROWS, Asked

ROUND_US: Final = 60 * US
DAY_US: Final = 86_400 * US
NOTE: Final = "cache round"


def gather(where: Where, asked: Asked) -> Found:
    """The side that is asked for, or all about one asset."""
    days = where.box.limits.catchup_days
    with where.database() as db:
        all_of_them, now_us = _round(where, db), air.now_us(db)
        if asked.opened is not None and asked.tab != QUARANTINE:
            one = kept.one(db, asked.opened, now_us, days)
            check = assets.checks(db, (asked.opened,), HOUSE_PROFILE).get(asked.opened)
            return Found(all_of_them, (one,) if one is not None else (), check=check)
        if asked.tab == GOING:
            return Found(all_of_them)
        if asked.tab != QUARANTINE:
            name, _, digest = asked.after.rpartition(" ")
            return Found(all_of_them, kept.page(db, now_us, days, asked.words, (name, digest), PAGE_ROWS))
        aside: tuple[Quarantined, ...] = ()
        with where.kept():
            aside = files.quarantined(where.box)[:PAGE_ROWS]
        return Found(all_of_them, quarantine=aside, names=kept.names(db, {each.digest for each in aside}))


def _round(where: Where, db: Database) -> Round:
    """At most a minute old; kept among the notes of the program."""
    known = where.notes.get(NOTE)
    if isinstance(known, Round) and 0 <= where.now_us - known.at_us < ROUND_US:
        return known
    limits, now_us = where.box.limits, air.now_us(db)
    made = Round(
        where.now_us,
        kept.loose(db, now_us, limits.catchup_days, PAGE_ROWS),
        progress(kept.readings(db), now_us, limits.verify_days * DAY_US),
    )
    where.notes[NOTE] = made
    return made
