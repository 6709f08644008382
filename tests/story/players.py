"""Players as a viewer has them, watched from outside: how long the picture stood still, what was lost or said."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.25
STILL_S = 0.6
"""A position that has not moved for longer than this is a freeze that a viewer sees."""
START_TIMEOUT_S = 40
NOBODY = 65534


@dataclass(frozen=True)
class Watched:
    """What one player did after its first picture."""

    player: str
    played_s: float
    frozen_s: float
    lost_frames: int
    complaints: tuple[str, ...]


def watch_mpv(url: str, seconds: float) -> Watched:
    """mpv without a screen, asked for its position over its own socket."""
    folder = Path(tempfile.mkdtemp(prefix="mpv-"))
    log = folder / "log"
    argv = [
        "mpv",
        "--no-config",
        "--no-terminal",
        "--vo=null",
        "--ao=null",
        f"--log-file={log}",
        "--msg-level=all=warn",
    ]
    player = subprocess.Popen([*argv, f"--input-ipc-server={folder / 'ipc'}", url], stdin=subprocess.DEVNULL)
    try:
        ask = _mpv_property(folder / "ipc")
        played_s, frozen_s = _watch(lambda: ask("time-pos"), seconds, player)
        lost = int(ask("decoder-frame-drop-count") or 0)
        complaints = tuple(
            line for line in log.read_text(errors="replace").splitlines() if re.search(r"\[[ef]\]", line)
        )
        return Watched("mpv", played_s, frozen_s, lost, complaints)
    finally:
        player.kill()
        player.wait(10)
        shutil.rmtree(folder)


def watch_vlc(url: str, seconds: float) -> Watched:
    """VLC with dummy outputs, asked over its remote control. It refuses to run as root, so it runs as nobody then."""
    folder = Path(tempfile.mkdtemp(prefix="vlc-"))
    folder.chmod(0o777)
    who = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"] if os.getuid() == 0 else []
    argv = [
        *who,
        "vlc",
        "-I",
        "oldrc",
        "--rc-unix",
        str(folder / "rc"),
        "--rc-fake-tty",
        "--vout",
        "vdummy",
        "--aout",
        "adummy",
    ]
    with (folder / "log").open("wb") as log:
        player = subprocess.Popen(
            [*argv, url], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)}
        )
    try:
        played_s, frozen_s = _watch(lambda: _vlc_displayed(folder / "rc"), seconds, player, per_second=25)
        statistics = _vlc(folder / "rc", "stats")
        lost = _vlc_number(statistics, "frames lost")
        bad = _vlc_number(statistics, "demux corrupted") + _vlc_number(statistics, "discontinuities")
        said = (folder / "log").read_text(errors="replace").splitlines()
        complaints = [line for line in said if re.search(r"(ts|decoder|demux|avcodec).* error", line)]
        return Watched(
            "VLC", played_s, frozen_s, lost, (*complaints, *([f"{bad} corrupted or discontinuous"] if bad else []))
        )
    finally:
        player.kill()
        player.wait(10)
        shutil.rmtree(folder)


def _watch(
    position: Callable[[], float | None], seconds: float, player: subprocess.Popen[bytes], per_second: float = 1.0
) -> tuple[float, float]:
    """How far it played and how long it stood still, in seconds, from its first picture on."""
    began = time.monotonic()
    while not (at := position()):
        assert player.poll() is None, "the player ended before its first picture"
        assert time.monotonic() - began < START_TIMEOUT_S, "no picture"
        time.sleep(SAMPLE_S)
    first = last = at
    moved = start = time.monotonic()
    frozen_s = 0.0
    while time.monotonic() - start < seconds:
        time.sleep(SAMPLE_S)
        assert player.poll() is None, "the player ended"
        now, at = time.monotonic(), position()
        if at is not None and at != last:
            still_s = now - moved
            frozen_s += still_s if still_s > STILL_S else 0.0
            last, moved = at, now
    if time.monotonic() - moved > STILL_S:
        frozen_s += time.monotonic() - moved
    return (last - first) / per_second, frozen_s


def _mpv_property(path: Path) -> Callable[[str], float | None]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not path.exists():
        assert time.monotonic() < deadline, "mpv did not start"
        time.sleep(SAMPLE_S)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(path))
    lines = connection.makefile("rwb")

    def ask(name: str) -> float | None:
        lines.write(json.dumps({"command": ["get_property", name], "request_id": 7}).encode() + b"\n")
        lines.flush()
        while True:
            said = json.loads(lines.readline())
            if said.get("request_id") == 7 and "event" not in said:
                return said.get("data")

    return ask


def _vlc(path: Path, command: str) -> str:
    """What VLC answers; its control closes nothing by itself, so the answer ends where it falls silent."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(0.3)
            connection.connect(str(path))
            connection.sendall(command.encode() + b"\n")
            said = b""
            while b"returned" not in said and (data := connection.recv(65536)):
                said += data
    except (OSError, TimeoutError):
        return ""
    return said.decode(errors="replace")


def _vlc_displayed(path: Path) -> float | None:
    displayed = _vlc_number(_vlc(path, "stats"), "frames displayed")
    return float(displayed) or None


def _vlc_number(statistics: str, name: str) -> int:
    found = re.search(rf"{name}\s*:\s*(\d+)", statistics)
    return int(found[1]) if found else 0
