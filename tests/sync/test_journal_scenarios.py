"""J1 to J24: what the study of other synchronisers found to break journals, each seen to be mended here."""

import os
from pathlib import Path

import pytest

from appliance.core.asset import Asset
from appliance.core.errors import Refused
from appliance.core.item import Item, SignOff
from appliance.core.journal import Checkpoint
from appliance.core.machine import FORKS_PER_DAY_MAX
from appliance.core.moment import US
from appliance.store import assets
from appliance.store.database import transaction
from provisioning.fleet.core.row import Row, row, standing
from provisioning.hub.library import Library
from provisioning.hub.machines import machines_of
from provisioning.hub.sites import site_of
from tests.sync.pair import ONE, OTHER, SITE, County, World, world

REPORT = f"{SITE}/report"
CONTROL = f"{SITE}/control"


def _forget_the_machine(box: County) -> None:
    """As a database of a version that did not note it."""
    box.db.execute("UPDATE standing SET machine = '', is_sure = 1")


def _signed(pair: World, stream: str) -> Checkpoint:
    """What the hub last signed of a stream."""
    covered = pair.hub.journals.stream(stream).covered()
    assert covered is not None
    return covered.checkpoint


def _fleet(pair: World) -> Row:
    """How the operator sees the site."""
    known = site_of(pair.hub.folder, SITE)
    return standing(row(known, None, True, pair.clock.us), machines_of(pair.hub.folder, SITE))


def _evidence(pair: World, stream: str) -> bytes:
    paths = (pair.hub.folder.stream(stream) / "forks").glob("*.records")
    return b"".join(path.read_bytes() for path in paths)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off from its power here, so nothing has to be on the platter."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def pair(tmp_path: Path) -> World:
    return world(tmp_path)


def test_j02_a_dead_box_made_anew_from_its_keys_has_its_own_log_again(pair: World) -> None:
    """Nothing is appended before the log is back; what was said meanwhile follows behind it, in the same epoch."""
    with pair.box() as box:
        box.say(*(f"t{number}" for number in range(300)))
        box.talk()
    with pair.box("new", machine=OTHER, is_up=False) as box:
        box.say("later")
        assert box.said() == []
        box.is_connected = True
        box.talk()
        assert box.said() == [*(f"t{number}" for number in range(300)), "later"]
        assert box.position(REPORT) == pair.hub.position(REPORT)
        assert box.position(REPORT).place == (1, 301)
        assert (box.alarms(), pair.hub.fenced(SITE)) == ({}, ())


def test_j03_a_box_restored_from_an_old_image_loses_nothing(pair: World) -> None:
    """Three days are missing on the disk, and it was written on: both are in the log at the end, each once."""
    with pair.box() as box:
        box.say("a", "b")
        box.talk()
    pair.clone("box", "image")
    with pair.box() as box:
        box.say("c", "d", "e")
        box.talk()
    pair.clone("image", "box")
    with pair.box(is_up=False) as box:
        box.say("x", "y")
        box.is_connected = True
        box.talk()
        assert pair.hub.keys(REPORT) == ["a", "b", "c", "d", "e", "x", "y"]
        assert box.said() == pair.hub.keys(REPORT)
        assert box.position(REPORT).place == (2, 2)
        assert (box.alarms(), pair.hub.fenced(SITE)) == ({}, ())


def test_j04_a_record_that_a_power_loss_took_back_after_it_was_sent(pair: World) -> None:
    """The same number was given to another record: the sent one stays, the other one is issued again."""
    with pair.box() as box:
        box.say("a")
        box.talk()
    pair.clone("box", "before")
    with pair.box() as box:
        box.say("sent")
        box.talk()
    pair.clone("before", "box")
    with pair.box(is_up=False) as box:
        box.say("other")
        box.is_connected = True
        box.talk()
        assert pair.hub.keys(REPORT) == ["a", "sent", "other"]
    assert "路灯 other".encode() in _evidence(pair, REPORT)


def test_j01_a_cloned_disk_is_fenced_and_the_air_goes_on(pair: World) -> None:
    """Two live machines with one identity: both branches are kept, neither writes on, and what the hub says comes."""
    with pair.box() as box:
        box.say("a")
        box.talk()
    pair.clone("box", "clone")
    with pair.box() as box, pair.box("clone", machine=OTHER, is_up=False) as clone:
        box.say("original")
        box.talk()
        _forget_the_machine(clone)
        clone.say("clone")
        clone.is_connected = True
        clone.talk()
        assert pair.hub.fenced(SITE) == (ONE, OTHER)
        assert clone.alarms() == {f"raised:stream:{REPORT}": "red"}
        pair.hub.order(SITE, "o1")
        clone.talk()
        box.talk()
        assert (clone.orders(), box.orders()) == (["o1"], ["o1"])
        assert box.alarms() == {f"raised:stream:{REPORT}": "red"}
        assert pair.hub.keys(REPORT) == ["a", "original"]
        assert "路灯 clone".encode() in _evidence(pair, REPORT)


def test_j01_the_machine_that_a_person_chose_goes_on_and_loses_nothing(pair: World) -> None:
    """Approving one of the two lifts the fence; the other one reads, and writes nothing any more."""
    with pair.box() as box:
        box.talk()
    pair.clone("box", "clone")
    with pair.box() as box, pair.box("clone", machine=OTHER) as clone:
        clone.say("clone")
        clone.talk()
        box.say("original")
        box.talk()
        assert pair.hub.fenced(SITE) == (OTHER, ONE)
        assert pair.hub.keys(REPORT) == ["clone"]
        with pytest.raises(Refused, match=OTHER[:12]):
            pair.hub.approve(SITE)
        pair.hub.approve(SITE, ONE[:12])
        box.talk()
        assert pair.hub.keys(REPORT) == ["clone", "original"]
        assert box.alarms() == {}
        clone.say("more")
        clone.talk()
        assert pair.hub.keys(REPORT) == ["clone", "original"]
        assert clone.alarms() == {f"raised:stream:{REPORT}": "red"}


def test_j01_two_machines_that_take_turns_are_fenced_before_they_fork(pair: World) -> None:
    """Each goes on exactly where the other was: only that the first one speaks again tells of the second."""
    with pair.box() as box:
        box.say("a")
        box.talk()
    pair.clone("box", "clone")
    with pair.box() as box, pair.box("clone", machine=OTHER) as clone:
        box.talk()
        clone.talk()
        assert pair.hub.fenced(SITE) == ()
        box.talk()
        assert pair.hub.fenced(SITE) == (OTHER, ONE)
        assert _fleet(pair).state == "fenced"


def test_j01_a_box_moved_to_another_machine_needs_nobody(pair: World) -> None:
    """The old machine is gone and its disk stands in a new one: that is no clone."""
    with pair.box() as box:
        box.say("a")
        box.talk()
    with pair.box(machine=OTHER) as box:
        box.say("b")
        box.talk()
        assert (pair.hub.keys(REPORT), pair.hub.fenced(SITE), box.alarms()) == (["a", "b"], (), {})
        assert _fleet(pair).moved_at is not None


def test_j01_two_copies_of_a_folder_on_one_machine_are_fenced_in_the_end(pair: World) -> None:
    """They heal and fork in turns; that must not go on for ever."""
    with pair.box() as box:
        box.talk()
    pair.clone("box", "copy")
    with pair.box() as box, pair.box("copy") as copy:
        for turn in range(FORKS_PER_DAY_MAX + 1):
            box.say(f"b{turn}")
            copy.say(f"c{turn}")
            box.talk(20)
            copy.talk(20)
        assert pair.hub.fenced(SITE) == (ONE,)
        kept = pair.hub.keys(REPORT)
        assert len(kept) == len(set(kept))


def test_j05_a_hub_that_came_back_from_a_backup_gets_its_records_back(pair: World) -> None:
    """The county knows the highest head it saw, and is the hub's backup: no record is lost, and nobody has to act."""
    pair.hub.order(SITE, "o0")
    with pair.box() as box:
        box.talk()
        backup = pair.hub.back_up()
        for number in range(1, 400):
            pair.hub.order(SITE, f"o{number:03d}")
        box.say("t1", "t2")
        box.talk()
        pair.hub.come_back(backup)
        assert len(pair.hub.keys(CONTROL)) == 1
        box.talk()
        assert len(pair.hub.keys(CONTROL)) == 400
        assert pair.hub.keys(REPORT) == ["t1", "t2"]
        assert pair.hub.position(CONTROL) == box.position(CONTROL)
        assert box.alarms() == {}
        pair.hub.order(SITE, "after")
        box.talk()
        assert "after" in box.orders()


def test_j05_a_hub_that_wrote_on_after_it_came_back_issues_that_again(pair: World) -> None:
    """What boxes hold is the truth; what the hub wrote on the old copy follows in a new epoch, and is done once."""
    pair.hub.order(SITE, "o1")
    with pair.box() as box:
        box.talk()
        backup = pair.hub.back_up()
        pair.hub.order(SITE, "o2")
        pair.hub.order(SITE, "o3")
        box.talk()
        pair.hub.come_back(backup)
        pair.hub.order(SITE, "new")
        box.talk()
        assert pair.hub.keys(CONTROL) == ["o1", "o2", "o3", "new"]
        assert box.orders() == ["new", "o1", "o2", "o3"]
        assert box.position(CONTROL) == pair.hub.position(CONTROL)
        assert box.position(CONTROL).place == (2, 1)
        assert box.alarms() == {}


def test_j05_a_box_that_followed_the_branch_given_up_comes_over(tmp_path: Path) -> None:
    """It was new when the hub stood on the old copy. It takes what it missed, and does nothing twice."""
    pair = world(tmp_path, SITE, "zhongmu")
    pair.hub.recall("i0")
    with pair.box() as box:
        box.talk()
        backup = pair.hub.back_up()
        pair.hub.recall("i1")
        pair.hub.recall("i2")
        box.talk()
        pair.hub.come_back(backup)
        pair.hub.recall("new")
        with pair.box("other", site="zhongmu") as other:
            other.talk()
            assert other.position("all/control") == pair.hub.position("all/control")
            pair.hub.cut()
            box.talk()
            assert pair.hub.keys("all/control") == ["i0", "i1", "i2", "new"]
            other.db.execute("DELETE FROM tombstones WHERE target = 'new'")
            other.talk()
            assert other.position("all/control") == pair.hub.position("all/control")
            assert other.rows("SELECT target FROM tombstones ORDER BY target") == ["i0", "i1", "i2"]
            assert other.rows("SELECT again IS NULL, done FROM lost") == [(1, 1)]
            assert (other.alarms(), box.alarms()) == ({}, {})


def test_j05_a_box_on_a_longer_branch_than_the_one_that_stays_comes_over(tmp_path: Path) -> None:
    """What the hub gives it lies behind its own head at first; that is no rewind, since a newer epoch follows."""
    pair = world(tmp_path, SITE, "zhongmu")
    with pair.box() as box, pair.box("other", site="zhongmu") as other:
        pair.hub.recall("i0")
        box.talk()
        other.talk()
        backup = pair.hub.back_up()
        pair.hub.recall("i1")
        box.talk()
        pair.hub.come_back(backup)
        for name in ("n1", "n2", "n3"):
            pair.hub.recall(name)
        other.talk()
        pair.hub.cut()
        box.talk()
        other.talk()
        for each in (box, other):
            each.talk()
            assert each.position("all/control") == pair.hub.position("all/control")
            assert each.rows("SELECT target FROM tombstones ORDER BY target") == ["i0", "i1", "n1", "n2", "n3"]
            assert each.alarms() == {}
        assert pair.hub.keys("all/control") == ["i0", "i1", "n1", "n2", "n3"]


def test_j05_what_only_a_box_on_the_older_branch_holds_is_issued_again(tmp_path: Path) -> None:
    """Whichever box comes first after the hub's disk was lost, no record of the hub's is."""
    pair = world(tmp_path, SITE, "zhongmu")
    with pair.box() as box, pair.box("other", site="zhongmu") as other:
        pair.hub.recall("i0")
        box.talk()
        other.talk()
        backup = pair.hub.back_up()
        pair.hub.recall("i1")
        box.talk()
        pair.hub.recall("i2")
        other.talk()
        pair.hub.come_back(backup)
        pair.hub.recall("new")
        box.talk()
        assert pair.hub.keys("all/control") == ["i0", "i1", "new"]
        other.talk()
        assert pair.hub.keys("all/control") == ["i0", "i1", "new", "i2"]
        box.talk()
        for each in (box, other):
            assert each.position("all/control") == pair.hub.position("all/control")
            assert each.rows("SELECT target FROM tombstones ORDER BY target") == ["i0", "i1", "i2", "new"]
            assert each.alarms() == {}


def test_j05_a_hub_gets_the_assets_back_that_its_own_records_name(pair: World, tmp_path: Path) -> None:
    """The backup of the hub is older than the story: the county has the picture, and gives it back."""
    content = b"a picture of the flood"
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(content)
    with pair.box() as box:
        box.talk()
        backup = pair.hub.back_up()
        digest, size_bytes, _is_new = Library(pair.hub.folder).copy_in(picture, 1 << 20)
        asset = Asset(digest, size_bytes, "汛情.jpg", "image/jpeg", "picture")
        sign_off = SignOff("final", "总编", "2026-11-24T06:00:00Z")
        story = Item("i1", "汛情", "news", "hub", "2026-11-24T06:00:00Z", assets=(asset,), sign_offs=(sign_off,))
        pair.hub.write(f"{SITE}/content", "item", "i1", story)
        box.talk()
        with transaction(box.db):
            assets.arrived(box.db, digest, size_bytes, box.clock.us)
        pair.hub.come_back(backup)
        assert not Library(pair.hub.folder).holds(digest)
        box.talk()
        assert pair.hub.keys(f"{SITE}/content") == ["i1"]
        assert box.rows("SELECT digest FROM transfers WHERE direction = 'up'") == [digest]
        pair.hub.uploaded(SITE, digest, content)
        box.conversation.deliver(digest)
        box.talk()
        library = Library(pair.hub.folder)
        assert library.path_of(digest).read_bytes() == content
        assert library.may_read(SITE, digest)


def test_j07_a_recall_under_a_head_that_is_past_its_time_waits_and_the_air_does_not(pair: World) -> None:
    """Whoever withholds the hub's word for three days can make nobody delete anything."""
    with pair.box() as box:
        box.talk()
        pair.hub.recall("i1")
        frozen = _signed(pair, "all/control")
        box.clock.us += 72 * 3600 * US
        hub = box.stranger = pair.stranger()
        pair.hub.cut()
        box.talk()
        hub.session.offer("all/control", tuple(pair.hub.journals.stream("all/control").records()), frozen)
        box.talk()
        assert hub.refused() == {}
        assert box.rows("SELECT target FROM tombstones") == []
        assert box.rows("SELECT state FROM journal WHERE stream = 'all/control'") == ["held"]
        assert box.alarms()["held"] == "amber"
        hub.is_up, box.stranger = False, None
        box.talk()
        assert box.rows("SELECT target FROM tombstones") == ["i1"]
        assert box.rows("SELECT state FROM journal WHERE stream = 'all/control'") == ["applied"]
        assert box.alarms() == {}
