"""Requests per second: this web server alone, behind nginx, and nginx alone on the same bytes; the client beside it."""

import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.web import nginx
from provisioning.demo.stage import Stage, fetch, until
from tests.bench.row import Row
from tests.ports import free_ports

CONNECTIONS = 32
MEASURED_S = 8
ROUNDS = 3
FILE_BYTES = 64 * 1024 * 1024
MEDIA_ALONE = 0.8
MEDIA_BEHIND = 0.95
ANSWERS_BEHIND = 0.5


def rows(stage: Stage) -> Iterator[Row]:
    """Media by range, then the playlist and the API, each against nginx on a file of the same bytes."""
    site = stage.sites[0]
    name = secrets.token_hex(32)
    (site.home / "public" / name).write_bytes(secrets.token_bytes(FILE_BYTES))
    static = stage.folder / "static"
    static.mkdir()
    (static / name).hardlink_to(site.home / "public" / name)
    paths = {"playlist": f"/live/{site.channel}/index.m3u8", "API items": "/api/v1/items"}
    for what, path in paths.items():
        (static / what.replace(" ", "-")).write_bytes(fetch(site.address + path).body)
    behind, alone = free_ports(2)
    with _nginx(stage, _front(stage, behind), "front"), _nginx(stage, _static(static, alone), "static"):
        ours, front, peer = (f"http://127.0.0.1:{port}" for port in (site.port, behind, alone))
        until("nginx", lambda: fetch(f"{front}/healthz").status == 200)
        for size_bytes, label in ((1024 * 1024, "1 MiB"), (4096, "4 KiB")):
            header = f"Range: bytes=1048576-{1048576 + size_bytes - 1}"
            addresses = (f"{ours}/media/{name}", f"{front}/media/{name}", f"{peer}/{name}")
            limits = (MEDIA_ALONE, MEDIA_BEHIND) if size_bytes > 4096 else (None, None)
            yield from _compare(f"media, ranges of {label}", addresses, limits, header)
        for what, path in paths.items():
            addresses = (ours + path, front + path, f"{peer}/{what.replace(' ', '-')}")
            yield from _compare(what, addresses, (None, ANSWERS_BEHIND), None)


def _compare(
    what: str, addresses: tuple[str, str, str], limits: tuple[float | None, float | None], header: str | None
) -> Iterator[Row]:
    """Medians of alternating rounds, so that a noisy minute falls on all three."""
    rounds = [[_requests_per_s(address, header) for address in addresses] for _ in range(ROUNDS)]
    alone, behind, peer = (sorted(column)[ROUNDS // 2] for column in zip(*rounds, strict=True))
    for name, figure, limit in (("alone", alone, limits[0]), ("behind nginx", behind, limits[1])):
        share = figure / peer
        yield Row(
            f"{what}, {CONNECTIONS} connections, {name}",
            f"{figure:,.0f}/s ({share:.2f})",
            f"nginx alone {peer:,.0f}/s",
            f">= {limit}" if limit is not None else "",
            None if limit is None else share >= limit,
        )


def _requests_per_s(address: str, header: str | None) -> float:
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{MEASURED_S}s", *(["-H", header] if header else []), address]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=MEASURED_S + 30, check=True).stdout
    assert "Non-2xx" not in said, said
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    assert found, said
    return float(found[1])


def _front(stage: Stage, port: int) -> str:
    site = stage.sites[0]
    return nginx.site(
        site.id, site.home / "public", stage.folder / "nginx-front", f"127.0.0.1:{port}", f"127.0.0.1:{site.port}"
    )


def _static(folder: Path, port: int) -> str:
    return f"""server {{
    listen 127.0.0.1:{port};
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    root {folder};
}}
"""


@contextmanager
def _nginx(stage: Stage, site: str, name: str) -> Iterator[None]:
    folder = stage.folder / f"nginx-{name}"
    folder.mkdir(exist_ok=True)
    configuration = folder / "nginx.conf"
    # Workers that drop their privileges could not read a folder of root's; alone and behind run alike.
    user = "user root;\n" if folder.owner() == "root" else ""
    configuration.write_text(user + nginx.whole(site, folder))
    with (stage.logs / f"nginx-{name}.log").open("wb") as log:
        server = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", str(configuration), "-p", str(folder)], stderr=log, stdout=log
        )
    try:
        time.sleep(1)
        assert server.poll() is None, (stage.logs / f"nginx-{name}.log").read_text()
        yield
    finally:
        server.terminate()
        server.wait(10)
