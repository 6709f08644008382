"""The encoder's stream laid on the house's grid of pictures and sounds, segment by segment."""

from collections.abc import Iterator, Sequence
from typing import Final

from appliance.core import mux, ts
from appliance.core.errors import Text, WorldError

SILENCE: Final = bytes.fromhex("fff14c80039ffc211004608c1b802969696969696969696969696978")
"""An ADTS frame of silence, AAC-LC, 48 kHz, stereo, made long enough by a fill element to be spread over 16 packets."""
BACKLOG_MAX: Final = 3000
"""Pictures or sounds of one kind that may wait for the other."""


class Grid:
    """Takes MPEG-TS as it comes from the encoder, gives house segments as they become whole.

    A sound that is missing becomes silence, one that is there twice is dropped: sound never drifts against the picture.
    With `still`, which are the pictures of one segment, no pictures are expected and these are shown again and again.
    """

    def __init__(self, still: Sequence[bytes], *, sounding: bool) -> None:
        self.frames = 0
        """Pictures taken so far; with a still, pictures that the sounds so far need."""
        self._still = still
        self._sounding = sounding
        self._pictures: list[bytes] = []
        self._sounds: list[bytes] = []
        self._number = 0
        self._first_sound = 0
        self._packets = b""
        self._zero: int | None = None
        self._early: list[tuple[int, bytes]] = []
        self._headers: bytes | None = None

    def take(self, packets: bytes) -> Iterator[bytes]:
        """Segments that are whole now. Raises WorldError when the encoder did not do as it was told."""
        self._packets += packets
        whole = len(self._packets) - len(self._packets) % mux.PACKET
        end = ts.last_pes_start(self._packets[:whole])
        self._sort(self._packets[:end])
        self._packets = self._packets[end:]
        yield from self._whole_segments()

    def rest(self) -> Iterator[bytes]:
        """The segments that are left when the encoder has ended."""
        self._sort(self._packets)
        self._packets = b""
        yield from self._whole_segments()
        while (left := min(ts.FRAMES_PER_SEGMENT, self.frames - self._number * ts.FRAMES_PER_SEGMENT)) > 0:
            first, last = ts.sounds_in(self._number, left)
            self._sounds += [SILENCE] * (last - self._first_sound - len(self._sounds))
            yield self._segment(left, last - first)

    def _whole_segments(self) -> Iterator[bytes]:
        frames = ts.FRAMES_PER_SEGMENT
        while self.frames - self._number * frames >= frames:
            first, last = ts.sounds_in(self._number, frames)
            if not self._sounding:
                self._sounds = [SILENCE] * (last - first)
            if len(self._sounds) < last - first:
                break
            yield self._segment(frames, last - first)
        if len(self._pictures) > BACKLOG_MAX or len(self._sounds) > BACKLOG_MAX:
            raise _unruly("画面与声音相距过远", "pictures and sounds are too far apart")

    def _segment(self, frames: int, sounds: int) -> bytes:
        pictures = self._still[:frames] if self._still else self._pictures[:frames]
        segment = ts.assemble(self._number, pictures, self._sounds[:sounds])
        del self._pictures[:frames], self._sounds[:sounds]
        self._number += 1
        self._first_sound += sounds
        return segment

    def _sort(self, packets: bytes) -> None:
        for pid, pts, payload in ts.pes_in(packets):
            if pid == mux.VIDEO_PID:
                self._take_picture(pts, payload)
            elif self._zero is None and not self._still:
                self._early.append((pts, payload))
            else:
                self._take_sounds(pts, payload)

    def _take_picture(self, pts: int, picture: bytes) -> None:
        if self._zero is None:
            self._zero = pts
            for early_pts, payload in self._early:
                self._take_sounds(early_pts, payload)
        if (pts - self._zero) % ts.PTS_MODULO != self.frames * ts.TICKS_PER_FRAME:
            raise _unruly("画面时间不均匀", "pictures are not evenly spaced")
        headers, keyframe, _ = picture[:512].partition(ts.KEYFRAME_NAL)
        if bool(keyframe) != (self.frames % ts.FRAMES_PER_SEGMENT == 0):
            raise _unruly("关键帧不在段首", "keyframes are not where segments begin")
        if keyframe:
            if self._headers not in (None, headers):
                raise _unruly("编码参数中途改变", "the stream's parameters change")
            self._headers = headers
        self._pictures.append(picture)
        self.frames += 1

    def _take_sounds(self, pts: int, payload: bytes) -> None:
        if self._zero is None:
            self._zero = pts + ts.SOUND_TICKS
        while payload:
            size = (payload[3] & 3) << 11 | payload[4] << 3 | payload[5] >> 5 if len(payload) > 6 else 0
            if not 7 < size <= len(payload):
                raise _unruly("声音帧残缺", "a sound is not whole")
            self._take_sound(pts, payload[:size])
            payload = payload[size:]
            pts += ts.SOUND_TICKS

    def _take_sound(self, pts: int, sound: bytes) -> None:
        assert self._zero is not None
        distance = (pts - self._zero + ts.PTS_MODULO // 2) % ts.PTS_MODULO - ts.PTS_MODULO // 2
        number = round(distance / ts.SOUND_TICKS) + 1 - self._first_sound
        if number < len(self._sounds):
            return
        if number > len(self._sounds) + BACKLOG_MAX:
            raise _unruly("声音时间跳跃", "sounds leap in time")
        self._sounds += [SILENCE] * (number - len(self._sounds))
        self._sounds.append(sound)
        if self._still:
            self.frames = -(-(self._first_sound + len(self._sounds) - 1) * ts.SOUND_TICKS // ts.TICKS_PER_FRAME)


def _unruly(zh: str, en: str) -> WorldError:
    return WorldError(Text(f"编码器输出异常：{zh}", f"the encoder did not do as told: {en}"), retryable=False)
