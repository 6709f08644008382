"""A box changes its keys over a real sshd: at no moment is it locked out, and afterwards the old ones open nothing."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.command import songshan
from appliance.core.errors import LockedOut
from appliance.core.events import Acked, Greeted
from appliance.core.journal import public_key_text, sign_checkpoint
from appliance.core.records import Answer
from provisioning import identity
from provisioning.hub.rekeying import key_of, rekey, rekeyed
from provisioning.hub.sites import site_of
from provisioning.rekeying import confirmed, said
from tests.appliance.boxes import dies
from tests.provisioning.live import LiveBox, LiveHub, program
from tests.provisioning.test_key_terms import aged

AT = "2026-11-26T00:00:00.000000Z"


def answers(box: LiveBox) -> bool:
    """Whether what this box says in a session, under the signing key on its disk, is taken."""
    with box.session() as session:
        session.wait(Greeted)
        session.send(("answer", "o1", Answer(order="o1", answer="done", by="王工", at=AT)))
        session.wait(Acked)
    return True


def rotates(box: LiveBox) -> None:
    done = CliRunner().invoke(songshan, ["--home", str(box.home), "rotate-keys"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception


def test_the_keys_are_new_and_the_old_ones_open_nothing(hub: LiveHub, tmp_path: Path) -> None:
    """As a technician types it; what the old key signed stays the site's."""
    box = hub.box("zhongyuan", tmp_path / "box")
    before = site_of(hub.folder, "zhongyuan")
    shutil.copytree(box.home, tmp_path / "thief")
    argv = [program("songshan"), "--home", str(box.home), "rotate-keys", "--json"]
    env = {**os.environ, "SONGSHAN_LANG": "en"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 0, done.stderr
    after = site_of(hub.folder, "zhongyuan")
    assert after.ssh_key != before.ssh_key and after.former_sign_keys == (before.sign_key,)
    assert after.ssh_key is not None
    told = {"fingerprint": identity.fingerprint(after.ssh_key), "former_is_refused": True}
    assert json.loads(done.stdout) == told
    assert (after.next_ssh_key, after.next_sign_key) == (None, None)
    assert {path.name for path in (box.home / "keys").iterdir()} <= {"ssh", "ssh.pub", "sign", "sign.pub", "unused"}
    assert answers(box)
    thief = LiveBox(hub, "zhongyuan", tmp_path / "thief", box.bundle)
    assert b"Permission denied" in thief.command("session").stderr


def test_killed_at_any_step_the_box_is_never_locked_out(hub: LiveHub, tmp_path: Path) -> None:
    """Power cuts do not ask whether somebody is changing keys, nor whether the old ones have run out; whatever pair
    lies in place then opens the door."""
    box = hub.box("erqi", tmp_path / "box")
    aged(hub, "erqi", 400)
    step, seen = 1, set()
    while dies(lambda: rotates(box), step):
        key, known = box.sign_key.public_key(), site_of(hub.folder, "erqi")
        assert public_key_text(key) in (known.sign_key, known.next_sign_key)
        line = (hub.path / "ssh/authorized_keys").read_text()
        assert identity.public_line(identity.read_private(box.home / "keys/ssh").public_key()) in line
        seen.add(public_key_text(key))
        step += 4
    assert step > 8
    assert len(seen) > 1, "killed before and after the switch"
    assert answers(box)
    assert site_of(hub.folder, "erqi").next_ssh_key is None


def test_only_who_has_the_signing_key_changes_the_keys(hub: LiveHub, tmp_path: Path) -> None:
    """A thief of the transport key alone must not make himself the box."""
    box = hub.box("guancheng", tmp_path / "box")
    thief, line = Ed25519PrivateKey.generate(), identity.public_line(Ed25519PrivateKey.generate().public_key())
    name = hub.folder.settings().id
    before = site_of(hub.folder, "guancheng")
    for request in (
        said(name, "guancheng", line, thief, thief),
        said(name, "another", line, box.sign_key, thief),
        said("another", "guancheng", line, box.sign_key, thief),
    ):
        assert rekey(hub.folder, "guancheng", request, 1).verdict == "refused"
    assert rekeyed(hub.folder, "guancheng", confirmed(name, "guancheng", thief), 1).verdict == "refused"
    assert site_of(hub.folder, "guancheng") == before
    good = said(name, "guancheng", line, box.sign_key, thief)
    assert rekey(hub.folder, "guancheng", good, 1).verdict == "taken"
    assert site_of(hub.folder, "guancheng").sign_key == public_key_text(box.sign_key.public_key())
    for key in (thief, box.sign_key):
        signed = sign_checkpoint(box.position(), 1, 2, key)
        assert key_of(hub.folder, "guancheng", signed) == key.public_key(), "both pairs are good meanwhile"


def test_a_box_that_was_revoked_changes_nothing(hub: LiveHub, tmp_path: Path) -> None:
    """Else new keys would let a stolen box in again."""
    box = hub.box("huiji", tmp_path / "box")
    hub.run("revoke", "huiji")
    key = (box.home / "keys/ssh").read_bytes()
    with pytest.raises(LockedOut):
        rotates(box)
    assert (box.home / "keys/ssh").read_bytes() == key
