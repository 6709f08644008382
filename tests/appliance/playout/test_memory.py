"""What a sender remembers of the ledger: what is near at once, what is far in time, all of it without the file."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.ledger import Stretch
from appliance.core.rundown import tick_of
from appliance.core.ts import HOUSE_PROFILE, SegmentInfo, pack_table
from appliance.playout.memory import CHANGED_US, NEAR_TICKS, WHOLE_US, Memory
from appliance.store import air
from appliance.store.database import open_for_writing, transaction
from tests.appliance.core.air_box import LENGTHS, SECOND, ZONE, clock, digest, rendition

CHANNEL = "ch-1"
NOON = clock("12:00:00")
AT = tick_of(NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "box.db"


@pytest.fixture
def agent(path: Path) -> Iterator[Database]:
    """The agent's own connection, with an hour of fillers in the ledger."""
    db = open_for_writing(path)
    with transaction(db):
        air.ensure_channel(db, CHANNEL, ZONE, NOON)
        for number, frames in enumerate(LENGTHS, 1):
            table = pack_table([SegmentInfo(n * 1000, 1000, 50) for n in range(-(-frames // 50))])
            db.conn.execute(
                "INSERT INTO renditions (source, profile, digest, size_bytes, frames, state, segments)"
                " VALUES (?, ?, ?, 1, ?, 'here', ?)",
                (digest(number), HOUSE_PROFILE, rendition(number), frames, table),
            )
        air.set_fillers(db, CHANNEL, [digest(1), digest(2)])
        air.keep_clock(db)
        air.recompile(db, CHANNEL, NOON, 1)
    yield db
    db.close()


def insert(db: Database, at_us: int) -> None:
    with transaction(db):
        air.add_insert(db, "i1", CHANNEL, digest(3), at_us)
        air.recompile(db, CHANNEL, at_us, 1)


def kinds(stretches: tuple[Stretch, ...]) -> set[str]:
    return {each.kind for each in stretches}


def test_a_change_that_is_near_is_there_at_the_next_look(path: Path, agent: Database) -> None:
    """An emergency must not wait for anything; rows join before and after it."""
    memory = Memory(path, CHANNEL)
    memory.look(AT, 0)
    assert kinds(memory.stretches) <= {"filler", "slate"}
    insert(agent, NOON)
    memory.look(AT, 100_000)
    assert "emergency" in kinds(memory.stretches)
    assert memory.place(rendition(3), 0) == (0, 1000)
    memory.look(AT, 100_000 + CHANGED_US)
    whole = memory.stretches
    assert all(one.end_tick == two.start_tick for one, two in pairwise(whole))


def test_a_change_that_is_far_is_there_within_a_minute(path: Path, agent: Database) -> None:
    """The whole ledger is read seldom; what is remembered of tonight is not older than that."""
    memory = Memory(path, CHANNEL)
    memory.look(AT, 0)
    with transaction(agent):
        air.recompile(agent, CHANNEL, NOON, 3)
    memory.look(AT, WHOLE_US - 1)
    early = memory.stretches[-1].end_tick
    memory.look(AT, WHOLE_US)
    assert memory.stretches[-1].end_tick > early > AT + NEAR_TICKS


def test_what_was_read_stays_when_the_file_is_gone_and_a_new_one_is_found(path: Path, agent: Database) -> None:
    """The disk of the database fails under a running sender; later somebody brings it back."""
    memory = Memory(path, CHANNEL)
    memory.look(AT, 0)
    before = memory.stretches
    agent.close()
    path.rename(path.with_name("gone"))
    memory.look(AT, 1_000_000)
    assert memory.stretches == before and memory.trouble is not None
    path.with_name("gone").rename(path)
    again = open_for_writing(path)
    insert(again, NOON + 20 * SECOND)
    memory.look(tick_of(NOON + 20 * SECOND), 2_000_000)
    again.close()
    assert memory.trouble is None and "emergency" in kinds(memory.stretches)
