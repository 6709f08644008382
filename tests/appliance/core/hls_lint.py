"""A linter for a live list that is polled again and again: RFC 8216 section 6.2, and what this house promises.

    lint = HlsLint(); lint.look(text, now_us) at every poll     raises Violation with what is wrong

It knows nothing of the code under test: it reads the text, and remembers what it read.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

TARGET_S = 2
URI = re.compile(r"(\d+)/(\d+)/([0-9a-f]{64})/(\d+)\.ts")


class Violation(AssertionError):
    pass


@dataclass(frozen=True)
class Listed:
    msn: int
    start_us: int
    duration_us: int
    uri: str

    @property
    def end_us(self) -> int:
        return self.start_us + self.duration_us


class HlsLint:
    def __init__(self, window_s: float = 3 * TARGET_S, latest_s: float = 1.5 * TARGET_S) -> None:
        self.window_us = round(window_s * 1_000_000)
        self.latest_us = round(latest_s * 1_000_000)
        self.known: dict[int, Listed] = {}
        self.last: list[Listed] = []
        self.polls = 0

    def look(self, text: str, now_us: int) -> list[Listed]:
        listed = parse(text)
        self._whole(listed, now_us)
        for segment in listed:
            if self.known.setdefault(segment.msn, segment) != segment:
                raise Violation(f"segment {segment.msn} changed: {self.known[segment.msn]} -> {segment}")
        if self.last and listed[0].msn < self.last[0].msn:
            raise Violation(f"media sequence went back: {self.last[0].msn} -> {listed[0].msn}")
        if self.last and listed[-1].msn < self.last[-1].msn:
            raise Violation("segments that were listed are not there yet any more")
        if self.last and listed[0].msn > self.last[-1].msn + 1 and now_us - self.last[-1].end_us < self.window_us:
            raise Violation("segments went by unlisted")
        self.last = listed
        self.polls += 1
        return listed

    def _whole(self, listed: list[Listed], now_us: int) -> None:
        if not listed:
            raise Violation("an empty list")
        for before, after in pairwise(listed):
            if before.end_us != after.start_us:
                raise Violation(f"a hole or an overlap after {before.msn}: {before.end_us} {after.start_us}")
        if sum(segment.duration_us for segment in listed) < self.window_us:
            raise Violation("fewer than three target durations")
        if any(not 0 < segment.duration_us <= TARGET_S * 1_000_000 for segment in listed):
            raise Violation("a segment longer than the target duration, or empty")
        if listed[-1].end_us > now_us:
            raise Violation("a segment was announced before its end")
        if now_us - listed[-1].end_us > self.latest_us:
            raise Violation("no new segment in time")

    def timeline(self) -> list[Listed]:
        """All that was ever listed, in order."""
        return [self.known[msn] for msn in sorted(self.known)]


def parse(text: str) -> list[Listed]:
    lines = text.split("\n")
    if lines[0] != "#EXTM3U" or lines[-1] != "" or not text.isascii():
        raise Violation("not a playlist")
    head = {name: value for name, _, value in (line[1:].partition(":") for line in lines[1:5])}
    if head.get("EXT-X-TARGETDURATION") != str(TARGET_S) or int(head.get("EXT-X-VERSION", "0")) < 3:
        raise Violation(f"head changed: {head}")
    for banned in ("DISCONTINUITY", "ENDLIST", "PLAYLIST-TYPE", "EXT-X-MAP", "BYTERANGE", "GAP"):
        if banned in text:
            raise Violation(f"{banned} has no business here")
    msn = int(head["EXT-X-MEDIA-SEQUENCE"])
    body = lines[5:-1]
    if len(body) % 3:
        raise Violation("stray lines")
    found = []
    for at in range(0, len(body), 3):
        moment, length, uri = body[at : at + 3]
        if not moment.startswith("#EXT-X-PROGRAM-DATE-TIME:") or not moment.endswith("Z"):
            raise Violation(f"no time: {moment}")
        if not re.fullmatch(r"#EXTINF:\d\.\d{3},", length) or not URI.fullmatch(uri):
            raise Violation(f"malformed: {length} {uri}")
        start = datetime.fromisoformat(moment.split(":", 1)[1])
        start_us = round(start.timestamp() * 1000) * 1000
        segment = Listed(msn + at // 3, start_us, int(length[8:-1].replace(".", "")) * 1000, uri)
        _check_address(segment)
        found.append(segment)
    return found


def _check_address(segment: Listed) -> None:
    """The offset in the address must put the segment's first picture at its time, a second later on the PTS clock."""
    offset, frames, _, number = (part for part in URI.fullmatch(segment.uri).groups())  # type: ignore[union-attr]
    shown = (180_000 + int(number) * 180_000 + int(offset)) % 2**33
    if shown != (segment.start_us * 9 // 100 + 90_000) % 2**33:
        raise Violation(f"the timestamps of {segment.msn} do not continue the channel's timeline")
    if int(frames) * 40_000 != segment.duration_us:
        raise Violation(f"{segment.msn} has not the frames that its duration says")
