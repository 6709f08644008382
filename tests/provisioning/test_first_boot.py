"""From a machine that knows nobody to a box that has joined, with nobody at its keys; over a real sshd."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.config import load
from appliance.core.events import Greeted
from appliance.core.first_boot import Told
from appliance.first_boot_told import read_told
from appliance.joining import UNITS, read_bundle
from tests.provisioning.live import LiveBox, LiveHub, program, until

OTHERS_UID = 12_345
SONGSHAN = program("songshan")
PRELOADED = (sys.executable, "-c", "import encodings.idna; from appliance.command import main; main()")
"""For a user who cannot read the Python of whoever runs the tests."""


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def invite(hub: LiveHub, site: str, out: Path, *options: str) -> Path:
    hub.run("enrol", site, "--out", str(out), *(options or ("--pre-approved",)))
    return out


class Machine:
    """A machine without a config; what its units are told is written into a file."""

    def __init__(self, root: Path) -> None:
        self.home = root / "box"
        self.asked = root / "asked"
        self.systemctl = root / "systemctl"
        self.systemctl.write_text(f'#!/bin/sh\necho "$@" >> {self.asked}\n')
        self.systemctl.chmod(0o755)

    def argv(self, *places: Path, tries: int = 20, program: Sequence[str] = (SONGSHAN,)) -> list[str]:
        options = ["--systemctl", str(self.systemctl), "--tries", str(tries), "--look-every", "0.05"]
        named = [word for place in places for word in ("--from", str(place))]
        return [*program, "--home", str(self.home), "first-boot", *options, *named]

    def boots(
        self, *places: Path, tries: int = 3, program: Sequence[str] = (SONGSHAN,)
    ) -> subprocess.CompletedProcess[str]:
        argv, env = self.argv(*places, tries=tries, program=program), {**os.environ, "SONGSHAN_LANG": "en"}
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env)

    @property
    def told(self) -> Told:
        told = read_told(self.home / "run/first-boot.json")
        assert told is not None
        return told

    @property
    def claim(self) -> Path:
        return self.home / "join.bundle"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_stick_is_all_that_a_new_machine_needs(hub: LiveHub, machine: Machine, stick: Path) -> None:
    """It joins, its units start, the claim is nowhere on it, and what was done can be read; again changes nothing.

    Its clock may say 1970 or 2090: whether a claim has run out is not asked here, it is the hub's to say.
    """
    bundle = invite(hub, "gongyi", stick / "gongyi.bundle")
    changed = json.loads(bundle.read_text())
    changed["claim"]["expires"] = "1971-01-01T00:00:00.000000Z"
    bundle.write_text(json.dumps(changed))
    done = machine.boots(stick)
    assert done.returncode == 0, done.stderr
    config = load(machine.home, {})
    assert (config.site, config.hub) == ("gongyi", read_bundle(bundle).hub)
    assert machine.asked.read_text().split() == ["enable", "--now", "--no-block", *UNITS]
    secret = read_bundle(bundle).claim.ssh_private_key.splitlines()[2].encode()
    assert not [path for path in machine.home.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert secret.decode() not in done.stdout + done.stderr
    told = machine.told
    assert (told.phase, told.site, told.is_approved, told.place) == ("joined", "gongyi", True, str(bundle))
    assert told.fingerprint in done.stdout
    box = LiveBox(hub, "gongyi", machine.home, read_bundle(bundle))
    with box.session() as session:
        session.wait(Greeted)
    before = (machine.home / "appliance.toml").read_bytes()
    machine.claim.write_bytes(bundle.read_bytes())
    assert machine.boots(stick).returncode == 0
    assert ((machine.home / "appliance.toml").read_bytes(), machine.claim.exists()) == (before, False)


def test_without_approval_the_box_is_ready_and_waits(hub: LiveHub, machine: Machine, stick: Path) -> None:
    """The operator compares the fingerprint when he can; nobody has to be in the county then."""
    invite(hub, "xinmi", stick / "xinmi.bundle", "--days", "1")
    assert machine.boots(stick).returncode == 0
    assert (machine.told.phase, machine.told.is_approved) == ("joined", False)
    assert machine.told.fingerprint in hub.run("approve", "xinmi")


def test_the_line_may_come_later_and_the_stick_may_go(quiet_hub: LiveHub, machine: Machine, stick: Path) -> None:
    """A copy that root alone reads is kept; killed meanwhile, the next boot goes on from it with the same keys."""
    quiet_hub.serve()
    quiet_hub.end()
    bundle = invite(quiet_hub, "dengfeng", stick / "dengfeng.bundle")
    running = subprocess.Popen(machine.argv(stick), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = until(lambda: (told := read_told(machine.home / "run/first-boot.json")) and told.tries and told)
    running.kill()
    running.wait(10)
    assert (told.phase, told.site, told.problem is not None) == ("waiting", "dengfeng", True)
    assert stat.S_IMODE(machine.claim.stat().st_mode) == 0o600
    key = (machine.home / "keys/ssh").read_bytes()
    bundle.unlink()
    quiet_hub.serve()
    assert machine.boots(stick).returncode == 0
    assert machine.told.phase == "joined" and not machine.claim.exists()
    assert (machine.home / "keys/ssh").read_bytes() == key


def test_a_spent_claim_is_told_and_a_new_one_is_taken(hub: LiveHub, machine: Machine, stick: Path) -> None:
    """A bundle that another machine used; the operator makes a new one, and nobody restarts anything."""
    spent = invite(hub, "shangjie", stick / "old.bundle")
    first = LiveBox(hub, "shangjie", stick.parent / "first", read_bundle(spent))
    assert first.join(spent).returncode == 0
    done = machine.boots(stick)
    assert (done.returncode, machine.told.phase, len(machine.told.refused)) == (3, "refused", 1)
    assert machine.told.problem is not None and "used already" in machine.told.problem.en
    assert not machine.claim.exists() and not (machine.home / "appliance.toml").exists()
    assert done.stdout.count("used already") == 1
    hub.run("revoke", "shangjie")
    invite(hub, "shangjie", stick / "new.bundle")
    assert machine.boots(stick).returncode == 0
    assert machine.told.place == str(stick / "new.bundle")


def test_a_claim_that_the_hub_does_not_know_yields_to_another(hub: LiveHub, machine: Machine, stick: Path) -> None:
    """It is kept, for the hub's folder may be behind; but one that is known goes first."""
    lost = invite(hub, "erqi", stick / "a.bundle")
    kept = lost.read_bytes()
    hub.run("enrol", "erqi", "--out", str(stick / "b.bundle"), "--pre-approved")
    (stick / "b.bundle").rename(stick.parent / "b.bundle")
    assert machine.boots(stick, tries=1).returncode == 3
    assert (machine.told.phase, len(machine.told.locked_out)) == ("refused", 1)
    assert machine.claim.read_bytes() == kept
    (stick.parent / "b.bundle").rename(stick / "b.bundle")
    assert machine.boots(stick, tries=1).returncode == 0


def test_what_is_no_bundle_or_of_several_sites_joins_nobody(hub: LiveHub, machine: Machine, stick: Path) -> None:
    """Pipes, links out of the stick, files of other programs are passed over. Between two counties a person decides."""
    os.mkfifo(stick / "pipe.bundle")
    (stick / "link.bundle").symlink_to("/etc/shadow")
    (stick / "x.bundle").write_bytes(b"songshan")
    (stick / "large.bundle").write_bytes(b"{" * 100_000)
    assert machine.boots(stick, tries=2).returncode == 3
    assert (machine.told.phase, machine.told.tries) == ("looking", 0)
    invite(hub, "jinshui", stick / "jinshui.bundle")
    invite(hub, "guancheng", stick / "guancheng.bundle")
    assert machine.boots(stick, tries=2).returncode == 3
    assert machine.told.problem is not None and "guancheng, jinshui" in machine.told.problem.en
    assert not (machine.home / "keys").exists()


def on_air_first(hub: LiveHub, machine: Machine, bundle: Path) -> LiveBox:
    """A box that was made while its hub was away, as box.yml does it from a stick."""
    box = LiveBox(hub, read_bundle(bundle).site, machine.home, read_bundle(bundle))
    done = box.join(bundle, "--air-first")
    assert done.returncode == 3, done.stderr
    machine.claim.write_bytes(bundle.read_bytes())
    return box


def test_a_box_on_the_air_hands_in_its_keys_when_there_is_a_line(
    quiet_hub: LiveHub, machine: Machine, stick: Path
) -> None:
    """Made with the hub away it airs from the first day; its configuration and keys stay as they are."""
    quiet_hub.serve()
    quiet_hub.end()
    bundle = invite(quiet_hub, "dengfeng", stick.parent / "dengfeng.bundle")
    box = on_air_first(quiet_hub, machine, bundle)
    made = (machine.home / "appliance.toml").read_bytes(), (machine.home / "keys/ssh").read_bytes()
    assert machine.boots(stick, tries=1).returncode == 3
    assert (machine.told.phase, machine.claim.exists(), machine.asked.exists()) == ("waiting", True, False)
    quiet_hub.serve()
    assert machine.boots(stick).returncode == 0
    assert (machine.told.phase, machine.told.is_approved, machine.claim.exists()) == ("joined", True, False)
    assert ((machine.home / "appliance.toml").read_bytes(), (machine.home / "keys/ssh").read_bytes()) == made
    assert machine.asked.read_text().splitlines()[-1] == "try-restart --no-block songshan-agent.service"
    with box.session() as session:
        session.wait(Greeted)


def test_a_claim_that_ran_out_on_the_air_is_followed_by_a_new_one(hub: LiveHub, machine: Machine, stick: Path) -> None:
    """The line came after a month: the operator sends a new one on a stick. One of another county changes nothing."""
    spent = invite(hub, "xinzheng", stick.parent / "old.bundle")
    changed = json.loads(spent.read_text())
    changed["hub"]["port"] = 1
    (stick.parent / "away.bundle").write_text(json.dumps(changed))
    on_air_first(hub, machine, stick.parent / "away.bundle")
    first = LiveBox(hub, "xinzheng", stick.parent / "first", read_bundle(spent))
    assert first.join(spent).returncode == 0
    machine.claim.write_bytes(spent.read_bytes())
    invite(hub, "hangkonggang", stick / "others.bundle")
    made = (machine.home / "appliance.toml").read_bytes()
    assert machine.boots(stick, tries=2).returncode == 3
    assert (machine.told.phase, machine.claim.read_bytes()) == ("refused", spent.read_bytes())
    hub.run("revoke", "xinzheng")
    invite(hub, "xinzheng", stick / "new.bundle")
    assert machine.boots(stick).returncode == 0
    assert (machine.told.place, machine.claim.exists()) == (str(stick / "new.bundle"), False)
    assert (machine.home / "appliance.toml").read_bytes() == made


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Any]:
    """The way to the test's folder is open to another user, who owns the folder of the box."""
    changed = [path for path in (tmp_path, *tmp_path.parents) if path.exists() and path.stat().st_uid == os.getuid()]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in changed}
    for path in changed:
        path.chmod(modes[path] | 0o011)
    yield OTHERS_UID
    for path, mode in modes.items():
        path.chmod(mode)


@pytest.mark.root
def test_roots_part_is_small(hub: LiveHub, machine: Machine, stick: Path, others: int) -> None:
    """Keys are the box's own, made by it; the claim was never readable by it or anybody but root."""
    invite(hub, "huiji", stick / "huiji.bundle")
    machine.home.mkdir()
    os.chown(machine.home, others, others)
    done = machine.boots(stick, program=PRELOADED)
    assert done.returncode == 0, done.stderr
    for name in ("ssh", "sign"):
        key = (machine.home / "keys" / name).stat()
        assert (key.st_uid, stat.S_IMODE(key.st_mode)) == (others, 0o600)
    assert (machine.home / "appliance.toml").stat().st_gid == others
    assert msgspec.json.decode((machine.home / "run/first-boot.json").read_bytes(), type=Told).phase == "joined"
