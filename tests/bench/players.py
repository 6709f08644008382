"""Players of all makes on one channel: over a hundred changes of clip, and while its web server is killed.

    python -m tests.bench --only players      about a quarter of an hour

Clips of four to eight seconds follow each other, so that a hundred changes take ten minutes. The peer encodes the same
clips in a row and is watched by the same hls.js.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil

from appliance import web as ours
from appliance.config import ChannelConfig
from tests.appliance.clips import make
from tests.appliance.core.hls_lint import parse
from tests.appliance.web.county import County
from tests.appliance.web.servers import answers, nginx_before, web
from tests.appliance.web.test_live import fetched
from tests.bench.clients import PAGE, encoder, installed, watched
from tests.bench.row import Row
from tests.browser.player import watch_hls_js
from tests.ports import free_ports
from tests.story.players import Watched

CHANNEL = ChannelConfig("dengfeng-1", "登封综合")
INDEX = f"/live/{CHANNEL.id}/index.m3u8"
CLIPS = (
    ("testsrc2=s=640x360:r=25", 4.0),
    ("smptehdbars=s=1280x720:r=25", 6.4),
    ("testsrc2=s=320x240:r=50", 5.2),
    ("rgbtestsrc=s=720x576:r=25", 7.0),
    ("testsrc=s=176x144:r=30000/1001", 4.6),
    ("yuvtestsrc=s=480x270:r=24", 5.0),
)
CHANGES, QUICK_CHANGES = 100, 4
PEER_SHARE = 0.25
"""The peer is watched for a part of the time: what it does at one change it does at each."""
ALONE_S, BEHIND_S = 2.0, 10.0
BEFORE_S, AFTER_S = 15.0, 30.0


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """First what each sees over the changes, then what each sees of the two kills."""
    county = County(folder / "box", channels=(CHANNEL,))
    clips = [make(f"p{number}.mp4", video=f"{source}:d={seconds}", audio=f"sine=f={220 + 110 * number}:d={seconds}")
             for number, (source, seconds) in enumerate(CLIPS)]  # fmt: skip
    county.go_on_air([county.package(str(clip)) for clip in clips], hours=2)
    for name in [name for name, client in installed().items() if client is None]:
        yield Row(f"{name} over changes of clip", "not installed", "-")
    try:
        yield from _changes(county, clips, folder, QUICK_CHANGES if quick else CHANGES)
        yield from _kills(county, folder, quick=quick)
    finally:
        county.close()


def _changes(county: County, clips: list[Path], folder: Path, changes: int) -> Iterator[Row]:
    seconds = changes * sum(length for _, length in CLIPS) / len(CLIPS)
    with web(county.home) as port:
        seen = _all(f"http://127.0.0.1:{port}{INDEX}", seconds)
        crossed = _crossed(port, seconds)
    peer = _peer(clips, folder / "peer", max(20.0, seconds * PEER_SHARE))
    for name, each in seen.items():
        other = f"ffmpeg -re concat: {_words(peer)} in {peer.played_s:.0f} s" if name == "hls.js" else "-"
        holds = not each.complaints and each.frozen_s == 0
        yield Row(f"{name} over {crossed} changes of clip", _words(each), other, "no error, no freeze", holds)


def _kills(county: County, folder: Path, *, quick: bool) -> Iterator[Row]:
    after_s = 12.0 if quick else AFTER_S
    for behind, away_s in ((False, ALONE_S), (True, BEHIND_S)):
        (port,) = free_ports(1)
        where = "behind nginx" if behind else "alone"
        with (
            ThreadPoolExecutor(1) as side,
            _served(county, port) as stop,
            _front(county, port, folder, behind) as front,
        ):
            watching = side.submit(_all, f"http://127.0.0.1:{front}{INDEX}", BEFORE_S + away_s + after_s)
            time.sleep(BEFORE_S)
            stop()
            gone = time.monotonic()
            time.sleep(away_s)
            with web(county.home, port):
                was_away_s = time.monotonic() - gone
                seen = watching.result()
        for name, each in seen.items():
            what = f"{name}, web server killed, back after {was_away_s:.1f} s, {where}"
            if not behind:
                # A port that refuses ends some players, and nothing of ours is there to prevent it.
                yield Row(what, _words(each), "-")
                continue
            plays_on = not any(word.startswith("ended") for word in each.complaints)
            yield Row(what, _words(each), "-", "plays on", plays_on)


def _all(url: str, seconds: float) -> dict[str, Watched]:
    """Every client at once, beside each other."""
    clients = {name: client for name, client in installed().items() if client is not None}
    with ThreadPoolExecutor(len(clients)) as watching:
        futures = {name: watching.submit(watched, name, client, url, seconds) for name, client in clients.items()}
        return {name: future.result() for name, future in futures.items()}


def _crossed(port: int, seconds: float) -> int:
    """Changes of clip in what was on during the last so many seconds."""
    listed = parse(fetched(port, f"/live/{CHANNEL.id}/dvr.m3u8").decode())
    since_us = listed[-1].end_us - seconds * 1_000_000
    renditions = [each.uri.split("/")[2] for each in listed if each.start_us >= since_us]
    return sum(one != other for one, other in pairwise(renditions))


def _peer(clips: list[Path], folder: Path, seconds: float) -> Watched:
    folder.mkdir()
    vendor = Path(ours.__file__).parent / "static" / "vendor"
    shutil.copyfile(vendor / "hls.light.min.js", folder / "hls.light.min.js")
    (folder / "index.html").write_text(PAGE)
    (folder / "healthz").write_text("ok")
    (port,) = free_ports(1)
    argv = ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running = encoder(clips, folder)
    try:
        deadline = time.monotonic() + 60
        while not (answers(port) and (folder / "index.m3u8").exists() and time.monotonic() > deadline - 45):
            assert time.monotonic() < deadline and running.poll() is None, "the peer did not start"
            time.sleep(0.5)
        return watched("hls.js", watch_hls_js, f"http://127.0.0.1:{port}/index.m3u8", seconds)
    finally:
        for process in (running, server):
            process.kill()
            process.wait(10)


@contextmanager
def _served(county: County, port: int) -> Iterator["_Stop"]:
    """The web server, and what kills it with all its workers."""
    with web(county.home, port):
        yield _Stop(port)


class _Stop:
    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(self) -> None:
        mine = psutil.Process().children(recursive=True)
        master = next(each for each in mine if f"127.0.0.1:{self._port}" in each.cmdline() and "web" in each.cmdline())
        family = [master, *master.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10)


@contextmanager
def _front(county: County, port: int, folder: Path, behind: bool) -> Iterator[int]:
    """The port that clients ask."""
    if not behind:
        yield port
        return
    with nginx_before(county.home, port, folder / "nginx") as front:
        yield front


def _words(seen: Watched) -> str:
    waits = sum(word.startswith("waiting") for word in seen.complaints)
    errors = [word for word in seen.complaints if not word.startswith("waiting")]
    said = f"{len(errors)} errors ({errors[0][:48]})" if errors else "0 errors"
    return f"{seen.played_s:.0f} s, still {seen.frozen_s:.1f} s, {waits} waits, {seen.lost_frames} frames lost, {said}"
