"""J9: the hub's signing key is changed while counties are away; they come over by themselves, the old one ends."""

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance import stick as sticks
from appliance.core import records
from appliance.core.carry import Label
from appliance.core.errors import Refused
from appliance.core.journal import (
    append,
    genesis,
    is_signed_by,
    parse_public_key,
    position_after,
    public_key_text,
    sign_checkpoint,
)
from appliance.core.moment import US
from appliance.core.rotation import is_proven, rotated
from appliance.store import hub_keys
from appliance.store.audit import keys_of_hub
from provisioning import identity
from provisioning.hub import forks, keys, rotation, snapshots
from provisioning.hub.carry import export
from provisioning.hub.compaction import compact_one
from provisioning.hub.verify import check
from tests.sync.pair import SITE, County, World, world

DAY_US = 86_400 * US
CONTROL, ALL = f"{SITE}/control", "all/control"
STEPS = ("made", "announced", "kept", "covered", "switched", "signed all/control", f"signed {CONTROL}")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def pair(tmp_path: Path) -> World:
    return world(tmp_path)


def _rotate(pair: World) -> Ed25519PrivateKey:
    """Change the key; the old one, as a thief has it."""
    old = identity.read_private(pair.hub.folder.sign_key)
    for _done in rotation.steps(pair.hub.folder):
        pass
    return old


def _trusted(box: County) -> str:
    assert box.config.hub is not None
    return hub_keys.trusted(box.db, box.config.hub.sign_key)


def _agrees(pair: World, box: County) -> bool:
    names = (ALL, CONTROL, "all/content", f"{SITE}/content", f"{SITE}/report")
    return all(box.position(name) == pair.hub.position(name) for name in names)


def _recalled(box: County) -> list[str]:
    return box.rows("SELECT target FROM tombstones ORDER BY target")


def test_j09_a_county_that_was_away_for_a_month_comes_over_and_loses_nothing(pair: World) -> None:
    """More than a batch of records lies before the change, and more behind it: all of it is done, nobody has to act."""
    with pair.box() as box:
        pair.hub.recall("i000")
        box.talk()
        box.is_connected = False
        pair.hub.cut()
        for number in range(1, 300):
            pair.hub.recall(f"i{number:03d}")
        pair.hub.order(SITE, "o1")
        _rotate(pair)
        pair.hub.recall("i300")
        pair.hub.order(SITE, "o2")
        box.say("t1", "t2")
        pair.clock.us += 30 * DAY_US
        box.is_connected = True
        box.talk()
        assert _trusted(box) == pair.hub.journals.signs()
        assert _agrees(pair, box)
        assert _recalled(box) == [f"i{number:03d}" for number in range(301)]
        assert (box.orders(), pair.hub.keys(f"{SITE}/report")) == (["o1", "o2"], ["t1", "t2"])
        assert (box.alarms(), box.rows("SELECT key FROM journal WHERE state = 'parked'")) == ({}, [])
    assert check(pair.hub.folder, False).problems == ()


def test_j09_a_county_that_is_on_the_line_comes_over_at_once(pair: World) -> None:
    """Its session ends, the next one tells it the new key, the one after that goes on."""
    with pair.box() as box:
        pair.hub.order(SITE, "o1")
        box.talk()
        _rotate(pair)
        pair.hub.order(SITE, "o2")
        box.talk()
        assert (box.orders(), box.alarms()) == (["o1", "o2"], {})
        assert _trusted(box) == pair.hub.journals.signs()


def test_j09_two_changes_while_a_county_is_away(pair: World) -> None:
    """Each key leads to the next."""
    with pair.box() as box:
        box.talk()
        box.is_connected = False
        pair.hub.cut()
        for name in ("i1", "i2", "i3"):
            pair.hub.recall(name)
            if name != "i3":
                _rotate(pair)
        pair.clock.us += 30 * DAY_US
        box.is_connected = True
        box.talk(120)
        assert _recalled(box) == ["i1", "i2", "i3"]
        assert (_agrees(pair, box), box.alarms()) == (True, {})
        assert len(keys.former_keys(pair.hub.folder)) == 2


@pytest.mark.parametrize("stream", [ALL, CONTROL])
def test_j09_the_old_key_is_worth_nothing_to_a_box_that_has_come_over(pair: World, stream: str) -> None:
    """Whoever stole it and stands in the hub's place: neither a record behind the head nor a fork is taken."""
    with pair.box() as box:
        pair.hub.recall("i0")
        pair.hub.order(SITE, "o0")
        box.talk()
        before = box.position(stream)
        old = _rotate(pair)
        box.talk()
        assert _trusted(box) != public_key_text(old.public_key())
        last = box.position(stream)
        body = records.encode(records.Recall("forged", "x", "2026-11-24T06:00:00Z"))
        for place in {before, last}:
            thief = box.stranger = pair.stranger()
            pair.hub.cut()
            box.talk()
            record = append(place, "recall", "forged", body, pair.clock.us)
            signed = sign_checkpoint(position_after(record), pair.clock.us, pair.clock.us + DAY_US, old)
            thief.session.offer(stream, [record], signed)
            box.talk()
            assert thief.refused() == {stream: "broken"}
            assert box.position(stream) == last
            assert "forged" not in _recalled(box)
            thief.is_up, box.stranger = False, None
            pair.hub.cut()
            box.talk()
        assert (_agrees(pair, box), box.alarms()) == (True, {})


def test_j09_a_change_that_the_keys_did_not_sign_is_parked(pair: World) -> None:
    """It is kept with its reason, changes nothing, and what follows goes on."""
    with pair.box() as box:
        box.talk()
        trusted = _trusted(box)
        own, foreign = identity.read_private(pair.hub.folder.sign_key), Ed25519PrivateKey.generate()
        good = rotated("songshan", own, foreign, pair.clock.us)
        bad = [
            records.Rotate(good.former, good.sign_key, good.word, good.word, good.at),
            records.Rotate(good.former, good.sign_key, good.proof, good.proof, good.at),
            rotated("elsewhere", own, foreign, pair.clock.us),
        ]
        for number, body in enumerate(bad):
            pair.hub.write(ALL, "rotate", f"r{number}", body)
        pair.hub.write(CONTROL, "rotate", "r3", good)
        pair.hub.order(SITE, "o1")
        box.talk()
        assert box.rows("SELECT key FROM journal WHERE state = 'parked' ORDER BY key") == ["r0", "r1", "r2", "r3"]
        assert (_trusted(box), box.orders(), box.alarms()) == (trusted, ["o1"], {})


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("writes_on", [False, True])
def test_j09_killed_at_any_step_and_run_again(pair: World, step: str, writes_on: bool) -> None:
    """One record, one change, one key at the end; whatever the hub wrote in between comes too."""
    with pair.box() as box:
        pair.hub.recall("i1")
        pair.hub.order(SITE, "o1")
        box.talk()
        old = pair.hub.journals.signs()
        with closing(rotation.steps(pair.hub.folder)) as steps:
            while next(steps) != step:
                pass
        if writes_on:
            pair.hub.recall("i2")
            pair.hub.order(SITE, "o2")
            box.talk(90)
        _rotate_on(pair)
        pair.hub.recall("i3")
        pair.hub.order(SITE, "o3")
        box.talk(120)
        assert keys.former_keys(pair.hub.folder) == (old,)
        assert len([key for key in pair.hub.keys(ALL) if key == old]) == 1
        assert not pair.hub.folder.next_sign_key.exists()
        line = identity.public_line(identity.read_private(pair.hub.folder.sign_key).public_key())
        assert pair.hub.folder.sign_key.with_name("sign.pub").read_text().startswith(line)
        assert (_agrees(pair, box), box.alarms()) == (True, {})
        assert _trusted(box) == pair.hub.journals.signs()
        assert "i3" in _recalled(box)
        assert "o3" in box.orders()
    with pair.box() as again:
        assert again.position(ALL) == pair.hub.position(ALL)
    assert check(pair.hub.folder, False).problems == ()


def _rotate_on(pair: World) -> None:
    for _done in rotation.steps(pair.hub.folder):
        pass


def test_j09_heads_of_the_former_key_are_not_given_out_once_it_has_gone(pair: World) -> None:
    """Killed just behind the switch: whoever asks for a head gets one of the key that signs now."""
    pair.hub.order(SITE, "o1")
    with closing(rotation.steps(pair.hub.folder)) as steps:
        while next(steps) != "switched":
            pass
    signed = pair.hub.journals.fresh_checkpoint(CONTROL, pair.clock.us)
    assert is_signed_by(signed, pair.hub.journals.key.public_key())


def test_j09_nothing_of_the_former_key_is_left_on_the_disk(pair: World) -> None:
    """Its file is written over before it goes; whoever holds it open reads zeros."""
    with pair.hub.folder.sign_key.open("rb") as file:
        _rotate(pair)
        assert file.read().strip(b"\0") == b""


def test_j09_a_box_that_joined_after_the_change_reads_from_the_beginning(pair: World) -> None:
    """Its bundle has the new key; the record of the change is none of its business."""
    pair.hub.recall("i1")
    _rotate(pair)
    _rotate(pair)
    with pair.box("new") as box:
        box.talk()
        assert (_recalled(box), box.alarms(), _agrees(pair, box)) == (["i1"], {}, True)
        assert box.rows("SELECT former FROM hub_keys") == []


def test_j09_a_stream_that_was_compacted_before_the_change_leads_over_all_the_same(pair: World) -> None:
    """The snapshot is vouched for by the old key too; from then on the stream is not compacted any more."""
    with pair.box() as box:
        box.is_connected = False
        pair.hub.recall("i1")
        snapshots.compact(pair.hub.journals, ALL, snapshots.make(pair.hub.journals, ALL))
        pair.hub.recall("i2")
        _rotate(pair)
        snapshots.make(pair.hub.journals, ALL)
        left = compact_one(pair.hub.folder, ALL, 30)
        assert left is not None
        assert left.reason is not None
        box.is_connected = True
        box.talk(90)
        assert (_recalled(box), box.alarms(), _agrees(pair, box)) == (["i1", "i2"], {}, True)
    assert check(pair.hub.folder, False).problems == ()


def test_j09_snapshots_are_vouched_for_anew(pair: World) -> None:
    """A box that joins after the change begins with one that was made before it."""
    pair.hub.order(SITE, "o1")
    snapshots.compact(pair.hub.journals, CONTROL, snapshots.make(pair.hub.journals, CONTROL))
    _rotate(pair)
    pair.hub.order(SITE, "o2")
    with pair.box("new") as box:
        box.talk()
        assert (box.orders(), box.alarms()) == (["o1", "o2"], {})


def test_j09_a_hub_from_before_the_change_is_not_believed_and_mended_with_its_keys(pair: World) -> None:
    """The box says what to do; with the keys of the newer copy the hub takes its records back, and all goes on."""
    with pair.box() as box:
        pair.hub.recall("i1")
        box.talk()
        backup = pair.hub.back_up()
        pair.hub.recall("i2")
        _rotate(pair)
        pair.hub.order(SITE, "o1")
        box.talk()
        trusted, newer = _trusted(box), pair.hub.back_up()
        pair.hub.come_back(backup)
        pair.hub.order(SITE, "lost")
        box.talk()
        assert (_trusted(box), box.orders()) == (trusted, ["o1"])
        assert box.rows("SELECT id FROM alarms WHERE id LIKE '%hub-key%'") != []
        pair.hub.cut()
        shutil.rmtree(pair.hub.path / "keys")
        shutil.copytree(newer / "keys", pair.hub.path / "keys")
        box.talk(120)
        assert (_agrees(pair, box), box.alarms()) == (True, {})
        assert box.orders() == ["lost", "o1"]
        assert pair.hub.keys(ALL)[:2] == ["i1", "i2"]
        assert box.rows("SELECT id FROM alarms WHERE id LIKE '%hub-key%'") == []


def test_j09_a_county_on_a_branch_that_the_hub_lost_before_the_change_comes_over(pair: World) -> None:
    """What it holds beyond what was there at the change might be a thief's: it is kept, and not said to anybody."""
    with pair.box() as box:
        pair.hub.recall("i1")
        box.talk()
        backup = pair.hub.back_up()
        for name in ("i2", "i3"):
            pair.hub.recall(name)
        box.talk()
        pair.hub.come_back(backup)
        pair.hub.recall("i4")
        old = _rotate(pair)
        pair.clock.us += 30 * DAY_US
        box.talk(120)
        assert _trusted(box) == pair.hub.journals.signs()
        assert _recalled(box) == ["i1", "i2", "i3", "i4"]
        assert pair.hub.keys(ALL) == ["i1", "i4", public_key_text(old.public_key())]
        kept = b"".join(path.read_bytes() for path in pair.hub.journals.stream(ALL).forks.glob("*.records"))
        assert (b"i2" in kept, b"i3" in kept) == (True, True)
        assert (_agrees(pair, box), box.alarms()) == (True, {})


def test_j09_what_is_under_way_when_a_box_learns_of_the_key_raises_no_alarm(pair: World) -> None:
    """It was signed by the key that went: it comes again in the next session."""
    with pair.box() as box:
        pair.hub.order(SITE, "o0")
        box.talk()
        old = identity.read_private(pair.hub.folder.sign_key)
        body = rotated("songshan", old, Ed25519PrivateKey.generate(), pair.clock.us)
        said = append(box.position(ALL), "rotate", body.former, records.encode(body), pair.clock.us)
        order = records.encode(records.Order(id="o1", title="采访"))
        later = append(box.position(CONTROL), "order", "o1", order, pair.clock.us)
        hub = box.stranger = pair.stranger()
        pair.hub.cut()
        box.talk()
        for record in (said, later):
            signed = sign_checkpoint(position_after(record), pair.clock.us, pair.clock.us + DAY_US, old)
            hub.session.offer(record.header.stream, [record], signed)
        box.turn()
        assert (_trusted(box), hub.refused()) == (body.sign_key, {})
        assert (box.orders(), box.alarms()) == (["o0"], {})


@pytest.mark.parametrize("behind", [0, 1])
def test_j09_what_a_thief_signs_with_the_old_key_is_not_taken_back_by_the_hub(pair: World, behind: int) -> None:
    """He has a box that is let in as well: neither behind the end of that key nor beside its history."""
    pair.hub.order(SITE, "o1")
    old = _rotate(pair)
    places = [genesis(CONTROL), pair.hub.position(CONTROL)]
    forged = append(places[behind], "order", "x", records.encode(records.Order(id="x", title="x")), 0)
    signed = sign_checkpoint(position_after(forged), 0, 0, old)
    with pytest.raises(Refused):
        forks.take_back(pair.hub.journals, CONTROL, places[behind], [forged], signed)
    assert pair.hub.keys(CONTROL) == ["o1"]


def test_j09_a_hub_behind_takes_nothing_back_beyond_the_end_of_the_former_key(pair: World) -> None:
    """It cannot tell a thief's records from its own that it lost; there are no more of them than it had signed."""
    pair.hub.order(SITE, "o1")
    backup, last = pair.hub.back_up(), pair.hub.position(CONTROL)
    pair.hub.order(SITE, "o2")
    old, newer = _rotate(pair), pair.hub.back_up()
    pair.hub.come_back(backup)
    shutil.rmtree(pair.hub.path / "keys")
    shutil.copytree(newer / "keys", pair.hub.path / "keys")
    body = records.encode(records.Order(id="x", title="x"))
    first = append(last, "order", "x", body, 0)
    second = append(position_after(first), "order", "x", body, 0)
    with pytest.raises(Refused):
        forks.take_back(
            pair.hub.journals, CONTROL, last, [first, second], sign_checkpoint(position_after(second), 0, 0, old)
        )
    assert pair.hub.keys(CONTROL) == ["o1"]


def test_j09_a_hub_behind_takes_back_what_the_former_key_signed(pair: World) -> None:
    """It came back from before the change, with the keys of the newer copy: what it lacks was signed before."""
    pair.hub.order(SITE, "o1")
    with pair.box() as box:
        box.talk()
        backup = pair.hub.back_up()
        for number in range(2, 400):
            pair.hub.order(SITE, f"o{number}")
        box.talk()
        _rotate(pair)
        box.talk(90)
        newer = pair.hub.back_up()
        pair.hub.come_back(backup)
        shutil.rmtree(pair.hub.path / "keys")
        shutil.copytree(newer / "keys", pair.hub.path / "keys")
        assert check(pair.hub.folder, False).problems == ()
        box.talk(120)
        assert pair.hub.keys(CONTROL) == [f"o{number}" for number in range(1, 400)]
        assert (_agrees(pair, box), box.alarms()) == (True, {})


def test_j09_the_audit_goes_by_the_chain_of_keys_and_by_no_table(pair: World) -> None:
    """From the key of the bundle to the one that signs now; a row that nobody signed leads nowhere."""
    with pair.box() as box:
        box.talk()
        first = _trusted(box)
        _rotate(pair)
        box.talk(90)
        foreign = public_key_text(Ed25519PrivateKey.generate().public_key())
        box.db.execute("INSERT INTO hub_keys VALUES (?, ?, 1, 9)", (_trusted(box), foreign))
        found = keys_of_hub(box.db, "songshan", first)
        assert [public_key_text(key) for key in found] == [first, pair.hub.journals.signs()]
        assert len(keys_of_hub(box.db, "elsewhere", first)) == 1


def test_j09_no_stick_is_written_for_a_box_that_trusts_a_former_key(pair: World, tmp_path: Path) -> None:
    """It could take nothing of it; once it was on the line it can."""
    folder, path = pair.hub.folder, tmp_path / "stick"
    path.mkdir()
    label = Label(v=1, id="0" * 32, site=SITE, hub="songshan", made_by="hub", at="2026-11-24T06:00:00Z")
    with pair.box() as box, sticks.opened(path, to_write=True) as stick:
        sticks.label(stick, label)
        box.talk()
        _rotate(pair)
        with pytest.raises(Refused, match="does not know the key"):
            export(folder, SITE, stick, label)
        box.talk(90)
        assert export(folder, SITE, stick, label).problems == []


def test_j09_both_keys_sign_the_change() -> None:
    """A statement by one of them, or for another hub, is none."""
    old, new = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32), Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
    body = rotated("songshan", old, new, 0)
    assert is_proven("songshan", body)
    assert not is_proven("songshan2", body)
    assert not is_proven("songshan", rotated("songshan", old, old, 0))
    assert not is_proven("songshan", records.Rotate(body.former, body.sign_key, body.word, body.word, body.at))
    assert not is_proven("songshan", records.Rotate(body.former, body.sign_key, "", body.proof, body.at))
    parse_public_key(body.sign_key)
