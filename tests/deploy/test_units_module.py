"""ansible/library/songshan_units.py, called by Ansible as the roles call it, with Debian's systemctl on a folder.

That units run, and are started where they do not, is seen in a machine: tests/machines/scenarios/again.py.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LIBRARY = Path(__file__).parents[2] / "ansible/library"
UNIT = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
OFFLINE = """#!/bin/sh
# Nobody runs that could read the units again.
if [ "$1" = daemon-reload ]; then echo reload >> "{root}/calls"; exit 0; fi
exec {systemctl} --root="{root}" "$@"
"""


class Machine:
    """A folder that systemctl takes for the whole system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.units = root / "etc/systemd/system"
        for name in ("opt/release", "etc/systemd/system", "bin"):
            (root / name).mkdir(parents=True)
        program = root / "bin/systemctl"
        program.write_text(OFFLINE.format(root=root, systemctl=shutil.which("systemctl")))
        program.chmod(0o755)

    def ship(self, name: str) -> str:
        """A unit of the release; where it is for whoever has the folder as its root."""
        (self.root / "opt/release" / name).write_text(UNIT)
        return f"/opt/release/{name}"

    def play(self, *options: str, **told: Any) -> dict[str, Any]:
        ansible = Path(sys.executable).with_name("ansible")
        done = subprocess.run(
            [ansible, "localhost", "-c", "local", "-m", "songshan_units", "-a", json.dumps(told), *options],
            env={
                **os.environ,
                "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
                "ANSIBLE_LIBRARY": str(LIBRARY),
                "ANSIBLE_HOME": str(self.root / "ansible"),
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_LOCALHOST_WARNING": "0",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        who, found, answer = done.stdout.partition("=> ")
        assert found, done.stdout + done.stderr
        return {"failed": "FAILED!" in who, **json.loads(answer)}

    def reloads(self) -> int:
        calls = self.root / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_missing_is_made_and_a_second_time_nothing_changes(machine: Machine) -> None:
    """A new unit, one that leads elsewhere, and a folder that is not there yet."""
    agent, web = machine.ship("songshan-agent.service"), machine.ship("songshan-web.service")
    (machine.units / "songshan-web.service").symlink_to("/opt/old/songshan-web.service")
    links = {
        str(machine.units / "songshan-agent.service"): agent,
        str(machine.units / "songshan-web.service"): web,
        str(machine.root / "etc/sysusers.d/songshan.conf"): "/opt/release/songshan.sysusers",
    }
    said = machine.play(links=links, enabled=["songshan-agent.service"])
    assert said["changed"] and said["linked"] == sorted(links) and said["enabled"] == ["songshan-agent.service"]
    assert {path: os.readlink(path) for path in links} == links
    assert (machine.units / "multi-user.target.wants/songshan-agent.service").is_symlink()
    assert machine.reloads() == 1
    again = machine.play(links=links, enabled=["songshan-agent.service"])
    assert not again["changed"] and machine.reloads() == 1
    assert (again["linked"], again["enabled"], again["started"]) == ([], [], [])


def test_a_check_run_tells_and_does_nothing(machine: Machine) -> None:
    """What an operator reads before a real run."""
    agent = machine.ship("songshan-agent.service")
    link = machine.units / "songshan-agent.service"
    said = machine.play("--check", links={str(link): agent}, enabled=["songshan-agent.service"])
    assert said["changed"] and said["linked"] == [str(link)] and said["enabled"] == ["songshan-agent.service"]
    assert not link.is_symlink() and list(machine.units.iterdir()) == [] and machine.reloads() == 0


def test_a_file_that_somebody_made_is_not_replaced(machine: Machine) -> None:
    """And nothing else is changed either."""
    agent, mine = machine.ship("songshan-agent.service"), machine.units / "songshan-web.service"
    mine.write_text(UNIT)
    links = {str(machine.units / "songshan-agent.service"): agent, str(mine): agent}
    said = machine.play(links=links)
    assert said["failed"] and str(mine) in said["msg"] and "move it away" in said["msg"]
    assert mine.read_text() == UNIT and sorted(machine.units.iterdir()) == [mine]


def test_a_unit_that_there_is_not_is_told(machine: Machine) -> None:
    """By systemd's own words."""
    said = machine.play(enabled=["songshan-nobody.service"])
    assert said["failed"] and "songshan-nobody.service" in said["msg"]
