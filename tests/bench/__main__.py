"""`make bench`: every figure that the documents quote, measured side by side in one run on this machine.

    python -m tests.bench                        all of it, in the order of PARTS
    python -m tests.bench --only small many      some parts
    python -m tests.bench --quick                few files and few programs: whether it runs, not what it gives

Prints a table and writes build/bench.json. A program that is not installed is named, and its figures are missing.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from appliance.core.errors import SongshanError
from provisioning.demo import clips, publishing
from provisioning.demo.stage import Site, Stage
from tests.bench import (
    change,
    channels,
    emergency,
    kills,
    latency,
    on_air,
    output,
    players,
    readying,
    relay,
    restored,
    screens,
    serving,
    starts,
    sync,
    versions,
    year,
)
from tests.bench.program import TooSlow
from tests.bench.row import Row
from tests.journals import YEAR
from tests.ports import free_ports

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Part:
    """Some rows. `about_s`: how long it took on two cores, from which the end is foretold."""

    rows: Callable[[Path, bool], Iterator[Row]]
    about_s: float


def main() -> int:
    names = sorted(PARTS, key=list(PARTS).index)
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="figures, side by side")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs")
    parser.add_argument("--minutes", type=float, help="how long output is heard (30), screens are watched (3)")
    asked = parser.parse_args()
    _asked_minutes.extend([asked.minutes] if asked.minutes is not None else [])
    compared = sync.installed()
    for name, version in compared.items():
        print(f"{name}: {version or 'not installed, its figures are missing'}")
    rows: list[Row] = []
    for number, name in enumerate(asked.only):
        left_s = sum(PARTS[each].about_s for each in asked.only[number:])
        said = "" if asked.quick else f", all done about {time.strftime('%H:%M', time.localtime(time.time() + left_s))}"
        print(f"\n{name} ({number + 1} of {len(asked.only)}{said})", flush=True)
        for row in _whatever_comes(name, asked.quick):
            print(row.line(), flush=True)
            rows.append(row)
    report = {"machine": machine(), "compared": compared, "rows": [row.as_json() for row in rows]}
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(report, ensure_ascii=False, indent=1))
    print(f"\n{report['machine']}\nbuild/bench.json")
    return 0 if all(row.holds is not False for row in rows) else 1


def _whatever_comes(name: str, quick: bool) -> Iterator[Row]:
    """A part's rows; where it breaks off, a row that says so: the other parts took long enough to be kept."""
    try:
        with tempfile.TemporaryDirectory(prefix="songshan-bench-") as folder:
            yield from PARTS[name].rows(Path(folder), quick)
    except (AssertionError, OSError, SongshanError, TooSlow, psutil.Error, subprocess.SubprocessError) as error:
        traceback.print_exc()
        yield Row(f"{name} broke off", f"{type(error).__name__}: {error}"[:200], "-", "all its rows", False)


def machine() -> dict[str, str]:
    """What the figures were measured on; a figure without its machine means nothing."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "?",
    )
    return {
        "cpu": cpu,
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ffmpeg": _version("ffmpeg", "-version"),
        "nginx": _version("nginx", "-v"),
    }


def _of_the_air(folder: Path, quick: bool) -> Iterator[Row]:
    """What a box costs and how fast it is while it is on the air."""
    with _on_air(folder) as stage:
        parts = (latency.rows,) if quick else (serving.rows, on_air.rows, latency.rows)
        for part in parts:
            yield from part(stage)


def _emergency(folder: Path, quick: bool) -> Iterator[Row]:
    with _on_air(folder) as stage:
        yield from emergency.rows(stage, quick=quick)


_asked_minutes: list[float] = []


def _minutes(default: float) -> float:
    return _asked_minutes[-1] if _asked_minutes else default


QUICK_YEAR = 20_000
PARTS = {
    "air": Part(_of_the_air, 250),
    "players": Part(lambda folder, quick: players.rows(folder, quick=quick), 950),
    "small": Part(lambda folder, quick: sync.few(folder, quick=quick), 300),
    "many": Part(lambda folder, quick: sync.many(folder, quick=quick), 1100),
    "large": Part(lambda folder, quick: sync.of_50_mb(folder, quick=quick), 300),
    "change": Part(lambda folder, quick: change.rows(folder, quick=quick), 90),
    "versions": Part(lambda folder, quick: versions.rows(folder, quick=quick), 120),
    "restored": Part(lambda folder, quick: restored.rows(folder, quick=quick), 40),
    "year": Part(lambda folder, quick: year.rows(folder, QUICK_YEAR if quick else YEAR), 200),
    "udp": Part(lambda folder, quick: output.rows(folder, quick=quick, minutes=_minutes(30)), 1900),
    "emergency": Part(_emergency, 240),
    "live": Part(lambda folder, quick: relay.rows(folder, quick=quick), 230),
    "channels": Part(lambda folder, quick: channels.rows(folder, quick=quick), 200),
    "readiness": Part(lambda folder, quick: readying.rows(folder, quick=quick), 40),
    "starts": Part(lambda folder, quick: starts.rows(folder, quick=quick), 60),
    "tui": Part(lambda folder, quick: screens.rows(folder, quick=quick, minutes=_minutes(3)), 260),
    "kills": Part(lambda folder, quick: kills.rows(folder, quick=quick), 190),
}


@contextmanager
def _on_air(folder: Path) -> Iterator[Stage]:
    web, hub = free_ports(2)
    stage = Stage(folder, hub, (Site("dengfeng", "登封市融媒体中心", folder / "dengfeng", web),))
    try:
        given = clips.own_clips(folder / "clips", lambda _said: None)
        stage.build()
        published = publishing.publish_all(stage, given)
        stage.start_agent(stage.sites[0])
        stage.start_web(stage.sites[0])
        publishing.await_on_air(stage, published)
        yield stage
    finally:
        stage.stop()


def _version(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout or done.stderr).splitlines()[0][:80]


if __name__ == "__main__":
    sys.exit(main())
