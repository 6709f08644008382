"""A channel is recorded while other things happen: ffmpeg copies it, the changes of clip in its list are counted."""

import itertools
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.core.ts import FRAMES_PER_S, TICKS_PER_S
from provisioning.demo.publishing import live_segments
from provisioning.demo.stage import Site, see

WATCH_TIMEOUT_S: Final = 240
LOOK_EVERY_S: Final = 0.5
END_TIMEOUT_S: Final = 30


class Recording:
    """One that runs. Made by `recorded`."""

    def __init__(self, site: Site, path: Path, log: Path) -> None:
        self._site, self._path, self._log = site, path, log
        self._changes = -1
        self._is_over = threading.Event()
        argv = ["ffmpeg", "-v", "warning", "-y", "-i", f"{site.address}/live/{site.channel}/index.m3u8", "-map", "0"]
        with log.open("wb") as file:
            self._recorder = subprocess.Popen(
                [*argv, "-c", "copy", "-f", "mpegts", str(path)], stdin=subprocess.PIPE, stderr=file
            )
        self._counter = threading.Thread(target=self._count, daemon=True)
        self._counter.start()

    def see(self, changes: int) -> None:
        """Wait until so many changes of clip have gone by, end it, and look that no frame of it is missing."""
        deadline = time.monotonic() + WATCH_TIMEOUT_S
        while self._changes < changes:
            see(time.monotonic() < deadline, f"{changes} changes of clip within {WATCH_TIMEOUT_S} s")
            see(self._recorder.poll() is None and self._counter.is_alive(), "ffmpeg and the list go on")
            time.sleep(LOOK_EVERY_S)
        self.end()
        complaints = [line for line in self._log.read_text().splitlines() if "error" in line.lower()]
        see(not complaints, f"a recording without complaint ({complaints[:2]})")
        _see_every_frame(self._path, changes)

    def end(self) -> None:
        """Leave nothing running."""
        self._is_over.set()
        if self._recorder.poll() is None:
            self._recorder.communicate(b"q", timeout=END_TIMEOUT_S)

    def _count(self) -> None:
        known, last = set(live_segments(self._site)), ""
        while not self._is_over.wait(LOOK_EVERY_S):
            for segment in live_segments(self._site):
                rendition = segment.split("/")[-2]
                if segment not in known and rendition != last:
                    self._changes += 1
                    last = rendition
                known.add(segment)


@contextmanager
def recorded(site: Site, path: Path, log: Path) -> Iterator[Recording]:
    """A recording of a site's channel into `path`; what ffmpeg complains of is in `log`."""
    recording = Recording(site, path, log)
    try:
        yield recording
    finally:
        recording.end()


def _see_every_frame(recording: Path, changes: int) -> None:
    """Timestamps of the recorded video rise frame by frame: none missing, none twice."""
    argv = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "packet=dts",
        "-of",
        "json",
        str(recording),
    ]
    packets = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)["packets"]
    moments = [packet["dts"] for packet in packets]
    steps = {after - before for before, after in itertools.pairwise(moments)}
    see(len(moments) > changes * FRAMES_PER_S, "a recording of some length")
    see(steps == {TICKS_PER_S // FRAMES_PER_S}, f"frames in even steps (steps of {sorted(steps)[:4]})")
