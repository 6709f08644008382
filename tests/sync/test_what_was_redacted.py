"""A redaction means one record, wherever it stands: after a hub came back from a backup its place may be another's."""

import os
from pathlib import Path

import pytest

from appliance.core.item import Item, SignOff
from appliance.core.journal import Record
from appliance.store import redactions as at_box
from provisioning.hub import redactions
from provisioning.hub.verify import check
from tests.sync.pair import SITE, County, World, world

CONTENT = "all/content"
AT = "2026-11-24T06:00:00Z"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off from its power here, so nothing has to be on the platter."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def pair(tmp_path: Path) -> World:
    return world(tmp_path, SITE, "zhongmu")


def publish(pair: World, name: str) -> Record:
    """A story whose words stand nowhere else."""
    story = Item(name, f"标题{name}", "news", "hub", AT, sign_offs=(SignOff("final", "总编", AT),))
    return pair.hub.write(CONTENT, "item", name, story)


def order(pair: World, record: Record) -> None:
    """Somebody at the hub looks at a record, and has its words removed."""
    redactions.order(pair.hub.folder, record.header.stream, *record.header.place, "含个人信息")


def at_hub(pair: World) -> dict[str, bool]:
    """By story: whether its words stand in the stream."""
    return {record.header.key: record.body is not None for record in pair.hub.journals.stream(CONTENT).records()}


def holding(root: Path, name: str) -> list[str]:
    """Files that have the words of a story."""
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and f"标题{name}".encode() in path.read_bytes()
    ]


def shown(box: County) -> list[str]:
    assert at_box.wipe(box.db)
    return box.rows("SELECT id FROM items ORDER BY id")


def test_what_was_written_on_the_old_copy_is_redacted_and_not_what_has_its_place_later(pair: World) -> None:
    """A county gives the history back: the place is that of another story by then."""
    with pair.box() as box:
        publish(pair, "a")
        box.talk()
        night = pair.hub.back_up()
        publish(pair, "b")
        box.talk()
        pair.hub.come_back(night)
        wrong = publish(pair, "x")
        order(pair, wrong)
        box.talk()
        assert at_hub(pair) == {"a": True, "b": True}
        assert shown(box) == ["a", "b"]
        assert holding(pair.hub.path, "x") == holding(box.config.home, "x") == []
        assert check(pair.hub.folder, with_assets=False).problems == ()


def test_a_county_that_followed_the_branch_given_up_loses_the_words_it_read_there(pair: World) -> None:
    """The redaction reaches it after it came over: the story has no place in its journal any more."""
    with pair.box() as box, pair.box("other", site="zhongmu") as other:
        publish(pair, "a")
        box.talk()
        other.talk()
        night = pair.hub.back_up()
        publish(pair, "b")
        box.talk()
        pair.hub.come_back(night)
        wrong = publish(pair, "x")
        other.talk()
        assert shown(other) == ["a", "x"]
        pair.hub.cut()
        order(pair, wrong)
        box.talk()
        other.talk()
        other.talk()
        assert shown(other) == ["a", "b"]
        # The county gave it back, for the branch that it came over to has it not.
        assert at_hub(pair) == {"a": True, "b": True, "x": False}
        assert holding(other.config.home, "x") == holding(pair.hub.path, "x") == []


def test_words_that_were_issued_again_are_redacted_where_they_stand_now(pair: World) -> None:
    """One county holds the story at its first place yet, under which the redaction does not know it."""
    with pair.box() as box, pair.box("other", site="zhongmu") as other:
        publish(pair, "a")
        box.talk()
        other.talk()
        night = pair.hub.back_up()
        publish(pair, "b")
        box.talk()
        pair.hub.come_back(night)
        publish(pair, "x")
        other.talk()
        pair.hub.cut()
        box.talk()
        again = list(pair.hub.journals.stream(CONTENT).records())[-1]
        assert again.header.key == "x"
        assert again.header.place != (1, 2)
        order(pair, again)
        for _time in range(2):
            box.talk()
            other.talk()
        assert at_hub(pair) == {"a": True, "b": True, "x": False}
        assert shown(box) == shown(other) == ["a", "b"]
        assert holding(pair.root, "x") == []
        assert check(pair.hub.folder, with_assets=False).problems == ()
