"""A linter for media playlists that are polled again and again: RFC 8216, its successor, and what this house promises.

    lint = HlsLint(); lint.look(text, now_us)     at every poll; raises Violation with what is wrong
    lint.gone(now_us)                             what left the list and must still be had
    whole(text)                                   a list that is complete: catch-up

It knows nothing of the code under test: it reads the text, and remembers what it read. What the bytes of segments must
be is in `stream_lint`. The rules are those of one continuous timeline, by their number in the study's check list:

    1   only new segments at the end and old ones gone from the head; a line once given never changes
    2   the target duration never changes, and no segment is longer
    3   a new segment within 1.5 target durations of the last one
    4   the media sequence goes up by one for each segment that goes, for ever
    5   three target durations are listed at least
    6   what left the list can be had for its own length and that of the longest list
    9   every segment has its programme time, and that never moves
    12  version and head as they must be; no playlist type on a list that slides
    13  a segment is announced when it is whole, not before
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

TARGET_S = 2
TARGET_US = TARGET_S * 1_000_000
URI = re.compile(r"(\d+)/(\d+)/([0-9a-f]{64})/(\d+)\.ts")
BANNED = ("DISCONTINUITY", "BYTERANGE", "GAP", "I-FRAMES-ONLY", "EXT-X-KEY", "START:", "SKIP", "PART")


class Violation(AssertionError):
    pass


@dataclass(frozen=True)
class Form:
    """One way in which a channel is listed: its version, the endings of its addresses, and whether it has a map."""

    version: int
    ending: str
    has_map: bool = False


TS = Form(3, "ts")
AUDIO = Form(3, "aac")
CMAF = Form(7, "m4s", has_map=True)


@dataclass(frozen=True)
class Listed:
    msn: int
    start_us: int
    duration_us: int
    uri: str

    @property
    def end_us(self) -> int:
        return self.start_us + self.duration_us


@dataclass(frozen=True)
class Playlist:
    """A text, read. `head` is what stands before the first segment but the media sequence; `breaks` are the numbers of
    segments before which there is a discontinuity."""

    head: tuple[str, ...]
    segments: list[Listed]
    breaks: frozenset[int]
    has_ended: bool

    @property
    def length_us(self) -> int:
        return sum(segment.duration_us for segment in self.segments)


class HlsLint:
    def __init__(self, window_s: float = 3 * TARGET_S, latest_s: float = 1.5 * TARGET_S, form: Form = TS) -> None:
        self.form = form
        self.window_us = round(window_s * 1_000_000)
        self.latest_us = round(latest_s * 1_000_000)
        self.known: dict[int, Listed] = {}
        self.last: list[Listed] = []
        self.head: tuple[str, ...] | None = None
        self.longest_us = 0
        self.left: dict[int, int] = {}
        """When each segment that is listed no more was last seen: it left at that moment or later."""
        self.last_us = 0
        self.polls = 0

    def look(self, text: str, now_us: int) -> list[Listed]:
        found = read(text, self.form)
        listed = found.segments
        if self.head not in (None, found.head):
            raise Violation(f"rule 2, 12: the head changed: {self.head} -> {found.head}")
        self.head = found.head
        self._whole(listed, now_us)
        for segment in listed:
            if self.known.setdefault(segment.msn, segment) != segment:
                raise Violation(f"rule 1, 9: segment {segment.msn} changed: {self.known[segment.msn]} -> {segment}")
        if self.last:
            self._slid(listed, now_us)
        self.last_us = now_us
        self.longest_us = max(self.longest_us, found.length_us)
        self.last = listed
        self.polls += 1
        return listed

    def gone(self, now_us: int) -> list[Listed]:
        """Segments that are listed no more and must still be fetchable (rule 6)."""
        over = [msn for msn, left_us in self.left.items() if now_us - left_us > self._kept_us(self.known[msn])]
        for msn in over:
            del self.left[msn]
        return [self.known[msn] for msn in sorted(self.left)]

    def timeline(self) -> list[Listed]:
        """All that was ever listed, in order."""
        return [self.known[msn] for msn in sorted(self.known)]

    def forget_before(self, msn: int) -> None:
        """For days on end: what lies so far back is not looked at again."""
        for old in [each for each in self.known if each < msn and each not in self.left]:
            del self.known[old]

    def _kept_us(self, segment: Listed) -> int:
        return segment.duration_us + self.longest_us

    def _slid(self, listed: list[Listed], now_us: int) -> None:
        before, first = self.last, listed[0].msn
        if first < before[0].msn:
            raise Violation(f"rule 4: media sequence went back: {before[0].msn} -> {first}")
        if listed[-1].msn < before[-1].msn:
            raise Violation("rule 1: segments that were listed are not there yet any more")
        if first > before[-1].msn + 1 and now_us - before[-1].end_us < self.window_us:
            raise Violation("rule 4: segments went by unlisted")
        for segment in before:
            if segment.msn < first:
                self.left.setdefault(segment.msn, self.last_us)

    def _whole(self, listed: list[Listed], now_us: int) -> None:
        if not listed:
            raise Violation("rule 5: an empty list")
        for before, after in pairwise(listed):
            if before.end_us != after.start_us:
                raise Violation(f"a hole or an overlap after {before.msn}: {before.end_us} {after.start_us}")
        if sum(segment.duration_us for segment in listed) < self.window_us:
            raise Violation("rule 5: fewer than three target durations")
        if any(not 0 < segment.duration_us <= TARGET_US for segment in listed):
            raise Violation("rule 2: a segment longer than the target duration, or empty")
        if listed[-1].end_us > now_us:
            raise Violation("rule 13: a segment was announced before its end")
        if now_us - listed[-1].end_us > self.latest_us:
            raise Violation("rule 3: no new segment in time")


def whole(text: str, form: Form = TS) -> Playlist:
    """A list that is complete and will not change: one programme, from its first segment to its last."""
    found = read(text, form, prefix=r"\.\./live/[a-z0-9-]+/")
    if not found.has_ended or "#EXT-X-PLAYLIST-TYPE:VOD" not in found.head:
        raise Violation("a complete list says that it is, and ends")
    if not found.segments:
        raise Violation("an empty list")
    for before, after in pairwise(found.segments):
        joined = before.end_us == after.start_us
        if joined == (after.msn in found.breaks):
            raise Violation(f"rule 7: a hole without its tag, or a tag without a hole, before {after.msn}")
        if any(not 0 < segment.duration_us <= TARGET_US for segment in (before, after)):
            raise Violation("rule 2: a segment longer than the target duration, or empty")
    return found


@dataclass
class _Reading:
    """Where a reader of the text stands."""

    head: list[str] = field(default_factory=list)
    msn: int | None = None
    start_us: int | None = None
    duration_us: int | None = None
    broken: bool = False
    segments: list[Listed] = field(default_factory=list)
    breaks: set[int] = field(default_factory=set)
    has_ended: bool = False


def parse(text: str, form: Form = TS) -> list[Listed]:
    """The segments of a list that slides."""
    return read(text, form).segments


def read(text: str, form: Form = TS, prefix: str = "") -> Playlist:
    """Read a text, and hold it against what any list of this house must be."""
    lines = text.split("\n")
    if lines[0] != "#EXTM3U" or lines[-1] != "" or not text.isascii():
        raise Violation("not a playlist")
    state = _Reading()
    uri = re.compile(rf"{prefix}\d+/\d+/[0-9a-f]{{64}}/\d+\.{form.ending}")
    for line in lines[1:-1]:
        if state.has_ended:
            raise Violation(f"something after the end: {line}")
        _read(state, line, uri, form)
    if state.duration_us is not None or state.start_us is not None:
        raise Violation("a segment without its address")
    _check_head(state.head, form)
    if state.has_ended != ("#EXT-X-PLAYLIST-TYPE:VOD" in state.head):
        raise Violation("rule 12: an end where there is none, or no end")
    return Playlist(tuple(state.head), state.segments, frozenset(state.breaks), state.has_ended)


def _read(state: _Reading, line: str, uri: re.Pattern[str], form: Form) -> None:
    tag, _, value = line.partition(":")
    if tag == "#EXT-X-MEDIA-SEQUENCE":
        if state.segments or state.msn is not None or not value.isdigit():
            raise Violation(f"rule 12: media sequence: {line}")
        state.msn = int(value)
    elif tag == "#EXT-X-PROGRAM-DATE-TIME":
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) or state.start_us is not None:
            raise Violation(f"rule 9: no time: {line}")
        state.start_us = round(datetime.fromisoformat(value).timestamp() * 1000) * 1000
    elif tag == "#EXTINF":
        if not re.fullmatch(r"\d\.\d{3},", value) or state.duration_us is not None:
            raise Violation(f"malformed: {line}")
        state.duration_us = int(value[:-1].replace(".", "")) * 1000
    elif tag == "#EXT-X-ENDLIST":
        state.has_ended = True
    elif tag == "#EXT-X-DISCONTINUITY" and "#EXT-X-PLAYLIST-TYPE:VOD" in state.head:
        state.broken = True
    elif not line.startswith("#"):
        _take(state, line, uri, form)
    elif state.segments or any(word in line for word in BANNED):
        raise Violation(f"{line} has no business here")
    else:
        state.head.append(line)


def _take(state: _Reading, line: str, uri: re.Pattern[str], form: Form) -> None:
    if not uri.fullmatch(line) or state.msn is None or state.start_us is None or state.duration_us is None:
        raise Violation(f"malformed, or without its time or length: {line}")
    msn = state.msn + len(state.segments)
    segment = Listed(msn, state.start_us, state.duration_us, line)
    _check_address(segment, form)
    if state.broken:
        state.breaks.add(msn)
    state.segments.append(segment)
    state.start_us = state.duration_us = None
    state.broken = False


def _check_head(head: list[str], form: Form) -> None:
    wanted = {f"#EXT-X-VERSION:{form.version}", f"#EXT-X-TARGETDURATION:{TARGET_S}", "#EXT-X-INDEPENDENT-SEGMENTS"}
    maps = [line for line in head if re.fullmatch(r'#EXT-X-MAP:URI="[^"]+"', line)]
    if len(maps) != form.has_map:
        raise Violation(f"rule 11: one map where there must be one, none elsewhere: {head}")
    if set(head) - set(maps) - {"#EXT-X-PLAYLIST-TYPE:VOD"} != wanted or len(set(head)) != len(head):
        raise Violation(f"rule 2, 12: the head is not what it must be: {head}")


def _check_address(segment: Listed, form: Form) -> None:
    """What stands in the address must put the segment's first picture at its time; on the PTS clock a second later."""
    when, frames, _, name = segment.uri.split("/")[-4:]
    if form.ending == "ts":
        number = int(name.partition(".")[0])
        shown = (180_000 + number * 180_000 + int(when)) % 2**33
        if shown != (segment.start_us * 9 // 100 + 90_000) % 2**33:
            raise Violation(f"the timestamps of {segment.msn} do not continue the channel's timeline")
    elif int(when) != segment.start_us * 9 // 100:
        raise Violation(f"the address of {segment.msn} has another time")
    if int(frames) * 40_000 != segment.duration_us:
        raise Violation(f"{segment.msn} has not the frames that its duration says")
