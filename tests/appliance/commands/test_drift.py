"""What somebody changed by hand: a playbook keeps a record, `songshan drift` tells, a person accepts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance import spool
from appliance.config import Config, render
from appliance.core.command import Did
from tests.appliance.boxes import box
from tests.own_network import own_network, said

SONGSHAN = str(Path(sys.executable).with_name("songshan"))


@dataclass(frozen=True)
class Machine:
    """A box in a network of its own, with a few files that a playbook wrote."""

    config: Config
    within: tuple[str, ...]
    files: Path
    kept: Path

    def drift(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.within, SONGSHAN, "--home", self.config.home, "drift", "--folder", self.kept, *words],
            input=stdin,
            env={**os.environ, "SONGSHAN_LANG": "en"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def record(self) -> bool:
        """As box.yml does at its end; whether it was news."""
        managed = {"files": [str(self.files / "chrony.conf")], "folders": [str(self.files / "conf.d")]}
        done = self.drift(
            "record", "--json", "-", stdin=json.dumps({**managed, "packages": ["dpkg", "no-such-package"]})
        )
        assert done.returncode == 0, done.stderr
        return bool(json.loads(done.stdout)["changed"])

    def told(self) -> dict[str, str]:
        """Name of what differs to its kind."""
        done = self.drift("--json")
        found = {each["what"]: each["kind"] for each in json.loads(done.stdout)["drifts"]}
        assert done.returncode == (1 if found else 0), done.stderr
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    config = box(tmp_path / "box")
    config.home.mkdir()
    (config.home / "appliance.toml").write_text(render(config))
    files = tmp_path / "etc"
    (files / "conf.d").mkdir(parents=True)
    (files / "chrony.conf").write_text("server a\n")
    (files / "conf.d/own.conf").write_text("own\n")
    with own_network() as within:
        made = Machine(config, within, files, tmp_path / "kept")
        assert made.record()
        yield made


def by_hand(machine: Machine) -> dict[str, str]:
    """Somebody was here; what is to be said of it."""
    (machine.files / "chrony.conf").write_text("server b\n")
    (machine.files / "conf.d/gps.conf").write_text("refclock\n")
    (machine.files / "conf.d/own.conf").chmod(0o666)
    said(*machine.within, "nft", "add", "table", "inet", "hole")
    return {
        str(machine.files / "chrony.conf"): "changed",
        str(machine.files / "conf.d/gps.conf"): "added",
        str(machine.files / "conf.d/own.conf"): "rights",
        "nftables": "firewall",
    }


def test_nothing_was_changed_and_a_second_record_is_no_news(machine: Machine) -> None:
    """A playbook that is run again says that nothing changed."""
    assert not machine.record()
    done = machine.drift()
    assert (done.returncode, done.stdout) == (0, "nothing was changed by hand\n")


def test_each_change_is_told_until_a_person_accepts_it(machine: Machine) -> None:
    """With the line that was changed. What a person accepts is on record: who, why, through which door."""
    expected = by_hand(machine)
    assert machine.told() == expected
    assert "“server a” became “server b”" in machine.drift().stdout
    chrony = str(machine.files / "chrony.conf")
    done = machine.drift("adopt", chrony, "--reason", "a clock of our own")
    assert (done.returncode, done.stdout) == (0, f"accepted: {chrony}\n"), done.stderr
    assert machine.told() == {name: kind for name, kind in expected.items() if name != chrony}
    (name,) = spool.pending(machine.config)
    did, _files = spool.read(machine.config, name)
    assert isinstance(did, Did)
    assert (did.what, did.reason, did.via) == (f"drift adopt {chrony}", "a clock of our own", "cli")
    (machine.files / "chrony.conf").write_text("server c\n")
    assert "“server b” became “server c”" in machine.drift().stdout, "held against what was accepted"


def test_all_that_was_written_is_accepted_and_nothing_else(machine: Machine) -> None:
    """A hole in the firewall, and the rights of a file, are for a playbook to mend."""
    expected = by_hand(machine)
    done = machine.drift("adopt", "--all", "--reason", "ours")
    assert done.returncode == 0, done.stderr
    assert machine.told() == {name: kind for name, kind in expected.items() if kind in ("rights", "firewall")}


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (("adopt", "nftables", "--reason", "ours"), 1, "no change that can be accepted"),
        (("adopt", "/etc/passwd", "--reason", "ours"), 1, "no change that can be accepted"),
        (("adopt", "--all"), 2, "--reason"),
        (("adopt", "--reason", "ours"), 2, "PATH... or --all"),
        (("record", "/dev/null"), 2, "the list cannot be read"),
    ],
    ids=["firewall", "not-watched", "no-reason", "nothing-named", "no-list"],
)
def test_what_cannot_be_accepted_is_refused_and_changes_nothing(
    machine: Machine, words: tuple[str, ...], status: int, why: str
) -> None:
    expected = by_hand(machine)
    done = machine.drift(*words)
    assert done.returncode == status and why in done.stderr, done.stderr
    assert machine.told() == expected
    assert list(spool.pending(machine.config)) == []


def test_without_a_record_it_says_what_to_run_first(machine: Machine) -> None:
    """A box that Ansible never made, or one whose record is unreadable."""
    (machine.kept / "recorded.json").write_bytes(b"{")
    done = machine.drift()
    assert done.returncode == 2 and "run ansible-playbook box.yml first" in done.stderr
