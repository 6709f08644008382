"""Packed audio and fragmented MP4 out of the same renditions: exact joins, whatever follows what, over every wrap."""

import random
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from appliance.core import fmp4, ts
from appliance.core.packed_audio import packed_audio
from appliance.core.sounds import Sounds, sounds_at
from tests.appliance import clips
from tests.appliance.core.hls_lint import Listed, Violation
from tests.appliance.core.stream_lint import AudioLint, CmafLint, TsLint, nal_units
from tests.appliance.core.stream_lint import packed_audio as read_packed

NAMES = ("long", "small", "odd", "slate")
WRAP_TICK = (1_795_478_400 * 90_000 // 2**33 + 1) * 2**33 // 3600 * 3600
"""A frame at the next wrap of the 33-bit clock."""


def aired(seed: int, start_tick: int, joins: int = 14) -> list[tuple[Listed, str, int]]:
    """A channel of clips begun and cut at random: what its list says, the clip and the number of its segment."""
    chance, found, tick = random.Random(seed), [], start_tick
    for _ in range(joins):
        name = chance.choice(NAMES)
        segments = clips.segments(name)
        first = chance.randrange(len(segments)) if chance.random() < 0.5 else 0
        left = chance.randint(1, 150) if chance.random() < 0.5 else 10**6
        for number in range(first, len(segments)):
            frames = min(left, ts.segment_frames(segments[number]))
            left -= frames
            if frames:
                start_us = tick * 100 // 9
                found.append((Listed(1000 + len(found), start_us, frames * 40_000, ""), name, number))
                tick += frames * 3600
    return found


def bytes_of(listed: Listed, name: str, number: int) -> tuple[bytes, Sounds, int, int]:
    segments = clips.segments(name)
    frames, start = listed.duration_us // 40_000, listed.start_us * 9 // 100
    following = segments[number + 1] if number + 1 < len(segments) else b""
    return segments[number], sounds_at(start, frames, number, segments[number], following), start, frames


@pytest.mark.parametrize("start", [WRAP_TICK + 3600 * 12345, WRAP_TICK - 20 * 90_000], ids=["plain", "33-bit wrap"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_follows_what_all_three_forms_are_one_stream(seed: int, start: int) -> None:
    """One linter for each, written without a look at the code: times join to the tick, sounds to the sample."""
    transport, audio, fragments = TsLint(), AudioLint(), CmafLint(fmp4.init_segment(clips.segments("slate")[0]))
    headers = fmp4.headers_of(clips.segments("slate")[0])
    for listed, name, number in aired(seed, start):
        segment, sounds, tick, frames = bytes_of(listed, name, number)
        offset = tick + ts.AIR_LEAD_TICKS - ts.FILE_PTS_TICKS - number * ts.SEGMENT_TICKS
        shown = [each.payload for each in transport.look(listed, ts.move(segment, offset, frames)) if each.pid == 0x100]
        heard = audio.look(listed, packed_audio(sounds))
        video, spoken = fragments.look(listed, fmp4.fragment(tick, frames, segment, sounds, headers))
        assert len(video.samples) == len(shown) == frames
        assert spoken.samples == [each[7:] for each in heard]
    assert transport.segments == audio.segments == fragments.segments > 14
    assert transport.wraps == (start < WRAP_TICK)


PHASES = range(777, 785)
"""Frames after which a clip may begin: so many ways there are in which its pictures lie on the channel's sounds."""


@pytest.mark.parametrize("late", PHASES)
def test_within_a_clip_every_sound_is_there_once_and_in_order(late: int) -> None:
    """Where nothing changes nothing may be doubled, dropped or made silent."""
    segments = clips.segments("long")
    in_file = [sound for segment in segments for _, sound in ts.contents(segment)[1]]
    start = WRAP_TICK + 3600 * late
    heard: list[bytes] = []
    for number, segment in enumerate(segments):
        frames = ts.segment_frames(segment)
        following = segments[number + 1] if number + 1 < len(segments) else b""
        heard += sounds_at(start + number * ts.SEGMENT_TICKS, frames, number, segment, following).frames
    assert heard[: len(in_file)] == in_file
    assert 0 <= len(heard) - len(in_file) <= 1


@pytest.mark.parametrize("late", PHASES)
def test_from_chunk_to_chunk_of_a_live_source_every_sound_is_there_once(late: int) -> None:
    """Each is a file of its own, with sounds on the grid of the import that made it: no click, no silence."""
    segments = clips.segments("long")
    in_file = [sound for segment in segments for _, sound in ts.contents(segment)[1]]
    chunks = [ts.move(segment, -number * ts.SEGMENT_TICKS) for number, segment in enumerate(segments)]
    start = WRAP_TICK + 3600 * late
    heard: list[bytes] = []
    for number, (chunk, after) in enumerate(pairwise([*chunks, b""])):
        following = ts.move(after, ts.SEGMENT_TICKS) if after else b""
        frames = ts.segment_frames(chunk)
        heard += sounds_at(start + number * ts.SEGMENT_TICKS, frames, 0, chunk, following).frames
    assert heard[: len(in_file)] == in_file
    assert 0 <= len(heard) - len(in_file) <= 1


def test_a_picture_is_the_same_in_both_forms() -> None:
    """Lengths for start codes, and without the headers that the init segment has: nothing else is touched."""
    segment = clips.segments("odd")[0]
    headers = fmp4.headers_of(segment)
    made = fmp4.fragment(WRAP_TICK, 50, segment, Sounds(WRAP_TICK // 1920 * 1920, ()), headers)
    lint = CmafLint(fmp4.init_segment(segment))
    with pytest.raises(Violation):
        lint.look(Listed(1, WRAP_TICK * 100 // 9, 2_000_000, ""), made[:-1])
    pictures, _ = ts.contents(segment)
    payload = made[made.index(b"mdat") + 4 :]
    units = nal_units(payload)
    kinds = [unit[0] & 0x1F for unit in units]
    assert kinds[0] == 5 and 7 not in kinds and 8 not in kinds and 9 not in kinds
    assert all(unit in pictures[0][1] or any(unit in picture for _, picture in pictures) for unit in units)


def test_pictures_of_another_encoder_are_refused() -> None:
    """A wrong init segment broke every client that was tried."""
    segment = clips.segments("odd")[0]
    sps, pps = fmp4.headers_of(segment)
    with pytest.raises(ts.NotHouseFormat):
        fmp4.fragment(0, 50, segment, Sounds(0, ()), (sps[:-1] + b"\x01", pps))
    with pytest.raises(ts.NotHouseFormat):
        fmp4.fragment(0, 51, segment, Sounds(0, ()), (sps, pps))


def test_all_clips_have_one_init_segment() -> None:
    """One map for a channel's whole life."""
    assert {fmp4.init_segment(clips.segments(name)[0]) for name in NAMES} == {
        fmp4.init_segment(clips.segments("slate")[0])
    }


def probe(path: Path, entries: str) -> list[str]:
    argv = ["ffprobe", "-v", "warning", "-show_entries", entries, "-of", "csv=p=0", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_ffmpeg_reads_both_as_one_stream(tmp_path: Path) -> None:
    """Joined over changes, cuts and the wrap: no packet at an odd time, no decode error."""
    films, audio = tmp_path / "all.mp4", tmp_path / "all.aac"
    headers = fmp4.headers_of(clips.segments("slate")[0])
    film, sound = bytearray(fmp4.init_segment(clips.segments("slate")[0])), bytearray()
    frames_all = 0
    for listed, name, number in aired(5, WRAP_TICK - 15 * 90_000):
        segment, sounds, tick, frames = bytes_of(listed, name, number)
        film += fmp4.fragment(tick, frames, segment, sounds, headers)
        sound += b"".join(read_packed(packed_audio(sounds))[1])
        frames_all += frames
    films.write_bytes(film)
    audio.write_bytes(sound)
    times: dict[str, list[int]] = {"0": [], "1": []}
    for line in probe(films, "packet=stream_index,pts"):
        stream, pts = line.split(",")[:2]
        times[stream].append(int(pts))
    assert len(times["0"]) == frames_all
    assert {after - before for before, after in pairwise(times["0"])} == {3600}
    assert {after - before for before, after in pairwise(times["1"])} == {1024}
    for path, level in ((films, "warning"), (audio, "error")):
        argv = ["ffmpeg", "-nostdin", "-v", level, "-i", str(path), "-f", "null", "-"]
        assert subprocess.run(argv, capture_output=True, timeout=120, check=True).stderr == b""
