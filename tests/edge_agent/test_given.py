"""What the hub hands over in the session: kept until there is some, then made assets like all that comes."""

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance import files, together
from appliance.config import Config
from appliance.core.asset import Asset
from appliance.core.moment import US
from appliance.store import needs
from appliance.store.database import transaction, writing
from edge_agent.core.observation import Child
from edge_agent.core.outcomes import Arrived, Ceased, Outcome, Result
from edge_agent.given import BYTES_TOGETHER, FILES_TOGETHER, STALLED_US, TOGETHER_US, Given, take_in
from tests.appliance.boxes import AT_US, box
from tests.simulators.disk import Killed, SimulatedDisk, Volume

NOTHING_RUNS: tuple[Child, ...] = ()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = box(tmp_path)
    files.make_folders(config)
    return config


@pytest.fixture
def db(config: Config) -> Iterator[Database]:
    with writing(config.database) as db:
        yield db


def digest_of(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def want(db: Database, *contents: bytes) -> None:
    with transaction(db):
        for content in contents:
            needs.need_item(db, Asset(digest_of(content), len(content)), "item", "i1", AT_US, AT_US)


def came(*contents: bytes) -> Given:
    given = Given()
    given.ask([digest_of(content) for content in contents], [len(content) for content in contents], AT_US)
    for content in contents:
        given.comes(digest_of(content), content, AT_US)
    return given


@pytest.mark.parametrize("count", [1, together.ONE_BY_ONE_MAX, together.ONE_BY_ONE_MAX + 1, 100])
def test_what_came_becomes_assets(config: Config, db: Database, count: int) -> None:
    """One by one or many together: the same names, modes and bytes, and nothing beside them."""
    contents = [b"caption %d" % number for number in range(count)]
    want(db, *contents)
    outcomes = take_in(came(*contents), config, db, NOTHING_RUNS, AT_US)
    assert outcomes == [Arrived(digest_of(content), len(content)) for content in contents]
    for content in contents:
        path = files.path_of(config, digest_of(content))
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (content, files.ASSET_MODE)
    assert list(config.incoming.iterdir()) == []


@pytest.mark.parametrize("count", [3, 20])
def test_what_is_said_to_be_here_is_there_after_a_power_cut(config: Config, db: Database, count: int) -> None:
    """Killed before any of its calls, and the power gone with it: no name stands for other bytes, none is said to."""
    contents = [b"caption %d" % number for number in range(count)]
    want(db, *contents)
    said = []
    for chance in map(random.Random, range(30)):
        outcomes: Sequence[Outcome] = ()
        with SimulatedDisk().in_force() as disk:
            volume = Volume(config.media)
            volume.kill_after(chance.randint(0, 8 * count))
            with disk.on(volume), suppress(Killed):
                outcomes = take_in(came(*contents), config, db, NOTHING_RUNS, AT_US)
            volume.cut(chance)
        held = set(files.held(config))
        assert all(digest_of(files.path_of(config, digest).read_bytes()) == digest for digest in held)
        assert held >= {each.digest for each in outcomes if isinstance(each, Arrived)}
        said.append(len(outcomes))
        for digest in held:
            files.remove(config, digest)
        files.sweep(config)
    assert set(said) == {0, count}, "it has died, and it has not"


def test_what_is_not_wanted_any_more_leaves_nothing_behind(config: Config, db: Database) -> None:
    """A recall may overtake what it recalls."""
    want(db, b"stays")
    given = came(b"stays", b"was recalled meanwhile")
    assert take_in(given, config, db, NOTHING_RUNS, AT_US) == [Arrived(digest_of(b"stays"), 5)]
    assert set(files.held(config)) == {digest_of(b"stays")}


def test_a_rendition_is_left_to_be_read_through(config: Config, db: Database) -> None:
    """It has a table of segments, which whoever airs it needs."""
    want(db, b"rendition")
    with transaction(db):
        db.conn.execute("UPDATE assets SET role = 'rendition'")
    assert take_in(came(b"rendition"), config, db, NOTHING_RUNS, AT_US) == []
    assert files.stage_path(config, digest_of(b"rendition")).read_bytes() == b"rendition"


def test_many_are_only_staged_while_something_large_is_being_written(config: Config, db: Database) -> None:
    """To wait for the whole disk would be to wait for ten gigabytes of somebody else's, with a recall at the door."""
    contents = [b"%d" % number for number in range(together.ONE_BY_ONE_MAX + 1)]
    want(db, *contents)
    outcomes = take_in(came(*contents), config, db, (Child("fetch", ("sha256:film",)),), AT_US)
    assert outcomes == []
    assert len(list(config.incoming.iterdir())) == len(contents)
    assert list(files.held(config)) == []


@pytest.mark.parametrize("count", [1, 20])
def test_a_full_disk_leaves_nothing_half_and_the_assets_wait(config: Config, db: Database, count: int) -> None:
    """As of a transfer that finds no room."""
    contents = [b"caption %d" % number for number in range(count)]
    want(db, *contents)
    with SimulatedDisk().in_force() as disk:
        volume = Volume(config.media)
        volume.set_full(True)
        with disk.on(volume):
            outcomes = take_in(came(*contents), config, db, NOTHING_RUNS, AT_US)
    assert [(each.digest, each.result) for each in outcomes if isinstance(each, Ceased)] == [
        (digest_of(content), Result.NO_ROOM) for content in contents
    ]
    assert list(config.incoming.iterdir()) == []


def test_what_comes_waits_for_company_but_not_long() -> None:
    """A single caption is taken in at once, a flood in hundreds, and a trickle twice a second."""
    given = Given()
    assert not given.is_due(AT_US)
    given.ask(["a", "b"], [1, 1], AT_US)
    given.comes("a", b"a", AT_US)
    assert not given.is_due(AT_US)
    assert given.is_due(AT_US + TOGETHER_US)
    given.comes("b", b"b", AT_US)
    assert given.is_due(AT_US)
    assert given.take() == {"a": b"a", "b": b"b"}
    given.ask(["last"], [1], AT_US)
    for number in range(FILES_TOGETHER):
        given.comes(str(number), b"", AT_US)
    assert given.is_due(AT_US)
    given.take()
    given.comes("large", b"x" * BYTES_TOGETHER, AT_US)
    assert given.is_due(AT_US)


def test_a_session_that_ends_forgets_what_it_was_asked_for_and_keeps_what_came() -> None:
    """The next one is asked again; what is here need not come again."""
    given = Given()
    given.ask(["a", "b"], [1, 1], AT_US)
    given.comes("a", b"a", AT_US)
    given.begin()
    assert given.digests == {"a"}
    assert given.is_due(AT_US)


def test_the_next_are_asked_for_as_others_come_and_no_more_is_on_its_way_than_may_be() -> None:
    """The line must not be idle until the next plan; and a recall waits behind all that is on its way."""
    given = Given()
    given.go_on_with([(str(number), 10) for number in range(20)], 100)
    first = given.next_to_ask(1000)
    assert [digest for digest, _size_bytes in first] == [str(number) for number in range(10)]
    given.ask(*zip(*first, strict=True), AT_US)
    assert given.next_to_ask(1000) == ()
    for number in range(2):
        given.comes(str(number), b"x" * 10, AT_US)
    assert given.next_to_ask(1000) == (), "not one by one"
    given.comes("2", b"x" * 10, AT_US)
    assert given.next_to_ask(2) == (("10", 10), ("11", 10)), "nor more than the session lets wait"
    given.go_on_with((), 0)
    assert given.next_to_ask(1000) == (), "each plan begins anew"
    given.moves_on("3", AT_US)
    assert given.asked_bytes == 60


def test_what_is_larger_than_may_be_on_its_way_comes_alone() -> None:
    """Else it would never come."""
    given = Given()
    given.go_on_with((("a", 500), ("b", 1)), 100)
    assert given.next_to_ask(1000) == (("a", 500),)


def test_a_flood_is_not_taken_in_because_there_was_a_pause_in_asking() -> None:
    """As long as more is to be asked for, company is on its way."""
    given = Given()
    given.ask(["a"], [1], AT_US)
    given.go_on_with((("b", 1),), 100)
    given.comes("a", b"a", AT_US)
    assert not given.is_due(AT_US)
    given.go_on_with((), 0)
    assert given.is_due(AT_US)


def test_the_rate_is_that_of_the_line_and_not_of_what_kept_us_from_it() -> None:
    """Counted while we listen all along: neither what came in one heap after a pause, nor the pause."""
    given, now_us = Given(), AT_US
    given.ask([str(number) for number in range(400)], [1000] * 400, now_us)
    given.listened(now_us)
    for number in range(100):
        now_us += 10_000
        given.comes(str(number), b"x" * 1000, now_us)
        given.listened(now_us)
    assert given.rate_bytes_per_s == 100_000
    now_us += 700_000
    for number in range(100, 300):
        given.comes(str(number), b"x" * 1000, now_us)
    given.listened(now_us)
    for number in range(300, 340):
        now_us += 10_000
        given.comes(str(number), b"x" * 1000, now_us)
        given.listened(now_us)
    assert given.rate_bytes_per_s == 100_000
    given.begin()
    assert given.rate_bytes_per_s is None


def test_a_hub_that_speaks_and_does_not_give_is_noticed() -> None:
    """Else a caption would wait for ever on a line that is up."""
    given = Given()
    assert not given.is_stalled(AT_US + 10 * STALLED_US)
    given.ask(["a", "b"], [1, 1], AT_US)
    given.comes("a", b"a", AT_US + STALLED_US - 1)
    assert not given.is_stalled(AT_US + STALLED_US + US)
    assert given.is_stalled(AT_US + 2 * STALLED_US)
