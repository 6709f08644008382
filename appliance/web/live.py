"""`/live/<channel>/…`: the channel's lists, and its segments, out of the air ledger and the files of renditions.

    index.m3u8   what players follow                     dvr.m3u8        two hours of it
    cmaf.m3u8    the same timeline as fragmented MP4     cmaf-dvr.m3u8   two hours of that
    …/<n>.ts     segments: `appliance.web.segments`

A radio channel has the first two, of packed audio. A list is made once for each step of the air's clock, not for each
reader, so that two workers asked at one moment say the same and none says less than another said before.
"""

import re
from threading import Lock
from typing import Final, NamedTuple

from appliance.config import ChannelConfig, Config
from appliance.core import playlist
from appliance.core.errors import WorldError
from appliance.core.moment import US
from appliance.core.playlist import Form
from appliance.core.rundown import tick_of
from appliance.store import air
from appliance.web import segments
from appliance.web.front import Reply, Request, plain
from appliance.web.listed import Listed, listed, tell
from appliance.web.media import CACHE_FOR_EVER, names_etag
from appliance.web.reading import Reading
from appliance.web.segments import Segments

STEPS_US: Final = {playlist.LIVE_WINDOW_S: US // 5, playlist.DVR_WINDOW_S: US}
"""How often a list of so many seconds is made anew. A segment is two seconds long."""
WINDOWS_S: Final = {
    "index": playlist.LIVE_WINDOW_S,
    "dvr": playlist.DVR_WINDOW_S,
    "cmaf": playlist.LIVE_WINDOW_S,
    "cmaf-dvr": playlist.DVR_WINDOW_S,
}

_LIST: Final = re.compile(r"/live/([a-z][a-z0-9-]{1,63})/(index|dvr|cmaf|cmaf-dvr)\.m3u8")


class _Made(NamedTuple):
    step: int
    running_us: int
    listed: Listed


class Live:
    """Answers lists and segments; pages and the rest of `/live/` are not its business."""

    def __init__(self, config: Config, reading: Reading) -> None:
        self._config = config
        self._reading = reading
        self._segments = Segments(config, reading)
        self._lists: dict[tuple[str, str], _Made] = {}
        self._making = Lock()

    def at_once(self, request: Request) -> Reply | None:
        """What is in memory; None for what must be made, or is no such thing."""
        if request.method not in ("GET", "HEAD"):
            return None
        match = _LIST.fullmatch(request.path)
        if match is not None:
            made = self._lists.get((match[1], match[2]))
            return tell(request, made.listed) if made is not None and self._is_fresh(made, match[2]) else None
        kept = self._segments.at_once(request.path)
        return _send(request, kept) if kept is not None else None

    def answer(self, request: Request) -> Reply:
        """The list or segment, or why not."""
        if request.method not in ("GET", "HEAD"):
            return plain("405 Method Not Allowed", ("Allow", "GET, HEAD"))
        try:
            match = _LIST.fullmatch(request.path)
            if match is not None:
                made = self._list(match[1], match[2])
                return tell(request, made) if made is not None else plain("404 Not Found")
            data = self._segments.made(request.path)
            return _send(request, data) if data is not None else plain("404 Not Found")
        except (WorldError, OSError):
            return plain("503 Service Unavailable", ("Retry-After", "2"))

    def _list(self, channel_id: str, name: str) -> Listed | None:
        channel = self._config.channel(channel_id)
        form = form_of(channel, name) if channel is not None else None
        if form is None:
            return None
        with self._making:
            made = self._lists.get((channel_id, name))
            if made is None or not self._is_fresh(made, name):
                step, running_us = self._wall_step(name), self._config.clock.running_us()
                made = _Made(step, running_us, self._made(channel_id, WINDOWS_S[name], form))
                self._lists[channel_id, name] = made
            return made.listed

    def _made(self, channel: str, window_s: int, form: Form) -> Listed:
        with self._reading.look() as db:
            now_us = air.now_us(db, self._config.clock)
            now_tick = tick_of(now_us - now_us % STEPS_US[window_s])
            reach = playlist.reach_ticks(window_s)
            found = air.stretches(db, channel, now_tick - reach, now_tick)
        told = playlist.live if window_s == playlist.LIVE_WINDOW_S else playlist.dvr
        return listed(told(found, now_tick, form))

    def _is_fresh(self, made: _Made, name: str) -> bool:
        """Whether a list is that of this step; a clock that was put back comes to the same step once more."""
        age_us = self._config.clock.running_us() - made.running_us
        return made.step == self._wall_step(name) and age_us < STEPS_US[WINDOWS_S[name]]

    def _wall_step(self, name: str) -> int:
        return self._config.clock.wall_us() // STEPS_US[WINDOWS_S[name]]


def form_of(channel: ChannelConfig, name: str) -> Form | None:
    """What a channel's list of that name consists of; None where it has none such."""
    is_fragmented = name.startswith("cmaf")
    if channel.kind == "radio":
        return None if is_fragmented else playlist.AUDIO
    return playlist.cmaf(segments.init()[0]) if is_fragmented else playlist.TS


def _send(request: Request, data: bytes) -> Reply:
    # The address says all that the bytes are made of, so it is their tag.
    tag = request.path.removeprefix("/live/")
    headers: tuple[tuple[str, str], ...] = (
        ("ETag", f'"{tag}"'),
        ("Cache-Control", CACHE_FOR_EVER),
        ("Content-Type", segments.TYPES[request.path.rpartition(".")[2]]),
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
    )
    if names_etag(request.headers.get("if-none-match", ""), tag):
        return Reply("304 Not Modified", headers)
    headers += (("Content-Length", str(len(data))),)
    return Reply("200 OK", headers, b"" if request.method == "HEAD" else data)
