"""The house format's MPEG-TS: segments written, found, moved in time and cut. docs/formats.md, section 7.

A packaged file is a row of segments of 50 frames (the last may be shorter), each a whole of its own:

    PAT PMT  picture 0  sounds ..  picture 1 ..   PAT PMT  picture 3 ..        16 PATs and PMTs in all
             ^ keyframe with PCR, SPS, PPS

Every picture and every AAC frame is one PES packet. In each segment each PID has a multiple of 16 packets, so its
continuity counters run from 0 to 15 and any segment can follow any other; and a PAT with counter 0 begins a segment
and nothing else does. Timestamps stand on a grid: picture i of a file is shown at FILE_PTS_TICKS + 3600 i, sound k
(an AAC frame; the first is the encoder's priming) at FILE_PTS_TICKS + 1920 (k - 1). A sound belongs to the segment in
which it ends one sound before the segment does, so where two files meet, sounds never change order and less than one
of them is missing or doubled.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from appliance.core.errors import Refused, Text
from appliance.core.mux import (
    AUDIO_PID,
    BODY,
    PACKET,
    PAT,
    PCR_FIELD,
    PES_HEADER,
    PMT,
    PMT_PID,
    SYNC,
    TURN,
    VIDEO_PID,
    packets_needed,
    padded,
    pcr_field,
    pes_of,
    pes_packets,
    table_packet,
)
from appliance.core.mux import PTS_MODULO as PTS_MODULO

HOUSE_PROFILE: Final = "house-720p25-1"
TICKS_PER_S: Final = 90_000
FRAMES_PER_S: Final = 25
TICKS_PER_FRAME: Final = TICKS_PER_S // FRAMES_PER_S
FRAMES_PER_SEGMENT: Final = 50
SEGMENT_TICKS: Final = FRAMES_PER_SEGMENT * TICKS_PER_FRAME
TARGET_DURATION_S: Final = 2
SOUND_TICKS: Final = 1920
"""One AAC frame: 1024 samples at 48 kHz."""
FILE_PTS_TICKS: Final = 180_000
"""When the first picture of every packaged file is shown."""
PCR_LEAD_TICKS: Final = 90_000
"""How long before it is shown a picture enters the decoder: the second that the encoder's buffer model allows."""
AIR_LEAD_TICKS: Final = PCR_LEAD_TICKS
"""On a channel, PCR is the schedule's time and PTS is later by this."""
KEYFRAME_NAL: Final = b"\x00\x00\x01\x65"

_START_OF_PES: Final = 0x41
"""Second byte of a packet that begins a PES of VIDEO_PID or AUDIO_PID."""
_START_OF_PAT: Final = 0x40


class SegmentInfo(msgspec.Struct, frozen=True):
    """Where a segment is in its file."""

    offset: int
    size_bytes: int
    frames: int


class NotHouseFormat(Refused):
    """Bytes that are not a packaged file, or not one whole segment of one."""


def move(segment: bytes, offset_ticks: int, frames: int | None = None) -> bytes:
    """A segment of a packaged file, `offset_ticks` later on a clock that wraps at 2^33, cut after `frames` pictures.

    Only the 33-bit fields PTS, DTS and PCR base change, unless it is cut. Offsets may be negative or beyond the wrap.
    Raises NotHouseFormat.
    """
    if len(segment) % PACKET or segment[::PACKET].count(SYNC) != len(segment) // PACKET:
        raise _not_house("同步字节不对", "sync bytes are not where they must be")
    starts = list(_pes_starts(segment))
    if frames is not None and frames != _count_pictures(segment, starts):
        segment = cut(segment, frames)
        starts = list(_pes_starts(segment))
    moved = bytearray(segment)
    offset = offset_ticks % PTS_MODULO
    for start in starts:
        at = start + 4
        if segment[start + 3] & 0x20:
            if segment[at] and segment[at + 1] & 0x10:
                moved[at + 2 : at + 8] = _later_pcr(segment[at + 2 : at + 8], offset)
            at += 1 + segment[at]
        flags = segment[at + 7]
        if flags & 0x80:
            moved[at + 9 : at + 14] = _later_stamp(segment[at + 9 : at + 14], offset)
        if flags & 0x40:
            moved[at + 14 : at + 19] = _later_stamp(segment[at + 14 : at + 19], offset)
    return bytes(moved)


def cut(segment: bytes, frames: int) -> bytes:
    """The first `frames` pictures of a segment with the sounds that end in time, counters made whole again.

    Raises NotHouseFormat when the segment has not that many.
    """
    pictures, sounds = contents(segment)
    if not 0 < frames <= len(pictures):
        raise _not_house(f"没有 {frames} 帧", f"it has not {frames} frames")
    end = pictures[0][0] + frames * TICKS_PER_FRAME - SOUND_TICKS
    return _segment(pictures[:frames], [sound for sound in sounds if sound[0] + SOUND_TICKS <= end])


def assemble(number: int, pictures: Sequence[bytes], sounds: Sequence[bytes]) -> bytes:
    """Segment `number` of a file from its access units and its ADTS frames, as many as `sounds_in` says."""
    first, last = sounds_in(number, len(pictures))
    assert len(sounds) == last - first, "sounds are counted by the grid"
    base = FILE_PTS_TICKS + number * SEGMENT_TICKS
    return _segment(
        [(base + index * TICKS_PER_FRAME, picture) for index, picture in enumerate(pictures)],
        [(FILE_PTS_TICKS + (first + index - 1) * SOUND_TICKS, sound) for index, sound in enumerate(sounds)],
    )


def sounds_in(number: int, frames: int) -> tuple[int, int]:
    """The sounds [first, last) of a file that belong to its segment `number`, which has `frames` pictures."""
    begin = number * FRAMES_PER_SEGMENT
    return _sounds_until(begin) if begin else 0, _sounds_until(begin + frames)


def contents(segment: bytes) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Pictures and sounds of a segment, each with its PTS. The inverse of what writes it. Raises NotHouseFormat."""
    pictures: list[tuple[int, bytes]] = []
    sounds: list[tuple[int, bytes]] = []
    for pid, pts, payload in pes_in(segment):
        (pictures if pid == VIDEO_PID else sounds).append((pts, payload))
    if not pictures:
        raise _not_house("没有画面", "it has no picture")
    return pictures, sounds


def pes_in(packets: bytes) -> Iterator[tuple[int, int, bytes]]:
    """PID, PTS and payload of each PES of VIDEO_PID and AUDIO_PID. No PES may stand inside another, tables may.

    Raises NotHouseFormat where a header is wrong.
    """
    starts = list(_pes_starts(packets))
    for start, end in zip(starts, [*starts[1:], len(packets)], strict=False):
        pid = (packets[start + 1] & 0x1F) << 8 | packets[start + 2]
        pes = b"".join(_payloads(packets, start, end, pid))
        if len(pes) < PES_HEADER or pes[:3] != b"\x00\x00\x01" or not pes[7] & 0x80:
            raise _not_house("PES 头不对", "a PES header is wrong")
        yield pid, _read_stamp(pes, 9), pes[9 + pes[8] :]


def last_pes_start(packets: bytes) -> int:
    """Where the last PES begins, which may not be whole yet; 0 when there is none."""
    return max(0, packets[1::PACKET].rfind(_START_OF_PES)) * PACKET


def segment_frames(segment: bytes) -> int:
    """How many pictures a segment has."""
    return _count_pictures(segment, list(_pes_starts(segment)))


def index(data: bytes | Iterable[bytes]) -> tuple[SegmentInfo, ...]:
    """Find the segments of a packaged file, given whole or in pieces. One pass; each piece is looked at once.

    Raises NotHouseFormat unless it is packets throughout, begins with a segment, and each has 50 pictures but the last.
    """
    pieces = (data,) if isinstance(data, bytes) else data
    starts: list[int] = []
    frames: list[int] = []
    size = 0
    for piece in _whole_packets(pieces):
        if piece[::PACKET].count(SYNC) != len(piece) // PACKET:
            raise _not_house("同步字节不对", "sync bytes are not where they must be")
        kinds, pids, flags = piece[1::PACKET], piece[2::PACKET], piece[3::PACKET]
        at = 0
        for start in _found(kinds, _START_OF_PAT):
            if flags[start] & 0x0F:
                continue
            if frames:
                frames[-1] += _pictures(kinds, pids, at, start)
            starts.append(size + start * PACKET)
            frames.append(0)
            at = start
        if not starts or starts[0]:
            raise _not_house("不以段首开始", "it does not begin with a segment")
        frames[-1] += _pictures(kinds, pids, at, len(kinds))
        size += len(piece)
    sizes = [after - before for before, after in zip(starts, [*starts[1:], size], strict=False)]
    uneven = any(count != FRAMES_PER_SEGMENT for count in frames[:-1]) or any(one % (TURN * PACKET) for one in sizes)
    if not frames or uneven or not 0 < frames[-1] <= FRAMES_PER_SEGMENT:
        raise _not_house("段长不对", "a segment has not the frames or packets it must have")
    return tuple(SegmentInfo(*fields) for fields in zip(starts, sizes, frames, strict=True))


def pack_table(segments: Sequence[SegmentInfo]) -> bytes:
    """The offsets of the segments and the file's size, 8 bytes each, big-endian: `place` reads it."""
    ends = [segments[-1].offset + segments[-1].size_bytes] if segments else [0]
    return b"".join(offset.to_bytes(8, "big") for offset in [*(one.offset for one in segments), *ends])


def place(table: bytes, number: int) -> tuple[int, int] | None:
    """Offset and size of segment `number` in its file; None when there is none such."""
    entry = table[8 * number : 8 * number + 16] if number >= 0 else b""
    if len(entry) < 16:
        return None
    begin, end = int.from_bytes(entry[:8], "big"), int.from_bytes(entry[8:], "big")
    return begin, end - begin


def _sounds_until(frames: int) -> int:
    return (frames * TICKS_PER_FRAME - SOUND_TICKS) // SOUND_TICKS + 1


def _segment(pictures: Sequence[tuple[int, bytes]], sounds: Sequence[tuple[int, bytes]]) -> bytes:
    """Write a segment: pictures in order, each followed by the sounds that are heard before the next."""
    video = [pes_of(0xE0, pts, picture, bounded=False) for pts, picture in pictures]
    audio = [pes_of(0xC0, pts, sound, bounded=True) for pts, sound in sounds]
    video_counts = padded([packets_needed(len(pes), BODY - PCR_FIELD) for pes in video], [len(pes) for pes in video])
    audio_counts = padded([packets_needed(len(pes), BODY) for pes in audio], [len(pes) for pes in audio])
    if audio and audio_counts is None:
        # A frame or two of digital silence has too few bytes to fill a turn of the counter: it may as well be missing.
        audio, audio_counts, sounds = [], [], []
    assert video_counts is not None and audio_counts is not None, "a keyframe has bytes enough to fill a turn"
    table_at = [turn * len(video) // TURN for turn in range(TURN)]
    parts: list[bytes] = []
    video_turn, audio_turn, heard = 0, 0, 0
    for number, (pts, picture) in enumerate(pictures):
        for turn in (turn for turn, at in enumerate(table_at) if at == number):
            parts += (table_packet(0, turn, PAT), table_packet(PMT_PID, turn, PMT))
        clock = pcr_field((pts - PCR_LEAD_TICKS) % PTS_MODULO, keyframe=KEYFRAME_NAL in picture[:512])
        parts += pes_packets(VIDEO_PID, video_turn, clock, video[number], video_counts[number])
        video_turn += video_counts[number]
        until = pts + TICKS_PER_FRAME - SOUND_TICKS if number + 1 < len(pictures) else PTS_MODULO * 2
        while heard < len(audio) and sounds[heard][0] < until:
            parts += pes_packets(AUDIO_PID, audio_turn, b"", audio[heard], audio_counts[heard])
            audio_turn += audio_counts[heard]
            heard += 1
    return b"".join(parts)


def _read_stamp(data: bytes | bytearray, at: int) -> int:
    field = int.from_bytes(data[at : at + 5], "big")
    return (field >> 3 & 0x1C0000000) | (field >> 2 & 0x3FFF8000) | (field >> 1 & 0x7FFF)


def _later_stamp(stamp: bytes, offset: int) -> bytes:
    """A PTS or DTS field, its four bits of prefix kept. Written out in one piece: it runs 150 times for a segment."""
    field = int.from_bytes(stamp, "big")
    ticks = ((field >> 3 & 0x1C0000000 | field >> 2 & 0x3FFF8000 | field >> 1 & 0x7FFF) + offset) & 0x1FFFFFFFF
    return (
        field & 0xF100010001 | (ticks & 0x1C0000000) << 3 | (ticks & 0x3FFF8000) << 2 | (ticks & 0x7FFF) << 1
    ).to_bytes(5, "big")


def _later_pcr(pcr: bytes, offset: int) -> bytes:
    """The base moves; the extension, in units of 27 MHz, and the reserved bits stay."""
    field = int.from_bytes(pcr, "big")
    return ((((field >> 15) + offset) & 0x1FFFFFFFF) << 15 | field & 0x7FFF).to_bytes(6, "big")


def _count_pictures(segment: bytes, starts: Sequence[int]) -> int:
    return [segment[start + 2] for start in starts].count(VIDEO_PID & 0xFF)


def _pes_starts(segment: bytes) -> Iterator[int]:
    for number in _found(segment[1::PACKET], _START_OF_PES):
        yield number * PACKET


def _found(kinds: bytes, kind: int) -> Iterator[int]:
    at = kinds.find(kind)
    while at >= 0:
        yield at
        at = kinds.find(kind, at + 1)


def _pictures(kinds: bytes, pids: bytes, begin: int, end: int) -> int:
    """Pictures that begin in these packets: a video packet is told from an audio packet by the low byte of its PID."""
    starts = int.from_bytes(kinds[begin:end].translate(_IS_PES_START), "big")
    return (starts & int.from_bytes(pids[begin:end].translate(_IS_VIDEO), "big")).bit_count()


_IS_PES_START: Final = bytes(int(value == _START_OF_PES) for value in range(256))
_IS_VIDEO: Final = bytes(int(value == VIDEO_PID & 0xFF) for value in range(256))


def _payloads(segment: bytes, start: int, end: int, pid: int) -> Iterator[bytes]:
    """What the packets of a PES carry; tables may stand between it and the next."""
    for at in range(start, end, PACKET):
        if (segment[at + 1] & 0x1F) << 8 | segment[at + 2] == pid:
            control = segment[at + 3]
            begin = at + 4 + (1 + segment[at + 4] if control & 0x20 else 0)
            yield segment[begin : at + PACKET]


def _whole_packets(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        whole = rest + piece if rest else piece
        cut_at = len(whole) - len(whole) % PACKET
        rest = whole[cut_at:]
        if cut_at:
            yield whole[:cut_at]
    if rest:
        raise _not_house("长度不是 188 的整数倍", "its length is no multiple of 188")


def _not_house(zh: str, en: str) -> NotHouseFormat:
    return NotHouseFormat(Text(f"不是播出格式的文件：{zh}", f"not a file in house format: {en}"))
