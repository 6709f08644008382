"""A live entry from end to end: a real agent, the process that it starts, ffmpeg, and a source that stops."""

import json
import os
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psutil
import pytest

from appliance import files, slate, spool
from appliance.config import Config, render
from appliance.core import records, ts
from appliance.core.errors import Text
from appliance.core.ledger import Stretch, segments_of
from appliance.core.live import LOST
from appliance.core.mux import VIDEO_PID
from appliance.core.rundown import SLATE, tick_of, us_of
from appliance.store import air, facts
from appliance.store.database import reading, transaction, writing
from edge_agent import live
from edge_agent.children import Ended
from edge_agent.core.observation import Airing, Child, Observation, Policy, Space
from edge_agent.core.outcomes import ChunkCame, ImportBroke, SourceAnswered
from edge_agent.core.plan import plan
from edge_agent.core.steps import Ask, Follow, Remove, Stop
from provisioning.identity import make_key_files
from tests.appliance.boxes import box
from tests.provisioning.live import program
from tests.simulators.source import SimulatedSource, segments, source

CHANNEL = "dengfeng-1"
SLOT_S = 120
"""Longer than this takes: where the machine is slow it only airs later."""
BEFORE_S = 6
WAIT_S = 60.0
NOW_US = 1_795_478_400_000_000


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box that stands alone, with its keys."""
    made = box(tmp_path / "box", hub=None)
    files.make_folders(made)
    spool.make_folders(made)
    (made.home / "appliance.toml").write_text(render(made))
    make_key_files(made.sign_key, "sign")
    return made


def relay(config: Config, url: str, start: datetime) -> None:
    """A schedule of today with a live entry, and one that begins hard when it ends."""
    after = start + timedelta(seconds=SLOT_S)
    entries = [
        {"id": "e1", "start": f"{start:%H:%M:%S}", "start_type": "hard", "kind": "live", "title": "新闻联播",
         "url": url, "duration_s": SLOT_S},
        {"id": "e2", "start": f"{after:%H:%M:%S}", "start_type": "hard", "kind": "filler", "duration_s": 60},
    ]  # fmt: skip
    document = {"channel": CHANNEL, "date": f"{start:%Y-%m-%d}", "version": 1, "entries": entries}
    body = records.Schedule(
        channel=CHANNEL, date=document["date"], version=1, document=msgspec.Raw(json.dumps(document).encode())
    )
    now_us = time.time_ns() // 1000
    with writing(config.database) as db, transaction(db):
        air.ensure_channel(db, CHANNEL, config.zone, now_us)
        air.receive_schedule(db, body, config.zone, [CHANNEL], now_us)


def slot(config: Config, start_us: int) -> list[Stretch]:
    with reading(config.database) as db:
        rows = air.stretches(db, CHANNEL, tick_of(start_us), tick_of(start_us + SLOT_S * 1_000_000))
    return list(rows)


def shows(made: SimulatedSource, until: threading.Event) -> None:
    """A source as slow as life, that says what time it has."""
    number = 0
    while not until.is_set():
        shown = datetime.now(UTC) - timedelta(seconds=2)
        made.show(segments()[number % 8], moment=shown.isoformat(timespec="milliseconds"))
        number += 1
        until.wait(2)


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


def wait(is_so: object, what: str) -> None:
    until_s = time.monotonic() + WAIT_S
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < until_s, what
        time.sleep(0.1)


@pytest.mark.serial
def test_a_source_is_on_the_air_and_then_lost(config: Config, tmp_path: Path) -> None:
    """Where it stops, filler to the end of its time; all of it whole for a decoder; nothing keeps running or lies."""
    stop = threading.Event()
    with source() as made, (tmp_path / "agent.log").open("wb") as log:
        segments()
        threading.Thread(target=shows, args=(made, stop), daemon=True).start()
        start = (datetime.now(ZoneInfo(config.zone)) + timedelta(seconds=BEFORE_S)).replace(microsecond=0)
        if f"{start + timedelta(seconds=SLOT_S):%d}" != f"{start:%d}":
            pytest.skip("midnight")
        start_us = int(start.timestamp()) * 1_000_000
        end_us = start_us + SLOT_S * 1_000_000
        relay(config, made.url, start)
        argv = [program("songshan"), "--home", str(config.home), "agent"]
        agent = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ})
        try:
            wait(lambda: sum(row.kind == "live" for row in slot(config, start_us)) >= 3, "nothing airs")
            with reading(config.database) as db:
                fact = facts.snapshot(db, config, time.time_ns() // 1000).live[0]
            assert (fact.title, fact.url) == ("新闻联播", made.url)
            stop.set()
            known = 0
            while (count := sum(row.kind == "live" for row in slot(config, start_us))) != known:
                known = count
                time.sleep(4)
            rows = slot(config, start_us)
            last = max(number for number, row in enumerate(rows) if row.kind == "live")
            assert all(not row.planned and row.reason == LOST for row in rows[last + 1 :])
            assert rows[-1].end_tick == tick_of(end_us)
            for before, after in pairwise(rows):
                assert before.end_tick == after.start_tick
            first = next(number for number, row in enumerate(rows) if row.kind == "live")
            shown = bytes_of(config, rows[max(0, first - 1) : last + 2])
        finally:
            agent.terminate()
            assert agent.wait(20) == 0
    assert not [line for line in _processes() if str(config.incoming) in line]
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "warning", "-copyts", "-f", "mpegts", "-i", "pipe:0", "-map", "0",
         "-fps_mode", "passthrough", "-f", "null", "-"],
        input=shown, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr.decode() == ""
    pictures = [pts for pid, pts, _picture in ts.pes_in(shown) if pid == VIDEO_PID]
    assert {(after - before) % ts.PTS_MODULO for before, after in pairwise(pictures)} == {ts.TICKS_PER_FRAME}
    assert list(config.incoming.iterdir()) == []


def _processes() -> list[str]:
    return [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]


def seen(**more: object) -> Observation:
    quiet = {"now_us": NOW_US, "space": Space(10**12, 10**9), "compiled_us": NOW_US, "aired_us": NOW_US}
    return Observation(**{**quiet, "reported_us": NOW_US, **more})  # type: ignore[arg-type]


def test_a_source_is_followed_once_and_no_longer_than_its_entry() -> None:
    """Also when the schedule takes it away, or names another source for it."""
    wanted = Airing("ch/2026-11-24/e1", "http://a/x", NOW_US + 1)
    running = Child("import", ("ch/2026-11-24/e1", "http://a/x"))
    assert plan(seen(airing=(wanted,)), Policy()) == (Follow(wanted.key, wanted.url, NOW_US + 1),)
    assert plan(seen(airing=(wanted,), children=(running,)), Policy()) == ()
    assert plan(seen(children=(running,)), Policy()) == (Stop(running.subjects),)
    moved = msgspec.structs.replace(wanted, url="http://b/x")
    assert plan(seen(airing=(moved,), children=(running,)), Policy()) == (
        Stop(running.subjects),
        Follow(moved.key, moved.url, moved.until_us),
    )
    late = msgspec.structs.replace(wanted, is_due=False)
    assert plan(seen(airing=(late,)), Policy()) == ()


def test_sources_are_asked_a_few_at_a_time() -> None:
    """A county with many live entries does not start a process for each of them at once."""
    urls = tuple(f"http://a/{number}" for number in range(9))
    assert plan(seen(unasked=urls), Policy()) == tuple(Ask(url) for url in urls[:4])
    asking = tuple(Child("ask", (url,)) for url in urls[:3])
    assert plan(seen(unasked=urls, children=asking), Policy()) == (Ask(urls[3]),)


def test_chunks_that_are_over_go() -> None:
    """Like what was recalled, but without any hurry."""
    assert plan(seen(live_over=("sha256:" + "a" * 64,)), Policy()) == (Remove("sha256:" + "a" * 64),)


def test_what_an_importer_left_is_taken_or_told(config: Config) -> None:
    """A chunk that is there takes its place; one that is not, and an end before its time, are said."""
    child = Child("import", ("ch/2026-11-24/e1", "http://a/x"))
    there, gone = "a" * 64, "b" * 64
    (config.incoming / f"{there}.live").write_bytes(b"x")
    said = b"".join(
        msgspec.json.encode(fact) + b"\n"
        for fact in (
            {"chunk": {"digest": f"sha256:{there}", "size_bytes": 1, "frames": 50, "burst_s": 2.0}},
            {"chunk": {"digest": f"sha256:{gone}", "size_bytes": 1, "frames": 50, "burst_s": 2.0}},
            {"trouble": {"zh": "断", "en": "gone"}},
        )
    )
    found = list(live.of_import(Ended(child, 1, said + b"half a li", "Traceback\nMemoryError", False), config))
    assert found[0] == ChunkCame(child.subjects[0], f"sha256:{there}", 1, 50, 2.0)
    assert files.path_of(config, f"sha256:{there}").stat().st_mode & 0o777 == 0o444
    assert isinstance(found[1], ImportBroke)
    assert found[2] == SourceAnswered("http://a/x", Text("断", "gone"))
    assert isinstance(found[3], ImportBroke) and "MemoryError" in found[3].reason.en
    assert us_of(tick_of(NOW_US)) == NOW_US
