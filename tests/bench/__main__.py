"""`make bench`: every figure that the documents quote, measured side by side in one run on this machine.

Prints a table and writes build/bench.json. A row whose peer is not installed says so instead of a figure.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioning.demo import clips, publishing
from provisioning.demo.stage import Site, Stage
from tests.bench import latency, on_air, serving
from tests.bench.row import Row
from tests.ports import free_ports

ROOT = Path(__file__).parent.parent.parent


def main() -> int:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="songshan-bench-") as folder, _on_air(Path(folder)) as stage:
        parts: tuple[Callable[[Stage], Iterator[Row]], ...] = (serving.rows, on_air.rows, latency.rows)
        for part in parts:
            for row in part(stage):
                print(row.line(), flush=True)
                rows.append(row)
    report = {"machine": machine(), "rows": [row.as_json() for row in rows]}
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(report, ensure_ascii=False, indent=1))
    print(f"\n{report['machine']}\nbuild/bench.json")
    return 0 if all(row.holds is not False for row in rows) else 1


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
