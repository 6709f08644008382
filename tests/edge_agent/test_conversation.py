"""The box's side of the control session, against a simulated hub: what is kept and sent, and what a bad line does."""

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance.core.errors import DiskFull, Text
from appliance.core.journal import Record, append, genesis
from appliance.core.moment import US
from appliance.core.records import Filler, Order, Recall, Tip, encode
from appliance.core.wire import GIVEN_BYTES_MAX
from appliance.store import facts, journals
from edge_agent.conversation import Conversation
from edge_agent.core.observation import Link
from edge_agent.core.outcomes import Answered, Reached
from tests.appliance.boxes import AT, AT_US, digest
from tests.edge_agent.rig import OWN, SITE, Rig, rig, write
from tests.simulators.hub import SimulatedHub


def tip(number: int) -> Tip:
    return Tip(id=f"t{number}", text="路灯坏了", at=AT)


def order(number: int) -> Order:
    return Order(id=f"o{number:04d}", title="报送画面")


def alarms(box: Rig) -> set[str]:
    return {each.id for each in facts.snapshot(box.db, box.config, box.now_us).alarms if each.severity == "red"}


def test_both_sides_come_to_have_all_of_each_other(tmp_path: Path) -> None:
    """More than one batch in both directions, and then rest."""
    with rig(tmp_path) as box:
        for number in range(600):
            write(box.hub, "dengfeng/control", "order", f"o{number}", order(number))
            box.say("tip", f"t{number}", tip(number))
        box.talk()
        assert box.rows("SELECT count(*) FROM orders") == [(600,)]
        assert [each.header.key for each in box.hub.sites[SITE].report] == [f"t{number}" for number in range(600)]
        assert journals.unsent(box.db, OWN) == 0
        assert box.conversation.state() == Link("connected", 0, 64, True, GIVEN_BYTES_MAX)
        assert box.outcomes == [Reached()]


def test_what_is_said_later_is_sent_at_once(tmp_path: Path) -> None:
    """Connected, a record waits for nothing: neither a tip upwards nor a recall downwards."""
    with rig(tmp_path) as box:
        box.talk()
        box.say("tip", "t1", tip(1))
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", AT))
        box.turn()
        assert len(box.hub.sites[SITE].report) == 1
        assert box.rows("SELECT target FROM tombstones") == [("i1",)]


@pytest.mark.parametrize("seed", range(4))
def test_a_line_that_breaks_anywhere_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    """A county's line breaks between any two bytes; the number of records at the end must not show it."""
    chance = random.Random(seed)
    with rig(tmp_path) as box:
        for number in range(100):
            write(box.hub, "dengfeng/control", "order", f"o{number}", order(number))
            box.say("tip", f"t{number}", tip(number))
            box.hub.is_up = chance.random() > 0.2
            for _turn in range(chance.randrange(3)):
                box.turn(chance.randrange(3 * US))
        box.hub.is_up = True
        box.turn(61 * US)
        box.talk()
        assert box.rows("SELECT count(*) FROM orders") == [(100,)]
        assert [each.header.seq for each in box.hub.sites[SITE].report] == list(range(1, 101))
        assert box.hub.refusals == []


def test_an_agent_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    """Nothing of the session lives in memory alone."""
    hub = SimulatedHub()
    for start in range(5):
        with rig(tmp_path, hub) as box:
            write(hub, "dengfeng/control", "order", "o", order(start))
            box.say("tip", "t", tip(start))
            box.talk(start)
    with rig(tmp_path, hub) as box:
        box.talk()
        assert box.rows("SELECT count(*) FROM orders") == [(5,)]
        assert len(hub.sites[SITE].report) == 5
        assert hub.refusals == []


def test_offline_is_a_state_with_a_next_attempt(tmp_path: Path) -> None:
    """Away for days, the box waits longer and longer, but never longer than a minute, and says since when."""
    with rig(tmp_path) as box:
        box.hub.is_up = False
        box.talk(100)
        assert box.line.fact.state == "offline"
        waits_s = []
        for _attempt in range(10):
            box.turn(max(0, box.line.next_attempt_us - box.now_us))
            waits_s.append((box.line.next_attempt_us - box.now_us) / US)
        assert max(waits_s) <= 60
        assert waits_s[-1] >= 30
        since_us = box.line.fact.since_us
        box.hub.is_up = True
        box.turn(61 * US)
        box.talk()
        assert box.line.fact.state == "connected"
        assert since_us is not None
        assert box.line.fact.since_us is not None
        assert since_us < box.line.fact.since_us


def test_a_hub_that_signs_with_another_key_changes_nothing(tmp_path: Path) -> None:
    """Nothing unsigned airs: whoever holds the line but not the key can only be silent."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/control", "order", "o1", order(1))
        box.hub.key = Ed25519PrivateKey.generate()
        box.talk()
        assert box.rows("SELECT * FROM orders") == []
        assert journals.cursor(box.db, "dengfeng/control").position == genesis("dengfeng/control")
        assert "raised:stream:dengfeng/control" in alarms(box)


def test_one_broken_stream_does_not_stop_the_others(tmp_path: Path) -> None:
    """A content stream that the hub wrote anew, as after a bad repair, must not keep a recall away."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "filler", "dengfeng-1", Filler("dengfeng-1"))
        box.talk()
        box.hub.streams["dengfeng/content"].clear()
        for _record in range(2):
            write(box.hub, "dengfeng/content", "filler", "dengfeng-1", Filler("dengfeng-1"))
        box.hub.is_up = False
        box.turn()
        box.hub.is_up = True
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", AT))
        box.turn(61 * US)
        box.talk()
        assert box.rows("SELECT target FROM tombstones") == [("i1",)]
        assert journals.cursor(box.db, "dengfeng/content").position.seq == 1


def test_a_hub_that_came_back_from_a_backup_is_noticed_and_nothing_is_undone(tmp_path: Path) -> None:
    """Three synchronisers out of three would delete the county's newer files here, without a word."""
    with rig(tmp_path) as box:
        for number in range(3):
            write(box.hub, "dengfeng/control", "order", f"o{number}", order(number))
        box.talk()
        del box.hub.streams["dengfeng/control"][1:]
        box.hub.is_up = False
        box.turn()
        box.hub.is_up = True
        box.turn(61 * US)
        box.talk()
        assert box.rows("SELECT count(*) FROM orders") == [(3,)]
        assert journals.cursor(box.db, "dengfeng/control").position.seq == 3


def test_a_hub_that_lost_our_last_records_gets_them_again(tmp_path: Path) -> None:
    """What the hub acknowledged and then lost with its disk is still here."""
    with rig(tmp_path) as box:
        for number in range(5):
            box.say("tip", f"t{number}", tip(number))
        box.talk()
        del box.hub.sites[SITE].report[2:]
        box.hub.is_up = False
        box.turn()
        box.hub.is_up = True
        box.turn(61 * US)
        box.talk()
        assert [each.header.seq for each in box.hub.sites[SITE].report] == [1, 2, 3, 4, 5]


def test_a_history_of_this_site_that_is_not_ours_is_left_alone_with_an_alarm(tmp_path: Path) -> None:
    """A box restored from an old image, or a clone of its disk: writing on would destroy one of two histories."""
    with rig(tmp_path) as box:
        box.say("tip", "t1", tip(1))
        foreign: list[Record] = []
        for number in (7, 8):
            before = foreign[-1] if foreign else None
            position = genesis(OWN) if before is None else box.hub.position(OWN)
            foreign.append(append(position, "tip", "t", encode(tip(number)), AT_US))
            box.hub.streams[OWN] = foreign
        box.hub.sites[SITE].report = list(foreign)
        box.talk()
        assert box.hub.sites[SITE].report == foreign
        assert f"raised:stream:{OWN}" in alarms(box)
        write(box.hub, "dengfeng/control", "order", "o1", order(1))
        box.talk()
        assert box.rows("SELECT count(*) FROM orders") == [(1,)], "what the hub says is still heard"


def test_deliveries_are_told_once_a_session_and_answers_come_back(tmp_path: Path) -> None:
    """The word may have died with the line: the next session says it again."""
    with rig(tmp_path) as box:
        box.talk()
        box.conversation.deliver(digest("a"))
        box.conversation.deliver(digest("a"))
        box.talk()
        missing = Answered(digest("a"), "missing", Text("没有此文件", "there is no such file"))
        assert box.outcomes == [Reached(), missing]
        assert box.conversation.told == set()
        box.hub.assets[digest("a")] = b"x"
        box.conversation.deliver(digest("a"))
        box.talk()
        assert box.outcomes[2:] == [Answered(digest("a"), "taken", Text("已收", "taken"))]
        assert box.conversation.told == {digest("a")}
        box.hub.is_up = False
        box.turn()
        assert box.conversation.told == set()


def test_what_could_not_be_written_is_not_acknowledged_and_comes_again(tmp_path: Path) -> None:
    """A full disk while a record is applied: the line is given up, and the hub sends it again later."""
    with rig(tmp_path) as box:

        def full(_db: Database, _record: Record) -> None:
            raise DiskFull(Text("磁盘已满", "the disk is full"))

        write(box.hub, "dengfeng/control", "order", "o1", order(1))
        whole = box.conversation
        box.conversation = Conversation(box.config, box.db, box.key, box.line, full)
        while box.line.fact.state != "offline":
            box.turn()
        assert box.line.fact.reason == Text("磁盘已满", "the disk is full")
        assert box.rows("SELECT count(*) FROM journal") == [(0,)]
        box.conversation = whole
        box.turn(61 * US)
        box.talk()
        assert box.rows("SELECT id FROM orders") == [("o0001",)]


def test_the_status_is_told_while_the_hub_listens(tmp_path: Path) -> None:
    """The operator's one screen for sixteen counties lives on it; offline nothing piles up."""
    with rig(tmp_path) as box:
        box.conversation.report({"version": "0"}, box.now_us)
        box.talk()
        box.conversation.report({"version": "1"}, box.now_us)
        box.conversation.report({"version": "2"}, box.now_us)
        box.talk()
        assert box.hub.sites[SITE].statuses == [{"version": "2"}]
        assert box.line.fact.round_trip_ms is not None


def test_as_small_assets_come_the_next_are_asked_for_without_a_plan(tmp_path: Path) -> None:
    """A plan costs tens of milliseconds, in which the line would be idle; and no more is on its way than was said."""
    with rig(tmp_path) as box:
        box.talk()
        contents = [b"caption %02d" % number for number in range(40)]
        coming = [(box.hub.let_read(SITE, content), len(content)) for content in contents]
        box.conversation.given.go_on_with(coming[3:], 33)
        box.conversation.ask_for(*zip(*coming[:3], strict=True), box.now_us)
        on_their_way = []
        for _turn in range(60):
            on_their_way.append(box.conversation.given.asked_bytes)
            box.turn()
        assert max(on_their_way) == 30
        assert not box.conversation.given.is_under_way
        assert sorted(box.conversation.given.take().items()) == sorted(
            (digest, content) for (digest, _size_bytes), content in zip(coming, contents, strict=True)
        )
