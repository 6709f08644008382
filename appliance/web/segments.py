"""Segments of a channel over HTTP, made when they are asked for out of the files of renditions; what may be had.

    <offset>/<frames>/<rendition>/<n>.ts      MPEG-TS, its times moved
    <start>/<frames>/<rendition>/<n>.aac      packed audio
    <start>/<frames>/<rendition>/<n>.m4s   fragmented MP4
    init-<hash>.mp4                           one for all that is fragmented MP4

An address holds all that the bytes are made of, so they never change. Whether they may be had is asked of the ledger:
the segment must have been on the air, whole, within the time for which lists told of it, or be of what may be seen
again.
"""

import os
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import Final, NamedTuple

from sqlite_utils import Database

from appliance import slate
from appliance.config import Config
from appliance.core import fmp4, playlist
from appliance.core.asset import parse_digest
from appliance.core.errors import Refused
from appliance.core.guide import DAY_US
from appliance.core.ledger import Segment, Stretch, same_live, segments_of
from appliance.core.packed_audio import packed_audio
from appliance.core.rundown import SLATE, tick_of
from appliance.core.sounds import sounds_at
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
from appliance.store import air, catchup
from appliance.web.media import open_asset
from appliance.web.reading import Reading

FETCHABLE_S: Final = 2 * playlist.DVR_WINDOW_S + 6 * TARGET_DURATION_S
"""RFC 8216 section 6.2.2: a segment can be had for its own length and that of the longest list after it left that. It
leaves a list that is a segment longer than it must be, and not before the next one has ended."""
FETCHABLE_TICKS: Final = FETCHABLE_S * TICKS_PER_S
SEGMENTS_KEPT: Final = 16
"""Everybody who watches asks for the same few."""
KEPT_S: Final = 10.0
TYPES: Final = {"ts": "video/mp2t", "aac": "audio/aac", "m4s": "video/mp4", "mp4": "video/mp4"}

_SEGMENT: Final = re.compile(
    r"/live/([a-z][a-z0-9-]{1,63})/(\d{1,16})/(\d{1,2})/([0-9a-f]{64})/(\d{1,6})\.(ts|aac|m4s)", re.ASCII
)
_INIT: Final = re.compile(r"/live/([a-z][a-z0-9-]{1,63})/(init-[0-9a-f]{16}\.mp4)")


class Asked(NamedTuple):
    """A segment as its address says it. `when`: of MPEG-TS by how much its times move, of others when it begins."""

    channel: str
    when: int
    frames: int
    rendition: str
    number: int
    ending: str


class After(NamedTuple):
    """Where the last sounds of a segment may stand, and by how much the times there move to go on from its own."""

    rendition: str
    number: int
    moved_ticks: int = 0


class Segments:
    """Makes segments, and keeps the last few."""

    def __init__(self, config: Config, reading: Reading) -> None:
        self._config = config
        self._reading = reading
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._keeping = Lock()

    def at_once(self, path: str) -> bytes | None:
        """What was made a moment ago."""
        kept = self._kept.get(path)
        return kept[1] if kept is not None and kept[0] > time.monotonic() else None

    def made(self, path: str) -> bytes | None:
        """The bytes; None when the channel did not air that of late, or the file is gone."""
        if (match := _INIT.fullmatch(path)) is not None:
            is_there = self._has_pictures(match[1]) and match[2] == init()[0]
            return init()[1] if is_there else None
        asked = asked_for(path)
        channel = self._config.channel(asked.channel) if asked is not None else None
        if asked is None or channel is None or (channel.kind == "radio") != (asked.ending == "aac"):
            return None
        with self._reading.look() as db:
            is_there = self._may_be_had(db, asked)
            place = air.segment_place(db, asked.rendition, asked.number) if is_there else None
            after = _after(db, asked) if asked.ending != "ts" else None
            after_place = air.segment_place(db, after.rendition, after.number) if after is not None else None
        data = self._read(asked.rendition, place)
        if data is None:
            return None
        following = self._read(after.rendition, after_place) if after is not None else None
        if after is not None and after.moved_ticks and following is not None:
            following = move(following, after.moved_ticks)
        try:
            made = _formed(asked, data, following or b"")
        except Refused:
            return None
        self._keep(path, made)
        return made

    def _has_pictures(self, channel_id: str) -> bool:
        channel = self._config.channel(channel_id)
        return channel is not None and channel.kind != "radio"

    def _may_be_had(self, db: Database, asked: Asked) -> bool:
        now_tick = tick_of(air.now_us(db, self._config.clock))
        kept_ticks = tick_of(self._config.limits.catchup_days * DAY_US)
        for start_tick in starts(asked, now_tick, max(kept_ticks, FETCHABLE_TICKS)):
            aired_ticks = now_tick - start_tick
            rows = air.stretches(db, asked.channel, start_tick, start_tick + 1)
            if aired_ticks >= asked.frames * TICKS_PER_FRAME and holds(rows, start_tick, asked):
                if aired_ticks <= FETCHABLE_TICKS:
                    return True
                return catchup.is_open(db, asked.channel, self._config.zone, rows[0])
        return False

    def _read(self, rendition: str, place: tuple[int, int] | None) -> bytes | None:
        """What stands at a place of a file; None where there is no such place, or no file."""
        if place is None:
            return None
        file = open_asset(str(slate.slate_path() if rendition == SLATE else path_of(self._config, rendition)))
        if file is None:
            return None
        with file:
            return os.pread(file.fileno(), place[1], place[0])

    def _keep(self, path: str, data: bytes) -> None:
        with self._keeping:
            self._kept[path] = (time.monotonic() + KEPT_S, data)
            while len(self._kept) > SEGMENTS_KEPT:
                self._kept.popitem(last=False)


def asked_for(path: str) -> Asked | None:
    """What a path asks for; None when it is no address of a segment."""
    match = _SEGMENT.fullmatch(path)
    if match is None:
        return None
    channel, when, frames, hex_digest, number, ending = match.groups()
    return Asked(channel, int(when), int(frames), parse_digest(hex_digest), int(number), ending)


def _after(db: Database, asked: Asked) -> After:
    """The file's next segment; of a live source, each chunk of which is a file, the chunk that aired next. It had been
    committed before this one ended."""
    end_tick = asked.when + asked.frames * TICKS_PER_FRAME
    rows = air.stretches(db, asked.channel, asked.when, end_tick + 1)
    if len(rows) == 2 and same_live(*rows):
        return After(rows[1].rendition, 0, SEGMENT_TICKS)
    return After(asked.rendition, asked.number + 1)


def starts(asked: Asked, now_tick: int, back_ticks: int) -> range:
    """When a segment may have begun, the last time first: an offset tells it but for turns of the 33-bit clock."""
    if asked.ending != "ts":
        return range(asked.when, asked.when + (now_tick - back_ticks <= asked.when <= now_tick))
    if asked.when >= PTS_MODULO:
        return range(0)
    in_file = 0 if asked.rendition == SLATE else asked.number
    start = asked.when - AIR_LEAD_TICKS + FILE_PTS_TICKS + in_file * SEGMENT_TICKS
    return range(now_tick - (now_tick - start) % PTS_MODULO, now_tick - back_ticks, -PTS_MODULO)


def holds(stretches: Sequence[Stretch], start_tick: int, asked: Asked) -> bool:
    """Whether these rows have just this segment there."""
    for stretch in stretches:
        position, rest = divmod(start_tick - stretch.start_tick, SEGMENT_TICKS)
        if 0 <= position < stretch.segments and rest == 0:
            return any(_is(found, asked) for found in segments_of(stretch, position, position + 1))
    return False


def _is(found: Segment, asked: Asked) -> bool:
    when = found.offset_ticks if asked.ending == "ts" else found.start_tick
    same = (found.rendition, found.number, found.frames, when)
    return same == (asked.rendition, asked.number, asked.frames, asked.when)


def _formed(asked: Asked, segment: bytes, following: bytes = b"") -> bytes:
    """A segment of a file in the form that was asked for. Raises NotHouseFormat."""
    if asked.ending == "ts":
        return move(segment, asked.when, asked.frames)
    sounds = sounds_at(asked.when, asked.frames, asked.number, segment, following)
    if asked.ending == "aac":
        return packed_audio(sounds)
    return fmp4.fragment(asked.when, asked.frames, segment, sounds, _headers())


@lru_cache(maxsize=1)
def init() -> tuple[str, bytes]:
    """Name and bytes of the init segment. What has another content has another name."""
    data = fmp4.init_segment(slate.slate_path().read_bytes())
    return f"init-{blake2b(data, digest_size=8).hexdigest()}.mp4", data


@lru_cache(maxsize=1)
def _headers() -> tuple[bytes, bytes]:
    return fmp4.headers_of(slate.slate_path().read_bytes())
