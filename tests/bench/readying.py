"""What it costs to tell how ready 10,000 coming entries are, and how soon after a change the alarm stands."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from sqlite_utils import Database

from appliance.config import ChannelConfig, Config
from appliance.core import records
from appliance.core.moment import US
from appliance.core.schedule import day_of
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, assets, facts
from appliance.store.database import transaction, writing
from appliance.store.readiness import readiness_of
from edge_agent.core.observation import Policy
from tests.bench.row import Row

ENTRIES_PER_CHANNEL = 5000
CHANNELS = ("dengfeng-1", "dengfeng-2")
ASSETS = 500
TIMES = 7
LIMIT_S = 1.0
ZONE = "Asia/Shanghai"


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """CPU of one recomputation, of the snapshot with its alarms, and the longest way from a change to an alarm."""
    number = 500 if quick else ENTRIES_PER_CHANNEL
    channels = tuple(ChannelConfig(each, each) for each in CHANNELS)
    config = Config(home=folder, run=folder / "run", site="dengfeng", name="登封", zone=ZONE, channels=channels)
    with writing(config.database) as db:
        now_us = made(db, config, number)
        count, ready_s = _cpu_s(lambda: len(readiness_of(db, config, CHANNELS, now_us, now_us + 25 * 3600 * US)))
        _alarms, told_s = _cpu_s(lambda: len(facts.snapshot(db, config, now_us).alarms))
    policy = Policy()
    longest_s = (policy.compile_pause_us + policy.report_pause_us) / US + told_s
    figures = {"entries": count, "readiness_cpu_s": ready_s, "snapshot_cpu_s": told_s, "longest_s": longest_s}
    yield Row(f"how ready {count} coming entries are: CPU of one recomputation", f"{ready_s * 1000:.0f} ms", "-")
    yield Row("the same with alarms and all else that the overview shows", f"{told_s * 1000:.0f} ms", "-")
    yield Row(
        "from a change to its alarm at the longest: pauses, and the overview",
        f"{longest_s:.2f} s",
        "-",
        f"<= {LIMIT_S:.0f} s",
        quick or longest_s <= LIMIT_S,
        figures,
    )


def made(db: Database, config: Config, number: int) -> int:
    """A box with two full days; a tenth of the assets is not ready."""
    now_us = time.time_ns() // 1000
    today = day_of(now_us, ZONE)
    days = (today, day_of(now_us + 86_400 * US, ZONE))
    with transaction(db):
        for each in range(ASSETS):
            state = "here" if each % 10 else "wanted"
            made = RenditionState(
                source=_digest(each),
                profile=HOUSE_PROFILE,
                state=state,  # type: ignore[arg-type]
                digest=_digest(each + ASSETS),
                size_bytes=1,
                frames=400,
            )
            assets.set_rendition(db, made, b"\0" * 16 if state == "here" else None)
        for channel in CHANNELS:
            air.ensure_channel(db, channel, ZONE, now_us)
            for date in days:
                document = {"channel": channel, "date": date, "version": 1, "entries": list(_entries(number))}
                body = records.Schedule(
                    channel=channel, date=date, version=1, document=msgspec.Raw(json.dumps(document).encode())
                )
                air.receive_schedule(db, body, ZONE, CHANNELS, now_us)
    return now_us


def _entries(number: int) -> Iterator[dict[str, str]]:
    yield {"id": "e0", "start": "00:00:00", "start_type": "hard", "kind": "programme", "asset": _digest(0)}
    for each in range(1, number):
        asset = _digest(each % ASSETS)
        yield {"id": f"e{each}", "start_type": "follow", "kind": "programme", "title": f"节目{each}", "asset": asset}


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


def _cpu_s(work: Callable[[], int]) -> tuple[int, float]:
    work()
    spent = []
    for _time in range(TIMES):
        began = time.process_time()
        found = work()
        spent.append(time.process_time() - began)
    return found, statistics.median(spent)
