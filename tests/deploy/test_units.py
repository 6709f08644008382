"""The units of systemd/, held against the commands that they start and against systemd's own checks."""

import configparser
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from appliance.config import INSTALLED_HOME, INSTALLED_RELEASES, INSTALLED_TRANSCODER
from appliance.core.unit_links import OF_THE_TRUSTED

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
SOCKETS = sorted((ROOT / "systemd").glob("*.socket"))
EXPOSURE_MAX = {
    "songshan-agent.service": 1.6,
    "songshan-web.service": 1.3,
    "songshan-transcode@.service": 0.3,
    "songshan-backup.service": 0.7,
    "songshan-upgrade.service": 2.2,
    "songshan-upgrade-boot.service": 1.6,
    "songshan-playout@.service": 1.4,
    "songshan-playout-standby@.service": 1.4,
    "songshan-playout-watch@.service": 1.4,
}
"""By `systemd-analyze security`, on a scale to 10."""


def service(unit: Path) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.read(unit)
    return parser["Service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    """A renamed command must not be found out by a box that does not come up."""
    program, command, *options = service(unit)["ExecStart"].split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert Path(program).name in project["scripts"]
    found = project["entry-points"][f"{Path(program).name.replace('-', '_')}.commands"][command]
    module, _colon, name = found.partition(":")
    known = {option for each in getattr(importlib.import_module(module), name).params for option in each.opts}
    assert {option for option in options if option.startswith("-")} <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    """A misspelt line of a sandbox is passed over by systemd with a warning, and protects nothing."""
    installed = service(unit)["ExecStart"].split()[0]
    here = str(Path(sys.executable).with_name(Path(installed).name))
    for each in (*UNITS, *SOCKETS):
        (tmp_path / each.name).write_text(each.read_text().replace(installed, here))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    about_it = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert (verified.returncode, about_it) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_sandbox_stays_as_tight_as_it_is(unit: Path) -> None:
    """Least privilege for each unit: a line that goes must be a decision."""
    threshold = str(round(EXPOSURE_MAX[unit.name] * 10))
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert rated.returncode == 0, rated.stdout[-2000:]


def test_the_services_are_users_of_their_own_in_one_group() -> None:
    """The web server reads what the agent writes; it cannot write the database, nor read the keys."""
    made = (ROOT / "systemd/songshan.sysusers").read_text().splitlines()
    named = [unit for unit in UNITS if service(unit).get("DynamicUser") != "yes" and service(unit)["User"] != "root"]
    users = {unit.name: service(unit)["User"] for unit in named}
    assert set(users.values()) == {line.split()[1] for line in made if line.startswith("u ")}
    playout = {user for name, user in users.items() if name.startswith("songshan-playout")}
    shared = ("songshan-playout", "songshan-backup")
    others = [user for name, user in users.items() if not name.startswith(shared)]
    assert playout == {"songshan-playout"}
    # It reads what the agent alone may read, and has nothing else to do with it.
    assert users["songshan-backup.service"] == users["songshan-agent.service"]
    assert len({*others, *playout}) == len(others) + 1
    assert {service(unit)["Group"] for unit in named} == {"songshan"}


def test_who_reads_what_strangers_made_has_nothing_to_lose() -> None:
    """ffmpeg in the transcoder: no user that owns anything, no network, no path of the box, and last in line."""
    unit = service(ROOT / "systemd/songshan-transcode@.service")
    assert (unit["DynamicUser"], unit["PrivateNetwork"], unit["RestrictAddressFamilies"]) == ("yes", "yes", "none")
    assert {"-/var/lib/songshan", "-/etc/songshan", "-/run/songshan"} <= set(unit["InaccessiblePaths"].split())
    assert int(unit["Nice"]) >= 10 and int(unit["CPUWeight"]) <= 50 and unit["IOSchedulingClass"] == "idle"
    assert unit["MemoryMax"]


@pytest.mark.parametrize("unit", SOCKETS, ids=lambda unit: unit.name)
def test_a_socket_is_where_the_box_looks_for_it(unit: Path) -> None:
    """And starts the unit of the same name; only the agent may connect."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read(unit)
    listens = parser["Socket"]
    assert Path(listens["ListenStream"]) == INSTALLED_TRANSCODER
    assert (listens["Accept"], listens["SocketUser"], listens["SocketMode"]) == ("yes", "songshan", "0600")
    assert unit.with_name(f"{unit.stem}@.service") in UNITS


def test_only_upgrades_are_roots_and_a_request_starts_them() -> None:
    """The releases are root's. What asks for another is a folder that the web server's user may not write."""
    upgrade = service(ROOT / "systemd/songshan-upgrade.service")
    boot = service(ROOT / "systemd/songshan-upgrade-boot.service")
    roots = {unit.name for unit in UNITS if service(unit).get("User") == "root"}
    assert roots == OF_THE_TRUSTED - {"songshan-upgrade.path"}
    for unit in (upgrade, boot):
        assert set(unit["CapabilityBoundingSet"].split()) == {"CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"}
        assert unit["ExecStart"].startswith(f"{INSTALLED_RELEASES}/trusted/"), "the newcomer does not judge itself"
        assert set(unit["ReadWritePaths"].split()) == {str(INSTALLED_RELEASES), str(INSTALLED_HOME)}
    asked = (ROOT / "systemd/songshan-upgrade.path").read_text()
    assert f"DirectoryNotEmpty={INSTALLED_HOME}/upgrade\n" in asked
    assert "ExecStart=/opt/songshan/current/" in (ROOT / "systemd/songshan-agent.service").read_text()
