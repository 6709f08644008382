"""A box that stands alone with a live entry of today, and a source as slow as life."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from appliance import files, slate, spool
from appliance.config import Config, render
from appliance.core import records, ts
from appliance.core.ledger import Stretch, segments_of
from appliance.core.rundown import SLATE, tick_of
from appliance.store import air
from appliance.store.database import reading, transaction, writing
from provisioning.identity import make_key_files
from tests.appliance.boxes import box
from tests.provisioning.live import program
from tests.simulators.source import SimulatedSource, segments

CHANNEL = "dengfeng-1"
SEGMENT_S = 2


def standing_alone(home: Path) -> Config:
    """A box without a hub, with its keys."""
    made = box(home, hub=None)
    files.make_folders(made)
    spool.make_folders(made)
    (made.home / "appliance.toml").write_text(render(made))
    make_key_files(made.sign_key, "sign")
    return made


def begins_in(config: Config, seconds: float, lasts_s: float) -> datetime | None:
    """A moment of today by the box's clock; None where that day would end meanwhile."""
    start = (datetime.now(ZoneInfo(config.zone)) + timedelta(seconds=seconds)).replace(microsecond=0)
    return start if (start + timedelta(seconds=lasts_s)).date() == start.date() else None


def relay(config: Config, url: str, start: datetime, lasts_s: float) -> int:
    """A schedule of today with a live entry, and one that begins hard when it ends; when it begins."""
    after = start + timedelta(seconds=lasts_s)
    entries = [
        {"id": "e1", "start": f"{start:%H:%M:%S}", "start_type": "hard", "kind": "live", "title": "新闻联播",
         "url": url, "duration_s": lasts_s},
        {"id": "e2", "start": f"{after:%H:%M:%S}", "start_type": "hard", "kind": "filler", "duration_s": 60},
    ]  # fmt: skip
    date = f"{start:%Y-%m-%d}"
    document = {"channel": CHANNEL, "date": date, "version": 1, "entries": entries}
    raw = msgspec.Raw(json.dumps(document).encode())
    body = records.Schedule(channel=CHANNEL, date=date, version=1, document=raw)
    now_us = time.time_ns() // 1000
    with writing(config.database) as db, transaction(db):
        air.ensure_channel(db, CHANNEL, config.zone, now_us)
        air.receive_schedule(db, body, config.zone, [CHANNEL], now_us)
    return int(start.timestamp()) * 1_000_000


@contextmanager
def agent_of(config: Config, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`songshan agent` in a process, ended in order."""
    argv = [program("songshan"), "--home", str(config.home), "agent"]
    with log.open("wb") as said:
        agent = subprocess.Popen(argv, stdout=said, stderr=said)
    try:
        yield agent
    finally:
        agent.terminate()
        assert agent.wait(20) == 0


def rows_of(config: Config, from_us: int, to_us: int) -> list[Stretch]:
    """The ledger, as every reader sees it."""
    with reading(config.database) as db:
        return list(air.stretches(db, CHANNEL, tick_of(from_us), tick_of(to_us)))


def shows(made: SimulatedSource, until: threading.Event) -> None:
    """One segment after the other, each when it has been shown, with the time that its first picture was."""
    number = 0
    while not until.is_set():
        shown = datetime.now(UTC) - timedelta(seconds=SEGMENT_S)
        made.show(segments()[number % 8], moment=shown.isoformat(timespec="milliseconds"))
        number += 1
        until.wait(SEGMENT_S)


def bytes_of(config: Config, rows: list[Stretch]) -> bytes:
    """What is on the air, as the HLS would give it; of what is before and after the source only a little."""
    parts = []
    with reading(config.database) as db:
        for number, row in enumerate(rows):
            few = (0, None) if row.kind == "live" else (0, 2) if number else (max(0, row.segments - 2), None)
            file = slate.slate_path() if row.rendition == SLATE else files.path_of(config, row.rendition)
            for segment in segments_of(row, *few):
                place = air.segment_place(db, segment.rendition, segment.number)
                assert place is not None
                data = file.read_bytes()[place[0] : place[0] + place[1]]
                parts.append(ts.move(data, segment.offset_ticks, segment.frames))
    return b"".join(parts)
