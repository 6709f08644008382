"""A year of records, a million: what it costs to check them, to hold them, and to start with them behind one.

Alone: `python -m tests.bench.year`. No peer keeps a signed history, so there is nothing to put beside it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from appliance.config import ChannelConfig, Config, config_path, load, render
from appliance.core import wire
from appliance.core.journal import public_key_text
from appliance.core.moment import US
from appliance.keys import read_sign_key
from appliance.store.database import first, reading, writing
from provisioning import identity
from provisioning.hub import enrolment, snapshots
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.verify import check
from provisioning.joining import JoinRequest
from tests.bench.row import Row
from tests.journals import YEAR, chain, reports, stories, write_asrun, write_stream, write_table

SITE: Final = "dengfeng"
OFFERS: Final = 50_000
VERIFY_S_MAX: Final = 30.0
MEMORY_MIB_MAX: Final = 150.0
START_S_MAX: Final = 3.0
STEADY_S: Final = 10.0
START_TIMEOUT_S: Final = 120.0
MIB: Final = 1024 * 1024
NO_PEER: Final = "no peer keeps such a history"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="songshan-year-") as folder:
        found = []
        for row in rows(Path(folder)):
            print(row.line(), flush=True)
            found.append(row)
    return 0 if all(row.holds is not False for row in found) else 1


def rows(folder: Path, count: int = YEAR) -> Iterator[Row]:
    """All rows, made in an empty folder: a hub with one site, and its box."""
    hub = HubFolder(folder / "hub")
    _run("songshan-hub", "--hub", str(hub.path), "init")
    config = _join(hub, folder / "box")
    _run("songshan", "--home", str(config.home), "agent", "--once")
    _write(hub, config, count)
    yield from of_hub(hub)
    yield from of_box(config)


def of_hub(folder: HubFolder) -> Iterator[Row]:
    """What a session or a command reads before it can begin, cold and then as ever; and verifying everything."""
    report = HubJournals(folder).stream(f"{SITE}/report")
    for what in ("nothing kept beside the streams", "as ever"):
        with _watch() as watch:
            Catalogue().read(HubJournals(folder), (SITE,))
            assert report.find(report.position()) is not None
        yield Row(f"the hub begins a session, {what}", str(watch), NO_PEER)
    with _watch() as watch:
        checked = check(folder, with_assets=False)
    assert not checked.problems, checked.problems[:3]
    what = f"hub verify, {checked.records:,} records"
    yield Row(what, str(watch), NO_PEER, f"<= {VERIFY_S_MAX:.0f} s", watch.took_s <= VERIFY_S_MAX)
    with _watch() as watch:
        made = snapshots.make(HubJournals(folder), "all/content").statement
    yield Row(f"a snapshot of {made.records:,} offers", f"{watch}, {made.size_bytes / MIB:.0f} MiB", NO_PEER)


@dataclass
class _Watch:
    """Seconds that passed, and seconds of CPU: on a busy machine the two differ."""

    took_s: float = 0.0
    cpu_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.took_s:.1f} s ({self.cpu_s:.1f} s of CPU)"


@contextmanager
def _watch() -> Iterator[_Watch]:
    watch = _Watch()
    began_s, began_cpu_s = time.monotonic(), sum(os.times()[:4])
    yield watch
    watch.took_s, watch.cpu_s = time.monotonic() - began_s, sum(os.times()[:4]) - began_cpu_s


def of_box(config: Config) -> Iterator[Row]:
    """Start the agent with all of it in the database, and see what it takes."""
    program = str(Path(sys.executable).with_name("songshan"))
    began_s, began_us = time.monotonic(), time.time_ns() // 1000
    agent = subprocess.Popen([program, "--home", str(config.home), "agent"], stderr=subprocess.DEVNULL)
    try:
        while not _is_on_air_since(config, began_us):
            assert agent.poll() is None, "the agent has ended"
            assert time.monotonic() < began_s + START_TIMEOUT_S, "not on the air in time"
            time.sleep(0.05)
        took_s = time.monotonic() - began_s
        time.sleep(STEADY_S)
        memory_mib = psutil.Process(agent.pid).memory_info().rss / MIB
    finally:
        agent.terminate()
        agent.wait(START_TIMEOUT_S)
    with _watch() as watch:
        _run("songshan", "--home", str(config.home), "audit", "verify")
    limit = f"<= {VERIFY_S_MAX:.0f} s"
    yield Row("the box audits itself, all records", str(watch), NO_PEER, limit, watch.took_s <= VERIFY_S_MAX)
    yield Row("start to on air", f"{took_s:.1f} s", NO_PEER, f"<= {START_S_MAX:.0f} s", took_s <= START_S_MAX)
    limit = f"<= {MEMORY_MIB_MAX:.0f} MiB"
    yield Row("the agent's memory (RSS)", f"{memory_mib:.0f} MiB", NO_PEER, limit, memory_mib <= MEMORY_MIB_MAX)


def _is_on_air_since(config: Config, since_us: int) -> bool:
    """Whether an agent that started then has compiled, committed and said so."""
    with reading(config.database) as db:
        said = first(db, "SELECT at_us FROM status WHERE name = 'agent'")
        ahead = first(db, "SELECT max(start_tick + frames * 3600) AS tick FROM ledger")
    is_ahead = ahead is not None and ahead["tick"] is not None and ahead["tick"] * 100 // 9 > since_us + 3600 * US
    return said is not None and said["at_us"] >= since_us and is_ahead


def _write(folder: HubFolder, config: Config, count: int) -> None:
    """The same two streams at both ends; the supermarket's are offers, as most of what a hub says to all."""
    journals, key, at_us = HubJournals(folder), read_sign_key(config.sign_key), time.time_ns() // 1000
    report = wire.stream_of_site(config.site)
    offers = min(OFFERS, count // 2)
    write_stream(journals.stream("all/content"), chain("all/content", stories(offers)), journals.key, at_us)
    write_stream(journals.stream(report), chain(report, reports(count - offers)), key, at_us)
    with writing(config.database) as db:
        write_table(db, "all/content", chain("all/content", stories(offers)), "applied", journals.key, at_us)
        write_table(db, report, chain(report, reports(count - offers)), "own", key, at_us)
        write_asrun(db, chain(report, reports(count - offers)))


def _join(hub: HubFolder, home: Path) -> Config:
    """Let a box in without a line: what `join` and `gate` do, without the SSH between them."""
    at_us = time.time_ns() // 1000
    channels = (ChannelConfig(f"{SITE}-1", "登封综合频道"),)
    bundle = enrolment.enrol(
        hub, SITE, "登封市", enrolment.DEFAULT_ZONE, channels, pre_approved=True, days=1, now_us=at_us
    )
    config = Config(home=home, run=home / "run", site=SITE, name=bundle.name, hub=bundle.hub, channels=channels)
    ssh, sign = identity.make_key_files(config.ssh_key, "ssh"), identity.make_key_files(config.sign_key, "sign")
    line, sign_text = identity.public_line(ssh.public_key()), public_key_text(sign.public_key())
    assert enrolment.join(hub, bundle.claim.id, JoinRequest(line, sign_text, "bench"), at_us).verdict == "approved"
    config_path(home).write_text(render(config))
    return load(home, {})


def _run(program: str, *arguments: str) -> None:
    argv = [str(Path(sys.executable).with_name(program)), *arguments]
    subprocess.run(argv, check=True, capture_output=True, timeout=300)


if __name__ == "__main__":
    sys.exit(main())
