"""Fragmented MP4 on the channel's timeline, out of the same renditions: ISO/IEC 14496-12, -14, -15, as far as used.

    init_segment(segment)        one for all channels and clips: the house format has the same headers everywhere
    fragment(...)                a segment of a rendition as one moof and its mdat

Decode times have 64 bits and are ticks since 1970, pictures a second late like in MPEG-TS; there is no edit list, and
as the house format has no B-pictures what is decoded is shown. Sounds are those of the channel's grid, in samples of
48 kHz: 1,920 ticks are 1,024 of them, so they join to the sample (`core/sounds.py`).
"""

import struct
from collections.abc import Sequence
from typing import Final

from appliance.core.errors import Text
from appliance.core.mux import VIDEO_PID
from appliance.core.sounds import Sounds
from appliance.core.ts import (
    AIR_LEAD_TICKS,
    SOUND_TICKS,
    TICKS_PER_FRAME,
    TICKS_PER_S,
    NotHouseFormat,
    pes_in,
)

WIDTH, HEIGHT = 1280, 720
SAMPLES_PER_S: Final = 48_000
SAMPLES_PER_SOUND: Final = 1024
VIDEO_TRACK, AUDIO_TRACK = 1, 2
KEY_FLAGS: Final = 0x02000000
"""A sample that depends on no other."""
OTHER_FLAGS: Final = 0x01010000

_START_CODE: Final = b"\x00\x00\x01"
_SPS, _PPS, _DELIMITER = 7, 8, 9
_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_AAC_LC_48_STEREO: Final = b"\x11\x90"
"""AudioSpecificConfig (ISO/IEC 14496-3): object type 2, frequency index 3, two channels."""


def init_segment(segment: bytes) -> bytes:
    """The init segment, from the headers of any segment in house format. Raises NotHouseFormat."""
    sps, pps = headers_of(segment)
    rate_and_volume = b"\x00\x01\x00\x00\x01\x00" + bytes(10)
    next_track = bytes(24) + struct.pack(">I", AUDIO_TRACK + 1)
    header = _full("mvhd", 0, 0, struct.pack(">4I", 0, 0, 1000, 0), rate_and_volume, _MATRIX, next_track)
    tracks = _track_box(VIDEO_TRACK, _avc1(sps, pps)), _track_box(AUDIO_TRACK, _mp4a())
    defaults = (_full("trex", 0, 0, struct.pack(">5I", track, 1, 0, 0, 0)) for track in (VIDEO_TRACK, AUDIO_TRACK))
    return _box("ftyp", b"iso6", bytes(4), b"iso6", b"mp41") + _box("moov", header, *tracks, _box("mvex", *defaults))


def headers_of(segment: bytes) -> tuple[bytes, bytes]:
    """SPS and PPS of a segment's first picture."""
    first = next((payload for pid, _, payload in pes_in(segment) if pid == VIDEO_PID), b"")
    found = {unit[0] & 0x1F: unit for unit in _units(first)}
    if _SPS not in found or _PPS not in found:
        raise _not_house("没有编码参数", "it has no headers")
    return found[_SPS], found[_PPS]


def fragment(start_tick: int, frames: int, segment: bytes, sounds: Sounds, headers: tuple[bytes, bytes]) -> bytes:
    """A segment on the air from `start_tick` on, cut after `frames` pictures. Raises NotHouseFormat.

    `headers` are those of the init segment: pictures of another encoder would be decoded to rubbish.
    """
    pictures = [payload for pid, _, payload in pes_in(segment) if pid == VIDEO_PID][:frames]
    if len(pictures) != frames:
        raise _not_house(f"没有 {frames} 帧", f"it has not {frames} frames")
    samples = [_sample(picture, headers) for picture in pictures]
    spoken = [_bare(sound) for sound in sounds.frames]
    video_time = start_tick + AIR_LEAD_TICKS
    audio_time = sounds.first_tick // SOUND_TICKS * SAMPLES_PER_SOUND

    def moof(data_at: int) -> bytes:
        video = _track_fragment(VIDEO_TRACK, video_time, TICKS_PER_FRAME, samples, data_at, OTHER_FLAGS)
        behind = data_at + sum(map(len, samples))
        audio = _track_fragment(AUDIO_TRACK, audio_time, SAMPLES_PER_SOUND, spoken, behind, KEY_FLAGS)
        number = struct.pack(">I", start_tick // TICKS_PER_FRAME % 2**32)
        return _box("moof", _full("mfhd", 0, 0, number), video, audio)

    data_at = len(moof(0)) + 8
    return moof(data_at) + _box("mdat", *samples, *spoken)


def _track_fragment(
    track: int, decode_time: int, duration: int, samples: Sequence[bytes], data_at: int, flags: int
) -> bytes:
    """Offsets count from the moof. All samples are equally long; the first is one to begin with, `flags` says of the
    others."""
    header = _full("tfhd", 0, 0x020028, struct.pack(">3I", track, duration, flags))
    time = _full("tfdt", 1, 0, struct.pack(">Q", decode_time))
    sizes = struct.pack(f">{len(samples)}I", *map(len, samples))
    run = _full("trun", 0, 0x000205, struct.pack(">IiI", len(samples), data_at, KEY_FLAGS), sizes)
    return _box("traf", header, time, run)


def _sample(picture: bytes, headers: tuple[bytes, bytes]) -> bytes:
    """An access unit with lengths in place of start codes, without what the init segment says."""
    parts: list[bytes] = []
    for unit in _units(picture):
        kind = unit[0] & 0x1F
        if kind in (_SPS, _PPS):
            if unit not in headers:
                raise _not_house("编码参数不同", "its headers are others")
        elif kind != _DELIMITER:
            parts += (len(unit).to_bytes(4, "big"), unit)
    return b"".join(parts)


def _units(picture: bytes) -> list[bytes]:
    """The NAL units of an access unit; a unit never ends with a zero, so zeros there belong to the next start code."""
    return [unit for part in picture.split(_START_CODE)[1:] if (unit := part.rstrip(b"\x00"))]


def _bare(sound: bytes) -> bytes:
    """An AAC frame without its ADTS header, which is two bytes longer where there is a checksum."""
    return sound[7 if sound[1] & 1 else 9 :]


def _track_box(track: int, entry: bytes) -> bytes:
    is_video = track == VIDEO_TRACK
    size = struct.pack(">2I", WIDTH << 16, HEIGHT << 16) if is_video else bytes(8)
    volume = bytes(4) if is_video else b"\x01\x00\x00\x00"
    header = _full("tkhd", 0, 3, struct.pack(">5I", 0, 0, track, 0, 0), bytes(12), volume, _MATRIX, size)
    scale = TICKS_PER_S if is_video else SAMPLES_PER_S
    media = _full("mdhd", 0, 0, struct.pack(">4I", 0, 0, scale, 0), b"\x55\xc4\x00\x00")
    handler = _full("hdlr", 0, 0, bytes(4), b"vide" if is_video else b"soun", bytes(12), b"house\x00")
    kind = _full("vmhd", 0, 1, bytes(8)) if is_video else _full("smhd", 0, 0, bytes(4))
    where = _box("dinf", _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1)))
    empty = [_full(name, 0, 0, bytes(8 if name == "stsz" else 4)) for name in ("stts", "stsc", "stsz", "stco")]
    table = _box("stbl", _full("stsd", 0, 0, struct.pack(">I", 1), entry), *empty)
    return _box("trak", header, _box("mdia", media, handler, _box("minf", kind, where, table)))


def _avc1(sps: bytes, pps: bytes) -> bytes:
    """The pictures' entry; High profile tells of 4:2:0 and 8 bits once more (ISO/IEC 14496-15 section 5.3.3.1)."""
    sizes = b"\xe1" + len(sps).to_bytes(2, "big") + sps, b"\x01" + len(pps).to_bytes(2, "big") + pps
    config = _box("avcC", b"\x01", sps[1:4], b"\xff", *sizes, b"\xfd\xf8\xf8\x00")
    shape = struct.pack(">2H2I", WIDTH, HEIGHT, 0x480000, 0x480000)
    return _box(
        "avc1", bytes(6), b"\x00\x01", bytes(16), shape, bytes(4), b"\x00\x01", bytes(32), b"\x00\x18\xff\xff", config
    )


def _mp4a() -> bytes:
    """The sounds' entry, with an elementary stream descriptor (ISO/IEC 14496-1 section 7.2.6.5)."""
    specific = b"\x05" + bytes((len(_AAC_LC_48_STEREO),)) + _AAC_LC_48_STEREO
    decoder = b"\x40\x15" + bytes(3) + bytes(8) + specific
    content = bytes((0, AUDIO_TRACK, 0)) + b"\x04" + bytes((len(decoder),)) + decoder + b"\x06\x01\x02"
    descriptor = _full("esds", 0, 0, b"\x03" + bytes((len(content),)) + content)
    rate = struct.pack(">I", SAMPLES_PER_S << 16)
    return _box("mp4a", bytes(6), b"\x00\x01", bytes(8), b"\x00\x02\x00\x10", bytes(4), rate, descriptor)


def _box(name: str, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, name.encode()) + content


def _full(name: str, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _not_house(zh: str, en: str) -> NotHouseFormat:
    return NotHouseFormat(Text(f"不是播出格式的文件：{zh}", f"not a file in house format: {en}"))
