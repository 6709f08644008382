"""The units of systemd/, held against the commands that they start and against systemd's own checks."""

import configparser
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
EXPOSURE_MAX = {
    "songshan-agent.service": 1.6,
    "songshan-web.service": 1.3,
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
    for each in UNITS:
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
    users = {unit.name: service(unit)["User"] for unit in UNITS}
    assert set(users.values()) == {line.split()[1] for line in made if line.startswith("u ")}
    playout = {user for name, user in users.items() if name.startswith("songshan-playout")}
    others = [user for name, user in users.items() if not name.startswith("songshan-playout")]
    assert playout == {"songshan-playout"}
    assert len({*others, *playout}) == len(others) + 1
    assert {service(unit)["Group"] for unit in UNITS} == {"songshan"}
