"""The programme guides of a box's channels, read from the air ledger, and where what is over can be seen again."""

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from appliance.config import Config
from appliance.core.guide import BREAK_US_MAX, Programme, can_be_seen, event_id, now_and_next, programmes
from appliance.core.moment import US
from appliance.core.rundown import tick_of
from appliance.store import air, catchup
from appliance.web.reading import Reading

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2999, 12, 31)
"""No ledger reaches beyond; what lies there need not be reckoned."""
HOUR_US: Final = 3600 * US
BACK_US: Final = 12 * HOUR_US
"""A programme that touches a time began at most so long before it, or is told from there on."""
KEPT_S: Final = 5.0
GUIDES_MAX: Final = 256
AHEAD_US: Final = 6 * HOUR_US
"""How far ahead the next programme is looked for."""


class _Kept(NamedTuple):
    at_s: float
    programmes: tuple[Programme, ...]
    here: frozenset[str]
    """Renditions that were on disk, not recalled, when this was read."""


class Guides:
    """What airs, when. A guide is told to many and changes seldom, so it is kept for a few seconds."""

    def __init__(self, config: Config, reading: Reading) -> None:
        self._config = config
        self._zone = ZoneInfo(config.zone)
        self._reading = reading
        self._kept: dict[tuple[str, date | None], _Kept] = {}

    def of_day(self, channel: str, day: date) -> tuple[Programme, ...]:
        """The programmes that begin on a day of the county's zone."""
        return tuple(programme for programme, _ in self.with_addresses(channel, day, 0))

    def with_addresses(self, channel: str, day: date, now_us: int) -> tuple[tuple[Programme, str | None], ...]:
        """The same, each with where it can be seen again; None where it cannot be, or not yet."""
        if not FIRST_DAY <= day <= LAST_DAY:
            return ()
        begin, end = (int(self._midnight(each).timestamp()) * US for each in (day, day + timedelta(days=1)))
        found = self._between(channel, day, begin - BACK_US, end + BACK_US)
        told = (each for each in found.programmes if begin <= each.start_us < end)
        return tuple((each, self._address(channel, each, now_us, found.here)) for each in told)

    def days(self, now_us: int) -> Iterator[date]:
        """The days for which there is something to tell: as far back as programmes can be seen again, and tomorrow."""
        today = datetime.fromtimestamp(now_us / US, self._zone).date()
        for number in range(-self._config.limits.catchup_days, 2):
            yield today + timedelta(days=number)

    def now_and_next(self, channel: str, now_us: int) -> tuple[Programme | None, Programme | None]:
        """What is on, and the first programme after it."""
        return now_and_next(self._between(channel, None, now_us - BACK_US, now_us + AHEAD_US).programmes, now_us)

    def _address(self, channel: str, programme: Programme, now_us: int, here: frozenset[str]) -> str | None:
        if not can_be_seen(programme, now_us, self._config.limits.catchup_days, here):
            return None
        return f"/catchup/{event_id(channel, programme)}.m3u8"

    def _between(self, channel: str, day: date | None, from_us: int, to_us: int) -> _Kept:
        """The programmes that touch a time: of a day, or about now, when `day` is None."""
        now_s = time.monotonic()
        kept = self._kept.get((channel, day))
        if kept is not None and now_s - kept.at_s < KEPT_S:
            return kept
        with self._reading.look() as db:
            rows = air.stretches(db, channel, tick_of(from_us), tick_of(to_us))
            rights = catchup.rights(db, channel, self._config.zone, from_us - BREAK_US_MAX, to_us)
            here = catchup.here(db)
        if len(self._kept) >= GUIDES_MAX:
            self._kept.clear()
        kept = self._kept[channel, day] = _Kept(now_s, programmes(rows, rights), here)
        return kept

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, datetime.min.time(), self._zone)
