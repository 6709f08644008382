"""The relay of seven o'clock, as counties have it: an entry of the day template, on a radio channel.

The hub's own command sends the template; a real agent follows a real source, on a clock that goes twice as fast and
says that it is almost 19:00. Sound alone is imported, which costs little; pictures are in test_live.py.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.config import ChannelConfig, Config
from appliance.core.asrun import AiredRow
from appliance.core.grid import SILENCE
from appliance.core.ledger import Stretch, runs_joined
from appliance.core.live import LOST, RETURN_TICKS
from appliance.core.rundown import tick_of
from appliance.core.ts import TICKS_PER_S
from appliance.store import air, asrun
from appliance.store.database import transaction, writing
from appliance.web.front import Request
from appliance.web.live import Live
from appliance.web.reading import Reading
from edge_agent.apply import Applying
from edge_agent.boot import running
from tests.appliance.core.hls_lint import AUDIO, HlsLint
from tests.edge_agent.relays import standing_alone
from tests.provisioning.live import LiveHub
from tests.simulators.clock import QuickClock
from tests.simulators.source import SimulatedSource, sounds, source

US = 1_000_000
CHANNEL = ChannelConfig("dengfeng-1", "登封广播", "radio")
DAY = datetime(2027, 3, 9, 19, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
SEVEN_US = round(DAY.timestamp()) * US
TIMES = 2
BEFORE_S, FAILS_S, BACK_S, LASTS_S, AFTER_S = 12, 9, 16, 40, 4
"""The source is there before its time, stops nine seconds into it, and is there again for the rest."""
SEGMENT_S = 2
DELAY_S_MAX = 8
"""From a segment's coming to its airing, on a machine that is busy."""
SOUNDS_MIN = 90
"""Of a segment."""

pytestmark = pytest.mark.serial


@dataclass(frozen=True)
class Evening:
    """What came of it: the ledger from seven on, the as-run log, and of each segment that was listed how many of its
    sounds are silence, by its time."""

    runs: list[Stretch]
    aired: tuple[AiredRow, ...]
    silent: dict[int, int]


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Evening:
    folder = tmp_path_factory.mktemp("evening")
    standing = standing_alone(folder / "box")
    with source() as made, ThreadPoolExecutor() as others:
        sounds()
        take_template(standing, folder, made.url)
        clock = QuickClock(SEVEN_US - BEFORE_S * US, TIMES)
        config = replace(standing, clock=clock, channels=(CHANNEL,))
        with running(config, once=False) as agent:
            shown = others.submit(shows, made, clock)
            heard = others.submit(listens, config, agent.end)
            agent.run()
            shown.result()
            silent = heard.result()
    with writing(config.database) as db:
        with transaction(db):
            asrun.log_aired(db, CHANNEL.id, SEVEN_US + (LASTS_S + 60) * US)
        rows = air.stretches(db, CHANNEL.id, tick_of(SEVEN_US), tick_of(SEVEN_US + (LASTS_S + AFTER_S) * US))
        aired = asrun.aired(db, CHANNEL.id, SEVEN_US, SEVEN_US + LASTS_S * US)
    return Evening(runs_joined(rows), aired, silent)


def take_template(config: Config, folder: Path, url: str) -> None:
    """`songshan-hub template`, and the record that it wrote as the box applies it."""
    hub = LiveHub(folder / "hub")
    hub.run("init")
    hub.run("enrol", config.site, "--out", str(folder / "box.bundle"))
    relayed = {"id": "relay", "start": "19:00:00", "start_type": "hard", "kind": "live", "title": "新闻联播"}
    after = {"id": "after", "start_type": "follow", "kind": "filler", "title": "天气", "duration_s": 600.0}
    days = [{"on": ["tue"], "entries": [{**relayed, "url": url, "duration_s": LASTS_S}, after]}]
    path = folder / "template.json"
    path.write_text(json.dumps({"channel": CHANNEL.id, "version": 1, "days": days}))
    hub.run("template", config.site, CHANNEL.id, str(path))
    (record,) = (one for one in hub.journals.stream("dengfeng/content").records() if one.header.kind == "template")
    told_us = SEVEN_US - BEFORE_S * US
    with writing(config.database) as db, transaction(db):
        air.ensure_channel(db, CHANNEL.id, config.zone, told_us)
        Applying(config, lambda: told_us)(db, record)


def shows(made: SimulatedSource, clock: QuickClock) -> None:
    """A segment every two seconds of that evening, but for a while."""
    number = 0
    while (now_s := (clock.wall_us() - SEVEN_US) / US) < LASTS_S:
        if not FAILS_S <= now_s < BACK_S:
            made.show(sounds()[number % len(sounds())])
            number += 1
        time.sleep(SEGMENT_S / TIMES)


def listens(config: Config, end: Callable[[], None]) -> dict[int, int]:
    """A listener, who polls the list to the end of the evening and then tells the agent to end."""
    lint, live = HlsLint(form=AUDIO), Live(config, Reading(config.database))
    try:
        while config.clock.wall_us() < SEVEN_US + (LASTS_S + AFTER_S) * US:
            reply = live.answer(Request("GET", f"/live/{CHANNEL.id}/index.m3u8", {}))
            if reply.status == "200 OK":
                assert isinstance(reply.body, bytes)
                lint.look(reply.body.decode(), config.clock.wall_us())
            time.sleep(1 / TIMES)
        return {each.start_us: silence_in(live, each.uri) for each in lint.timeline()}
    finally:
        end()


def silence_in(live: Live, uri: str) -> int:
    segment = live.answer(Request("GET", f"/live/{CHANNEL.id}/{uri}", {}))
    assert segment.status == "200 OK" and isinstance(segment.body, bytes)
    return segment.body.count(SILENCE)


def seconds(tick: int) -> float:
    """After seven."""
    return (tick - tick_of(SEVEN_US)) / TICKS_PER_S


def test_it_is_on_at_seven_and_off_at_its_end_to_the_frame(evening: Evening) -> None:
    """Whatever its source did: what comes after it begins at its second."""
    first, *_between, last, after = evening.runs
    assert (seconds(first.start_tick), first.kind, first.title, first.plan) == (0, "live", "新闻联播", "template")
    assert (last.entry_id, seconds(last.end_tick)) == ("relay", LASTS_S)
    assert (after.entry_id, after.planned, after.plan) == ("after", True, "template")


def test_where_the_source_failed_there_is_filler_and_then_the_source_again(evening: Evening) -> None:
    """Behind the last that came, at once; and back not before the viewer would call it flicker, nor much later."""
    first, hole, again = evening.runs[:3]
    assert FAILS_S - SEGMENT_S <= seconds(first.end_tick) <= FAILS_S + DELAY_S_MAX
    assert (hole.start_tick, hole.kind, hole.planned, hole.reason) == (first.end_tick, "slate", False, LOST)
    assert (again.kind, again.entry_id) == ("live", "relay")
    assert RETURN_TICKS <= again.start_tick - first.start_tick <= RETURN_TICKS + DELAY_S_MAX * TICKS_PER_S


def test_who_listens_hears_it_as_the_ledger_says(evening: Evening) -> None:
    """The list kept all rules (its linter read it twice a second); where the source was on there is its sound, with no
    click from chunk to chunk."""
    first, hole, again = evening.runs[:3]
    for run in (first, again):
        assert sum(silent_in(evening, run)[1:-1]) == 0, "where a run begins and ends a sound may be missing"
    assert min(silent_in(evening, hole)) > SOUNDS_MIN


def silent_in(evening: Evening, run: Stretch) -> list[int]:
    """By segment."""
    return [count for start_us, count in evening.silent.items() if run.start_tick <= tick_of(start_us) < run.end_tick]


def test_the_log_tells_what_a_supervisor_asks(evening: Evening) -> None:
    """Short by what was lost, a filler for which nobody planned, and the rest joined late."""
    told = [(row.kind, row.entry, row.status) for row in evening.aired]
    assert told[:3] == [
        ("live", "relay", ("Aired with Duration Discrepancy",)),
        ("slate", "relay", ("Technical Difficulty",)),
        ("live", "relay", ("Joined in Progress", "Aired with Duration Discrepancy")),
    ]
    assert sum(row.duration_s for row in evening.aired) == LASTS_S
