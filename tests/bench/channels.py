"""Fifty channels on one machine: what agent, web server and senders cost, and how fast lists are given."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from appliance.config import ChannelConfig, render
from appliance.store import air
from provisioning.demo.stage import fetch, program, until
from tests.appliance import clips
from tests.appliance.playout.receivers import end, free_udp_port
from tests.appliance.web.county import County, now_us
from tests.bench.row import Row
from tests.ports import free_ports

CHANNELS = 50
QUICK_CHANNELS = 3
MEASURED_S = 30.0
QUICK_MEASURED_S = 4.0
WRK_S = 8
MIB = 1024 * 1024
SCRIPT = """
local n = 0
request = function()
  n = n % {count} + 1
  return wrk.format("GET", "/live/dengfeng-" .. n .. "/{name}.m3u8")
end
"""


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Agent and web server first, then a sender for each channel beside them."""
    count, seconds = (QUICK_CHANNELS, QUICK_MEASURED_S) if quick else (CHANNELS, MEASURED_S)
    county = _county(folder / "box", count)
    (port,) = free_ports(1)
    home = ["--home", str(county.home)]
    running = [
        _start(program("songshan"), *home, "agent"),
        _start(program("songshan"), *home, "web", "--bind", f"127.0.0.1:{port}"),
    ]
    address = f"http://127.0.0.1:{port}"
    try:
        until("the web server", lambda: fetch(f"{address}/live/dengfeng-{count}/index.m3u8").status == 200)
        time.sleep(2 if quick else 10)
        assert running[0].poll() is None, "the agent runs"
        agent, web = (_measured([process], seconds) for process in running)
        yield Row(
            f"{count} channels: CPU of a core, memory",
            f"agent {agent[0]:.1f} % {agent[1]:.0f} MiB, web {web[0]:.1f} % {web[1]:.0f} MiB",
            "-",
            figures={"agent": agent, "web": web},
        )
        yield from _lists(folder, address, count)
        senders = [_start(program("songshan"), *home, "playout", f"dengfeng-{number + 1}") for number in range(count)]
        running += senders
        until("all send", lambda: _sending(county, count), 180)
        time.sleep(5)
        cpu, memory = _measured(senders, seconds)
        yield Row(
            f"{count} senders at 4 Mb/s: CPU of a core, memory",
            f"{cpu:.0f} % ({cpu / count:.2f} each), {memory:.0f} MiB",
            "-",
            f"<= {2 * count} %",
            cpu <= 2 * count,
            {"cpu_percent": cpu, "pss_mib": memory, "skipped": _skipped(county)},
        )
        yield Row(f"the same: air that was skipped because it was late, all {count}", f"{_skipped(county):.2f} s", "-")
    finally:
        end(*running)
        county.close()


def _lists(folder: Path, address: str, count: int) -> Iterator[Row]:
    for name in ("index", "dvr"):
        script = folder / f"{name}.lua"
        script.write_text(SCRIPT.format(count=count, name=name))
        argv = ["wrk", "-t1", "-c16", f"-d{WRK_S}s", "-s", str(script), "--latency", address]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=WRK_S + 30, check=True).stdout
        assert "Non-2xx" not in said, said
        figures = {line.split()[0]: line.split()[1] for line in said.splitlines() if len(line.split()) == 2}
        size = len(fetch(f"{address}/live/dengfeng-1/{name}.m3u8").body)
        what = "lists" if name == "index" else "two-hour lists"
        yield Row(
            f"{what} of all {count} channels in turn, {size / 1000:.0f} kB each",
            f"{figures.get('Requests/sec:', '?')}/s",
            f"p99 {figures.get('99%', '?')}",
        )


def _county(home: Path, count: int) -> County:
    """All channels with the same clips in turn, on the air for two hours already."""
    channels = tuple(
        ChannelConfig(f"dengfeng-{number + 1}", f"频道{number + 1}", udp=f"127.0.0.1:{free_udp_port()}")
        for number in range(count)
    )
    county = County(home, channels=channels)
    # It stands alone: what is measured is the air.
    (home / "appliance.toml").write_text(render(replace(county.config, hub=None)))
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(county.config.sign_key)]
    subprocess.run(keygen, check=True, timeout=20)
    sources = [county.package(name) for name in clips.names()]
    moment = now_us() - 2 * 3600 * 1_000_000
    for channel in channels:

        def begin(db: air.Database, channel: str = channel.id) -> None:
            air.ensure_channel(db, channel, county.config.zone, moment)
            air.set_fillers(db, channel, [asset.digest for asset in sources])
            air.recompile(db, channel, moment, 4)

        county.write(begin)
    county.write(air.keep_clock)
    return county


def _start(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _sending(county: County, count: int) -> bool:
    told = list(county.config.playout.glob("*.main.json"))
    return len(told) == count


def _skipped(county: County) -> float:
    told = [json.loads(path.read_bytes()) for path in county.config.playout.glob("*.main.json")]
    return sum(each["skipped_us"] for each in told) / 1_000_000


def _measured(processes: list[subprocess.Popen[bytes]], seconds: float) -> tuple[float, float]:
    """Percent of a core, and MiB, of these processes and their children together."""
    before, began = sum(_cpu_s(process.pid) for process in processes), time.monotonic()
    time.sleep(seconds)
    cpu = 100 * (sum(_cpu_s(process.pid) for process in processes) - before) / (time.monotonic() - began)
    family = [each for process in processes for each in _family(process.pid)]
    return cpu, sum(each.memory_full_info().pss for each in family) / MIB


def _family(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def _cpu_s(pid: int) -> float:
    return sum(times.user + times.system for times in (each.cpu_times() for each in _family(pid)))
