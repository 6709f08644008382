"""A linter for the bytes of segments, fetched in the order of their list: one stream, whatever its clips were.

    lint = TsLint(); lint.look(listed, data)      MPEG-TS: PTS, DTS, PCR, counters, keyframes, over the 33-bit wrap
    AudioLint()                                   packed audio: the stamp in the ID3 tag, whole frames on one grid
    CmafLint(init)                                fragmented MP4: decode times of 64 bits that join to the tick

Nothing here is shared with the code under test. A segment that does not follow the last one begins a new run: what was
not fetched is not judged.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.appliance.core.hls_lint import Listed, Violation

WRAP = 2**33
PICTURE = 3600
SOUND = 1920
LEAD = 90_000
"""A picture is shown a second after the moment that its list tells."""
PCR_GAP_MAX = PICTURE
VIDEO, AUDIO = 0x100, 0x101
STAMP = b"com.apple.streaming.transportStreamTimestamp\x00"


def shown_tick(listed: Listed) -> int:
    """When its first picture must be shown, on a clock that does not wrap."""
    return listed.start_us * 9 // 100 + LEAD


class Run:
    """What of the segment before is remembered; None where the one before was not seen."""

    def __init__(self) -> None:
        self.msn: int | None = None
        self.segments = 0

    def follows(self, listed: Listed) -> bool:
        joined = self.msn is not None and listed.msn == self.msn + 1
        self.msn = listed.msn
        self.segments += 1
        return joined


@dataclass
class Pes:
    pid: int
    pts: int
    dts: int | None
    pcr: int | None
    is_access_point: bool
    payload: bytes


@dataclass
class _Open:
    """A PES whose packets are being read."""

    data: bytearray
    pcr: int | None
    is_access_point: bool


@dataclass
class TsLint(Run):
    counters: dict[int, int] = field(default_factory=dict)
    next_picture: int = 0
    next_sound: int = 0
    wraps: int = 0
    """How often the clock began anew within what was looked at."""

    def __post_init__(self) -> None:
        super().__init__()

    def look(self, listed: Listed, data: bytes) -> list[Pes]:
        joined = self.follows(listed)
        if not joined:
            self.counters.clear()
        found = list(self._packets(listed, data))
        pictures = [each for each in found if each.pid == VIDEO]
        sounds = [each for each in found if each.pid == AUDIO]
        self._pictures(listed, pictures, joined)
        self._sounds(listed, sounds, joined)
        return found

    def _pictures(self, listed: Listed, pictures: list[Pes], joined: bool) -> None:
        if len(pictures) * 40_000 != listed.duration_us:
            raise Violation(f"rule 2: {listed.msn} has {len(pictures)} pictures, its length says {listed.duration_us}")
        begin = shown_tick(listed) % WRAP
        if joined and self.next_picture != begin:
            raise Violation(f"the pictures of {listed.msn} do not go on: {self.next_picture} {begin}")
        first = pictures[0]
        if (
            not first.is_access_point
            or b"\x00\x00\x01\x65" not in first.payload
            or b"\x00\x00\x01\x67" not in first.payload
        ):
            raise Violation(f"rule 12: {listed.msn} does not begin with a keyframe and its headers")
        for number, picture in enumerate(pictures):
            due = (begin + number * PICTURE) % WRAP
            if picture.pts != due or picture.dts not in (None, due):
                raise Violation(f"picture {number} of {listed.msn} is shown at {picture.pts}, not at {due}")
            if picture.pcr != (due - LEAD) % WRAP:
                raise Violation(f"the clock of {listed.msn} says {picture.pcr}, not {(due - LEAD) % WRAP}")
        self.next_picture = (begin + len(pictures) * PICTURE) % WRAP
        self.wraps += self.next_picture < begin

    def _sounds(self, listed: Listed, sounds: list[Pes], joined: bool) -> None:
        for number, sound in enumerate(sounds):
            if sound.pts != (sounds[0].pts + number * SOUND) % WRAP:
                raise Violation(f"sound {number} of {listed.msn} is at {sound.pts}")
        if not sounds:
            return
        late = (sounds[0].pts - self.next_sound + WRAP // 2) % WRAP - WRAP // 2
        if joined and self.next_sound and not -SOUND < late < SOUND:
            raise Violation(f"{late} ticks of sound are missing or doubled before {listed.msn}")
        self.next_sound = (sounds[-1].pts + SOUND) % WRAP

    def _packets(self, listed: Listed, data: bytes) -> Iterator[Pes]:
        if len(data) % 188 or not data:
            raise Violation(f"{listed.msn} is no row of packets")
        opened: dict[int, _Open] = {}
        for at in range(0, len(data), 188):
            packet = data[at : at + 188]
            pid, control = (packet[1] & 0x1F) << 8 | packet[2], packet[3]
            if packet[0] != 0x47 or control & 0xC0 or packet[1] & 0x80 or not control & 0x10:
                raise Violation(f"a bad packet in {listed.msn} at {at}")
            if self.counters.get(pid, (control - 1) & 0x0F) != (control - 1) & 0x0F:
                raise Violation(f"the counter of {pid:#x} leaps in {listed.msn} at {at}")
            self.counters[pid] = control & 0x0F
            if at == 0 and pid != 0:
                raise Violation(f"{listed.msn} does not begin with its tables")
            if pid not in (VIDEO, AUDIO):
                continue
            pcr, flags, begin = None, 0, 4
            if control & 0x20:
                begin = 5 + packet[4]
                flags = packet[5] if packet[4] else 0
                if flags & 0x10:
                    pcr = int.from_bytes(packet[6:12], "big") >> 15
            if packet[1] & 0x40:
                if pid in opened:
                    yield _pes(pid, opened[pid])
                opened[pid] = _Open(bytearray(), pcr, bool(flags & 0x40))
            opened[pid].data += packet[begin:]
        for pid, each in opened.items():
            yield _pes(pid, each)


def _pes(pid: int, each: _Open) -> Pes:
    data = each.data
    if data[:3] != b"\x00\x00\x01" or not data[7] & 0x80:
        raise Violation("a PES header without a time")
    dts = _stamp(data[14:19]) if data[7] & 0x40 else None
    return Pes(pid, _stamp(data[9:14]), dts, each.pcr, each.is_access_point, bytes(data[9 + data[8] :]))


def _stamp(field: bytes) -> int:
    return (field[0] >> 1 & 7) << 30 | field[1] << 22 | field[2] >> 1 << 15 | field[3] << 7 | field[4] >> 1


@dataclass
class AudioLint(Run):
    next_sound: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def look(self, listed: Listed, data: bytes) -> list[bytes]:
        joined = self.follows(listed)
        stamp, frames = packed_audio(data)
        if joined and stamp != self.next_sound:
            raise Violation(f"the sounds of {listed.msn} do not go on: {self.next_sound} {stamp}")
        late = (stamp - shown_tick(listed) + WRAP // 2) % WRAP - WRAP // 2
        if not -2 * SOUND - 1 < late <= 0:
            raise Violation(f"the sounds of {listed.msn} begin {late} ticks from its time")
        if abs(len(frames) * SOUND - listed.duration_us * 9 // 100) >= SOUND:
            raise Violation(f"rule 2: {listed.msn} has {len(frames)} sounds, its length says {listed.duration_us}")
        self.next_sound = (stamp + len(frames) * SOUND) % WRAP
        return frames


def packed_audio(data: bytes) -> tuple[int, list[bytes]]:
    """The stamp of the ID3 tag and the ADTS frames of a segment (RFC 8216 section 3.4)."""
    if data[:3] != b"ID3" or STAMP not in data[:80]:
        raise Violation("packed audio without its stamp")
    size = sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True)) + 10
    at = data.index(STAMP) + len(STAMP)
    stamp = int.from_bytes(data[at : at + 8], "big")
    if stamp >= WRAP or at + 8 != size:
        raise Violation("the stamp is no 33-bit number, or the tag is longer than it")
    frames, at = [], size
    while at < len(data):
        head = data[at : at + 7]
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if len(head) == 7 else 0
        # AAC-LC, 48 kHz, stereo, one block.
        if head[:2] not in (b"\xff\xf1", b"\xff\xf0") or head[2] & 0xFD != 0x4C or head[3] & 0xC0 != 0x80 or length < 8:
            raise Violation(f"no ADTS frame at {at}: {head.hex()}")
        frames.append(data[at : at + length])
        at += length
    if at != len(data):
        raise Violation("the last sound is cut")
    return stamp, frames


@dataclass
class Track:
    """One track of a fragment: its decode time and its samples, with their flags."""

    id: int
    decode_time: int
    durations: list[int]
    samples: list[bytes]
    flags: list[int]


@dataclass
class CmafLint(Run):
    init: bytes = b""
    next_times: dict[int, int] = field(default_factory=dict)
    sequence: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        names = [name for name, _ in boxes(self.init)]
        if names != ["ftyp", "moov"] or b"edts" in self.init:
            raise Violation(f"the init segment has {names}, or an edit list")

    def look(self, listed: Listed, data: bytes) -> list[Track]:
        joined = self.follows(listed)
        sequence, tracks = fragment(data)
        if joined and sequence <= self.sequence:
            raise Violation(f"the number of fragment {listed.msn} does not go up")
        self.sequence = sequence
        video, audio = tracks
        for track in tracks:
            if joined and track.decode_time != self.next_times[track.id]:
                raise Violation(f"track {track.id} of {listed.msn} does not go on: {track.decode_time}")
            self.next_times[track.id] = track.decode_time + sum(track.durations)
        if video.decode_time != shown_tick(listed) or sum(video.durations) != listed.duration_us * 9 // 100:
            raise Violation(f"the pictures of {listed.msn} are not at its time, or not of its length")
        if not -2 * SOUND - 1 < audio.decode_time * 15 // 8 - shown_tick(listed) <= 0:
            raise Violation(f"the sounds of {listed.msn} are not at its time")
        if set(audio.durations) - {1024} or set(video.durations) - {PICTURE}:
            raise Violation(f"a sample of {listed.msn} has another length")
        if video.flags[0] & 0x10000 or not all(flags & 0x10000 for flags in video.flags[1:]):
            raise Violation(f"rule 12: not the first picture of {listed.msn} alone is one to begin with")
        if 5 not in {unit[0] & 0x1F for unit in nal_units(video.samples[0])}:
            raise Violation(f"rule 12: {listed.msn} does not begin with a keyframe")
        return tracks


def boxes(data: bytes) -> list[tuple[str, bytes]]:
    """The boxes of a level, with their contents (ISO/IEC 14496-12 section 4.2)."""
    found, at = [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            raise Violation(f"a box of {size} bytes at {at}")
        found.append((name.decode(), data[at + 8 : at + size]))
        at += size
    return found


def fragment(data: bytes) -> tuple[int, list[Track]]:
    """The number and the tracks of a segment that is one fragment."""
    parts = boxes(data)
    if [name for name, _ in parts] not in (["moof", "mdat"], ["styp", "moof", "mdat"]):
        raise Violation(f"a segment is one fragment, not {[name for name, _ in parts]}")
    moof_at = 8 + len(parts[0][1]) if parts[0][0] == "styp" else 0
    children = boxes(parts[-2][1])
    sequence = struct.unpack(">I", children[0][1][4:])[0]
    tracks = [_track(dict(boxes(content)), data, moof_at) for name, content in children if name == "traf"]
    if sum(len(sample) for track in tracks for sample in track.samples) != len(parts[-1][1]):
        raise Violation("the samples are not all of the data")
    return sequence, tracks


def _track(traf: dict[str, bytes], data: bytes, moof_at: int) -> Track:
    tfhd_flags, track_id = struct.unpack_from(">II", traf["tfhd"])
    if tfhd_flags & 0xFFFFFF & ~0x20038 or not tfhd_flags & 0x20000:
        raise Violation("a track fragment is counted from its moof")
    rest = list(struct.unpack(f">{(len(traf['tfhd']) - 8) // 4}I", traf["tfhd"][8:]))
    duration = rest.pop(0) if tfhd_flags & 0x8 else 0
    size = rest.pop(0) if tfhd_flags & 0x10 else 0
    flags = rest.pop(0) if tfhd_flags & 0x20 else 0
    if traf["tfdt"][0] != 1:
        raise Violation("a decode time of 32 bits wraps every 13 hours")
    decode_time = struct.unpack(">Q", traf["tfdt"][4:])[0]
    head, count = struct.unpack_from(">II", traf["trun"])
    at, offset, first_flags = 8, 0, None
    if head & 0x1:
        offset = struct.unpack_from(">i", traf["trun"], at)[0]
        at += 4
    if head & 0x4:
        first_flags = struct.unpack_from(">I", traf["trun"], at)[0]
        at += 4
    track = Track(track_id, decode_time, [], [], [])
    place = moof_at + offset
    for number in range(count):
        values = {"duration": duration, "size": size, "flags": flags}
        for bit, name in ((0x100, "duration"), (0x200, "size"), (0x400, "flags")):
            if head & bit:
                values[name] = struct.unpack_from(">I", traf["trun"], at)[0]
                at += 4
        if head & 0x800:
            raise Violation("there are no B-pictures, so nothing is shown at another time than it is decoded")
        track.durations.append(values["duration"])
        track.flags.append(first_flags if number == 0 and first_flags is not None else values["flags"])
        track.samples.append(data[place : place + values["size"]])
        place += values["size"]
    return track


def nal_units(sample: bytes) -> list[bytes]:
    """The NAL units of a sample, each after its length of four bytes."""
    found, at = [], 0
    while at < len(sample):
        size = struct.unpack_from(">I", sample, at)[0]
        if not size or at + 4 + size > len(sample):
            raise Violation("a NAL unit is cut")
        found.append(sample[at + 4 : at + 4 + size])
        at += 4 + size
    return found
