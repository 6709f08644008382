"""The keys of a box come due, and change, while its session stands: both ends go on in one history."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.journal import is_signed_by
from appliance.core.key_term import DAY_US
from appliance.store import facts, journals
from provisioning import identity
from provisioning.hub.rekeying import rekey, rekeyed
from provisioning.rekeying import confirmed, said
from tests.sync.pair import KEY, SITE, Ticking, World, world


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def pair(tmp_path: Path) -> World:
    """A hub at which keys run out."""
    made = world(tmp_path)
    settings = made.hub.folder.settings_file
    settings.write_text(settings.read_text().replace("key_valid_days = 0", "key_valid_days = 180"))
    return made


@pytest.mark.parametrize("box_us", [None, 0, 4_000_000_000_000_000])
def test_the_hubs_clock_says_when_and_a_box_in_1970_hears_it(pair: World, box_us: int | None) -> None:
    """A session may stand for months: it is ended once, so that the next greeting says that it is time."""
    with pair.box() as box:
        box.talk()
        assert not box.conversation.must_renew_keys
        session = pair.hub.sessions[SITE]
        if box_us is not None:
            box.clock = Ticking(box_us)
            box.line.next_attempt_us = 0
        pair.clock.us += 119 * DAY_US
        box.turn()
        assert not box.conversation.must_renew_keys and pair.hub.sessions[SITE] is session
        pair.clock.us += 2 * DAY_US
        box.talk()
        assert box.conversation.must_renew_keys
        assert pair.hub.sessions[SITE] is not session
        session = pair.hub.sessions[SITE]
        box.talk()
        assert pair.hub.sessions[SITE] is session, "it is told once"
        key = facts.snapshot(box.db, box.config, box.clock.us).key
        assert key.until_us is not None and key.until_us - pair.clock.us < 60 * DAY_US


def test_what_was_on_its_way_when_the_keys_changed_comes_under_the_new_one(pair: World) -> None:
    """The box reads its key at each greeting, whoever changed it; the hub judges nothing by a key that has gone."""
    folder, following = pair.hub.folder, Ed25519PrivateKey.generate()
    with pair.box() as box:
        box.say("before")
        box.talk()
        line = identity.public_line(following.public_key())
        assert rekey(folder, SITE, said("songshan", SITE, line, KEY, following), pair.clock.us).verdict == "taken"
        box.say("between")
        box.talk()
        box.config.sign_key.parent.mkdir(exist_ok=True)
        box.config.sign_key.write_bytes(identity.private_text(following))
        assert rekeyed(folder, SITE, confirmed("songshan", SITE, following), pair.clock.us).verdict == "changed"
        box.say("after")
        box.talk()
        box.talk()
        assert pair.hub.keys(box.own) == ["before", "between", "after"]
        assert box.alarms() == {}
        assert not (folder.log / "refusals.jsonl").exists()
        covered = pair.hub.journals.stream(box.own).covered()
        assert covered is not None and covered.checkpoint.position == box.position(box.own)


def test_an_auditor_of_the_box_finds_its_head_under_the_key_that_it_has(pair: World) -> None:
    """Also where nothing was said since the change."""
    following = Ed25519PrivateKey.generate()
    with pair.box() as box:
        box.say("before")
        box.talk()
        box.config.sign_key.parent.mkdir(exist_ok=True)
        box.config.sign_key.write_bytes(identity.private_text(following))
        box.conversation.take_up_keys()
        box.conversation.own.vouch(box.clock.us)
        signed = journals.checkpoint(box.db, box.own)
        assert signed is not None and signed.position == box.position(box.own)
        assert is_signed_by(signed, following.public_key())
