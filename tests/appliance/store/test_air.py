"""The air in the database: what is frozen cannot change, whoever writes; readers and the agent see one ledger."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlite_utils import Database

from appliance.config import ChannelConfig
from appliance.core import playlist, records
from appliance.core.airtime import PLAUSIBLE_SINCE_US
from appliance.core.errors import OperatorError, Refused
from appliance.core.ledger import Segment, segments_of
from appliance.core.moment import to_text
from appliance.core.rundown import SLATE, tick_of
from appliance.core.ts import HOUSE_PROFILE, SegmentInfo, pack_table
from appliance.store import air, asrun
from appliance.store.database import reading, transaction, writing
from tests.appliance.core.air_box import DATE, DAY, LENGTHS, SECOND, ZONE, clock, digest, entry, rendition
from tests.appliance.core.hls_lint import HlsLint

CHANNEL = ChannelConfig("ch-1", "登封综合")
NOON = clock("12:00:00")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with writing(tmp_path / "box.db") as opened:
        with transaction(opened):
            assert air.ensure_channel(opened, "ch-1", ZONE, NOON)
            for number, frames in enumerate(LENGTHS, 1):
                stock(opened, number, frames)
        yield opened


def stock(db: Database, number: int, frames: int) -> None:
    table = pack_table([SegmentInfo(n * 1000, 1000, 50) for n in range(-(-frames // 50))])
    db.conn.execute(
        "INSERT OR REPLACE INTO renditions (source, profile, digest, size_bytes, frames, state, segments)"
        " VALUES (?, ?, ?, 1, ?, 'here', ?)",
        (digest(number), HOUSE_PROFILE, rendition(number), frames, table),
    )


def schedule(db: Database, *entries: dict[str, Any], version: int = 1, date: str = DATE, channel: str = "ch-1") -> None:
    document = {"channel": channel, "date": date, "version": version, "entries": entries}
    body = records.Schedule(
        channel="ch-1", date=date, version=version, document=msgspec.Raw(json.dumps(document).encode())
    )
    with transaction(db):
        air.receive_schedule(db, body, ZONE, ["ch-1"], NOON)


def recompile(db: Database, at_us: int, hours: int = 2) -> None:
    with transaction(db):
        air.recompile(db, "ch-1", at_us, hours)


def segments(db: Database, from_us: int, to_us: int) -> list[Segment]:
    return [one for row in air.stretches(db, "ch-1", tick_of(from_us), tick_of(to_us)) for one in segments_of(row)]


def on(db: Database, local: str) -> tuple[str, str | None]:
    """(kind, entry) of what plays."""
    tick = tick_of(clock(local))
    row = air.stretches(db, "ch-1", tick, tick + 1)[0]
    return row.kind, row.entry_id


def test_what_is_compiled_is_what_readers_read(db: Database, tmp_path: Path) -> None:
    """Web workers open the file read-only and must find the rows, and the slate beyond them, as one timeline."""
    schedule(db, entry(1, 1, "12:01:00"), entry(2, 3))
    recompile(db, NOON)
    with reading(tmp_path / "box.db") as other:
        assert air.stretches(other, "ch-1", 0, 2**60)[:50] == air.stretches(db, "ch-1", 0, 2**60)[:50]
        lint = HlsLint()
        for second in range(0, 7 * 3600, 60):
            now = NOON + second * SECOND
            rows = air.stretches(other, "ch-1", tick_of(now) - playlist.reach_ticks(20), tick_of(now))
            lint.look(playlist.live(rows, tick_of(now)), now)
    assert (on(db, "12:01:30"), on(db, "12:03:00")) == (("programme", "e1"), ("programme", "e2"))
    assert on(db, "18:00:00") == ("slate", None)


def test_what_may_not_be_seen_again_is_noted_where_it_aired(db: Database) -> None:
    """A right that was bought for one showing goes with what was shown, whatever the schedule says later."""
    schedule(db, entry(1, 1, "12:01:00", catchup=False), entry(2, 3))
    recompile(db, NOON)
    told = {row.entry_id: row.catchup for row in air.rows_between(db, "ch-1", 0, tick_of(NOON + 600 * SECOND))}
    assert (told["e1"], told["e2"]) == (False, True)


def test_compiling_twice_writes_nothing(db: Database) -> None:
    """Once a minute, for ever: a disk must not wear out over a schedule that stands."""
    schedule(db, *(entry(n, n % 8 + 1, f"12:{n:02}:00") for n in range(5, 60)))
    recompile(db, NOON)
    before = db.conn.total_changes
    recompile(db, NOON)
    assert db.conn.total_changes - before == 1
    recompile(db, NOON + 60 * SECOND)
    assert db.conn.total_changes - before < 20


def test_the_ledger_refuses_to_be_changed_behind_the_freeze(db: Database) -> None:
    """Not even a bug in the compiler, or a hand with sqlite3, may take back what players were told."""
    schedule(db, *(entry(n, 5, f"12:00:{n:02}") for n in range(20, 59, 3)))
    recompile(db, NOON)
    recompile(db, NOON + 40 * SECOND)
    told = air.rows_between(db, "ch-1", 0, tick_of(NOON + 40 * SECOND))
    frozen = db.execute("SELECT frozen_tick FROM channels").fetchone()[0]
    for statement in (
        "DELETE FROM ledger WHERE first_msn = {0}",
        "UPDATE ledger SET rendition = 'x' WHERE first_msn = {0}",
        "UPDATE ledger SET frames = frames - 1 WHERE first_msn = {0}",
        "UPDATE ledger SET start_tick = start_tick + 3600 WHERE first_msn = {0}",
        "UPDATE ledger SET first_msn = first_msn + 100000 WHERE first_msn = {0}",
        "UPDATE channels SET frozen_tick = frozen_tick - 1",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            db.conn.execute(statement.format(told[-2].first_msn))
    assert told[-2].end_tick < frozen
    far = air.rows_between(db, "ch-1", 0, 2**60)[-1]
    db.conn.execute("DELETE FROM ledger WHERE first_msn = ?", (far.first_msn,))


def test_a_clock_of_1970_begins_no_channel(tmp_path: Path) -> None:
    """Its numbers would have to leap by decades once the time is right."""
    with writing(tmp_path / "box.db") as db, transaction(db):
        assert not air.ensure_channel(db, "ch-1", ZONE, 0)
        assert not air.ensure_channel(db, "ch-1", ZONE, PLAUSIBLE_SINCE_US - 1)
        assert air.stretches(db, "ch-1", 0, 2**50) == ()
        assert air.on_air(db, CHANNEL, NOON).reason is not None
        air.recompile(db, "ch-1", NOON, 2)
        assert air.ensure_channel(db, "ch-1", ZONE, NOON)
        assert air.ensure_channel(db, "ch-1", ZONE, 0)
        assert db.execute("SELECT first_msn FROM channels").fetchone()[0] == NOON // SECOND


def test_a_channel_keeps_its_beginning(db: Database) -> None:
    """The agent says at every start which channels there are; the numbers of one that runs must not begin anew."""
    before = db.execute("SELECT * FROM channels").fetchall()
    with transaction(db):
        air.ensure_channel(db, "ch-1", ZONE, NOON + DAY)
    assert db.execute("SELECT * FROM channels").fetchall() == before


def test_a_bad_schedule_leaves_the_last_good_one_on_the_air(db: Database) -> None:
    """An empty or broken file must never empty the channel."""
    schedule(db, entry(1, 8, "12:01:00"))
    for broken in (b"{}", b'{"channel":"ch-1","date":"2026-11-24","version":2,"entries":[]}', b"\xff"):
        body = records.Schedule(channel="ch-1", date=DATE, version=2, document=msgspec.Raw(broken))
        with pytest.raises(OperatorError), transaction(db):
            air.receive_schedule(db, body, ZONE, ["ch-1"], NOON)
    with pytest.raises(OperatorError):
        schedule(db, entry(2, 1, "12:01:00"), version=2, channel="zhongmu-1")
    document = json.dumps({"channel": "ch-1", "date": DATE, "version": 2, "entries": [entry(1, 1, "12:00:00")]})
    mislabelled = records.Schedule(
        channel="ch-1", date="2026-11-25", version=2, document=msgspec.Raw(document.encode())
    )
    with pytest.raises(Refused), transaction(db):
        air.receive_schedule(db, mislabelled, ZONE, ["ch-1"], NOON)
    recompile(db, NOON)
    assert on(db, "12:02:00") == ("programme", "e1")


def test_the_highest_version_of_a_day_is_on_the_air(db: Database) -> None:
    """Records may come late; an old version must not displace a newer one."""
    schedule(db, entry(2, 8, "12:01:00"), version=2)
    schedule(db, entry(1, 8, "12:01:00"), version=1)
    recompile(db, NOON)
    assert on(db, "12:02:00") == ("programme", "e2")
    assert air.on_air(db, CHANNEL, clock("12:02:00")).schedule_version == 2


def test_a_schedule_that_is_no_longer_understood_gives_way_to_the_one_before(db: Database) -> None:
    """An upgrade may bring a stricter rule; it must not bring silence."""
    schedule(db, entry(1, 8, "12:01:00"), version=1)
    schedule(db, entry(2, 8, "12:01:00"), version=2)
    db.conn.execute("UPDATE schedules SET document = x'7b7d' WHERE version = 2")
    recompile(db, NOON)
    assert on(db, "12:02:00") == ("programme", "e1")


def test_only_what_is_on_disk_with_its_table_and_not_recalled_airs(db: Database) -> None:
    """A rendition whose segments cannot be found, that went bad, or that was recalled would be a hole on the air."""
    schedule(db, *(entry(n, n, f"12:0{n}:00") for n in range(1, 6)))
    db.conn.execute("UPDATE renditions SET segments = NULL WHERE source = ?", (digest(1),))
    db.conn.execute("UPDATE renditions SET state = 'wanted' WHERE source = ?", (digest(2),))
    db.conn.execute(
        "INSERT INTO assets (digest, size_bytes, media_type, name, role, state, why, last_used_us)"
        " VALUES (?, 1, '', '', 'rendition', 'bad', '', 0)", (rendition(3),)
    )  # fmt: skip
    db.conn.execute("INSERT INTO tombstones (target, reason, recalled_at_us) VALUES (?, '', 0)", (digest(4),))
    recompile(db, NOON)
    assert [on(db, f"12:0{n}:01")[0] for n in range(1, 6)] == ["slate"] * 4 + ["programme"]
    assert set(air.ready_assets(db)) == {digest(n) for n in range(5, len(LENGTHS) + 1)}


def test_fillers_fill(db: Database) -> None:
    """A new list of fillers takes the place of the old one."""
    with transaction(db):
        air.set_fillers(db, "ch-1", [digest(4), digest(4), digest(2)])
    recompile(db, NOON)
    playing = air.rows_between(db, "ch-1", tick_of(NOON + 60 * SECOND), 2**60)
    assert {row.source for row in playing} == {digest(4), digest(2)}
    with transaction(db):
        air.set_fillers(db, "ch-1", [])
    recompile(db, NOON)
    assert air.rows_between(db, "ch-1", tick_of(NOON + 60 * SECOND), 2**60)[-1].rendition == SLATE


def test_an_insertion_is_placed_once_and_resumed(db: Database) -> None:
    """Records and commands may come twice; the break-in happens once, and ends when it is told to."""
    schedule(db, entry(1, 8, "12:00:30"))
    recompile(db, NOON)
    for _ in range(2):
        with transaction(db):
            air.add_insert(db, "i1", "ch-1", digest(3), NOON, until=to_text(clock("12:30:00")))
        recompile(db, clock("12:01:00"))
    told = air.on_air(db, CHANNEL, clock("12:01:10"))
    assert (told.kind, told.insert, told.planned) == ("emergency", digest(3), False)
    with transaction(db):
        air.resume(db, "ch-1")
    recompile(db, clock("12:02:00"))
    assert on(db, "12:02:10") == ("programme", "e1")
    recompile(db, clock("12:02:30"))
    assert db.execute("SELECT state, count(*) FROM inserts GROUP BY state").fetchall() == [("over", 1)]
    with pytest.raises(Refused):
        air.add_insert(db, "i2", "nowhere-1", digest(3), NOON)


def test_on_air_and_what_comes(db: Database) -> None:
    """The screen's first tile, and the next hours' list."""
    schedule(db, entry(1, 8, "12:01:00"), entry(2, 3), entry(3, None, kind="live", url="http://x/y", duration_s=60))
    recompile(db, NOON)
    told = air.on_air(db, CHANNEL, clock("12:02:00"))
    assert (told.title, told.kind, told.planned, told.next_title) == ("节目1", "programme", True, "节目2")
    assert (told.since_us, told.until_us) == (clock("12:01:00"), clock("12:01:00") + 7777 * 40_000)
    assert told.next_at_us == told.until_us
    assert told.ledger_until_us is not None and told.ledger_until_us >= NOON + 2 * 3600 * SECOND
    coming = air.coming_entries(db, "ch-1", clock("12:03:00"), clock("13:00:00"))
    assert [(each.entry_id, each.kind) for each in coming] == [("e1", "programme"), ("e2", "programme"), ("e3", "live")]
    assert coming[1].start_us == told.until_us
    assert air.coming_entries(db, "nowhere-1", NOON, NOON + DAY) == ()


def test_lengths_are_known_before_the_clip_is_here(db: Database) -> None:
    """What follows a clip that is still on its way must not begin early in the plan."""
    db.conn.execute("DELETE FROM renditions WHERE source = ?", (digest(1),))
    db.conn.execute(
        "INSERT INTO assets (digest, size_bytes, media_type, name, role, state, why, last_used_us, duration_s)"
        " VALUES (?, 1, '', '', 'video', 'wanted', '', 0, 60.0)", (digest(1),)
    )  # fmt: skip
    schedule(db, entry(1, 1, "12:01:00"), entry(2, 3))
    assert [each.start_us for each in air.coming_entries(db, "ch-1", NOON, NOON + DAY)] == [
        clock("12:01:00"),
        clock("12:02:00"),
    ]


def test_where_a_segment_is(db: Database) -> None:
    """Served by place in the file; the slate's own table is built in."""
    assert air.segment_place(db, rendition(1), 29) == (29_000, 1000)
    assert air.segment_place(db, rendition(1), 30) is None
    assert air.segment_place(db, digest(99), 0) is None
    place = air.segment_place(db, SLATE, 0)
    assert place is not None and place[0] == 0 and place[1] > 10_000
    assert air.segment_place(db, SLATE, 1) is None


def test_an_agent_away_for_days_finds_its_channel_where_readers_left_it(db: Database) -> None:
    """The slate that readers saw without a ledger is the slate that is then written down, and logged."""
    schedule(db, entry(1, 8, "12:01:00"))
    recompile(db, NOON)
    later = NOON + 5 * DAY + 7_130_000
    seen = [one for one in segments(db, NOON, later) if one.end_tick <= tick_of(later)]
    recompile(db, later)
    assert segments(db, NOON, later)[: len(seen)] == seen
    with transaction(db):
        asrun.log_aired(db, "ch-1", later + 3600 * SECOND)
    assert asrun.bad_row(db, "ch-1") is None


def test_as_run_is_logged_once_and_reported_once(db: Database) -> None:
    """Exactly once: also when the agent asks again, and whatever of it was sent before."""
    schedule(db, *(entry(n, n % 8 + 1, f"12:{n:02}:00") for n in range(1, 30)))
    for minute in range(20):
        now = NOON + minute * 60 * SECOND
        with transaction(db):
            air.recompile(db, "ch-1", now, 2)
            asrun.log_aired(db, "ch-1", now)
            assert asrun.log_aired(db, "ch-1", now) == 0
    told = asrun.aired(db, "ch-1", NOON, NOON + DAY)
    assert [row.seq for row in told] == list(range(told[0].seq, told[0].seq + len(told)))
    assert any(row.status == ("Aired with Duration Discrepancy",) for row in told)
    body = asrun.unreported(db, "ch-1")
    assert body is not None and len(body.rows) == told[-1].seq
    assert records.encode(body)
    with transaction(db):
        asrun.reported(db, body)
    assert asrun.unreported(db, "ch-1") is None
    assert asrun.bad_row(db, "ch-1") is None
    with pytest.raises(sqlite3.IntegrityError):
        db.conn.execute("UPDATE asrun SET document = x'00' WHERE seq = 3")
    with pytest.raises(sqlite3.IntegrityError):
        db.conn.execute("DELETE FROM asrun")


def test_the_clock_is_kept(db: Database) -> None:
    """Every process reckons from the same mark."""
    assert db.execute("SELECT count(*) FROM air_clock").fetchone()[0] == 0
    with transaction(db):
        kept = air.keep_clock(db)
    assert kept <= air.now_us(db) < kept + 60 * SECOND
    with transaction(db):
        db.conn.execute("UPDATE air_clock SET air_us = air_us + 3600000000")
    assert air.now_us(db) >= kept + 3600 * SECOND


def test_two_channels_do_not_touch_each_other(db: Database) -> None:
    """One table holds them all."""
    with transaction(db):
        air.ensure_channel(db, "ch-2", ZONE, NOON)
        air.add_insert(db, "i1", "ch-2", digest(3), NOON)
    schedule(db, entry(1, 8, "12:01:00"))
    recompile(db, NOON)
    with transaction(db):
        air.recompile(db, "ch-2", NOON + 10 * SECOND, 2)
    assert on(db, "12:02:00") == ("programme", "e1")
    assert air.on_air(db, ChannelConfig("ch-2", "二"), NOON + 20 * SECOND).kind == "emergency"
