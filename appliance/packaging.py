"""Brings a clip to the channel's house format, once, before it can be scheduled. docs/formats.md, section 7.

ffmpeg decodes, scales and encodes; what it gives is written anew, picture by picture, on the house's grid (core/ts.py),
so the layout of the file owes nothing to a muxer's version. Run as `python -m appliance.packaging SOURCE OUT`, it tells
its progress on standard output in JSON lines and can be killed at any time: OUT is there whole or not at all.
"""

import hashlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Literal

import msgspec

from appliance import slate
from appliance.core import ts
from appliance.core.asset import Rendition
from appliance.core.clip import Clip, encode_argv, frames_expected, parse_probe, probe_argv, refusal_of
from appliance.core.errors import Refused, SongshanError, Text, WorldError
from appliance.core.grid import Grid
from appliance.durable import STAGED_SUFFIX, disk_errors, put_in_place, regular_file

PROBE_TIMEOUT_S: Final = 60.0
STALL_TIMEOUT_S: Final = 120.0
ENCODE_START_S: Final = 300.0
ENCODE_S_PER_S: Final = 20.0
"""An hour of a clip may take this many hours: the slowest box under full load stays far below."""
MEMORY_BYTES_MAX: Final = 4 * 1024**3
OUTPUT_BYTES_PER_FRAME_MAX: Final = 4_000_000 // 8 // ts.FRAMES_PER_S
OUTPUT_BYTES_SPARE: Final = 8 * 1024**2
COMPLAINTS_BYTES_MAX: Final = 64 * 1024
FRAMES_MIN: Final = 13
"""Half a second: anything shorter is a still or an accident."""
READ_BYTES: Final = 256 * 1024

Progress = Callable[[float], None]


class Finding(msgspec.Struct, frozen=True):
    """Something that whoever schedules the clip should know."""

    severity: Literal["amber", "info"]
    what: Text


class Packaged(msgspec.Struct, frozen=True):
    """A packaged file. `segments` is the table that `ts.place` reads."""

    rendition: Rendition
    findings: tuple[Finding, ...]
    segments: bytes


def package(source: Path, out: Path, progress: Progress = lambda done: None) -> Packaged:
    """Write `source` in house format to `out`. The same source gives the same bytes with the same ffmpeg.

    `progress` is told the part done, 0..1. Raises Refused when the clip cannot be aired as it is (empty, damaged, cut
    off, neither picture nor sound), WorldError when disk or ffmpeg failed; in both cases there is no `out`.
    """
    clip = probe(source)
    # Always the same name, so that what a killed run left behind is overwritten by the next.
    part = out.with_name(f"{out.name}{STAGED_SUFFIX}")
    try:
        with disk_errors(out), part.open("wb") as file:
            packaged = _encode(source, clip, file, progress)
            file.flush()
            put_in_place(file.fileno(), part, out)
    finally:
        part.unlink(missing_ok=True)
    return packaged


def probe(source: Path) -> Clip:
    """What a file holds, as its container says. Raises Refused when that is nothing which can be aired."""
    head = _head_of(source)
    refusal = refusal_of(head)
    if refusal is not None:
        raise Refused(refusal)
    try:
        answer = subprocess.run(
            probe_argv(str(source)), stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(Text("读取文件头超时", "its header could not be read in time")) from error
    except OSError as error:
        raise _no_ffmpeg() from error
    return parse_probe(answer.stdout if answer.returncode == 0 else b"", is_mp4=head[4:8] == b"ftyp")


def examine(path: Path) -> Packaged:
    """Read a packaged file through once: its digest, length and table. Raises ts.NotHouseFormat."""
    digest = hashlib.sha256()
    size = 0

    def pieces() -> Iterator[bytes]:
        nonlocal size
        with path.open("rb") as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
                size += len(piece)
                yield piece

    with disk_errors(path):
        segments = ts.index(pieces())
    return _packaged(digest.hexdigest(), size, segments, ())


def _encode(source: Path, clip: Clip, file: IO[bytes], progress: Progress) -> Packaged:
    expected = frames_expected(clip)
    grid = Grid(still=() if clip.video is not None else still_pictures(), sounding=clip.audio is not None)
    writer = _Writer(file, clip)
    with _ffmpeg(encode_argv(str(source), clip)) as process:
        complaints = bytearray()
        for packets in _output_of(process, complaints, _deadline(clip)):
            for segment in grid.take(packets):
                writer.write(segment)
            if expected:
                progress(min(1.0, grid.frames / expected))
        status = process.wait(STALL_TIMEOUT_S)
    for segment in grid.rest():
        writer.write(segment)
    said = complaints.decode(errors="replace")
    _check_whole(clip, grid.frames, status, said)
    return _packaged(writer.digest.hexdigest(), writer.size, tuple(writer.segments), _findings(clip, said))


class _Writer:
    """Writes segments, and counts and hashes what it writes."""

    def __init__(self, file: IO[bytes], clip: Clip) -> None:
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


def _check_whole(clip: Clip, frames: int, status: int, said: str) -> None:
    """Refuse a clip that could only be read in part."""
    expected = frames_expected(clip)
    if frames == 0:
        raise Refused(Text("没有能解码的画面或声音", "nothing in it can be decoded"), hint=_first_line(said))
    if status != 0:
        raise Refused(
            Text("解码中断，文件可能已损坏", "decoding broke off; the file may be damaged"), hint=_first_line(said)
        )
    if _tells_of_damage(said) or (expected is not None and frames < expected - max(12, expected // 100)):
        had = f"{frames / ts.FRAMES_PER_S:.1f}"
        meant = f"{(expected or frames) / ts.FRAMES_PER_S:.1f}"
        raise Refused(
            Text(
                f"文件不完整：应有 {meant} 秒，只读出 {had} 秒",
                f"the file is cut off: {had} s of {meant} s could be read",
            ),
            hint=_first_line(said),
        )
    if frames < FRAMES_MIN:
        raise Refused(Text("不足半秒，不是可播出的片段", "shorter than half a second: not a clip"))


def _tells_of_damage(said: str) -> bool:
    return any(phrase in said for phrase in ("partial file", "ended prematurely", "moov atom not found"))


def _findings(clip: Clip, said: str) -> tuple[Finding, ...]:
    found = []
    lines = said.count("\n")
    if lines:
        first = said.split("\n", 1)[0][:200]
        found.append(
            Finding("amber", Text(f"解码时有 {lines} 处错误：{first}", f"{lines} errors in decoding: {first}"))
        )
    if clip.audio is None:
        found.append(Finding("info", Text("没有声音，已补静音", "it has no sound; silence was added")))
    if clip.video is None:
        found.append(Finding("info", Text("没有画面，已补静帧", "it has no picture; a still was added")))
    return tuple(found)


def still_pictures() -> tuple[bytes, ...]:
    """The 50 access units that are shown while a sound without picture plays."""
    pictures, _ = ts.contents(slate.sound_path().read_bytes())
    return tuple(picture for _, picture in pictures)


def _packaged(
    hex_digest: str, size: int, segments: tuple[ts.SegmentInfo, ...], findings: tuple[Finding, ...]
) -> Packaged:
    frames = sum(segment.frames for segment in segments)
    rendition = Rendition(f"sha256:{hex_digest}", size, frames, ts.HOUSE_PROFILE)
    return Packaged(rendition, findings, ts.pack_table(segments))


@contextmanager
def _ffmpeg(argv: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """Runs ffmpeg, which dies with us, and never outlives the block."""
    limits = ("prlimit", f"--as={MEMORY_BYTES_MAX}", "--core=0", "setpriv", "--pdeathsig", "KILL")
    try:
        process = subprocess.Popen(
            [*limits, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
    except OSError as error:
        raise _no_ffmpeg() from error
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _output_of(process: subprocess.Popen[bytes], complaints: bytearray, deadline: float) -> Iterator[bytes]:
    """What it writes, as it comes; its complaints, the first of them, are put into `complaints`."""
    assert process.stdout is not None and process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(STALL_TIMEOUT_S)
            if not ready or time.monotonic() > deadline:
                raise Refused(Text("转码超时", "it could not be brought to house format in time"))
            for key, _ in ready:
                data = os.read(key.fd, READ_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    yield data
                else:
                    complaints += data[: COMPLAINTS_BYTES_MAX - len(complaints)]


def _deadline(clip: Clip) -> float:
    return time.monotonic() + ENCODE_START_S + ENCODE_S_PER_S * (clip.duration_s or 0)


def _head_of(source: Path) -> bytes:
    with regular_file(source, follow=True) as descriptor, disk_errors(source):
        return os.read(descriptor, 64)


def _first_line(said: str) -> Text | None:
    line = said.strip().split("\n", 1)[0][:300]
    return Text(line, line) if line else None


def _no_ffmpeg() -> WorldError:
    return WorldError(
        Text("无法运行 ffmpeg", "ffmpeg cannot be run"),
        hint=Text("请安装 Debian 软件包 ffmpeg 和 util-linux", "install Debian's packages ffmpeg and util-linux"),
    )


def main(arguments: list[str]) -> int:
    """`python -m appliance.packaging SOURCE OUT`, or `--examine FILE` for what is packaged already.

    The last line tells the outcome. 0 done, 1 not done, 2 wrong use.
    """
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m appliance.packaging SOURCE OUT | --examine FILE\n")
        return 2
    told = 0.0

    def progress(done: float) -> None:
        nonlocal told
        if done >= told + 0.01:
            told = done
            _say({"done": round(done, 3)})

    try:
        if arguments[0] == "--examine":
            packaged = examine(Path(arguments[1]))
        else:
            packaged = package(Path(arguments[0]), Path(arguments[1]), progress)
    except Refused as error:
        _say({"refused": error.problems[0], "hint": error.hint})
        return 1
    except SongshanError as error:
        _say({"failed": error.problems[0], "hint": error.hint})
        return 1
    _say(packaged)
    return 0


def _say(fact: object) -> None:
    # Whoever asked may be gone; the file is made all the same.
    with suppress(BrokenPipeError):
        sys.stdout.write(msgspec.json.encode(fact).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
