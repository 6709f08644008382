"""What one channel costs while it is watched, beside an engine that encodes."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from provisioning.demo.publishing import live_segments
from provisioning.demo.stage import Site, Stage, fetch
from tests.bench.row import Row

MEASURED_S = 60.0
LIMIT_PERCENT = 2.0
MIB = 1024 * 1024


def rows(stage: Stage) -> Iterator[Row]:
    """CPU and memory of all the box's parts over a minute with one viewer, and of `ffmpeg -re` over the same clips."""
    site = stage.sites[0]
    parts = {name: stage.running[name].pid for name in (f"{site.id}-agent", f"{site.id}-web")}
    before = {name: _cpu_s(pid) for name, pid in parts.items()}
    began = time.monotonic()
    fetched = _watch(site, MEASURED_S)
    passed_s = time.monotonic() - began
    ours = {name: 100 * (_cpu_s(pid) - before[name]) / passed_s for name, pid in parts.items()}
    memory = {name: _memory_bytes(pid) / MIB for name, pid in parts.items()}
    encoder, encoder_mib = _encoding(stage)
    total = sum(ours.values())
    yield Row(
        f"one channel on the air, one viewer ({fetched} segments): CPU of a core",
        f"{total:.2f} % (" + ", ".join(f"{name.split('-')[1]} {value:.2f}" for name, value in ours.items()) + ")",
        f"ffmpeg -re encode {encoder:.1f} %",
        f"<= {LIMIT_PERCENT} %",
        total <= LIMIT_PERCENT,
    )
    yield Row("the same: memory", f"{sum(memory.values()):.0f} MiB", f"ffmpeg {encoder_mib:.0f} MiB")


def _watch(site: Site, seconds: float) -> int:
    """As a player does: the list every two seconds, each new segment once."""
    seen: set[str] = set(live_segments(site))
    first = len(seen)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for segment in live_segments(site):
            if segment not in seen:
                seen.add(segment)
                address = segment if segment.startswith("/") else f"/live/{site.channel}/{segment}"
                assert fetch(f"{site.address}{address}").status == 200, segment
        time.sleep(2)
    return len(seen) - first


def _encoding(stage: Stage) -> tuple[float, float]:
    clips = sorted((stage.folder / "clips").glob("*.mp4"))
    listing = stage.folder / "concat.txt"
    listing.write_text("".join(f"file '{clip}'\n" for clip in clips))
    house = "fps=25,scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:(ow-iw)/2:(oh-ih)/2,setsar=1"
    argv = [
        "ffmpeg",
        "-v",
        "error",
        "-re",
        "-stream_loop",
        "-1",
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
        str(listing),
        "-an",
        "-vf",
        house,
    ]
    argv += ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "2500k", "-g", "50", "-f", "null", "-"]
    encoder = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        time.sleep(2)
        before, began = _cpu_s(encoder.pid), time.monotonic()
        time.sleep(MEASURED_S / 3)
        percent = 100 * (_cpu_s(encoder.pid) - before) / (time.monotonic() - began)
        return percent, _memory_bytes(encoder.pid) / MIB
    finally:
        encoder.kill()
        encoder.wait(10)


def _family(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def _cpu_s(pid: int) -> float:
    """Seconds of CPU that a part and its children, living and dead, have used."""
    total = 0.0
    for process in _family(pid):
        times = process.cpu_times()
        total += times.user + times.system
    ended = psutil.Process(pid).cpu_times()
    return total + ended.children_user + ended.children_system


def _memory_bytes(pid: int) -> int:
    """What the part would free by ending: shared pages are counted once, by their proportional share."""
    return sum(_proportional_bytes(process.pid) for process in _family(pid))


def _proportional_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
