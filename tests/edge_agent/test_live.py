"""A live entry from end to end: a real agent, the process that it starts, ffmpeg, and a source that stops."""

import gzip
import os
import signal
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import psutil
import pytest

from appliance import files
from appliance.config import Config
from appliance.core import ts
from appliance.core.errors import Text
from appliance.core.health import LiveFact
from appliance.core.live import LOST
from appliance.core.mux import VIDEO_PID
from appliance.core.rundown import tick_of, us_of
from appliance.store import air, facts
from appliance.store.assets import holdings
from appliance.store.database import reading, transaction, writing
from edge_agent import live
from edge_agent.children import Ended
from edge_agent.core.observation import Airing, Child, Policy
from edge_agent.core.outcomes import ChunkCame, ImportBroke, SourceAnswered
from edge_agent.core.plan import plan
from edge_agent.core.steps import Ask, Follow, Remove, Stop
from edge_agent.memory import Memory
from edge_agent.stocktaking import take_stock
from tests.edge_agent.core.test_plan import seen
from tests.edge_agent.relays import CHANNEL, agent_of, begins_in, bytes_of, relay, rows_of, shows, standing_alone
from tests.provisioning.live import program
from tests.simulators.source import segments, source

SLOT_S = 120
"""Longer than this takes: where the machine is slow it only airs later."""
BEFORE_S = 6
WAIT_S = 60.0
SECRET = "planted-7f3a9c"
"""In the address of the source, twice: whoever sees it can take the source."""
NOW_US = 1_795_478_400_000_000
CHUNK, KEY = "sha256:" + "c" * 64, f"{CHANNEL}/2026-11-24/e1"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return standing_alone(tmp_path / "box")


@pytest.mark.serial
def test_a_source_is_on_the_air_and_then_lost(config: Config, tmp_path: Path) -> None:
    """Where it stops, filler to the end of its time; all of it whole for a decoder; nothing keeps running or lies. What
    lets others in to the source is shown to nobody."""
    stop = threading.Event()
    with source() as made:
        made.secret = SECRET
        segments()
        threading.Thread(target=shows, args=(made, stop), daemon=True).start()
        start = begins_in(config, BEFORE_S, SLOT_S)
        if start is None:
            pytest.skip("midnight")
        start_us = relay(config, made.url, start, SLOT_S)
        end_us = start_us + SLOT_S * 1_000_000

        def chunks() -> int:
            return sum(row.kind == "live" for row in rows_of(config, start_us, end_us))

        with agent_of(config, tmp_path / "agent.log"):
            until_s = time.monotonic() + WAIT_S
            while chunks() < 3:
                assert time.monotonic() < until_s, "nothing airs"
                time.sleep(0.1)
            fact = _fact(config)
            assert (fact.title, fact.url) == ("新闻联播", f"http://…@127.0.0.1:{made.port}/live.m3u8?…")
            argvs = _processes()
            assert any("appliance.importing" in argv for argv in argvs)
            assert not any(SECRET in argv for argv in argvs)
            stop.set()
            known = 0
            while (count := chunks()) != known:
                known = count
                time.sleep(4)
            rows = rows_of(config, start_us, end_us)
            on = [number for number, row in enumerate(rows) if row.kind == "live"]
            assert all(not row.planned and row.reason == LOST for row in rows[on[-1] + 1 :])
            assert rows[-1].end_tick == tick_of(end_us)
            for before, after in pairwise(rows):
                assert before.end_tick == after.start_tick
            shown = bytes_of(config, rows[max(0, on[0] - 1) : on[-1] + 2])
            made.fault = {".m3u8": "503"}
            while not _is_lost_to(_fact(config), "HTTP 503"):
                assert time.monotonic() < until_s + WAIT_S, "nobody tells that it is lost"
                time.sleep(0.2)
            said = _said_by_commands(config, tmp_path / "bundle.tar.gz")
            assert said.count(f"127.0.0.1:{made.port}/live.m3u8?…") > 2 and SECRET not in said
        assert "live.m3u8?…" in (tmp_path / "agent.log").read_text()
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and _tells(path)]
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


def test_what_a_killed_agent_did_not_take_is_swept_away_at_the_start(config: Config) -> None:
    """A chunk that nobody was told of is nobody's."""
    left = config.incoming / f"{'c' * 64}.live"
    left.write_bytes(b"x")
    with writing(config.database) as db:
        take_stock(config, db, NOW_US)
    assert not left.exists()


@pytest.mark.parametrize("is_noted", [False, True], ids=["in its place", "noted"])
def test_an_agent_that_is_killed_with_a_chunk_in_hand_leaves_it_whole_or_not_at_all(
    config: Config, *, is_noted: bool
) -> None:
    """Not a file that nobody can tell what it is: it would lie there until the disk is full."""
    with writing(config.database) as db, transaction(db):
        air.ensure_channel(db, CHANNEL, config.zone, NOW_US)
    came = {"digest": CHUNK, "size_bytes": 1, "frames": 50, "burst_s": 2.0}
    staged, place = config.incoming / f"{CHUNK[7:]}.live", files.path_of(config, CHUNK)
    staged.write_bytes(b"x")
    if os.fork() == 0:
        try:
            with writing(config.database) as db:
                said = msgspec.json.encode({"chunk": came}) + b"\n"
                (outcome,) = live.of_import(Ended(Child("import", (KEY, "http://a/x")), 0, said, "", True), config)
                assert isinstance(outcome, ChunkCame)
                if is_noted:
                    with transaction(db):
                        live.note(db, outcome, Memory(), NOW_US, 0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.wait()[1])
    assert place.exists() and staged.exists()
    with writing(config.database) as db:
        take_stock(config, db, NOW_US)
        known = holdings(db)
        chunks = db.conn.execute("SELECT rendition FROM live_chunks").fetchall()
    assert (list(known), chunks) == (([CHUNK], [(CHUNK,)]) if is_noted else ([], []))
    assert (place.exists(), staged.exists()) == (is_noted, False)


def _fact(config: Config) -> LiveFact:
    with reading(config.database) as db:
        return facts.snapshot(db, config, time.time_ns() // 1000).live[0]


def _is_lost_to(fact: LiveFact, why: str) -> bool:
    return fact.state == "lost" and fact.reason is not None and why in fact.reason.en


def _said_by_commands(config: Config, bundle: Path) -> str:
    """What people are shown while a source is lost, and what they send to whoever helps."""
    said = ""
    for words in (("status",), ("status", "--json"), ("readiness", "--json"), ("doctor", "--bundle", str(bundle))):
        argv = [program("songshan"), "--home", str(config.home), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        said += done.stdout + done.stderr
    return said + gzip.decompress(bundle.read_bytes()).decode(errors="replace")


def _tells(path: Path) -> bool:
    """Whether the secret stands in a file that is not the box's own memory."""
    return path.name.partition("-")[0] != "box.db" and SECRET.encode() in path.read_bytes()


def _processes() -> list[str]:
    return [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]


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
