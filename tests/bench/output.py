"""The output for a modulator, heard for as long as is asked: its clock, counters and timestamps, and what it costs."""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import msgspec
import psutil

from appliance import senders
from appliance.config import ChannelConfig
from appliance.core.mux import PACKET
from appliance.core.probe import Heard, Listening
from appliance.playout.watch import open_listener, receive
from appliance.store import air
from provisioning.demo.stage import until
from tests.appliance import clips
from tests.appliance.playout.receivers import end, free_udp_port, last_picture, playout, receiving
from tests.appliance.web.county import County
from tests.bench.row import Row

CHANNEL = "dengfeng-1"
BITS_PER_S = 4_000_000
SETTLE_S = 4.0
FAULT_ROUNDS = 7
FAULT_HEARD_S = 4.0
QUICK_S = 8.0
PEER_S = 20.0
MEMORY = "/dev/shm"
CPU_PERCENT_MAX = 2.0
MIB = 1024 * 1024
TUNE_IN_BYTES = 4_000_000 // PACKET * PACKET


@dataclass
class Analysis:
    """What was heard, and the longest jitter of arrival within a second."""

    heard: Heard
    jitter_us: int
    capture: Path


def rows(folder: Path, *, quick: bool, minutes: float) -> Iterator[Row]:
    """A main sender, a standby and a probe on one channel, heard by somebody else; then ffmpeg's copy, beside."""
    with tempfile.TemporaryDirectory(prefix="songshan-run-", dir=MEMORY) as run:
        yield from _rows(folder, Path(run), quick=quick, minutes=minutes)


def _rows(folder: Path, run: Path, *, quick: bool, minutes: float) -> Iterator[Row]:
    seconds = QUICK_S if quick else minutes * 60
    county = county_on_air(folder / "box", run / "box", seconds)
    running = {
        "sender": playout(county.home, CHANNEL),
        "standby": playout(county.home, CHANNEL, "--standby"),
        "probe": playout(county.home, CHANNEL, "--watch"),
    }
    try:
        until("all of them", lambda: all(senders.told(county.config, CHANNEL)), 60)
        time.sleep(SETTLE_S)
        began, before = time.monotonic(), {name: _cpu_s(process) for name, process in running.items()}
        found = analyse(county.channels[0].udp_copy, folder / "heard.ts", seconds)
        passed_s = time.monotonic() - began
        cpu = {name: 100 * (_cpu_s(process) - before[name]) / passed_s for name, process in running.items()}
        memory = {name: psutil.Process(process.pid).memory_full_info().pss / MIB for name, process in running.items()}
        told = [each for each in senders.told(county.config, CHANNEL)[:2] if each is not None]
    finally:
        end(*running.values())
        county.close()
    yield from _of_restarts(folder / "restarts", run / "restarts", quick=quick)
    peer, peer_cpu = _ffmpeg_copy(folder, QUICK_S if quick else PEER_S)
    yield from _of_stream(found, peer, seconds)
    yield Row(
        "the same, as the senders count: skips, pictures left out",
        ", ".join(f"{each.role} {each.skips}, {each.late_pictures + each.lost_pictures}" for each in told),
        "-",
        figures={each.role: msgspec.to_builtins(each) for each in told},
    )
    yield Row(
        "the output's cost: CPU of a core",
        f"{cpu['sender']:.2f} % (standby {cpu['standby']:.2f}, probe {cpu['probe']:.2f})",
        f"ffmpeg -re -c copy {peer_cpu:.2f} %",
        f"<= {CPU_PERCENT_MAX} %",
        cpu["sender"] <= CPU_PERCENT_MAX,
        {name: {"cpu_percent": round(value, 3), "pss_mib": round(memory[name], 1)} for name, value in cpu.items()},
    )
    yield Row("the same: memory", ", ".join(f"{name} {value:.0f} MiB" for name, value in memory.items()), "-")


def _of_restarts(folder: Path, run: Path, *, quick: bool) -> Iterator[Row]:
    """The sender is killed and started again; killed with a standby; stopped with a standby."""
    county = county_on_air(folder, run, 600)
    ways: tuple[tuple[str, bool, signal.Signals], ...] = (
        ("kill -9 of the only sender, started again at once", False, signal.SIGKILL),
        ("kill -9, a standby takes over", True, signal.SIGKILL),
        ("SIGSTOP, a standby takes over", True, signal.SIGSTOP),
    )
    for what, has_standby, sent in ways:
        found = [_fault(county, sent, has_standby=has_standby) for _ in range(1 if quick else FAULT_ROUNDS)]
        silences, losses = [silence_s for silence_s, _ in found], [lost for _, lost in found]
        yield Row(
            f"{what}, {len(found)} times: longest silence",
            f"{median(silences):.2f} s ({max(silences):.2f})",
            f"pictures lost {median(losses):.0f} ({max(losses)})",
            "<= 1 s",
            max(silences) <= 1,
            {"silence_s": silences, "pictures_lost": losses},
        )
    county.close()


def _fault(county: County, sent: signal.Signals, *, has_standby: bool) -> tuple[float, int]:
    """Seconds without a packet, and the pictures that never came."""
    with receiving(county.channels[0].udp_copy) as receiver:
        running = [playout(county.home, CHANNEL)]
        until("pictures", lambda: len(receiver.pictures()) > 25, 60)
        if has_standby:
            running.append(playout(county.home, CHANNEL, "--standby"))
            until("the standby", lambda: _tells(county, running[1]), 60)
            time.sleep(SETTLE_S / 2)
        since_us = time.time_ns() // 1000 - 500_000
        running[0].send_signal(sent)
        if not has_standby:
            running.append(playout(county.home, CHANNEL))
        until("the output again", lambda: receiver.since(since_us + 700_000), 60)
        time.sleep(FAULT_HEARD_S)
        end(*running)
        times = receiver.pictures(since_us)
        lost = sum((after - before) // 3600 - 1 for before, after in pairwise(times) if after > before)
        return receiver.longest_silence_us(since_us) / 1_000_000, lost


def _tells(county: County, standby: subprocess.Popen[bytes]) -> bool:
    """What an earlier one told may still lie there."""
    told = senders.told(county.config, CHANNEL)[1]
    return told is not None and told.pid == standby.pid


def _of_stream(found: Analysis, peer: Analysis, seconds: float) -> Iterator[Row]:
    ours, theirs = found.heard, peer.heard
    steps = ours.pcr_steps + ours.pts_steps + ours.pts_late
    yield Row(
        f"{seconds / 60:.1f} min of UDP, {ours.pictures} pictures: continuity errors, steps of clock and times",
        f"{ours.continuity_errors}, {steps}",
        f"ffmpeg {PEER_S:.0f} s: {theirs.continuity_errors}, {theirs.pcr_steps + theirs.pts_steps + theirs.pts_late}",
        "0, 0",
        ours.continuity_errors + steps + ours.sync_errors + ours.blackouts == 0,
        {"songshan": _facts(found), "ffmpeg": _facts(peer)},
    )
    yield Row(
        "the same: longest time between two PCRs",
        f"{ours.pcr_interval_max_ms:.2f} ms",
        f"ffmpeg {theirs.pcr_interval_max_ms:.2f} ms",
        "<= 40 ms",
        ours.pcr_interval_max_ms <= 40,
    )
    yield Row(
        "the same: a PCR against its byte's place, at most",
        f"{ours.pcr_error_max_ns:.0f} ns",
        f"ffmpeg {theirs.pcr_error_max_ns:.0f} ns",
        "<= 500 ns",
        ours.pcr_error_max_ns <= 500,
    )
    yield Row(
        "the same: jitter of arrival, the worst second",
        f"{found.jitter_us / 1000:.1f} ms",
        f"ffmpeg {peer.jitter_us / 1000:.1f} ms",
        "<= 40 ms",
        found.jitter_us <= 40_000,
    )
    complaints, irregular = _decoded(found.capture)
    yield Row(
        "the same, ffmpeg decodes it and ffprobe reads its times: complaints, steps",
        f"{complaints}, {irregular}",
        "-",
        "0, 0",
        complaints + irregular == 0,
    )


def county_on_air(home: Path, run: Path, seconds: float) -> County:
    """A channel with all clips that there are in turn; nothing of it runs. `run` lies in memory, as /run does."""
    home.mkdir()
    run.mkdir()
    (home / "run").symlink_to(run)
    port, copy = free_udp_port(), free_udp_port()
    channel = ChannelConfig(CHANNEL, "登封综合", udp=f"127.0.0.1:{port}", udp_copy=f"127.0.0.1:{copy}")
    county = County(home, channels=(channel,))
    county.go_on_air([county.package(name) for name in clips.names()], hours=2 + int(seconds // 3600))
    county.write(air.keep_clock)
    return county


def analyse(address: str, capture: Path, seconds: float) -> Analysis:
    """Listen for so long, and keep what came."""
    listening, jitter_us = Listening(BITS_PER_S), 0
    with open_listener(address, "") as line, capture.open("wb") as file:
        began = window_at = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            try:
                data, at_us = receive(line)
            except TimeoutError:
                listening.wait(time.time_ns() // 1000)
                continue
            listening.hear(data, at_us)
            file.write(data)
            if now >= window_at + 1:
                window_at = now
                jitter_us = max(jitter_us, listening.take_window().jitter_us)
    return Analysis(listening.heard, jitter_us, capture)


def _facts(analysis: Analysis) -> dict[str, object]:
    heard = analysis.heard
    return {name: getattr(heard, name) for name in heard.__struct_fields__} | {"jitter_us": analysis.jitter_us}


def _begin_with_a_keyframe(capture: Path) -> None:
    """Cut off what a receiver that tunes in throws away: it begins with the tables and a keyframe then."""
    with capture.open("r+b") as file:
        head = file.read(TUNE_IN_BYTES)
        cut = [head[at : at + PACKET] for at in range(0, len(head), PACKET)]
        tables = [next(one for one in cut if one[1:3] == kind) for kind in (b"\x40\x00", b"\x50\x00")]
        key = next(place for place, one in enumerate(cut) if one[1:3] == b"\x41\x00" and one[5] & 0x40)
        begin = (key - len(tables)) * PACKET
        file.seek(begin)
        file.write(b"".join(tables))
    rest = capture.with_suffix(".cut.ts")
    with capture.open("rb") as source, rest.open("wb") as target:
        source.seek(begin)
        shutil.copyfileobj(source, target)
        target.flush()
        size_bytes = target.tell()
    with rest.open("r+b") as target:
        tail_bytes = min(size_bytes, TUNE_IN_BYTES)
        target.seek(size_bytes - tail_bytes)
        target.truncate(size_bytes - tail_bytes + last_picture(target.read(tail_bytes)))
    rest.replace(capture)


def _decoded(capture: Path) -> tuple[int, int]:
    """Lines that ffmpeg says when it decodes all of it, and steps of picture times as ffprobe reads them."""
    _begin_with_a_keyframe(capture)
    argv = ["ffmpeg", "-nostdin", "-v", "warning", "-i", str(capture), "-f", "null", "-"]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=3600, check=True).stderr
    probe = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "packet=pts",
        "-of",
        "json",
        str(capture),
    ]
    packets = json.loads(subprocess.run(probe, capture_output=True, timeout=3600, check=True).stdout)["packets"]
    times = [int(packet["pts"]) for packet in packets]
    return len(said.splitlines()), sum(after - before != 3600 for before, after in pairwise(times))


def _ffmpeg_copy(folder: Path, seconds: float) -> tuple[Analysis, float]:
    """The same clips by `ffmpeg -re -c copy`, at the same rate."""
    address = f"127.0.0.1:{free_udp_port()}"
    listing = folder / "concat.txt"
    renditions = []
    for name in clips.names():
        path = folder / f"{len(renditions)}.ts"
        path.write_bytes(clips.packaged(name)[1])
        renditions.append(path)
    listing.write_text("".join(f"file '{path}'\n" for path in renditions))
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-f", "concat", "-safe", "0"]
    argv += ["-i", str(listing), "-c", "copy", "-flush_packets", "0", "-f", "mpegts", "-muxrate", str(BITS_PER_S)]
    argv += ["-pcr_period", "20", f"udp://{address}?pkt_size=1316&bitrate={BITS_PER_S}&burst_bits=30000"]
    peer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        before, began = _cpu_s(peer), time.monotonic()
        found = analyse(address, folder / "peer.ts", seconds)
        return found, 100 * (_cpu_s(peer) - before) / (time.monotonic() - began)
    finally:
        peer.kill()
        peer.wait(10)


def _cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Of a process and of what it started and still runs: the probe's decoder."""
    parts = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return sum(sum(part.cpu_times()[:2]) for part in parts)


@contextmanager
def hearing(address: str, wanted: bytes) -> Iterator[list[float]]:
    """The moments, in seconds since 1970, at which a datagram with these bytes came."""
    seen: list[float] = []
    ended = threading.Event()
    line: socket.socket = open_listener(address, "")

    def listen() -> None:
        while not ended.is_set():
            try:
                data, at_us = receive(line)
            except TimeoutError:
                continue
            if wanted in data:
                seen.append(at_us / 1_000_000)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(5)
        line.close()
