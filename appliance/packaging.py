"""Brings a clip to the channel's house format, once, before it can be scheduled. docs/formats.md, section 7.

Two phases. First ffmpeg listens: how loud the sound is decides one constant gain (core/loudness.py). Then it decodes,
scales and encodes, looking for black and standing pictures on the way; what it gives is written anew, picture by
picture, on the house's grid (core/ts.py), so the layout of the file owes nothing to a muxer's version. What is in house
format already is not coded again. `appliance/packager.py` is the program that does it; it can be killed at any time.
"""

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, Literal

import msgspec

from appliance import ffmpeg, slate
from appliance.core import conformity, ts
from appliance.core.asset import Rendition
from appliance.core.clip import (
    Clip,
    encode_argv,
    frames_expected,
    listen_argv,
    made_by,
    parse_probe,
    probe_argv,
    refusal_of,
)
from appliance.core.errors import Refused, Text, WorldError
from appliance.core.ffmpeg_log import Detected, Log, progress_us
from appliance.core.findings import Check, Facts, Finding, NotAirable, findings, never, worst
from appliance.core.grid import Grid
from appliance.core.loudness import LOUDNESS_LUFS, Levelling, Loudness, is_silent, levelling
from appliance.durable import STAGED_SUFFIX, disk_errors, put_in_place, regular_file

PROBE_TIMEOUT_S: Final = 60.0
ENCODE_START_S: Final = 300.0
ENCODE_S_PER_S: Final = 20.0
"""An hour of a clip may take this many hours: the slowest box under full load stays far below."""
FORECAST_S_PER_S: Final = 1.0
"""How long coding is taken to last before it has begun; readiness promises the same."""
OUTPUT_BYTES_PER_FRAME_MAX: Final = 4_000_000 // 8 // ts.FRAMES_PER_S
OUTPUT_BYTES_SPARE: Final = 8 * 1024**2
FRAMES_MIN: Final = 13
"""Half a second: anything shorter is a still or an accident."""
AS_IT_IS_LU: Final = 1.0
"""How far from the target a sound may be that is taken as it is (EBU R 128)."""


class Progress(msgspec.Struct, frozen=True):
    """How far it is: in which of the two phases, the part of that, and how long all of it will still take."""

    phase: Literal["listening", "coding"]
    done: float
    left_s: float | None = None


Telling = Callable[[Progress], None]


class Packaged(msgspec.Struct, frozen=True):
    """A packaged file. `segments` is the table that `ts.place` reads. `is_source`: the source itself is one."""

    rendition: Rendition
    check: Check
    segments: bytes
    is_source: bool = False


def package(
    source: Path, out: Path, progress: Telling = lambda now: None, target_lufs: float = LOUDNESS_LUFS
) -> Packaged:
    """Write `source` in house format to `out`. The same source gives the same bytes with the same ffmpeg.

    Raises NotAirable when the clip must not be aired as it is (empty, damaged, cut off, black), Refused when it took
    too long, WorldError when disk or ffmpeg failed; in all of these cases there is no `out`.
    """
    # Always the same name, so that what a killed run left behind is overwritten by the next.
    part = out.with_name(f"{out.name}{STAGED_SUFFIX}")
    try:
        with disk_errors(out), part.open("wb") as file:
            packaged = make(source, file, progress, target_lufs)
            if not packaged.is_source:
                file.flush()
                put_in_place(file.fileno(), part, out)
        if packaged.is_source:
            take_as_it_is(source, part, out)
    finally:
        part.unlink(missing_ok=True)
    return packaged


def take_as_it_is(source: Path, part: Path, out: Path) -> None:
    """A second name for a source that is in house format already; `part` is the one it has meanwhile."""
    with disk_errors(out):
        part.unlink(missing_ok=True)
        os.link(source, part)
        with part.open("rb") as file:
            put_in_place(file.fileno(), part, out)


def make(source: Path, file: IO[bytes], progress: Telling, target_lufs: float) -> Packaged:
    """Write `source` in house format into `file`; nothing where the source is in house format itself."""
    clip = probe(source)
    heard, silent = _listen(source, clip, progress)
    as_it_is = _as_it_is(source, clip, heard, target_lufs)
    if as_it_is is not None:
        return as_it_is
    done = levelling(heard, target_lufs)
    packaged, facts = _encode(source, clip, file, progress, done)
    facts = msgspec.structs.replace(
        facts, source=heard, silences=silent.silences, levelling=done, target_lufs=target_lufs
    )
    found = findings(facts)
    if worst(found) == "red":
        raise NotAirable(found)
    result = facts.result or Loudness(None, None)
    measured = heard or Loudness(None, None)
    check = Check(
        made_by(target_lufs), found, measured.lufs, measured.peak_dbtp, result.lufs, result.peak_dbtp, done.gain_db
    )
    return msgspec.structs.replace(packaged, check=check)


def probe(source: Path) -> Clip:
    """What a file holds, as its container says. Raises NotAirable when that is nothing which can be aired."""
    head = _head_of(source)
    refusal = refusal_of(head)
    if refusal is not None:
        raise never("not_a_clip" if head else "empty", refusal)
    try:
        inherited = (int(source.name),) if source.parent == Path("/proc/self/fd") else ()
        answer = subprocess.run(
            probe_argv(str(source)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
            pass_fds=inherited,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(Text("读取文件头超时", "its header could not be read in time")) from error
    except OSError as error:
        raise ffmpeg.no_ffmpeg() from error
    return parse_probe(answer.stdout if answer.returncode == 0 else b"", is_mp4=head[4:8] == b"ftyp")


def examine(path: Path) -> Packaged:
    """Read a packaged file through once: its digest, length and table. Raises ts.NotHouseFormat."""
    digest = hashlib.sha256()
    size = 0

    def pieces() -> Iterator[bytes]:
        nonlocal size
        with path.open("rb") as file:
            while piece := file.read(ffmpeg.READ_BYTES):
                digest.update(piece)
                size += len(piece)
                yield piece

    with disk_errors(path):
        segments = ts.index(pieces())
    return _packaged(digest.hexdigest(), size, segments)


def still_pictures() -> tuple[bytes, ...]:
    """The 50 access units that are shown while a sound without picture plays."""
    pictures, _ = ts.contents(slate.sound_path().read_bytes())
    return tuple(picture for _, picture in pictures)


def _listen(source: Path, clip: Clip, progress: Telling) -> tuple[Loudness | None, Detected]:
    """How loud the sound is, and where it is silent. None where there is no sound, or none that can be decoded."""
    log = Log()
    if clip.audio is None:
        return None, log.detected(0.0)
    began_s, length_s = time.monotonic(), clip.duration_s or 0.0
    with ffmpeg.running(listen_argv(str(source), clip.audio), source) as process:
        for said in ffmpeg.output_of(process, log, _deadline_s(clip)):
            reached = [us for line in said.split(b"\n") if (us := progress_us(line)) is not None]
            if reached and length_s:
                done = min(1.0, max(0.0, reached[-1] / 1e6 / length_s))
                left_s = _left_s(done, time.monotonic() - began_s) + length_s * FORECAST_S_PER_S
                progress(Progress("listening", done, round(left_s, 1)))
        process.wait(ffmpeg.STALL_TIMEOUT_S)
    detected = log.detected(clip.audio.duration_s or length_s)
    return detected.loudness, detected


def _as_it_is(source: Path, clip: Clip, heard: Loudness | None, target_lufs: float) -> Packaged | None:
    """The source, where it is in house format to the packet and as loud as it should be; else None."""
    is_loud_enough = is_silent(heard) or (
        heard is not None and heard.lufs is not None and abs(heard.lufs - target_lufs) <= AS_IT_IS_LU
    )
    if clip.container != "mpegts" or not is_loud_enough:
        return None
    headers = conformity.headers_of(still_pictures()[0])
    try:
        packaged = examine(source)
        with disk_errors(source), source.open("rb") as file:
            for number in range(len(packaged.segments) // 8 - 1):
                offset, size = ts.place(packaged.segments, number) or (0, 0)
                file.seek(offset)
                frames = min(ts.FRAMES_PER_SEGMENT, packaged.rendition.frames - number * ts.FRAMES_PER_SEGMENT)
                conformity.check_segment(file.read(size), number, headers, frames)
    except ts.NotHouseFormat:
        return None
    if packaged.rendition.frames < FRAMES_MIN:
        return None
    loudness = heard or Loudness(None, None)
    told = (Finding("as_it_is", "info", Text("已是播出格式，原样播出", "in house format already, aired as it is")),)
    lufs, dbtp = loudness.lufs, loudness.peak_dbtp
    check = Check(made_by(target_lufs), told, source_lufs=lufs, source_dbtp=dbtp, lufs=lufs, dbtp=dbtp)
    return msgspec.structs.replace(packaged, check=check, is_source=True)


def _encode(source: Path, clip: Clip, file: IO[bytes], progress: Telling, done: Levelling) -> tuple[Packaged, Facts]:
    expected = frames_expected(clip)
    grid = Grid(still=() if clip.video is not None else still_pictures(), sounding=clip.audio is not None)
    writer, log, began_s = _Writer(file), Log(), time.monotonic()
    try:
        with ffmpeg.running(encode_argv(str(source), clip, done), source) as process:
            for packets in ffmpeg.output_of(process, log, _deadline_s(clip)):
                for segment in grid.take(packets):
                    writer.write(segment)
                if expected:
                    part = min(1.0, grid.frames / expected)
                    progress(Progress("coding", part, round(_left_s(part, time.monotonic() - began_s), 1)))
            status = process.wait(ffmpeg.STALL_TIMEOUT_S)
        for segment in grid.rest():
            writer.write(segment)
    except WorldError as error:
        if error.retryable:
            raise
        # The encoder was led astray by the clip, and will be again.
        raise never("unruly", error.problems[0]) from error
    length_s = grid.frames / ts.FRAMES_PER_S
    seen = log.detected(length_s)
    _check_whole(clip, grid.frames, status, seen)
    packaged = _packaged(writer.digest.hexdigest(), writer.size, tuple(writer.segments))
    return packaged, _facts(clip, length_s, seen)


def _facts(clip: Clip, length_s: float, seen: Detected) -> Facts:
    video, audio = clip.video, clip.audio
    is_stated = clip.is_measured and video is not None and audio is not None
    return Facts(
        length_s=length_s,
        has_picture=video is not None,
        has_sound=audio is not None,
        blacks=seen.blacks,
        frozen=seen.frozen,
        result=seen.loudness,
        errors=seen.errors,
        first_error=seen.complaints[0] if seen.complaints else "",
        picture_s=video.duration_s if is_stated and video is not None else None,
        sound_s=audio.duration_s if is_stated and audio is not None else None,
        width=video.width if video is not None else 0,
        height=video.height if video is not None else 0,
        frames_per_s=video.frames_per_s if video is not None else None,
        is_interlaced=video is not None and video.is_interlaced,
        is_hdr=video is not None and video.is_hdr,
        is_vfr=video is not None and video.is_vfr,
    )


class _Writer:
    """Writes segments, and counts and hashes what it writes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.size = 0
        self.digest = hashlib.sha256()
        self.segments: list[ts.SegmentInfo] = []
        self.frames = 0

    def write(self, segment: bytes) -> None:
        frames = ts.segment_frames(segment)
        self.segments.append(ts.SegmentInfo(self.size, len(segment), frames))
        self.size += len(segment)
        self.frames += frames
        if self.size > OUTPUT_BYTES_SPARE + self.frames * OUTPUT_BYTES_PER_FRAME_MAX:
            raise WorldError(Text("编码输出异常地大", "the encoder gives far more than it should"), retryable=False)
        self.digest.update(segment)
        self.file.write(segment)


def _check_whole(clip: Clip, frames: int, status: int, seen: Detected) -> None:
    """Refuse a clip that could only be read in part."""
    expected = frames_expected(clip)
    first = Text(seen.complaints[0], seen.complaints[0]) if seen.complaints else None
    if frames == 0:
        raise never("undecodable", Text("没有能解码的画面或声音", "nothing in it can be decoded"), first)
    if status != 0:
        said = Text("解码中断，文件可能已损坏", "decoding broke off; the file may be damaged")
        raise never("broke_off", said, first)
    is_short = expected is not None and frames < expected - max(12, expected // 100)
    if is_short or _tells_of_damage(seen.complaints):
        had = f"{frames / ts.FRAMES_PER_S:.1f}"
        meant = f"{(expected or frames) / ts.FRAMES_PER_S:.1f}"
        said = Text(
            f"文件不完整：应有 {meant} 秒，只读出 {had} 秒", f"the file is cut off: {had} s of {meant} s could be read"
        )
        raise never("cut_off", said, first)
    if frames < FRAMES_MIN:
        raise never("too_short", Text("不足半秒，不是可播出的片段", "shorter than half a second: not a clip"))


def _tells_of_damage(complaints: tuple[str, ...]) -> bool:
    phrases = ("partial file", "ended prematurely", "moov atom not found")
    return any(phrase in said for said in complaints for phrase in phrases)


def _packaged(hex_digest: str, size: int, segments: tuple[ts.SegmentInfo, ...]) -> Packaged:
    frames = sum(segment.frames for segment in segments)
    rendition = Rendition(f"sha256:{hex_digest}", size, frames, ts.HOUSE_PROFILE)
    return Packaged(rendition, Check(), ts.pack_table(segments))


def _deadline_s(clip: Clip) -> float:
    return time.monotonic() + ENCODE_START_S + ENCODE_S_PER_S * (clip.duration_s or 0)


def _left_s(done: float, since_s: float) -> float:
    """How long a phase will still take, going on as it went."""
    return since_s * (1 - done) / done if done > 0 else 0.0


def _head_of(source: Path) -> bytes:
    with regular_file(source, follow=True) as descriptor, disk_errors(source):
        return os.read(descriptor, 64)
