"""The sounds of a segment on the channel's own grid, where sound goes by itself: packed audio, fragmented MP4.

In a rendition sounds stand on a grid that begins with its first picture (`core/ts.py`), in a chunk of a live source on
that of the import that made it; so where two items meet less than a sound is missing or doubled. A decoder of MPEG-TS
reads that from the timestamps; one that is given bare frames would drift. Here every sound has a place of the channel's
grid, whole multiples of 1,920 ticks since 1970:

    channel    |  k  | k+1 | k+2 | k+3 |     a place belongs to the segment in which it begins two sounds before
    item           |  i  | i+1 | i+2 |       the segment's end; it gets the item's sound that begins there or next

The sound of the last place may be the first of the item's next segment, which is why that is asked for. Places are
filled without a hole, whatever follows what; what the item does not have (behind its end) is silence.
"""

from collections.abc import Iterator

import msgspec

from appliance.core.grid import SILENCE
from appliance.core.mux import AUDIO_PID
from appliance.core.ts import AIR_LEAD_TICKS, FILE_PTS_TICKS, SEGMENT_TICKS, SOUND_TICKS, TICKS_PER_FRAME, pes_in


class Sounds(msgspec.Struct, frozen=True):
    """ADTS frames that follow each other. `first_tick`: when the first is heard, on the clock of the pictures."""

    first_tick: int
    frames: tuple[bytes, ...]


def sounds_at(start_tick: int, frames: int, number: int, segment: bytes, following: bytes = b"") -> Sounds:
    """The sounds of segment `number` of a rendition, on the air from `start_tick` on for `frames` pictures.

    `following` is the rendition's next segment, of a live source the next chunk, its times moved to go on from these;
    b"" where there is none. Segments that follow each other on the air have sounds that do. Raises NotHouseFormat.
    """
    begin = start_tick + AIR_LEAD_TICKS
    first = _place_after(begin - 2 * SOUND_TICKS)
    last = _place_after(begin + frames * TICKS_PER_FRAME - 2 * SOUND_TICKS)
    # From the channel's clock to the file's.
    moved = FILE_PTS_TICKS + number * SEGMENT_TICKS - begin
    there = dict(_sounds_in(segment))
    late = (next(iter(there), FILE_PTS_TICKS) - moved) % SOUND_TICKS
    if following and (after := next(_sounds_in(following), None)) is not None:
        there.setdefault(*after)
    places = range(first, last, SOUND_TICKS)
    return Sounds(first, tuple(there.get(place + late + moved, SILENCE) for place in places))


def _place_after(tick: int) -> int:
    """The first place of the grid after a tick."""
    return tick // SOUND_TICKS * SOUND_TICKS + SOUND_TICKS


def _sounds_in(segment: bytes) -> Iterator[tuple[int, bytes]]:
    return ((pts, sound) for pid, pts, sound in pes_in(segment) if pid == AUDIO_PID)
