"""HLS from the air ledger (RFC 8216): the list at a moment is a slice of the rows, the same from every worker.

A segment is announced when it has ended. One timeline, no discontinuities; numbers, times and addresses of a segment
stand in the ledger and never change.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from appliance.core.asset import hex_of
from appliance.core.ledger import Segment, Stretch, segments_of
from appliance.core.moment import to_text
from appliance.core.rundown import us_of
from appliance.core.ts import FRAMES_PER_S, SEGMENT_TICKS, TARGET_DURATION_S, TICKS_PER_S

LIVE_WINDOW_S: Final = 20
"""Ten segments: more than the three that the rules want, so that a viewer's stall of some seconds loses nothing."""
DVR_WINDOW_S: Final = 2 * 3600
CONTENT_TYPE: Final = "application/vnd.apple.mpegurl"


class Form(NamedTuple):
    """In what its segments come: MPEG-TS, packed audio or fragmented MP4, which needs `map_uri`, its init segment."""

    ending: str
    version: int = 3
    map_uri: str | None = None


TS: Final = Form("ts")
AUDIO: Final = Form("aac")


def cmaf(map_uri: str) -> Form:
    """Fragmented MP4 with its init segment at an address relative to the list."""
    return Form("m4s", 7, map_uri)


def live(stretches: Sequence[Stretch], now_tick: int, form: Form = TS) -> str:
    """The list that players follow. `stretches` must reach back LIVE_WINDOW_S and a segment, or to the beginning."""
    return text_of(segments_at(stretches, now_tick, LIVE_WINDOW_S * TICKS_PER_S), form)


def dvr(stretches: Sequence[Stretch], now_tick: int, form: Form = TS) -> str:
    """The list that reaches two hours back."""
    return text_of(segments_at(stretches, now_tick, DVR_WINDOW_S * TICKS_PER_S), form)


def reach_ticks(window_s: int) -> int:
    """How far before now the rows for a list of so many seconds begin, at most."""
    return (window_s + 2 * TARGET_DURATION_S) * TICKS_PER_S


def segments_at(stretches: Sequence[Stretch], now_tick: int, window_ticks: int) -> tuple[Segment, ...]:
    """The fewest last segments that have ended by `now_tick` and are together at least `window_ticks` long."""
    found: list[Segment] = []
    length = 0
    for segment in _ended(stretches, now_tick):
        if length >= window_ticks:
            break
        found.append(segment)
        length += segment.end_tick - segment.start_tick
    return tuple(reversed(found))


def text_of(segments: Sequence[Segment], form: Form = TS) -> str:
    """The text of a list that slides; every segment carries its time, so that a line once given never changes."""
    lines = _head(segments, form)
    for segment in segments:
        lines += _lines(segment, form, "")
    return "\n".join(lines) + "\n"


def complete(segments: Sequence[Segment], form: Form, place: str) -> str:
    """The text of a list that is over and will not change: a programme seen again. `place` leads to the segments.

    Where one does not follow the other (something between may not be shown again) stands a discontinuity.
    """
    lines = _head(segments, form)
    lines.insert(2, "#EXT-X-PLAYLIST-TYPE:VOD")
    end_tick = segments[0].start_tick if segments else 0
    for segment in segments:
        if segment.start_tick != end_tick:
            lines.append("#EXT-X-DISCONTINUITY")
        lines += _lines(segment, form, place)
        end_tick = segment.end_tick
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def address_of(segment: Segment, form: Form = TS) -> str:
    """Relative to the list: everything that is needed to make the segment from the file of its rendition.

    The times of MPEG-TS have 33 bits, so its address tells by how much they move; the others tell when it begins.
    """
    when = segment.offset_ticks if form.ending == TS.ending else segment.start_tick
    return f"{when}/{segment.frames}/{hex_of(segment.rendition)}/{segment.number}.{form.ending}"


def _head(segments: Sequence[Segment], form: Form) -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{form.version}",
        f"#EXT-X-TARGETDURATION:{TARGET_DURATION_S}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].msn if segments else 0}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        *((f'#EXT-X-MAP:URI="{form.map_uri}"',) if form.map_uri is not None else ()),
    ]


def _lines(segment: Segment, form: Form, place: str) -> tuple[str, str, str]:
    return (
        f"#EXT-X-PROGRAM-DATE-TIME:{_moment(segment.start_tick)}",
        f"#EXTINF:{segment.frames // FRAMES_PER_S}.{segment.frames % FRAMES_PER_S * 1000 // FRAMES_PER_S:03d},",
        f"{place}{address_of(segment, form)}",
    )


def _ended(stretches: Sequence[Stretch], now_tick: int) -> Iterator[Segment]:
    """Segments that have ended, the last first."""
    for stretch in reversed(stretches):
        if stretch.start_tick >= now_tick:
            continue
        ended = stretch.segments if stretch.end_tick <= now_tick else (now_tick - stretch.start_tick) // SEGMENT_TICKS
        for number in range(ended - 1, -1, -1):
            yield from segments_of(stretch, number, number + 1)


def _moment(tick: int) -> str:
    """With milliseconds, always: a frame is 40 of them."""
    milliseconds = us_of(tick) // 1000
    return f"{to_text(milliseconds // 1000 * 1_000_000)[:-1]}.{milliseconds % 1000:03d}Z"
