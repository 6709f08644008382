"""The whole main job on real input: one command plays it; this test believes its exit status and what it saw."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.ports import free_ports

SHARED_MEDIA = Path(__file__).parents[3] / "shared" / "media"
STEPS = 8
TIMEOUT_S = 600


@pytest.mark.serial
@pytest.mark.timeout(TIMEOUT_S + 30)
def test_the_story_works_on_real_clips_from_an_empty_folder(tmp_path: Path) -> None:
    """Publish, air, submit, take, order, recall, outage, kills, intruders: each step is seen, nothing left running."""
    folder = tmp_path / "demo"
    media = ["--media", str(SHARED_MEDIA)] if SHARED_MEDIA.is_dir() else []
    argv = [
        str(Path(sys.executable).with_name("songshan")),
        "demo",
        "--check",
        "--dir",
        str(folder),
        "--port",
        str(_base_port()),
        *media,
    ]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env={**os.environ, "SONGSHAN_LANG": "en"}
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{_logs(folder)}"
    assert [int(step) for step in re.findall(r"(\d)/\d seen", done.stdout)] == list(range(1, STEPS + 1))
    assert _left_running(folder) == []


def _base_port() -> int:
    """The demo takes three ports in a row."""
    for _ in range(50):
        (port,) = free_ports(1)
        if port < 65_000:
            return port
    raise AssertionError("no free port")


def _left_running(folder: Path) -> list[str]:
    lines = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line and process.pid != os.getpid():
            lines.append(line)
    return lines


def _logs(folder: Path) -> str:
    logs = sorted((folder / "logs").glob("*.log"))
    return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)
