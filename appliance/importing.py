"""Imports a live source as it comes, in chunks of one segment of house format. docs/formats.md, section 7.

`python -m appliance.importing FOLDER SECONDS` reads the address of an HLS list from standard input, follows the list
and writes each chunk into FOLDER, whole and synced, as HEX.live. On standard output it tells in JSON lines

    {"chunk": {"digest", "size_bytes", "frames", "burst_s", "source_us"}}     a chunk lies there
    {"trouble": text} / {"well": true}                                        the source does not answer; it does again

A source that fails is tried again for as long as the process runs; it ends after SECONDS, or when the disk fails.
`--ask` only tells whether a source answers as it should, with one such line.

The main thread reads the source and feeds ffmpeg, another one takes what ffmpeg gives: neither may wait for the other.
"""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from appliance.core import relay, ts
from appliance.core.asset import hex_of, parse_digest
from appliance.core.clip import Clip, parse_probe
from appliance.core.errors import Refused, SongshanError, Text, WorldError
from appliance.core.grid import Grid
from appliance.core.source_list import (
    LIST_BYTES_MAX,
    URL_CHARS_MAX,
    Followed,
    Listed,
    MediaList,
    Variants,
    form_of,
    news,
    parse,
)
from appliance.durable import disk_errors, make_folder, staged_beside, sync_folder, write_all
from appliance.fetching import Source, within
from appliance.files import ASSET_MODE
from appliance.packaging import still_pictures

CHUNK_SUFFIX: Final = ".live"
LIST_LIMIT_S: Final = 5.0
SEGMENT_LIMIT_S: Final = 12.0
SEGMENT_BYTES_MAX: Final = 64 * 1024 * 1024
PROBE_LIMIT_S: Final = 10.0
FEED_LIMIT_S: Final = 15.0
END_LIMIT_S: Final = 5.0
STUCK_S: Final = 10.0
"""So much more than two segments was given to ffmpeg and not given back: it waits for what does not come."""
LOOKS_PER_SEGMENT: Final = 4
LOOK_S_MIN: Final = 0.4
LOOK_S_MAX: Final = 2.0
FAILURES_BORNE: Final = 2
"""Where the list fails so often in a row, what was begun is ended: its last half second is not to come with the next
new one."""
PAUSE_S_MIN: Final = 0.5
PAUSE_S_MAX: Final = 5.0
"""Between two attempts at a source that fails: the way back must not take longer than it has to."""
TAIL_FRAMES_MIN: Final = 13
"""What is left when a source breaks off is aired from half a second on."""
READ_BYTES: Final = 256 * 1024
MEMORY_BYTES_MAX: Final = 4 * 1024**3

Say = Callable[[object], None]


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a chunk. `source_us`: when its first picture was shown, where the source says so."""

    digest: str
    size_bytes: int
    frames: int
    burst_s: float
    source_us: int | None = None


class Encoder:
    """One run of ffmpeg over segments that go on from each other; its chunks are written as they become whole."""

    def __init__(self, clip: Clip, folder: Path, burst_s: float, say: Say) -> None:
        self._folder, self._burst_s, self._say = folder, burst_s, say
        self._dates: deque[tuple[float, int]] = deque(maxlen=relay.DATES_MAX)
        self._grid = Grid(still=() if clip.video else still_pictures(), sounding=clip.audio is not None)
        self._chunks = 0
        self.fed_s = 0.0
        self.failure: SongshanError | None = None
        limits = ("prlimit", f"--as={MEMORY_BYTES_MAX}", "--core=0", "setpriv", "--pdeathsig", "KILL", "--")
        argv = (*limits, *relay.encode_argv(clip))
        try:
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        except OSError as error:
            raise _broken() from error
        self._taker = threading.Thread(target=self._take, name="taker", daemon=True)
        self._taker.start()

    @property
    def is_good(self) -> bool:
        """Whether it can be fed: it runs, and gives back what it gets."""
        given_s = self._chunks * float(ts.TARGET_DURATION_S)
        is_stuck = self.fed_s - given_s > STUCK_S + 2 * self._burst_s
        return self.failure is None and self._process.poll() is None and not is_stuck

    def feed(self, data: bytes, duration_s: float, shown_us: int | None = None) -> None:
        """Give it what follows, with when that was shown; may wait for it, but not for ever."""
        assert self._process.stdin is not None
        if shown_us is not None:
            self._dates.append((self.fed_s, shown_us))
        try:
            with within(FEED_LIMIT_S), suppress(BrokenPipeError):
                left = memoryview(data)
                while left:
                    left = left[self._process.stdin.write(left) or 0 :]
        except TimeoutError:
            self._process.kill()
        self.fed_s += duration_s

    def end(self) -> None:
        """Nothing follows: what is left of it comes out, and it is gone."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._taker.join(END_LIMIT_S)
        self._process.kill()
        self._taker.join()
        self._process.wait()
        self._process.stdout.close()

    def _take(self) -> None:
        """What ffmpeg gives, until it ends. What goes wrong is seen by the other thread."""
        assert self._process.stdout is not None
        try:
            while data := os.read(self._process.stdout.fileno(), READ_BYTES):
                for segment in self._grid.take(data):
                    self._write(segment)
            for segment in self._grid.rest():
                if ts.segment_frames(segment) >= TAIL_FRAMES_MIN:
                    self._write(segment)
        except SongshanError as error:
            self.failure = error
            self._process.kill()

    def _write(self, segment: bytes) -> None:
        """A segment becomes a file of its own, whose first picture is shown when that of every file is."""
        data = ts.move(segment, -self._chunks * ts.SEGMENT_TICKS)
        begins_s = self._chunks * ts.TARGET_DURATION_S - relay.EARLY_FRAMES / ts.FRAMES_PER_S
        shown_us = relay.shown_us(tuple(self._dates), begins_s)
        self._chunks += 1
        name = hashlib.sha256(data).hexdigest()
        path = _staged(self._folder, name)
        with disk_errors(path), staged_beside(path) as (descriptor, staged):
            write_all(descriptor, data)
            os.fsync(descriptor)
            staged.rename(path)
        self._say(
            {
                "chunk": Chunk(
                    digest=f"sha256:{name}",
                    size_bytes=len(data),
                    frames=ts.segment_frames(data),
                    burst_s=self._burst_s,
                    source_us=shown_us,
                )
            }
        )


class Import:
    """Follows one source."""

    def __init__(self, url: str, folder: Path, say: Say) -> None:
        self._url, self._folder, self._say = url, folder, say
        self._source = Source()
        self._list_url: str | None = None
        self._followed = Followed()
        self._encoder: Encoder | None = None
        self._form: tuple[bytes, str | None] = (b"", None)
        self._head = b""
        self._trouble: Text | None = None
        self._disk_failure: SongshanError | None = None

    def run(self, until_s: float) -> None:
        """Until the running clock says `until_s`. Raises WorldError when the disk fails."""
        failures = 0
        while self._disk_failure is None and (left_s := until_s - time.monotonic()) > 0:
            try:
                pause_s = self._look()
                failures = 0
            except (Refused, WorldError) as error:
                failures, self._list_url = failures + 1, None
                if failures >= FAILURES_BORNE:
                    self._give_up_encoder()
                pause_s = min(PAUSE_S_MAX, PAUSE_S_MIN * failures)
                self._tell(error.problems[0])
            time.sleep(min(pause_s, left_s))
        if self._disk_failure is not None:
            raise self._disk_failure

    def close(self) -> None:
        """Leave nothing running."""
        self._source.close()
        if self._encoder is not None:
            self._encoder.end()

    def _look(self) -> float:
        """Fetch and feed what is new; how long to wait before the next look."""
        listed = self._listing()
        fresh = news(listed, self._followed)
        for segment in fresh:
            # Once, also where it fails: the source goes on without it.
            self._followed = self._followed.with_(segment)
            self._feed(segment, listed.longest_s)
            self._tell(None)
        if listed.has_ended and not fresh:
            raise WorldError(Text("直播源已结束", "the source has ended"))
        return max(LOOK_S_MIN, min(LOOK_S_MAX, listed.longest_s / LOOKS_PER_SEGMENT))

    def _listing(self) -> MediaList:
        data, url = self._source.get(self._list_url or self._url, LIST_BYTES_MAX, LIST_LIMIT_S)
        found = parse(data, url)
        if isinstance(found, Variants):
            data, url = self._source.get(found.best().url, LIST_BYTES_MAX, LIST_LIMIT_S)
            found = parse(data, url)
        if isinstance(found, Variants):
            raise Refused(Text("播放列表层层相套", "a master playlist names another"))
        self._list_url = url
        return found

    def _feed(self, segment: Listed, burst_s: float) -> None:
        try:
            data, _url = self._source.get(segment.url, SEGMENT_BYTES_MAX, SEGMENT_LIMIT_S)
        except (Refused, WorldError):
            self._give_up_encoder()
            raise
        form = (form_of(data), segment.head_url)
        goes_on = self._encoder is not None and self._encoder.is_good and not segment.breaks and form == self._form
        if not goes_on:
            self._give_up_encoder()
            head = b""
            if segment.head_url is not None:
                head, _url = self._source.get(segment.head_url, SEGMENT_BYTES_MAX, SEGMENT_LIMIT_S)
            self._encoder = Encoder(_probe(head + data), self._folder, burst_s, self._say)
            self._form = form
            self._encoder.feed(head, 0.0)
        assert self._encoder is not None
        self._encoder.feed(data, segment.duration_s, segment.shown_us)

    def _give_up_encoder(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.end()
            if encoder.failure is not None and isinstance(encoder.failure.__cause__, OSError):
                self._disk_failure = encoder.failure

    def _tell(self, trouble: Text | None) -> None:
        """Say how it is, when that has changed."""
        if trouble != self._trouble:
            self._say({"well": True} if trouble is None else {"trouble": trouble})
        self._trouble = trouble


def adopt(folder: Path, digest: str, target: Path) -> None:
    """Give a chunk its place among the assets. Its writer, who is ours, has hashed and synced it, and told us so.

    Its staged name stays until it is `noted`: who finds it after a cut knows that the other may be nobody's.
    """
    staged = _staged(folder, digest)
    with disk_errors(target):
        make_folder(target.parent)
        staged.chmod(ASSET_MODE)
        with suppress(FileExistsError):
            target.hardlink_to(staged)
        sync_folder(target.parent)


def noted(folder: Path, digest: str) -> None:
    """The database knows of a chunk now."""
    with disk_errors(folder):
        _staged(folder, digest).unlink(missing_ok=True)


def left_over(folder: Path) -> Iterator[tuple[Path, str]]:
    """The staged chunks that were not noted, each with its digest."""
    for staged in folder.glob(f"*{CHUNK_SUFFIX}"):
        yield staged, parse_digest(staged.stem)


def _staged(folder: Path, digest: str) -> Path:
    return folder / f"{hex_of(digest)}{CHUNK_SUFFIX}"


def ask(url: str) -> Text | None:
    """Why a source does not answer as it should: its list, and the newest of its segments; None when it does."""
    asked = Import(url, Path(), lambda fact: None)
    try:
        listed = asked._listing()
        fresh = news(listed, Followed())
        if not fresh:
            return Text("播放列表是空的", "its list is empty")
        if listed.has_ended:
            return Text("直播源已结束", "the source has ended")
        head = b""
        if fresh[-1].head_url is not None:
            head, _url = asked._source.get(fresh[-1].head_url, SEGMENT_BYTES_MAX, SEGMENT_LIMIT_S)
        data, _url = asked._source.get(fresh[-1].url, SEGMENT_BYTES_MAX, SEGMENT_LIMIT_S)
        _probe(head + data)
    except SongshanError as error:
        return error.problems[0]
    finally:
        asked.close()
    return None


def _probe(data: bytes) -> Clip:
    """What a segment holds."""
    try:
        done = subprocess.run(
            relay.probe_argv(),
            input=data[: relay.PROBE_BYTES_MAX],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(Text("直播源的分段读不出", "a segment of the source cannot be read")) from error
    except OSError as error:
        raise _broken() from error
    try:
        return parse_probe(done.stdout if done.returncode == 0 else b"")
    except Refused as error:
        why = error.problems[0]
        raise Refused(Text(f"直播源的分段：{why.zh}", f"a segment of the source: {why.en}")) from error


def _broken() -> WorldError:
    return WorldError(Text("无法运行 ffmpeg", "ffmpeg cannot be run"), retryable=True)


def main(arguments: list[str]) -> int:
    """0 done, 1 the disk failed (or, asked, the source), 2 wrong use."""
    url = sys.stdin.readline(URL_CHARS_MAX).strip()
    if url and arguments == ["--ask"]:
        trouble = ask(url)
        _say({"well": True} if trouble is None else {"trouble": trouble})
        return 0 if trouble is None else 1
    if not url or len(arguments) != 2:
        sys.stderr.write("usage: python -m appliance.importing FOLDER SECONDS | --ask < ADDRESS\n")
        return 2
    work = Import(url, Path(arguments[0]), _say)
    try:
        work.run(time.monotonic() + float(arguments[1]))
    except SongshanError as error:
        _say({"trouble": error.problems[0]})
        return 1
    finally:
        work.close()
    return 0


def _say(fact: object) -> None:
    """One write for one line: two threads speak."""
    with suppress(BrokenPipeError):
        os.write(1, msgspec.json.encode(fact) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
