"""`/catchup/<event>.m3u8`: a programme seen again (回看), from the moment when it has ended.

The list names the segments that were on the air, at the addresses that they had then; nothing is copied or made. A
programme that was recalled, that may not be seen again, or whose file has gone is 404.
"""

import re
from typing import Final

from appliance.config import Config
from appliance.core import playlist
from appliance.core.errors import WorldError
from appliance.core.guide import BREAK_US_MAX, can_be_seen, programmes, seen_again
from appliance.core.moment import US
from appliance.core.rundown import tick_of
from appliance.store import air, catchup
from appliance.web.front import Reply, Request, plain
from appliance.web.listed import listed, tell
from appliance.web.live import form_of
from appliance.web.reading import Reading

LENGTH_US_MAX: Final = 12 * 3600 * US
"""No programme is longer, nor lies its beginning further back."""

_EVENT: Final = re.compile(r"/catchup/([a-z][a-z0-9-]{1,63})-(\d{1,12})\.m3u8", re.ASCII)


class Catchup:
    """Answers the lists of programmes that are over."""

    def __init__(self, config: Config, reading: Reading) -> None:
        self._config = config
        self._reading = reading

    def at_once(self, _request: Request) -> Reply | None:
        """Nothing is kept: who sees again comes alone."""
        return None

    def answer(self, request: Request) -> Reply:
        """The list, or why not."""
        if request.method not in ("GET", "HEAD"):
            return plain("405 Method Not Allowed", ("Allow", "GET, HEAD"))
        match = _EVENT.fullmatch(request.path)
        try:
            text = self._text(match[1], int(match[2])) if match is not None else None
        except (WorldError, OSError):
            return plain("503 Service Unavailable", ("Retry-After", "2"))
        return tell(request, listed(text)) if text is not None else plain("404 Not Found")

    def _text(self, channel_id: str, first_msn: int) -> str | None:
        channel, days = self._config.channel(channel_id), self._config.limits.catchup_days
        form = form_of(channel, "index") if channel is not None else None
        if form is None:
            return None
        with self._reading.look() as db:
            now_us = air.now_us(db, self._config.clock)
            begin_us = catchup.begins_us(db, channel_id, first_msn)
            if begin_us is None or begin_us >= now_us:
                return None
            from_us, to_us = begin_us - LENGTH_US_MAX, begin_us + LENGTH_US_MAX + BREAK_US_MAX
            rows = air.stretches(db, channel_id, tick_of(from_us), tick_of(to_us))
            rights = catchup.rights(db, channel_id, self._config.zone, from_us, to_us)
            here = catchup.here(db)
        told = (each for each in programmes(rows, rights) if each.first_msn == first_msn)
        programme = next((each for each in told if can_be_seen(each, now_us, days, here)), None)
        if programme is None:
            return None
        return playlist.complete(seen_again(rows, programme, here, rights), form, f"../live/{channel_id}/")
