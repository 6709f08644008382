"""The units of a hub, held against the commands that they start and against systemd's own checks."""

import configparser
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from provisioning.hub.accounts import GROUP
from provisioning.hub.folder import HubSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "systemd/hub"
SERVICES = sorted(path for path in FOLDER.glob("*.service") if "fleet" not in path.name)
"""test_fleet_unit.py has that one."""
TIMERS = sorted(FOLDER.glob("*.timer"))
INSTALLED = "/opt/songshan-hub/current/bin/songshan-hub"
EXPOSURE_MAX = {
    "songshan-hub-gate@.service": 0.9,
    "songshan-hub-task@.service": 0.8,
    "songshan-hub-accounts.service": 4.0,
    "songshan-hub-sshd.service": 4.5,
}
"""By `systemd-analyze security`, on a scale to 10. The last two are root's: one makes users, the other becomes them."""


def unit(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path)
    return parser


def test_each_unit_starts_a_command_that_there_is() -> None:
    """A renamed command must not be found out by a hub that does not come up, or a backup that is never made."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["songshan_hub.commands"]
    tasks = [unit(path)["Timer"].get("Unit", "") for path in TIMERS]
    asked = {task.partition("@")[2].removesuffix(".service") for task in tasks if "@" in task}
    for path in SERVICES:
        program, *words = unit(path)["Service"]["ExecStart"].split()
        if program != INSTALLED:
            assert program == "/usr/sbin/sshd"
        elif words != ["%i"]:
            asked.add(words[0])
            module, _colon, name = known[words[0]].partition(":")
            options = {option for each in getattr(importlib.import_module(module), name).params for option in each.opts}
            assert set(words[1:]) <= options
    assert asked == {"gate", "accounts", "backup", "collect", "snapshot", "compact", "verify"}
    assert asked <= set(known)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_systemd_understands_every_line(path: Path, tmp_path: Path) -> None:
    """A misspelt line of a sandbox is passed over by systemd with a warning, and protects nothing."""
    here = str(Path(sys.executable).with_name("songshan-hub"))
    for each in FOLDER.iterdir():
        (tmp_path / each.name).write_text(each.read_text().replace(INSTALLED, here))
    argv = ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / path.name)]
    verified = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    about_it = [line for line in verified.stderr.splitlines() if path.name in line]
    assert (verified.returncode, about_it) == (0, [])


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_the_sandbox_stays_as_tight_as_it_is(path: Path) -> None:
    """Least privilege for each unit: a line that goes must be a decision."""
    threshold = str(round(EXPOSURE_MAX[path.name] * 10))
    argv = ["systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", str(path)]
    rated = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert rated.returncode == 0, rated.stdout[-2000:]


def test_only_the_sites_accounts_may_speak_to_the_gate() -> None:
    """And the gate is where hub.toml says that it is."""
    listens = unit(FOLDER / "songshan-hub-gate.socket")["Socket"]
    default = HubSettings(id="x", host="x", port=1, user="x").gate_socket
    assert (listens["ListenStream"], listens["SocketGroup"], listens["SocketMode"]) == (default, GROUP, "0660")
    assert unit(FOLDER / "songshan-hub-gate@.service")["Service"]["User"] == "songshan-hub"


def test_every_gateway_gives_the_hub_the_same_numbers() -> None:
    """On storage that several share, a file belongs to a number."""
    lines = (FOLDER / "songshan-hub.sysusers").read_text().splitlines()
    numbers = {line.split()[1]: line.split()[2] for line in lines if not line.startswith("#")}
    assert set(numbers) == {"songshan-hub", GROUP}
    first = HubSettings(id="x", host="x", port=1, user="x").account_number_first
    assert all(number.isdecimal() and int(number) < first for number in numbers.values())
