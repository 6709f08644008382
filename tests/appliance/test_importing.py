"""The importer with a real ffmpeg and a source over HTTP: chunks are the house's segments, whatever the source does."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from appliance import slate
from appliance.core import ts
from tests.simulators.source import SimulatedSource, segments, source

WAIT_S = 60.0
"""On a machine that has other things to do."""


@dataclass
class Importer:
    """The process, and what it said."""

    folder: Path
    process: subprocess.Popen[bytes]
    said: list[dict[str, Any]] = field(default_factory=list)

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [fact["chunk"] for fact in self.said if "chunk" in fact]

    @property
    def troubles(self) -> list[str]:
        return [fact["trouble"]["en"] for fact in self.said if "trouble" in fact]

    def data(self, number: int) -> bytes:
        return (self.folder / (self.chunks[number]["digest"][7:] + ".live")).read_bytes()

    def wait(self, is_so: Callable[[], bool]) -> None:
        until_s = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < until_s, self.said
            time.sleep(0.02)


@contextmanager
def importer(made: SimulatedSource, folder: Path) -> Iterator[Importer]:
    argv = [sys.executable, "-m", "appliance.importing", str(folder), "100"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    with process.stdin:
        process.stdin.write(made.url.encode())
    running = Importer(folder, process)

    def hear() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            running.said.append(msgspec.json.decode(line))

    hearing = threading.Thread(target=hear, daemon=True)
    hearing.start()
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        hearing.join()


def headers(segment: bytes) -> bytes:
    return ts.contents(segment)[0][0][1][:512].partition(ts.KEYFRAME_NAL)[0]


def decoded(parts: list[bytes]) -> tuple[int, str]:
    """Frames and complaints when these are played one after the other."""
    moved = b"".join(ts.move(part, number * ts.SEGMENT_TICKS) for number, part in enumerate(parts))
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "warning", "-f", "mpegts", "-i", "pipe:0", "-f", "framemd5", "-map", "0:v", "-"],
        input=moved,
        capture_output=True,
        timeout=60,
        check=True,
    )
    frames = [line for line in done.stdout.splitlines() if not line.startswith(b"#")]
    return len(frames), done.stderr.decode()


def test_chunks_are_segments_of_the_house_and_follow_each_other(tmp_path: Path) -> None:
    """Named by their bytes, with the parameters of every other file, their sounds without a seam."""
    with source() as made, importer(made, tmp_path) as running:
        made.show(*segments()[:2], moment="2026-11-24T19:00:00+08:00")
        for number, part in enumerate(segments()[2:6], 2):
            running.wait(lambda number=number: len(running.chunks) >= number - 1)  # type: ignore[misc]
            made.show(part)
        running.wait(lambda: len(running.chunks) >= 5)
        assert running.troubles == []
        parts = [running.data(number) for number in range(5)]
        chunks = running.chunks[:5]
    still = slate.slate_path().read_bytes()
    for part, chunk in zip(parts, chunks, strict=True):
        assert f"sha256:{sha256(part).hexdigest()}" == chunk["digest"]
        assert ts.index(part) == (ts.SegmentInfo(0, len(part), 50),)
        assert ts.contents(part)[0][0][0] == ts.FILE_PTS_TICKS
        assert headers(part) == headers(still)
    assert [chunk["source_us"] - chunks[0]["source_us"] for chunk in chunks] == [n * 2_000_000 for n in range(5)]
    sounds = [pts + n * ts.SEGMENT_TICKS for n, part in enumerate(parts) for pts, _sound in ts.contents(part)[1]]
    assert {after - before for before, after in pairwise(sounds)} == {ts.SOUND_TICKS}
    assert decoded([still, *parts, still]) == (350, "")


def test_24_a_source_that_begins_anew_and_changes_its_size_goes_on(tmp_path: Path) -> None:
    """Its discontinuities, numbers from 0 and other pictures are its own; of what it shows nothing is lost."""
    with source() as made, importer(made, tmp_path) as running:
        made.show(*segments()[:2])
        running.wait(lambda: len(running.chunks) >= 1)
        made.show(segments("160x120", 4, "testsrc")[0], breaks=True)
        made.show(segments("160x120", 4, "testsrc")[1])
        running.wait(lambda: len(running.chunks) >= 3)
        made.restart()
        made.show(*segments()[3:5])
        running.wait(lambda: len(running.chunks) >= 5)
        # And without a word that its size is another.
        made.show(segments("160x120", 4, "testsrc")[2])
        made.show(segments("160x120", 4, "testsrc")[3])
        running.wait(lambda: len(running.chunks) >= 7)
        parts = [running.data(number) for number in range(7)]
        assert running.troubles == []
    frames, complaints = decoded(parts)
    assert complaints == ""
    assert frames == sum(ts.segment_frames(part) for part in parts)
    assert len({headers(part) for part in parts}) == 1


def test_what_comes_after_a_silence_was_shown_after_it(tmp_path: Path) -> None:
    """A source that was silent for 22 seconds goes on in the same list, and says when."""
    with source() as made, importer(made, tmp_path) as running:
        made.show(*segments()[:3], moment="2026-11-24T19:00:00+08:00")
        running.wait(lambda: len(running.chunks) >= 2)
        made.show(*segments()[3:6], moment="2026-11-24T19:00:28+08:00")
        running.wait(lambda: len(running.chunks) >= 5)
        begin_us = running.chunks[0]["source_us"]
        assert [chunk["source_us"] - begin_us for chunk in running.chunks[:5]] == [
            n * 1_000_000 for n in (0, 2, 4, 28, 30)
        ]


def test_timestamps_that_leap_are_not_waited_out(tmp_path: Path) -> None:
    """Backwards by twelve seconds, and on: a source's clock is no business of the channel's."""
    with source() as made, importer(made, tmp_path) as running:
        made.show(*segments()[6:8])
        running.wait(lambda: len(running.chunks) >= 1)
        made.show(*segments()[0:2])
        made.show(*segments()[5:7])
        running.wait(lambda: len(running.chunks) >= 4)
        assert running.troubles == []


def test_what_fails_is_said_once_and_the_way_back_too(tmp_path: Path) -> None:
    """No list, then a segment that is not there, one that is no video, and a redirect to a file."""
    with source() as made, importer(made, tmp_path) as running:
        made.fault = {".m3u8": "503"}
        running.wait(lambda: running.troubles == ["the source answered HTTP 503"])
        made.show(segments()[0])
        made.fault = {"0-0.ts": "404"}
        running.wait(lambda: running.troubles[-1:] == ["the source answered HTTP 404"])
        made.show(b"<html>" * 1000)
        running.wait(lambda: "segment of the source" in running.troubles[-1])
        made.show(segments()[1], segments()[2])
        running.wait(lambda: len(running.chunks) >= 1 and {"well": True} in running.said)
        made.fault = {".ts": "file:///etc/passwd"}
        made.show(segments()[3])
        running.wait(lambda: "does not take the address file:///etc/passwd" in running.troubles[-1])


def test_a_killed_importer_leaves_nothing_running_and_nothing_half(tmp_path: Path) -> None:
    """The agent kills it at the end of the slot, or dies itself: ffmpeg goes with it."""
    with source() as made, importer(made, tmp_path) as running:
        made.show(*segments()[:2])
        running.wait(lambda: len(running.chunks) >= 1)
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
        assert children
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        running.wait(lambda: not any(_runs(int(child)) for child in children))
        for path in tmp_path.glob("*.live"):
            assert sha256(path.read_bytes()).hexdigest() == path.stem


def test_it_ends_at_its_time(tmp_path: Path) -> None:
    """Also with a source that is well: the entry after it has the air."""
    with source() as made:
        made.show(*segments()[:2])
        argv, address = [sys.executable, "-m", "appliance.importing", str(tmp_path), "1.5"], made.url.encode()
        done = subprocess.run(argv, input=address, stdout=subprocess.DEVNULL, timeout=WAIT_S, check=False)
        assert done.returncode == 0


def test_asking_tells_whether_a_source_could_be_aired() -> None:
    """Half an hour before, while somebody can still be called."""
    with source() as made:
        assert _asked(made) == (1, {"trouble": {"zh": "播放列表是空的", "en": "its list is empty"}})
        made.show(segments()[0])
        assert _asked(made) == (0, {"well": True})
        made.fault = {".ts": "403"}
        assert _asked(made)[1]["trouble"]["en"] == "the source answered HTTP 403"


def _asked(made: SimulatedSource) -> tuple[int, dict[str, Any]]:
    argv = [sys.executable, "-m", "appliance.importing", "--ask"]
    done = subprocess.run(argv, input=made.url.encode(), capture_output=True, timeout=WAIT_S, check=False)
    return done.returncode, msgspec.json.decode(done.stdout)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
