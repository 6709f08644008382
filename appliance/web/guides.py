"""The programme guides of a box's channels, read from the air ledger."""

import time
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appliance.config import Config
from appliance.core.moment import US
from appliance.core.rundown import tick_of
from appliance.store import air
from appliance.web.epg import Programme, now_and_next, programmes
from appliance.web.reading import Reading

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2999, 12, 31)
"""No ledger reaches beyond; what lies there need not be reckoned."""
HOUR_US: Final = 3600 * US
BACK_US: Final = 2 * HOUR_US
"""A programme that is on began at most so long ago, or is told from there on."""
KEPT_S: Final = 5.0
GUIDES_MAX: Final = 64
AHEAD_US: Final = 6 * HOUR_US
"""How far ahead the next programme is looked for."""


class Guides:
    """What airs, when. A guide is told to many and changes seldom, so it is kept for a few seconds."""

    def __init__(self, config: Config, reading: Reading) -> None:
        self._zone = ZoneInfo(config.zone)
        self._reading = reading
        self._kept: dict[tuple[str, date | None], tuple[float, tuple[Programme, ...]]] = {}

    def of_day(self, channel: str, day: date) -> tuple[Programme, ...]:
        """The programmes that begin on a day of the county's zone."""
        if not FIRST_DAY <= day <= LAST_DAY:
            return ()
        begin, end = (int(self._midnight(each).timestamp()) * US for each in (day, day + timedelta(days=1)))
        found = self._between(channel, day, begin, end)
        return tuple(each for each in found if begin <= each.start_us < end)

    def now_and_next(self, channel: str, now_us: int) -> tuple[Programme | None, Programme | None]:
        """What is on, and the first programme after it."""
        return now_and_next(self._between(channel, None, now_us - BACK_US, now_us + AHEAD_US), now_us)

    def _between(self, channel: str, day: date | None, from_us: int, to_us: int) -> tuple[Programme, ...]:
        """The programmes that touch a time: of a day, or about now, when `day` is None."""
        now_s = time.monotonic()
        kept = self._kept.get((channel, day))
        if kept is not None and now_s - kept[0] < KEPT_S:
            return kept[1]
        with self._reading.look() as db:
            found = programmes(air.stretches(db, channel, tick_of(from_us), tick_of(to_us)))
        if len(self._kept) >= GUIDES_MAX:
            self._kept.clear()
        self._kept[channel, day] = now_s, found
        return found

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, datetime.min.time(), self._zone)
