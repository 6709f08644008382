"""Clients of a channel for the trial of players: each watches for so long and says what it saw, or that it gave up."""

import re
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from shutil import which
from threading import Thread

from tests.browser.player import watch_hls_js
from tests.story.players import SAMPLE_S, STILL_S, Watched, watch_mpv, watch_vlc

FPS_EVERY_MS = 250
SPARE_S = 60.0
"""A client that is this late has stopped."""

Client = Callable[[str, float], Watched]


def installed() -> dict[str, Client | None]:
    """All clients of the trial by name; None for what this machine does not have."""
    clients: dict[str, tuple[str, Client]] = {
        "hls.js": ("chromium", watch_hls_js),
        "mpv": ("mpv", watch_mpv),
        "VLC": ("vlc", watch_vlc),
        "ffmpeg": ("ffmpeg", watch_ffmpeg),
        "GStreamer": ("gst-launch-1.0", watch_gstreamer),
    }
    return {name: client if which(program) else None for name, (program, client) in clients.items()}


def watched(name: str, client: Client, url: str, seconds: float) -> Watched:
    """What it saw; a client that ended or never began says so among its complaints."""
    try:
        return client(url, seconds)
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        return Watched(name, 0.0, seconds, 0, (f"ended: {str(error)[:60]}",))


def watch_ffmpeg(url: str, seconds: float) -> Watched:
    """ffmpeg copying the stream, as a gateway does: frames that are missing, a clock that goes back."""
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-map", "0:v", "-c", "copy", "-t", f"{seconds}"]
    began = time.monotonic()
    done = subprocess.run(
        [*argv, "-f", "framecrc", "-"], capture_output=True, text=True, timeout=seconds + SPARE_S, check=False
    )
    times = [int(line.split(",")[1]) for line in done.stdout.splitlines() if line.startswith("0,")]
    steps = [after - before for before, after in pairwise(times)]
    usual = sorted(steps)[len(steps) // 2] if steps else 1
    missing = sum(step // usual - 1 for step in steps if step > usual)
    complaints = [line for line in done.stderr.splitlines() if line]
    if any(step <= 0 for step in steps):
        complaints.append("the clock went back")
    short_s = seconds - len(times) / 25
    if short_s > 2 and time.monotonic() - began < seconds / 2:
        complaints.append(f"ended after {len(times) / 25:.0f} s")
    return Watched("ffmpeg", len(times) / 25, missing / 25, missing, tuple(complaints))


def watch_gstreamer(url: str, seconds: float) -> Watched:
    """playbin3 with a sink that counts what it shows and drops."""
    sink = f"fpsdisplaysink text-overlay=false sync=true video-sink=fakesink fps-update-interval={FPS_EVERY_MS}"
    argv = ["gst-launch-1.0", "-v", "playbin3", f"uri={url}", f"video-sink={sink}", "audio-sink=fakesink sync=true"]
    player = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[tuple[float, str]] = []
    Thread(target=_listen, args=(player, said), daemon=True).start()
    try:
        shown = _first(said, player)
        start = moved = time.monotonic()
        first, frozen_s = shown, 0.0
        while time.monotonic() - start < seconds:
            time.sleep(SAMPLE_S)
            assert player.poll() is None, "the player ended"
            now, (frames, dropped) = time.monotonic(), _count(said)
            if frames != shown:
                frozen_s += now - moved if now - moved > STILL_S + FPS_EVERY_MS / 1000 else 0.0
                shown, moved = frames, now
        frozen_s += time.monotonic() - moved if time.monotonic() - moved > STILL_S else 0.0
        errors = tuple(line for _, line in said if re.match(r"(ERROR|WARNING)", line))
        return Watched("GStreamer", (shown - first) / 25, frozen_s, dropped, errors)
    finally:
        player.kill()
        player.wait(10)


def _listen(player: "subprocess.Popen[str]", said: list[tuple[float, str]]) -> None:
    assert player.stdout is not None
    told = (line.strip() for line in player.stdout)
    said.extend((time.monotonic(), line) for line in told if "rendered" in line or line.startswith(("ERROR", "WARN")))


def _first(said: list[tuple[float, str]], player: "subprocess.Popen[str]") -> int:
    deadline = time.monotonic() + SPARE_S
    while not (count := _count(said))[0]:
        assert player.poll() is None and time.monotonic() < deadline, "no picture"
        time.sleep(SAMPLE_S)
    return count[0]


def _count(said: list[tuple[float, str]]) -> tuple[int, int]:
    """Pictures shown and dropped, as last told."""
    for _, line in reversed(said):
        found = re.search(r"rendered: (\d+), dropped: (\d+)", line)
        if found:
            return int(found[1]), int(found[2])
    return 0, 0


def encoder(clips: list[Path], folder: Path) -> "subprocess.Popen[bytes]":
    """The peer: ffmpeg encodes the clips one after the other, in real time, to HLS in `folder`."""
    listing = folder / "concat.txt"
    listing.write_text("".join(f"file '{clip}'\n" for clip in clips))
    house = "fps=25,scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:(ow-iw)/2:(oh-ih)/2,setsar=1"
    argv = [
        *("ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-f", "concat", "-safe", "0"),
        *("-i", str(listing), "-vf", f"{house},format=yuv420p", "-af", "aresample=48000:async=1"),
        *("-c:v", "libx264", "-preset", "veryfast", "-b:v", "2500k", "-g", "50", "-sc_threshold", "0", "-c:a", "aac"),
        *("-f", "hls", "-hls_time", "2", "-hls_list_size", "10", "-hls_flags", "delete_segments+append_list"),
        str(folder / "index.m3u8"),
    ]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL)


PAGE = """<!doctype html><meta charset="utf-8"><title>peer</title><video muted playsinline></video>
<script src="hls.light.min.js"></script><script>
const video = document.querySelector("video"), events = [];
const hls = new Hls({ liveSyncDurationCount: 3 });
const note = (kind, detail) => events.push({ at: Date.now(), kind, detail });
hls.on(Hls.Events.ERROR, (_event, data) => {
  note(data.fatal ? "fatal" : "error", data.details);
  if (data.fatal && data.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  else if (data.fatal) setTimeout(() => hls.startLoad(), 1500);
});
video.addEventListener("waiting", () => note("waiting"));
hls.once(Hls.Events.MANIFEST_PARSED, () => video.play());
hls.loadSource("index.m3u8");
hls.attachMedia(video);
window.songshanPlayer = { video, events, hls: () => hls };
</script>
"""
"""hls.js for the peer's list, with the same probe and the same repairs as our own page."""
