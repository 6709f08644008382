"""`/live/<channel>/…`: the channel's lists, and its segments, out of the air ledger and the files of renditions.

    index.m3u8   what players follow         dvr.m3u8   two hours of it
    <offset>/<frames>/<rendition>/<n>.ts     a segment: all that is needed to make it stands in its address

A list is made once for each step of the air's clock, not for each reader, so that two workers asked at one moment say
the same and none says less than another said before. A segment's bytes never change; whether it may be had is asked of
the ledger: it must have been on the air, whole, within the time for which lists told of it.
"""

import gzip
import os
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from threading import Lock
from typing import Final, NamedTuple

from sqlite_utils import Database

from appliance import slate
from appliance.config import Config
from appliance.core import playlist
from appliance.core.asset import parse_digest
from appliance.core.errors import Refused, WorldError
from appliance.core.ledger import Segment, Stretch, segments_of
from appliance.core.moment import US
from appliance.core.rundown import SLATE, tick_of
from appliance.core.ts import (
    AIR_LEAD_TICKS,
    FILE_PTS_TICKS,
    PTS_MODULO,
    SEGMENT_TICKS,
    TARGET_DURATION_S,
    TICKS_PER_FRAME,
    TICKS_PER_S,
    move,
)
from appliance.files import path_of
from appliance.store import air
from appliance.web.front import Reply, Request, plain
from appliance.web.media import CACHE_FOR_EVER, names_etag, open_asset
from appliance.web.reading import Reading

STEPS_US: Final = {"index": US // 5, "dvr": US}
"""How often each list is made anew. A segment is two seconds long."""
WINDOWS_S: Final = {"index": playlist.LIVE_WINDOW_S, "dvr": playlist.DVR_WINDOW_S}
FETCHABLE_S: Final = 2 * playlist.DVR_WINDOW_S + 2 * TARGET_DURATION_S
"""RFC 8216 section 6.2.2: a segment can be had for its own length and that of the longest list after it left that."""
FETCHABLE_TICKS: Final = FETCHABLE_S * TICKS_PER_S
LIST_CACHED: Final = "public, max-age=1"
COMPRESSED_FROM_BYTES: Final = 4000
SEGMENTS_KEPT: Final = 8
"""Everybody who watches asks for the same few."""
KEPT_S: Final = 10.0

_LIST: Final = re.compile(r"/live/([a-z][a-z0-9-]{1,63})/(index|dvr)\.m3u8")
_SEGMENT: Final = re.compile(
    r"/live/([a-z][a-z0-9-]{1,63})/(\d{1,10})/(\d{1,2})/([0-9a-f]{64})/(\d{1,6})\.ts", re.ASCII
)


class _List(NamedTuple):
    step: int
    tag: str
    text: bytes
    compressed: bytes


class Live:
    """Answers lists and segments; pages and the rest of `/live/` are not its business."""

    def __init__(self, config: Config, reading: Reading) -> None:
        self._config = config
        self._reading = reading
        self._lists: dict[tuple[str, str], _List] = {}
        self._segments: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._making = Lock()

    def at_once(self, request: Request) -> Reply | None:
        """What is in memory; None for what must be made, or is no such thing."""
        if request.method not in ("GET", "HEAD"):
            return None
        match = _LIST.fullmatch(request.path)
        if match is not None:
            made = self._lists.get((match[1], match[2]))
            return _tell(request, made) if made is not None and made.step == _wall_step(match[2]) else None
        kept = self._segments.get(request.path)
        return _send(request, kept[1]) if kept is not None and kept[0] > time.monotonic() else None

    def answer(self, request: Request) -> Reply:
        """The list or segment, or why not."""
        if request.method not in ("GET", "HEAD"):
            return plain("405 Method Not Allowed", ("Allow", "GET, HEAD"))
        try:
            if (match := _LIST.fullmatch(request.path)) and self._config.channel(match[1]):
                return _tell(request, self._list(match[1], match[2]))
            if (match := _SEGMENT.fullmatch(request.path)) and self._config.channel(match[1]):
                data = self._segment(request.path, match[1], match[4], *(int(match[group]) for group in (2, 3, 5)))
                return plain("404 Not Found") if data is None else _send(request, data)
        except (WorldError, OSError):
            return plain("503 Service Unavailable", ("Retry-After", "2"))
        return plain("404 Not Found")

    def _list(self, channel: str, name: str) -> _List:
        with self._making:
            made = self._lists.get((channel, name))
            step = _wall_step(name)
            if made is None or made.step != step:
                made = self._make(channel, name, step)
                self._lists[channel, name] = made
            return made

    def _make(self, channel: str, name: str, step: int) -> _List:
        with self._reading.look() as db:
            now_tick = tick_of(_stepped(air.now_us(db), name))
            reach = playlist.reach_ticks(WINDOWS_S[name])
            found = air.stretches(db, channel, now_tick - reach, now_tick)
        text = (playlist.live if name == "index" else playlist.dvr)(found, now_tick).encode()
        compressed = gzip.compress(text, 3, mtime=0) if len(text) >= COMPRESSED_FROM_BYTES else b""
        return _List(step, blake2b(text, digest_size=8).hexdigest(), text, compressed)

    def _segment(self, path: str, channel: str, hex_digest: str, offset: int, frames: int, number: int) -> bytes | None:
        """The moved bytes; None when the channel did not air that of late, or the file is gone."""
        rendition = parse_digest(hex_digest)
        with self._reading.look() as db:
            wanted = _aired(db, channel, Segment(0, 0, frames, rendition, number, offset))
            place = None if wanted is None else air.segment_place(db, rendition, number)
        if place is None:
            return None
        file = open_asset(str(slate.slate_path() if rendition == SLATE else path_of(self._config, rendition)))
        if file is None:
            return None
        with file:
            data = os.pread(file.fileno(), place[1], place[0])
        try:
            moved = move(data, offset, frames)
        except Refused:
            return None
        self._keep(path, moved)
        return moved

    def _keep(self, path: str, data: bytes) -> None:
        with self._making:
            self._segments[path] = (time.monotonic() + KEPT_S, data)
            while len(self._segments) > SEGMENTS_KEPT:
                self._segments.popitem(last=False)


def started_tick(segment: Segment, now_tick: int) -> int:
    """When a segment last began, up to `now_tick`: its offset says so, but for whole turns of the 33-bit clock."""
    in_file = 0 if segment.rendition == SLATE else segment.number
    start = segment.offset_ticks - AIR_LEAD_TICKS + FILE_PTS_TICKS + in_file * SEGMENT_TICKS
    return now_tick - (now_tick - start) % PTS_MODULO


def holds(stretches: Sequence[Stretch], start_tick: int, wanted: Segment) -> bool:
    """Whether these rows have just this segment there."""
    for stretch in stretches:
        position, rest = divmod(start_tick - stretch.start_tick, SEGMENT_TICKS)
        if 0 <= position < stretch.segments and rest == 0:
            for found in segments_of(stretch, position, position + 1):
                same = (found.rendition, found.number, found.frames, found.offset_ticks)
                return same == (wanted.rendition, wanted.number, wanted.frames, wanted.offset_ticks)
    return False


def _aired(db: Database, channel: str, wanted: Segment) -> Segment | None:
    now_tick = tick_of(air.now_us(db))
    start_tick = started_tick(wanted, now_tick)
    aired_ticks = now_tick - start_tick
    if not wanted.frames * TICKS_PER_FRAME <= aired_ticks <= FETCHABLE_TICKS or wanted.offset_ticks >= PTS_MODULO:
        return None
    rows = air.stretches(db, channel, start_tick, start_tick + 1)
    return wanted if holds(rows, start_tick, wanted) else None


def _tell(request: Request, made: _List) -> Reply:
    compressed = bool(made.compressed) and "gzip" in request.headers.get("accept-encoding", "")
    tag = f"{made.tag}{'-gzip' if compressed else ''}"
    headers: tuple[tuple[str, str], ...] = (
        ("ETag", f'"{tag}"'),
        ("Cache-Control", LIST_CACHED),
        ("Content-Type", playlist.CONTENT_TYPE),
        ("Vary", "Accept-Encoding"),
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
    )
    if names_etag(request.headers.get("if-none-match", ""), tag):
        return Reply("304 Not Modified", headers)
    body = made.compressed if compressed else made.text
    if compressed:
        headers += (("Content-Encoding", "gzip"),)
    headers += (("Content-Length", str(len(body))),)
    return Reply("200 OK", headers, b"" if request.method == "HEAD" else body)


def _send(request: Request, data: bytes) -> Reply:
    # The address says all that the bytes are made of, so it is their tag.
    tag = request.path.removeprefix("/live/")
    headers: tuple[tuple[str, str], ...] = (
        ("ETag", f'"{tag}"'),
        ("Cache-Control", CACHE_FOR_EVER),
        ("Content-Type", "video/mp2t"),
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
    )
    if names_etag(request.headers.get("if-none-match", ""), tag):
        return Reply("304 Not Modified", headers)
    headers += (("Content-Length", str(len(data))),)
    return Reply("200 OK", headers, b"" if request.method == "HEAD" else data)


def _wall_step(name: str) -> int:
    return time.time_ns() // 1000 // STEPS_US[name]


def _stepped(moment_us: int, name: str) -> int:
    return moment_us - moment_us % STEPS_US[name]
