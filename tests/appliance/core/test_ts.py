"""Segments of different clips, moved to one timeline and cut anywhere, must look like one stream to any reader."""

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core import ts
from appliance.core.air import SLATE
from tests.appliance import clips

WRAP = 1 << 33
CLIPS = ("long", "small", "odd", "slate")


def counter_errors(packets: bytes) -> list[tuple[int, int]]:
    """(PID, packet number) wherever a continuity counter does not follow; read without the code under test."""
    last: dict[int, int] = {}
    errors = []
    for number in range(len(packets) // 188):
        packet = packets[number * 188 : number * 188 + 188]
        assert packet[0] == 0x47
        pid, carries, counter = (packet[1] & 0x1F) << 8 | packet[2], packet[3] & 0x10, packet[3] & 0x0F
        if pid in last and counter != (last[pid] + bool(carries)) % 16:
            errors.append((pid, number))
        last[pid] = counter
    return errors


def clock_references(packets: bytes) -> list[int]:
    found = []
    for at in range(0, len(packets), 188):
        packet = packets[at : at + 188]
        if packet[3] & 0x20 and packet[4] and packet[5] & 0x10:
            found.append(int.from_bytes(packet[6:12], "big") >> 15)
    return found


def ffprobe_packets(path: Path) -> dict[int, list[dict[str, int]]]:
    answer = subprocess.run(
        ["ffprobe", "-v", "warning", "-show_entries", "packet=stream_index,pts,dts", "-of", "json", str(path)],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert answer.stderr == b""
    found: dict[int, list[dict[str, int]]] = {0: [], 1: []}
    for packet in json.loads(answer.stdout)["packets"]:
        found[packet["stream_index"]].append(packet)
    return found


def random_channel(seed: int, start_tick: int, names: Iterable[str], joins: int) -> tuple[bytes, int]:
    """A channel of clips begun and cut at random, and how many frames it has."""
    chosen = random.Random(seed)
    out, tick = [], start_tick
    for _ in range(joins):
        segments = clips.segments(chosen.choice(tuple(names)))
        first = chosen.randrange(len(segments)) if chosen.random() < 0.4 else 0
        offset = tick + ts.AIR_LEAD_TICKS - ts.FILE_PTS_TICKS - first * ts.SEGMENT_TICKS
        left = chosen.randint(1, 120) if chosen.random() < 0.5 else 10**6
        for segment in segments[first:]:
            frames = min(left, ts.segment_frames(segment))
            if frames:
                out.append(ts.move(segment, offset, frames))
            left -= frames
            tick += frames * ts.TICKS_PER_FRAME
    return b"".join(out), (tick - start_tick) // ts.TICKS_PER_FRAME


@pytest.mark.parametrize("start", [1_000_000 * 3600, WRAP - 30 * 90_000], ids=["plain", "over the 33-bit wrap"])
@pytest.mark.parametrize("seed", [1, 2])
def test_joined_clips_are_one_stream(seed: int, start: int, tmp_path: Path) -> None:
    """Players cross a change of clip without a freeze only when nothing in the stream tells of it."""
    stream, frames = random_channel(seed, start - start % 3600, CLIPS, 20)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(stream)
    packets = ffprobe_packets(joined)
    assert counter_errors(stream) == []
    assert len(packets[0]) == frames
    assert {(b["dts"] - a["dts"]) for a, b in pairwise(packets[0])} == {3600}
    assert all(packet["pts"] == packet["dts"] for packet in packets[0])
    gaps = [b["dts"] - a["dts"] - 1920 for a, b in pairwise(packets[1])]
    assert all(-1920 < gap < 1920 for gap in gaps)
    steps = {(b - a) % WRAP for a, b in pairwise(clock_references(stream))}
    assert steps == {3600}


def test_ffmpeg_decodes_and_copies_joined_clips_without_complaint(tmp_path: Path) -> None:
    """ffmpeg stands for every strict reader: not a warning, not a frame lost, over a cut at each kind of place."""
    stream, frames = random_channel(7, WRAP - 20 * 90_000 - (WRAP - 20 * 90_000) % 3600, CLIPS, 12)
    joined, copied = tmp_path / "joined.ts", tmp_path / "copied.ts"
    joined.write_bytes(stream)
    for output in (["-f", "null", "-"], ["-c", "copy", str(copied)]):
        said = subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "warning", "-i", str(joined), "-map", "0", *output],
            capture_output=True, timeout=120, check=True,
        )  # fmt: skip
        assert said.stderr == b""
    counted = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-of", "json", "-show_entries",
         "stream=nb_read_frames", str(copied)],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert int(json.loads(counted.stdout)["streams"][0]["nb_read_frames"]) == frames


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(CLIPS), st.integers(0, 99), st.integers(-(2**40), 2**40), st.none() | st.integers(1, 50))
def test_only_timestamps_change_and_all_by_the_same_amount(
    name: str, number: int, offset: int, frames: int | None
) -> None:
    """A segment is served moved; its pictures and sounds must be, bit by bit, those of the file."""
    segments = clips.segments(name)
    segment = segments[number % len(segments)]
    frames = None if frames is None else min(frames, ts.segment_frames(segment))
    moved = ts.move(segment, offset, frames)
    pictures, sounds = ts.contents(segment)
    moved_pictures, moved_sounds = ts.contents(moved)
    assert moved_pictures == [((pts + offset) % WRAP, data) for pts, data in pictures[:frames]]
    kept = sounds[: len(moved_sounds)]
    assert moved_sounds == [((pts + offset) % WRAP, data) for pts, data in kept]
    end = pictures[0][0] + len(moved_pictures) * 3600
    assert all(pts + 1920 <= end - 1920 for pts, _ in kept)
    assert all(pts + 1920 > end - 1920 for pts, _ in sounds[len(kept) :][:1] if frames)
    assert [(pcr + 90_000) % WRAP for pcr in clock_references(moved)] == [pts for pts, _ in moved_pictures]
    assert len(moved) % 188 == 0 and counter_errors(moved + moved) == []
    assert ts.move(moved, -offset) == (segment if frames is None else ts.cut(segment, frames))


def test_dts_and_pcr_extension_are_respected() -> None:
    """Other writers use both fields; moving must shift the one and leave the other."""
    pes = b"\x00\x00\x01\xe0\x00\x00\x84\xc0\x0a" + stamp(3, WRAP - 1) + stamp(1, WRAP - 3600) + b"\xab" * 9
    pcr = ((WRAP - 5) << 15 | 0x7E00 | 299).to_bytes(6, "big")
    stuffing = 184 - 2 - 6 - len(pes)
    packet = b"\x47\x41\x00\x30" + bytes((1 + 6 + stuffing, 0x10)) + pcr + b"\xff" * stuffing + pes
    moved = ts.move(packet, 7)
    assert int.from_bytes(moved[6:12], "big") == 2 << 15 | 0x7E00 | 299
    assert moved[-28:-14] == pes[:9] + stamp(3, 6)
    assert moved[-14:-9] == stamp(1, WRAP - 3593)
    assert moved[-9:] == b"\xab" * 9


def stamp(prefix: int, value: int) -> bytes:
    bits = f"{prefix:04b}{value >> 30:03b}1{value >> 15 & 32767:015b}1{value & 32767:015b}1"
    return int(bits, 2).to_bytes(5, "big")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(20, 3000), min_size=1, max_size=50),
    st.lists(st.integers(13, 800), min_size=95, max_size=95),
    st.integers(0, 3),
)
def test_every_segment_is_counter_clean_and_readable(pictures: list[int], sounds: list[int], number: int) -> None:
    """Whatever the sizes of pictures and sounds, each PID has whole turns of the counter and nothing is lost."""
    first, last = ts.sounds_in(number, len(pictures))
    keyframe, other = b"\x00\x00\x01\x65" + b"k" * 40, b"\x00\x00\x01\x41"
    given_pictures = [(other if place else keyframe) + b"p" * size for place, size in enumerate(pictures)]
    given_sounds = [b"s" * size for size in sounds[: last - first]]
    segment = ts.assemble(number, given_pictures, given_sounds)
    read_pictures, read_sounds = ts.contents(segment)
    assert [data for _, data in read_pictures] == given_pictures
    if sum(len(sound) - 1 for sound in given_sounds) >= 16:
        assert [data for _, data in read_sounds] == given_sounds
    per_pid = Counter((segment[at + 1] & 0x1F) << 8 | segment[at + 2] for at in range(0, len(segment), 188))
    assert all(count % 16 == 0 for count in per_pid.values())
    assert per_pid[0] == per_pid[0x1000] == 16
    assert counter_errors(segment + segment) == []
    assert ts.index(segment) == (ts.SegmentInfo(0, len(segment), len(pictures)),)


@pytest.mark.parametrize("name", clips.MADE)
def test_the_table_is_found_in_one_pass_however_the_file_is_cut_up(name: str) -> None:
    """The table is nowhere but in the file; it must come out the same from a read of any size."""
    made, data = clips.packaged(name)
    whole = ts.index(data)
    assert ts.index(data[at : at + 1000] for at in range(0, len(data), 1000)) == whole
    assert ts.pack_table(whole) == made.segments
    assert sum(one.frames for one in whole) == made.rendition.frames
    assert [one.frames for one in whole[:-1]] == [50] * (len(whole) - 1)
    assert [ts.place(made.segments, number) for number in range(len(whole))] == [
        (one.offset, one.size_bytes) for one in whole
    ]
    assert ts.place(made.segments, len(whole)) is None
    assert ts.place(made.segments, -1) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[1:],
        lambda data: data[188:],
        lambda data: data[:188000] + b"\x00" * 188 + data[188188:],
        lambda data: data[: ts.index(data)[0].size_bytes // 376 * 188] + data[ts.index(data)[1].offset :],
        lambda data: b"\x47" * len(data),
    ],
)
def test_what_is_not_in_house_format_has_no_table(damage) -> None:  # type: ignore[no-untyped-def]
    """A file that is not what its name says must be stopped here, not found out on the air."""
    _, data = clips.packaged("long")
    with pytest.raises(ts.NotHouseFormat):
        ts.index(damage(data))


def test_moving_refuses_what_has_lost_its_packets() -> None:
    """A wrong slice of a file must be an error, not a corrupt segment on the air."""
    segment = clips.segments("slate")[0]
    for wrong in (segment[:-1], segment[4:] + segment[:4]):
        with pytest.raises(ts.NotHouseFormat):
            ts.move(wrong, 0)
    for frames in (0, -1, 51):
        with pytest.raises(ts.NotHouseFormat):
            ts.move(segment, 0, frames)


def test_all_clips_have_the_same_parameter_sets_and_keyframes_carry_them() -> None:
    """A player that keeps the parameters of the clip before must still decode; one that joins finds them at once."""
    headers = set()
    for name in (*clips.names(), "slate"):
        for segment in clips.segments(name):
            pictures, _ = ts.contents(segment)
            header, keyframe, _ = pictures[0][1][:512].partition(ts.KEYFRAME_NAL)
            assert keyframe
            headers.add(header)
            assert not any(ts.KEYFRAME_NAL in picture[:512] for _, picture in pictures[1:])
    assert len(headers) == 1
    assert b"\x00\x00\x01\x67" in min(headers) and b"\x00\x00\x01\x68" in min(headers)


def test_the_slate_is_the_one_that_is_meant() -> None:
    """Its digest stands in ledgers: another file under the same name would make segment addresses lie."""
    made, data = clips.packaging.examine(clips.slate.slate_path()), clips.segments("slate")
    assert made.rendition.digest == SLATE
    assert (made.rendition.frames, len(data)) == (50, 1)


def test_moving_is_quick_enough_to_do_at_every_request() -> None:
    """It is the price of having no encoder at air time; ten times the measured figure still passes."""
    segment = max((one for name in CLIPS for one in clips.segments(name)), key=len)
    best = min(_timed(segment) for _ in range(20))
    assert best < 0.01


def _timed(segment: bytes) -> float:
    began = time.perf_counter()
    ts.move(segment, 123456 * 3600, 50)
    return time.perf_counter() - began
