"""Live sources in the database: chunks that air, are served, and go when nobody can ask for them any more."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance.config import ChannelConfig
from appliance.core import records
from appliance.core.errors import Text
from appliance.core.health import LiveFact
from appliance.core.ledger import segments_of
from appliance.core.live import LOST
from appliance.core.moment import US
from appliance.core.rundown import tick_of
from appliance.store import air, asrun, cache, live, needs
from appliance.store.database import transaction, writing
from appliance.store.live import NewChunk
from appliance.store.relays import live_facts
from tests.appliance.core.air_box import DATE, SECOND, ZONE, clock, digest, entry, live_rendition

START = clock("12:01:00")
CHANNEL = ChannelConfig("ch-1", "登封综合")
SIZE_BYTES = 188 * 160


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """A channel with a live entry of a minute at 12:01, and nothing else."""
    relay = {"kind": "live", "url": "http://source/live.m3u8", "duration_s": 60.0, "title": "新闻联播"}
    document = {"channel": "ch-1", "date": DATE, "version": 1, "entries": [entry(1, None, "12:01:00", **relay)]}
    body = records.Schedule(channel="ch-1", date=DATE, version=1, document=msgspec.Raw(json.dumps(document).encode()))
    with writing(tmp_path / "box.db") as opened:
        # No power is cut here, and thousands of commits are made.
        opened.conn.execute("PRAGMA synchronous = OFF")
        with transaction(opened):
            air.ensure_channel(opened, "ch-1", ZONE, clock("12:00:00"))
            air.receive_schedule(opened, body, ZONE, ["ch-1"], clock("12:00:00"))
        yield opened


def came(db: Database, number: int, at_us: int) -> None:
    chunk = NewChunk(digest=live_rendition(number), size_bytes=SIZE_BYTES, frames=50)
    with transaction(db):
        live.came(db, "ch-1", DATE, "e1", "新闻联播", chunk, at_us)
        air.recompile(db, "ch-1", at_us, 2)


def feed(db: Database, count: int) -> int:
    """So many chunks, one every two seconds from half a minute before the slot on; when the last one came."""
    for number in range(count):
        came(db, number, START + (2 * number - 30) * SECOND)
    return START + (2 * count - 32) * SECOND


def on(db: Database, at_us: int) -> str:
    return air.stretches(db, "ch-1", tick_of(at_us), tick_of(at_us) + 1)[0].rendition


def test_chunks_air_and_readers_find_their_segments(db: Database) -> None:
    """A web worker, a sender and the catch-up know nothing of live sources: they see rows, files and tables."""
    feed(db, 45)
    rows = air.stretches(db, "ch-1", tick_of(START), tick_of(START + 60 * SECOND))
    assert [row.kind for row in rows] == ["live"] * 30
    for row in rows:
        for segment in segments_of(row):
            assert air.segment_place(db, segment.rendition, segment.number) == (0, SIZE_BYTES)


def test_an_agent_that_begins_anew_goes_on_where_it_was(db: Database) -> None:
    """What was placed stands in the database: with the same rows, what is compiled again is the same."""
    now_us = feed(db, 30)
    until = tick_of(START + 60 * SECOND)
    before = air.stretches(db, "ch-1", 0, until)
    with transaction(db):
        air.recompile(db, "ch-1", now_us + 100_000, 2)
    assert [row.kind for row in before].count("live") > 10
    assert air.stretches(db, "ch-1", 0, until) == before


def test_a_source_lost_long_ago_is_still_known_to_be_lost(db: Database) -> None:
    """Minutes later only sums are looked at; the filler keeps its reason and its place."""
    now_us = feed(db, 25)
    before = list(air.stretches(db, "ch-1", tick_of(now_us), tick_of(START + 60 * SECOND)))
    with transaction(db):
        live.came(db, "ch-1", DATE, "e1", "", NewChunk(digest=live_rendition(99), size_bytes=1, frames=50), now_us)
        air.recompile(db, "ch-1", now_us + 25 * SECOND, 2)
    after = list(air.stretches(db, "ch-1", tick_of(now_us), tick_of(START + 60 * SECOND)))
    assert before[-1].reason == after[-1].reason == LOST
    assert [row.start_tick for row in before] == [row.start_tick for row in after]


def test_a_chunk_whose_file_is_gone_is_not_shown(db: Database) -> None:
    """Its place is filled by what follows on it; what was announced stays as it was."""
    now_us = feed(db, 30)
    coming = [row for row in air.stretches(db, "ch-1", tick_of(now_us + 5 * SECOND), 2**60) if row.kind == "live"]
    with transaction(db):
        needs.lost(db, coming[-1].rendition, now_us)
        air.recompile(db, "ch-1", now_us, 2)
    rows = air.stretches(db, "ch-1", tick_of(now_us), tick_of(START + 60 * SECOND))
    assert coming[-1].rendition not in {row.rendition for row in rows}


def test_chunks_that_nobody_can_ask_for_go_and_the_others_stay(db: Database) -> None:
    """Those that did not air after minutes, those that aired after the time for which they are kept."""
    now_us = feed(db, 45)
    aired = {row.rendition for row in air.stretches(db, "ch-1", 0, tick_of(START + 60 * SECOND)) if row.kind == "live"}
    everything = {live_rendition(number) for number in range(45)}
    assert live.over(db, now_us, kept_us=3600 * US) == ()
    later_us = now_us + 20 * 60 * SECOND
    assert set(live.over(db, later_us, kept_us=3600 * US)) == everything - aired
    assert aired <= set(cache.pinned(db, later_us))
    assert set(live.over(db, now_us + 7200 * SECOND, kept_us=3600 * US)) == everything
    with transaction(db):
        for each in everything - aired:
            needs.gone(db, each)
            live.forget(db, each)
    assert live.over(db, later_us, kept_us=3600 * US) == ()


def test_chunks_are_nobodys_filler_and_nobodys_asset(db: Database) -> None:
    """They lie among the renditions, and are found by their own name only."""
    feed(db, 3)
    assert air.ready_assets(db) == {}
    assert digest(1) not in air.ready_assets(db)


def log(db: Database, at_us: int) -> list[tuple[str, bool, float, tuple[str, ...]]]:
    """Kind, planned, length and status of the as-run rows."""
    with transaction(db):
        asrun.log_aired(db, "ch-1", at_us)
    aired = asrun.aired(db, "ch-1", START, START + 60 * SECOND)
    return [(row.kind, row.planned, row.duration_s, row.status) for row in aired if row.entry == "e1"]


def test_a_run_is_one_row_of_the_as_run_log_when_it_has_ended(db: Database) -> None:
    """Not one every two seconds; and the loss of the source is told by its reason."""
    now_us = feed(db, 30)
    assert log(db, now_us) == []
    rows = log(db, START + 62 * SECOND)
    lengths = [row[2] for row in rows]
    assert rows[0] == ("live", True, lengths[0], ("Aired with Duration Discrepancy",))
    assert {row[3] for row in rows[1:]} == {("Technical Difficulty",)}
    assert 30 < lengths[0] < 60
    assert asrun.bad_row(db, "ch-1") is None


def test_a_source_that_is_well_is_without_discrepancy(db: Database) -> None:
    """From the first frame of its time to the last."""
    feed(db, 45)
    assert log(db, START + 70 * SECOND) == [("live", True, 60.0, ("Aired Without Discrepancy",))]


def test_screens_see_the_entry_and_not_its_chunks(db: Database) -> None:
    """What is on until when, and what is next: no line of a screen changes every two seconds."""
    with transaction(db):
        air.recompile(db, "ch-1", START - 50 * SECOND, 2)
    before = air.on_air(db, CHANNEL, START - 30 * SECOND)
    assert (before.next_title, before.next_kind, before.next_at_us) == ("新闻联播", "live", START)
    feed(db, 45)
    now = air.on_air(db, CHANNEL, START + 31 * SECOND)
    assert (now.kind, now.title, now.since_us, now.until_us) == ("live", "新闻联播", START, START + 60 * SECOND)
    assert now.next_title == ""


def test_how_it_stands_with_a_source_before_and_while_it_is_on(db: Database) -> None:
    """Not asked, well, not well; on the air with its delay; lost."""

    def fact(at_us: int) -> LiveFact:
        return live_facts(db, (CHANNEL,), at_us)[0]

    assert live_facts(db, (CHANNEL,), START - 31 * 60 * SECOND) == ()
    assert fact(START - 60 * SECOND).state == "unasked"
    with transaction(db):
        live.asked(db, "http://source/live.m3u8", Text("超时", "timed out"), START - 60 * SECOND)
    assert (fact(START - 50 * SECOND).state, fact(START - 50 * SECOND).reason) == (
        "unreachable", Text("超时", "timed out"),
    )  # fmt: skip
    with transaction(db):
        live.asked(db, "http://source/live.m3u8", None, START - 30 * SECOND)
        air.recompile(db, "ch-1", START - 30 * SECOND, 2)
    assert fact(START - 20 * SECOND).state == "reachable"
    assert fact(START + SECOND).state == "waiting"
    now_us = feed(db, 25)
    assert (fact(now_us).state, fact(now_us).delay_s) == ("on", None)
    assert fact(now_us + 20 * SECOND).state == "lost"
    assert live_facts(db, (CHANNEL,), START + 60 * SECOND) == ()


def test_what_a_source_answered_last_is_what_counts(db: Database) -> None:
    """Asked again every minute: yesterday's failure is no news."""
    why = Text("超时", "timed out")
    with transaction(db):
        live.asked(db, "http://source/live.m3u8", why, START)
        assert live.answers(db)["http://source/live.m3u8"].reason == why
        live.asked(db, "http://source/live.m3u8", None, START + SECOND)
        assert live.answers(db)["http://source/live.m3u8"].reason is None
        live.drop_answers(db, START + 2 * SECOND)
        assert live.answers(db) == {}
