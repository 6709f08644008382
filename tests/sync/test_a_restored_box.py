"""A box that comes back from its backup, on its own machine or on a new one, ends with the hub in one history."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance import backup, releases, restoring, upgrading
from appliance.config import Config, render
from appliance.core import records
from appliance.core.gate import Policy
from appliance.core.release import Release, Upgrade
from appliance.store import histories, journals, redactions
from appliance.upgrading import AGENT, Machine
from provisioning.identity import private_text
from tests.sync.pair import KEY, ONE, OTHER, SITE, County, World, world

REPORT = f"{SITE}/report"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off from its power here, so nothing has to be on the platter."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def pair(tmp_path: Path) -> World:
    return world(tmp_path)


def back_up(config: Config) -> tuple[Path, bytes]:
    """While its agent runs, as at night."""
    (config.home / "appliance.toml").write_text(render(config))
    config.sign_key.write_bytes(private_text(KEY))
    path = config.home.parent / "night"
    backup.write(config, config.home, path, config.clock.wall_us())
    return path, backup.recovery_seed(config)


@pytest.mark.parametrize(("name", "machine"), [("box", ONE), ("new", OTHER)])
def test_a_box_restored_from_last_night_goes_on_in_the_same_epoch(pair: World, name: str, machine: str) -> None:
    """A day is missing. What is said before the line is up waits; nothing is lost, nobody is fenced, nothing forks."""
    with pair.box() as box:
        box.say("a", "b")
        pair.hub.order(SITE, "o1")
        box.talk()
        path, seed = back_up(box.config)
        box.say("c", "d")
        pair.hub.order(SITE, "o2")
        box.talk()
    pair.bundles[name] = pair.bundles["box"]
    restoring.restore(pair.root / name, path, seed)
    with pair.box(name, machine=machine, is_up=False) as box:
        box.say("x")
        assert (box.said(), box.orders()) == (["a", "b"], ["o1"])
        box.is_connected = True
        box.talk()
        assert pair.hub.keys(REPORT) == ["a", "b", "c", "d", "x"]
        assert (box.said(), box.orders()) == (pair.hub.keys(REPORT), ["o1", "o2"])
        assert (box.position(REPORT).epoch, pair.hub.fenced(SITE), box.alarms()) == (1, (), {})
        standing = histories.standing(box.db, REPORT)
        assert standing == histories.Standing(True, machine)


def test_a_box_and_its_hub_that_both_come_back_from_before_lose_nothing_that_either_has(pair: World) -> None:
    """The box's backup is of Monday, the hub's of Tuesday: Tuesday stands, and both go on behind it."""
    with pair.box() as box:
        box.say("a")
        box.talk()
        path, seed = back_up(box.config)
        box.say("b")
        box.talk()
        tuesday = pair.hub.back_up()
        box.say("c")
        box.talk()
    restoring.restore(pair.root / "box", path, seed)
    pair.hub.come_back(tuesday)
    with pair.box() as box:
        box.say("d")
        box.talk()
        assert pair.hub.keys(REPORT) == box.said() == ["a", "b", "d"]
        assert box.alarms() == {}


def test_words_that_were_removed_since_the_backup_are_removed_again(pair: World) -> None:
    """They come back with the file, and the hub's word that they must go comes after them."""
    with pair.box() as box:
        box.say("a", "b")
        box.talk()
        path, seed = back_up(box.config)
        body = records.Redact(REPORT, 1, 1, "含个人信息", "2026-11-24T06:00:00Z")
        pair.hub.write(f"{SITE}/control", "redact", f"{REPORT} 1:1", body)
        box.talk()
        assert is_blank(box) == [True, False]
    restoring.restore(pair.root / "box", path, seed)
    with pair.box(is_up=False) as box:
        assert is_blank(box) == [False, False]
        box.is_connected = True
        box.talk()
        assert is_blank(box) == [True, False]
        redactions.wipe(box.db)
        assert "路灯 a".encode() not in box.config.database.read_bytes()


def is_blank(box: County) -> list[bool]:
    return [record.body is None for record in journals.read_from(box.db, REPORT, (1, 0))]


def test_what_a_release_said_that_was_rolled_back_with_its_database_is_not_lost(pair: World) -> None:
    """The hub had acknowledged it; the order that came meanwhile is there again as well."""
    with pair.box() as box:
        box.say("a")
        box.talk()
        config = replace(box.config, web_bind="127.0.0.1:1")
    for version in ("1.0", "1.1"):
        releases.folder_of(config, version).mkdir(parents=True)
        mark = msgspec.json.encode(Release(version=version))
        (releases.folder_of(config, version) / releases.MARK).write_bytes(mark)
    releases.point(config, "current", "1.0")
    releases.keep(config, Upgrade(state="staged", new="1.1"))

    def units(arguments: Sequence[str]) -> None:
        if arguments == ["restart", AGENT] and releases.linked(config, "current") == "1.1":
            with pair.box() as box:
                box.say("b")
                pair.hub.order(SITE, "o1")
                box.talk()
                step = {"migration_set": "songshan-edge", "name": "of_tomorrow", "applied_at": "2027"}
                box.db["_sqlite_migrations"].insert(step)

    upgrading.begin_apply(config, "王工", "x", config.clock.wall_us())
    done = upgrading.carry_on(config, Machine(units, Policy(bound_s=0), pause=lambda _s: None))
    assert (done.state, done.restored) == ("rolled_back", True)
    with pair.box(is_up=False) as box:
        box.say("c")
        assert (box.said(), box.orders()) == (["a"], [])
        box.is_connected = True
        box.talk()
        assert box.said() == pair.hub.keys(REPORT) == ["a", "b", "c"]
        assert (box.orders(), box.position(REPORT).epoch, box.alarms()) == (["o1"], 1, {})
