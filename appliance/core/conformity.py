"""Whether a file is in house format already, to the packet: then it is aired as it is and nothing is coded again.

    check_segment(segment, number, headers, is_last)     raises NotHouseFormat with what is other than it must be

Everything that docs/formats.md, section 7, says of a segment is looked at: the grid of pictures and sounds, keyframes,
parameter sets, the layout of the sound, clocks and counters. Of the codes within a picture only the sets are read.
"""

from collections.abc import Sequence
from typing import Final

from appliance.core import mux, ts
from appliance.core.errors import Text

SOUND_HEADER: Final = (b"\xff\xf1\x4c\x80", b"\xff\xff\xff\xc0")
"""ADTS: AAC-LC, 48 kHz, stereo, without a checksum; value and mask of its first four bytes."""
SOUND_HEADER_BYTES: Final = 7
SOUNDS_MISSED_MAX: Final = 2
"""In a last segment of a picture or two so few sounds may be missing: `ts` cannot spread less over a turn."""


def headers_of(picture: bytes) -> bytes:
    """What stands before the picture data of a keyframe: delimiter and parameter sets, which all clips share."""
    return picture[:512].partition(ts.KEYFRAME_NAL)[0]


def check_segment(segment: bytes, number: int, headers: bytes, frames: int) -> None:
    """Raise NotHouseFormat unless `segment` is segment `number` of a file, with `frames` pictures, by all rules.

    `headers` are those of the house's encoder (`headers_of`).
    """
    pictures, sounds = ts.contents(segment)
    base = ts.FILE_PTS_TICKS + number * ts.SEGMENT_TICKS
    _check_times([pts for pts, _ in pictures], base, ts.TICKS_PER_FRAME, frames, _PICTURES)
    keyframes = [index for index, (_, picture) in enumerate(pictures) if ts.KEYFRAME_NAL in picture[:512]]
    if keyframes != [0]:
        raise _other("关键帧不在段首，或不止一个", "its keyframe is not the first picture, or not the only one")
    if headers_of(pictures[0][1]) != headers:
        raise _other("编码参数不同", "its parameter sets are not the house's")
    first, last = ts.sounds_in(number, frames)
    if sounds or last - first > SOUNDS_MISSED_MAX:
        _check_times(
            [pts for pts, _ in sounds],
            ts.FILE_PTS_TICKS + (first - 1) * ts.SOUND_TICKS,
            ts.SOUND_TICKS,
            last - first,
            _SOUNDS,
        )
    if not all(_is_house_sound(sound) for _, sound in sounds):
        raise _other("声音格式不同", "its sound is not AAC-LC, 48 kHz, stereo, one frame to a packet")
    check_counters(segment)
    _check_clocks(segment, pictures)


def check_counters(segment: bytes) -> None:
    """Raise NotHouseFormat unless each PID counts from 0 to 15, whole turns: then any segment may follow any other."""
    turns: dict[int, int] = {}
    for at in range(0, len(segment), mux.PACKET):
        pid = (segment[at + 1] & 0x1F) << 8 | segment[at + 2]
        turn = turns.get(pid, 0)
        if pid not in _PIDS or segment[at + 3] & 0x0F != turn:
            raise _other("连续计数不对", "its continuity counters are not those of the house")
        turns[pid] = (turn + 1) % mux.TURN
    if any(turns.values()):
        raise _other("连续计数不满一轮", "its continuity counters do not end with a turn")


def _check_clocks(segment: bytes, pictures: Sequence[tuple[int, bytes]]) -> None:
    """Each picture's first packet has a PCR, a second before the picture is shown."""
    clocks = []
    for at in range(0, len(segment), mux.PACKET):
        pid = (segment[at + 1] & 0x1F) << 8 | segment[at + 2]
        has_field = segment[at + 3] & 0x20 and segment[at + 4]
        if pid == mux.VIDEO_PID and has_field and segment[at + 5] & 0x10:
            clocks.append(int.from_bytes(segment[at + 6 : at + 12], "big") >> 15)
    if clocks != [(pts - ts.PCR_LEAD_TICKS) % mux.PTS_MODULO for pts, _ in pictures]:
        raise _other("PCR 不对", "its clock is not the house's")


def _check_times(times: Sequence[int], base: int, step: int, count: int, what: Text) -> None:
    if list(times) != [(base + step * index) % mux.PTS_MODULO for index in range(count)]:
        raise _other(f"{what.zh}不在网格上", f"its {what.en} are not on the grid")


def _is_house_sound(sound: bytes) -> bool:
    value, mask = SOUND_HEADER
    if len(sound) < SOUND_HEADER_BYTES:
        return False
    size = (sound[3] & 3) << 11 | sound[4] << 3 | sound[5] >> 5
    is_layout = all(sound[at] & mask[at] == value[at] & mask[at] for at in range(len(value)))
    return is_layout and size == len(sound) and sound[6] & 3 == 0


def _other(zh: str, en: str) -> ts.NotHouseFormat:
    return ts.NotHouseFormat(Text(f"不是播出格式：{zh}", f"not in house format: {en}"))


_PIDS: Final = (0, mux.PMT_PID, mux.VIDEO_PID, mux.AUDIO_PID)
_PICTURES: Final = Text("画面", "pictures")
_SOUNDS: Final = Text("声音", "sounds")
