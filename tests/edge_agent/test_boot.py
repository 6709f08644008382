"""What the agent finds when it starts, and when it does not even begin."""

from itertools import takewhile
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance import files, spool
from appliance.alone import only_one
from appliance.config import Config, render
from appliance.core.asset import Asset, Rendition
from appliance.core.command import Tip
from appliance.core.errors import OperatorError, Refused
from appliance.core.journal import genesis
from appliance.core.snapshot import Statement
from appliance.core.ts import HOUSE_PROFILE
from appliance.core.wire import SMALL_LINE_BYTES_MAX
from appliance.store import assets, items, needs, work
from appliance.store.database import reading, transaction, writing
from edge_agent.arriving import SNAPSHOT_SUFFIX, Arriving
from edge_agent.boot import running
from edge_agent.report import fitting
from provisioning.identity import make_key_files
from tests.appliance.boxes import AT, AT_US, box, dies, digest, item


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box that stands alone, with its keys."""
    made = box(tmp_path / "box", hub=None)
    files.make_folders(made)
    spool.make_folders(made)
    (made.home / "appliance.toml").write_text(render(made))
    make_key_files(made.sign_key, "sign")
    return made


def held(config: Config, data: bytes) -> str:
    """A file in the pile, wherever it came from."""
    source = config.home / "source"
    source.write_bytes(data)
    return files.adopt_copy(config, source)[0]


def once(config: Config) -> None:
    with running(config, once=True) as agent:
        agent.run()


def known(config: Config, look: str) -> list[tuple[object, ...]]:
    with reading(config.database) as db:
        return db.conn.execute(look).fetchall()


def test_a_box_that_stands_alone_works(config: Config) -> None:
    """A county without a hub, or before its first day with one, is on the air all the same."""
    once(config)
    assert known(config, "SELECT count(*) > 0 FROM ledger WHERE rendition IS NOT NULL") == [(1,)]
    assert known(config, "SELECT value ->> 'state' FROM status WHERE name = 'link'") == [("alone",)]


def test_a_second_agent_is_refused_and_says_who_is_there(config: Config) -> None:
    """The kernel holds the lock: a killed agent leaves none behind."""
    held = only_one(config.run, config.home), only_one(config.run, config.home)
    with held[0], pytest.raises(Refused, match="runs already"), held[1]:
        pass
    once(config)


def test_without_keys_it_does_not_begin(config: Config) -> None:
    """What it would write could never be signed."""
    config.sign_key.unlink()
    with pytest.raises(OperatorError, match="cannot read the key"):
        once(config)
    config.sign_key.write_text("nonsense")
    with pytest.raises(OperatorError):
        once(config)
    assert not config.database.exists()


STEPS_MAX = 40
"""More than it takes to put a command."""
HALF_IN = ("", "state", "keys", "drop", "library", "run", "media", "media/incoming", "spool/new", "spool/blob")


def test_what_was_half_written_when_its_writer_was_killed_is_swept(config: Config) -> None:
    """Wherever the box writes: also the command that nobody put in the end, and the snapshot that was still coming."""
    for folder in HALF_IN:
        assert dies(lambda folder=folder: files.write_atomically(config.home / folder / "told", b"words"), 2), folder
    tip = Tip(text="words", by="x", via="cli", at=AT)
    steps = list(takewhile(lambda step: dies(lambda: spool.put(config, tip), step), range(1, STEPS_MAX)))
    assert len(steps) < STEPS_MAX - 1
    statement = Statement(b"", b"", genesis("all/content"), "0" * 64, 1, 1, AT_US)
    path = config.database.with_name(f"all-content-{SNAPSHOT_SUFFIX}")
    path.write_bytes(b"words")
    assert Arriving(config.database.with_name(f"carried-{SNAPSHOT_SUFFIX}"), statement)
    half = [found for found in config.home.rglob("*") if found.name.endswith(".part")]
    assert len(half) > len(HALF_IN) + 2
    assert any(found.parent.name == "new" and b'"tip"' in found.read_bytes() for found in half)
    once(config)
    assert [found for found in config.home.rglob("*") if found.name.endswith(".part")] == []


def wanting(config: Config, *digests: str) -> None:
    """A database that wants these for an item that is shown."""
    with writing(config.database) as db, transaction(db):
        wanted = tuple(Asset(each, 5) for each in digests)
        items.keep(db, item("i1", assets=wanted), "published", AT_US)
        for each in wanted:
            needs.need_item(db, each, "item", "i", AT_US, AT_US)


def test_what_arrived_just_before_the_kill_is_taken_in(config: Config) -> None:
    """The file has its name, the row does not know it yet: it must neither be fetched again nor be left lying."""
    arrived = held(config, b"whole")
    wanting(config, arrived)
    once(config)
    assert known(config, "SELECT state FROM assets") == [("here",)]
    assert known(config, "SELECT * FROM transfers") == []
    assert files.served(config) == {arrived}


def test_what_was_rotten_when_it_came_to_light_is_not_served(config: Config) -> None:
    """A rename that survived the power cut without its data: read again, it is found out."""
    arrived = held(config, b"whole")
    wanting(config, arrived)
    path = files.path_of(config, arrived)
    path.chmod(0o644)
    path.write_bytes(b"h\0l\0s")
    once(config)
    assert files.served(config) == frozenset()
    assert [path.name for path in config.quarantine.iterdir()] == [arrived[7:]]


def test_the_disks_word_counts(config: Config) -> None:
    """A file that is gone is wanted again; one that nobody knows may be used, or go when room is needed."""
    here = held(config, b"whole")
    wanting(config, here)
    once(config)
    files.path_of(config, here).unlink()
    stray = held(config, b"stray")
    with running(config, once=True) as agent:
        agent.run()
    assert known(config, f"SELECT state, why FROM assets WHERE digest = '{stray}'") == [("here", "found")]
    assert known(config, f"SELECT state FROM assets WHERE digest = '{here}'") == [("bad",)]
    assert known(config, "SELECT digest, direction FROM transfers") == [(here, "down")]


def test_what_was_half_done_is_swept(config: Config) -> None:
    """Orphans of killed transfers and packagings leak a disk away in a year."""
    wanting(config, digest("a"))
    for name in ("b" * 64, f"{'c' * 64}.house", f"{'c' * 64}.house.part", f".{'d' * 16}.part"):
        (config.incoming / name).write_bytes(b"half")
    (config.incoming / ("a" * 64)).write_bytes(b"hal")
    once(config)
    assert [path.name for path in config.incoming.iterdir()] == ["a" * 64], "what is wanted goes on from here"


def test_links_that_nobody_vouches_for_are_withdrawn(config: Config) -> None:
    """The folder is what HTTP serves: after a kill it must not say more than the database."""
    stray = held(config, b"stray")
    files.publish_link(config, stray)
    once(config)
    assert files.served(config) == frozenset()


def test_a_status_fits_into_its_line() -> None:
    """A box with ten thousand alarms must still be able to say that it has some."""
    status = {"site": "dengfeng", "alarms": [{"text": "x" * 100}] * 10_000, "orders": ["y" * 50] * 5000}
    cut = fitting(status)
    assert len(msgspec.json.encode(cut)) < SMALL_LINE_BYTES_MAX
    assert cut["alarms"]
    assert fitting({"site": "dengfeng", "alarms": [1]}) == {"site": "dengfeng", "alarms": [1]}


def test_a_lost_rendition_is_fetched_or_made_again(config: Config) -> None:
    """One from the hub comes again from there; one that was made here has no other source than its own."""
    with writing(config.database) as db, transaction(db):
        _rendition(db, "a", needs.MADE_HERE)
        _rendition(db, "b", "air")
        db.conn.execute("INSERT INTO fillers (channel, digest, ordinal) VALUES ('dengfeng-1', ?, 0)", (digest("b"),))
        for made in ("a", "b"):
            needs.lost(db, "sha256:" + (made + "0") * 32, AT_US)
        assert [each.source for each in work.to_package(db, "", AT_US)] == [digest("a")]
        assert [each.digest for each in work.to_fetch(db)] == ["sha256:" + "b0" * 32]


def _rendition(db: Database, letter: str, why: str) -> None:
    """An asset that is here, with a rendition that is here."""
    made = Rendition("sha256:" + (letter + "0") * 32, 5, 250, HOUSE_PROFILE)
    whole = Asset(digest(letter), 5, role="video", rendition=made)
    assets.want(db, whole, why, AT_US)
    for each in (whole.digest, made.digest):
        assets.arrived(db, each, 5, AT_US)
