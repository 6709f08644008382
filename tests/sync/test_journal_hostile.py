"""J6 to J24, as far as they are about what somebody sends, or when: nothing of it may be believed, or done too late."""

import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.core import records, wire
from appliance.core.asset import Asset
from appliance.core.errors import Refused
from appliance.core.events import Asked, RecordsArrived
from appliance.core.item import Item, SignOff
from appliance.core.journal import (
    Position,
    Record,
    append,
    checkpoint_text,
    genesis,
    next_epoch,
    position_after,
    sign_checkpoint,
)
from appliance.core.judge import Verdict, judge
from appliance.core.moment import US, to_text
from appliance.core.session import ProtocolError, Session
from appliance.store import database, journals
from appliance.store.database import transaction
from edge_agent.apply import Applying
from edge_agent.report import compile_air
from edge_agent.witness import SEEN_EVERY_US, Witness
from provisioning.hub import enrolment
from provisioning.hub.conversation import Conversation as HubConversation
from provisioning.hub.stream import Place
from provisioning.hub.verify import check
from tests.sync.pair import KEY, ONE, OTHER, SITE, County, World, world

REPORT, CONTROL = f"{SITE}/report", f"{SITE}/control"
KEY_AFTER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
AT = "2026-11-24T06:00:00Z"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off from its power here, so nothing has to be on the platter."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def pair(tmp_path: Path) -> World:
    return world(tmp_path)


def _meet_a_stranger(pair: World, box: County) -> Session:
    """From now on somebody else stands in the hub's place."""
    pair.hub.cut()
    box.stranger = pair.stranger()
    box.talk(5)
    return box.stranger.session


def test_j06_an_old_checkpoint_come_again_is_stale_and_changes_nothing(pair: World) -> None:
    """A replay is no rewind: it was signed before what is known here, so the writer did not go back."""
    with pair.box() as box:
        pair.hub.order(SITE, "o1")
        old = pair.hub.journals.stream(CONTROL).covered()
        assert old is not None
        pair.hub.order(SITE, "o2")
        box.talk()
        before = journals.cursor(box.db, CONTROL)
        session = _meet_a_stranger(pair, box)
        session.offer(CONTROL, (), old.checkpoint)
        box.talk(5)
        assert journals.cursor(box.db, CONTROL) == before
        assert box.stranger is not None
        assert (box.stranger.refused(), box.alarms()) == ({}, {})


def test_j05_a_box_can_give_the_hub_nothing_that_the_hub_did_not_sign(pair: World) -> None:
    """A county that says it holds more of the hub's stream than the hub does cannot put a recall into every county."""
    evil = append(
        genesis("all/control"), "recall", "i1", b'{"target":"i1","reason":"x","at":"2026-11-24T06:00:00Z"}', 0
    )
    at = position_after(evil)
    hub = HubConversation(pair.hub.folder, SITE)
    box = Session.box(SITE, {"all/control": at}, genesis(REPORT), "", pair.clock.us)
    hub.receive(box.data_to_send())
    asked = [event for event in box.receive(hub.data_to_send()) if isinstance(event, Asked)]
    assert [event.stream for event in asked] == ["all/control"]
    box.give_back(genesis("all/control"), (evil,), sign_checkpoint(at, 0, 2**50, KEY))
    hub.receive(box.data_to_send())
    hub.turn()
    assert pair.hub.keys("all/control") == []
    assert "signature" in (pair.hub.folder.log / "refusals.jsonl").read_text()


def test_j08_a_leap_under_the_hubs_own_key_leads_nowhere(pair: World) -> None:
    """Whoever stole the key cannot lift a box over what the hub has still to say; a new epoch rids it of his dates."""
    with pair.box() as box:
        pair.hub.order(SITE, "o1")
        box.talk()
        key, last = pair.hub.journals.key, box.position(CONTROL)
        far_us = box.clock.us + 70 * 365 * 86_400 * US
        leap = append(Position(CONTROL, 1, 10**9, "e" * 64), "order", "evil", b'{"id":"evil","title":"x"}', far_us)
        session = _meet_a_stranger(pair, box)
        session.offer(CONTROL, (), sign_checkpoint(Position(CONTROL, 1, 10**9, "e" * 64), far_us, far_us, key))
        session.offer(CONTROL, (), sign_checkpoint(last, far_us, far_us, key))
        session.offer(CONTROL, (leap,), sign_checkpoint(position_after(leap), far_us, far_us, key))
        box.talk(5)
        assert box.position(CONTROL) == last
        assert journals.cursor(box.db, CONTROL).seen_us == far_us
        assert box.stranger is not None
        box.stranger.is_up, box.stranger = False, None
        with pair.hub.folder.locked():
            stream = pair.hub.journals.stream(CONTROL)
            begun = append(next_epoch(last), "order", "o2", b'{"id":"o2","title":"x"}', box.clock.us)
            pair.hub.journals.sign(CONTROL, stream.append(Place(next_epoch(last), 0), [begun]))
        box.talk()
        assert box.orders() == ["o1", "o2"]
        assert journals.cursor(box.db, CONTROL).seen_us < far_us
        assert box.alarms() == {}


def test_j10_a_revoked_key_writes_nothing_and_its_successor_goes_on_behind(pair: World) -> None:
    """The new box of a site stands behind the old one's history, in an epoch of its own."""
    with pair.box() as box:
        box.say("a")
        box.talk()
        enrolment.revoke(pair.hub.folder, SITE, box.clock.us)
        pair.hub.enrol(SITE, KEY_AFTER)
        pair.hub.cut()
        box.say("evil")
        box.talk()
        assert pair.hub.keys(REPORT) == ["a"]
        assert box.alarms() == {f"raised:stream:{REPORT}": "red"}
    with pair.box("new", key=KEY_AFTER, machine=OTHER, is_up=False) as box:
        box.say("b")
        box.is_connected = True
        box.talk()
        assert pair.hub.keys(REPORT) == ["a", "b"]
        assert pair.hub.position(REPORT).place == (2, 1)
        assert box.alarms() == {}
    assert check(pair.hub.folder, with_assets=False).problems == ()


def test_j12_what_refers_to_something_that_has_not_come_waits_for_it(pair: World) -> None:
    """A take before its offer, an answer before its order: parked, those of their key too, then done."""
    with pair.box() as box:
        applying = Applying(box.config, box.clock.wall_us)
        bodies: list[tuple[str, str, records.Body]] = [
            ("take", "i1", records.Take("i1")),
            ("untake", "i1", records.Untake("i1")),
            ("take", "i1", records.Take("i1")),
            ("answer", "o1", records.Answer("o1", "accepted", "值班", AT)),
            ("tip", "t1", records.Tip("t1", "路灯", AT)),
        ]
        last = genesis(REPORT)
        said = []
        for kind, key, body in bodies:
            said.append(append(last, kind, key, records.encode(body), box.clock.us))
            last = position_after(said[-1])
        signed = sign_checkpoint(last, box.clock.us, box.clock.us, KEY)
        judgement = judge(genesis(REPORT), said, signed, KEY.public_key())
        parked = journals.accept(box.db, judgement, signed, applying)
        assert [(each.kind, each.key) for each in parked] == [
            ("take", "i1"),
            ("untake", "i1"),
            ("take", "i1"),
            ("answer", "o1"),
        ]
        assert "has not come" in parked[0].reason.en
        offer = Item("i1", "稿件", "news", "hub", AT, sign_offs=(SignOff("final", "总编", AT),))
        pair.hub.write("all/content", "offer", "i1", offer)
        pair.hub.order(SITE, "o1")
        with transaction(box.db):
            box.db.execute("INSERT OR REPLACE INTO standing VALUES (?, 1, ?)", (REPORT, ONE))
        box.talk()
        assert box.rows("SELECT taken FROM items WHERE id = 'i1'") == [1]
        assert box.rows("SELECT answer FROM orders WHERE id = 'o1'") == ["accepted"]
        assert journals.parked_count(box.db) == 0


HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)


def _batch_line() -> tuple[bytes, tuple[bytes, ...]]:
    """A batch of three orders as it goes over the line, and each of them as it was written."""
    last, written = genesis(CONTROL), []
    for number in range(3):
        body = records.encode(records.Order(id=f"o{number}", title="采访防汛"))
        written.append(append(last, "order", f"o{number}", body, 1_795_500_000 * US))
        last = position_after(written[-1])
    text = checkpoint_text(sign_checkpoint(last, 1_795_500_000 * US, 1_795_500_600 * US, HUB_KEY))
    line = wire.encoded(wire.Records(CONTROL, wire.pairs_of(written), text))
    return line, tuple(map(_bytes_of, written))


def _bytes_of(record: Record) -> bytes:
    return record.header_bytes + b"\n" + (record.body or b"")


LINE, WRITTEN = _batch_line()


def _accepted(*lines: bytes) -> list[bytes]:
    """Records that a box accepts when it is told this; nothing else may come of it but an end or a refusal."""
    hub = Session.hub(SITE, "songshan", genesis(REPORT), {}, "", 0)
    box = Session.box(SITE, {}, genesis(REPORT), "", 0)
    box.receive(hub.data_to_send())
    last, accepted = genesis(CONTROL), list[bytes]()
    for line in lines:
        try:
            events = box.receive(line)
        except ProtocolError:
            return accepted
        for event in events:
            if isinstance(event, RecordsArrived) and event.stream == CONTROL:
                judgement = judge(last, event.records, event.checkpoint, HUB_KEY.public_key())
                last = judgement.position
                accepted += map(_bytes_of, judgement.accepted)
                if judgement.verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.STALE):
                    box.ack(last)
                else:
                    box.refuse(CONTROL, judgement.verdict, judgement.reason)
    return accepted


@given(st.integers(0, len(LINE) - 1), st.integers(0, 7))
@settings(max_examples=400, deadline=None)
def test_j16_no_flipped_bit_of_a_delivery_is_believed(byte: int, bit: int) -> None:
    """What is accepted is what the hub wrote, to the byte, or nothing."""
    flipped = bytearray(LINE)
    flipped[byte] ^= 1 << bit
    accepted = _accepted(bytes(flipped))
    assert accepted in ([], list(WRITTEN))


@given(st.integers(0, len(LINE)))
@settings(max_examples=200, deadline=None)
def test_j16_a_delivery_that_is_cut_off_anywhere_counts_whole_or_not_at_all(length: int) -> None:
    """The rest comes after the next greeting."""
    assert _accepted(LINE[:length]) == (list(WRITTEN) if length == len(LINE) else [])


def test_j16_what_comes_in_one_breath_with_what_is_refused_changes_nothing_at_the_hub(pair: World) -> None:
    """Two lines in one read: the first makes the hub refuse the stream, so it does not look at the second."""
    hub, box = HubConversation(pair.hub.folder, SITE), Session.box(SITE, {}, genesis(REPORT), "", pair.clock.us)
    hub.receive(box.data_to_send())
    box.receive(hub.data_to_send())
    tip = append(genesis(REPORT), "tip", "t1", records.encode(records.Tip(id="t1", text="路灯", at=AT)), 0)
    box.offer(REPORT, (), sign_checkpoint(position_after(tip), 0, 0, KEY_AFTER))
    box.offer(REPORT, (tip,), sign_checkpoint(position_after(tip), 0, 0, KEY))
    hub.receive(box.data_to_send())
    said = [type(event).__name__ for event in box.receive(hub.data_to_send())]
    assert (pair.hub.keys(REPORT), said) == ([], ["RefusedBy"])


def test_j16_what_comes_in_one_breath_with_what_is_refused_changes_nothing_at_the_box(pair: World) -> None:
    """And its agent goes on."""
    with pair.box() as box:
        box.talk()
        session = _meet_a_stranger(pair, box)
        order = append(genesis(CONTROL), "order", "o1", records.encode(records.Order(id="o1", title="x")), box.clock.us)
        until_us = box.clock.us + 600 * US
        session.offer(CONTROL, (), sign_checkpoint(position_after(order), box.clock.us, until_us, KEY_AFTER))
        signed = sign_checkpoint(position_after(order), box.clock.us, until_us, pair.hub.journals.key)
        session.offer(CONTROL, (order,), signed)
        box.talk(5)
        assert box.orders() == []
        assert box.stranger is not None
        assert box.stranger.refused() == {CONTROL: "broken"}


def test_j01_a_machine_that_greets_and_writes_in_one_breath_writes_nothing_once_it_is_fenced(pair: World) -> None:
    """It has heard the hub's greeting before its own was read: that must not let one batch through."""
    for machine in (ONE, OTHER):
        HubConversation(pair.hub.folder, SITE).receive(
            Session.box(SITE, {}, genesis(REPORT), "", pair.clock.us, machine).data_to_send()
        )
    hub, box = HubConversation(pair.hub.folder, SITE), Session.box(SITE, {}, genesis(REPORT), "", pair.clock.us, ONE)
    box.receive(hub.data_to_send())
    tip = append(genesis(REPORT), "tip", "t1", records.encode(records.Tip(id="t1", text="路灯", at=AT)), 0)
    box.offer(REPORT, (tip,), sign_checkpoint(position_after(tip), 0, 0, KEY))
    hub.receive(box.data_to_send())
    assert pair.hub.fenced(SITE) == (OTHER, ONE)
    assert pair.hub.keys(REPORT) == []


@given(st.lists(st.sampled_from([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]), max_size=6))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_j16_doubled_and_reordered_batches_are_done_once_and_in_order(pieces: list[tuple[int, int]]) -> None:
    """Whatever order they come in, what is accepted is a beginning of what was written."""
    line = wire.FROM_HUB.decode(LINE[:-1])
    assert isinstance(line, wire.Records)
    parsed = wire.parsed(line.records)
    lines = []
    for first, end in pieces:
        part = parsed[first:end]
        signed = sign_checkpoint(position_after(part[-1]), 1_795_500_000 * US, 1_795_500_600 * US, HUB_KEY)
        lines.append(wire.encoded(wire.Records(CONTROL, wire.pairs_of(part), checkpoint_text(signed))))
    accepted = _accepted(*lines)
    assert accepted == list(WRITTEN[: len(accepted)])


@pytest.mark.parametrize("year_s", [0, 2_140_000_000])
def test_j19_a_clock_of_1970_or_2037_keeps_no_recall_away(pair: World, year_s: int) -> None:
    """Order is by sequence; and whether the hub's word is fresh, its own clock tells as well."""
    with pair.box() as box:
        box.talk()
        hub_clock, box.clock.us = box.clock.us, year_s * US
        pair.hub.clock = type(pair.hub.clock)(hub_clock)
        pair.hub.recall("i1")
        pair.hub.order(SITE, "o1")
        box.say("t1")
        pair.hub.cut()
        for _turn in range(80):
            box.turn(US)
        assert box.rows("SELECT target FROM tombstones") == ["i1"]
        assert (box.orders(), pair.hub.keys(REPORT)) == (["o1"], ["t1"])
        box.clock.us = hub_clock
        pair.hub.order(SITE, "o2")
        box.say("t2")
        pair.hub.cut()
        box.turn()
        box.line.next_attempt_us = 0
        box.talk()
        assert (box.orders(), pair.hub.keys(REPORT)) == (["o1", "o2"], ["t1", "t2"])


def test_j20_a_break_in_of_yesterday_does_not_air_today(pair: World) -> None:
    """It was meant for 20:00; it came after the outage."""
    with pair.box() as box:
        meant_us = box.clock.us
        asset = Asset("sha256:" + "a" * 64, 10, "汛情.mp4", "video/mp4", "video")
        body = records.Insert("n1", "dengfeng-1", asset, to_text(meant_us + 900 * US), to_text(meant_us))
        pair.hub.write(CONTROL, "insert", "n1", body)
        box.clock.us += 86_400 * US
        box.talk()
        compile_air(box.db, box.config)
        assert box.rows("SELECT state FROM inserts") == ["missed"]
        assert box.rows("SELECT count(*) FROM ledger WHERE kind = 'emergency'") == [0]


def test_j22_a_site_that_shows_anothers_head_is_told_nothing(tmp_path: Path) -> None:
    """Neither what the other has said nor whether there is such a place."""
    pair = world(tmp_path, SITE, "zhongmu")
    with pair.box("other", site="zhongmu") as other:
        other.say("secret")
        other.talk()
        theirs = other.position("zhongmu/report")
    hello = Session.box(SITE, {}, genesis(REPORT), "", 0).data_to_send()
    for line in (
        wire.Ask("zhongmu/report", (wire.head_of(theirs),)),
        wire.Ask(REPORT, (wire.head_of(theirs), wire.head_of(genesis(REPORT)))),
    ):
        hub = HubConversation(pair.hub.folder, SITE)
        hub.receive(hello + wire.encoded(line))
        hub.turn()
        said = hub.data_to_send()
        assert b"secret" not in said
        assert theirs.head.encode() not in said
    with pytest.raises(ProtocolError):
        Session.hub(SITE, "songshan", genesis(REPORT), {}, "", 0).receive(
            hello + wire.encoded(wire.Ask("zhongmu/report", (wire.head_of(theirs),)))
        )


def test_j23_a_hub_that_shows_another_history_to_the_auditor_is_found_out(pair: World) -> None:
    """The box has said what it was shown; whoever checks the folder finds that it is not there."""
    with pair.box() as box:
        pair.hub.order(SITE, "o1")
        box.say("a")
        box.talk()
        backup = pair.hub.back_up()
        pair.hub.order(SITE, "shown")
        box.talk()
        box.clock.us += 2 * SEEN_EVERY_US
        witness = Witness(box.db, box.config)
        for _again in range(2):
            with transaction(box.db):
                witness.tell(box.clock.us)
        box.talk()
        assert pair.hub.keys(REPORT) == ["a", "hub"]
        assert check(pair.hub.folder, with_assets=False).problems == ()
        for_auditor = pair.hub.back_up()
        shutil.rmtree(for_auditor / "journals" / SITE / "control")
        shutil.copytree(backup / "journals" / SITE / "control", for_auditor / "journals" / SITE / "control")
        other = type(pair.hub)(for_auditor, box.clock)
        other.order(SITE, "hidden")
        [problem] = check(other.folder, with_assets=False).problems
        assert f"{CONTROL} 1:2" in problem.en


def test_j24_an_older_agent_leaves_a_newer_database_as_it_is(pair: World) -> None:
    """After a rollback of the software: a clear word, and not a byte changed."""
    with pair.box() as box:
        box.db["_sqlite_migrations"].insert(
            {"migration_set": "songshan-edge", "name": "of_next_year", "applied_at": AT}, pk=None
        )
        path = box.config.database
    before = path.read_bytes()
    with pytest.raises(Refused, match="of_next_year"):
        database.open_for_writing(path)
    assert path.read_bytes() == before
