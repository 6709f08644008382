"""The units of systemd/, held against the commands that they start and against systemd's own checks.

What a sandbox lets through is shown in a machine, by tests/machines/sandboxes.py: rsync, ssh, ffmpeg, psutil run in it.
"""

import configparser
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from appliance import following, incidents, plugging
from appliance.config import INSTALLED_HOME, INSTALLED_RELEASES, INSTALLED_TRANSCODER, Config
from appliance.core.incident import UNIT
from appliance.core.unit_links import OF_THE_TRUSTED
from tests.deploy import rights

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "systemd"
UNITS = sorted(SYSTEMD.glob("songshan*.service"))
SOCKETS = sorted(SYSTEMD.glob("*.socket"))
ALL = sorted(path for path in SYSTEMD.iterdir() if path.suffix in {".service", ".socket", ".path", ".timer", ".slice"})
EXPOSURE_MAX = {
    "songshan-agent.service": 1.3,
    "songshan-web.service": 0.3,
    "songshan-transcode@.service": 0.4,
    "songshan-backup.service": 0.5,
    "songshan-upgrade.service": 2.0,
    "songshan-upgrade-boot.service": 1.3,
    "songshan-playout@.service": 1.2,
    "songshan-playout-standby@.service": 1.2,
    "songshan-playout-watch@.service": 1.2,
    "songshan-incident.service": 0.4,
    "songshan-incident@.service": 0.4,
    "songshan-usb@.service": 1.3,
    "songshan-first-boot.service": 2.5,
    "songshan-users.service": 1.4,
}
"""By `systemd-analyze security`, on a scale to 10."""
ROOTS = {
    "songshan-upgrade.service": {"CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"},
    "songshan-upgrade-boot.service": {"CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"},
    "songshan-usb@.service": {"CAP_SETUID", "CAP_SETGID"},
    "songshan-first-boot.service": {"CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"},
    "songshan-users.service": {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID"},
}
"""What root does on a box of ours, with nothing more than this."""
STARTED = ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "ExecStopPost")


def section(unit: Path, name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return parser[name]


def service(unit: Path) -> configparser.SectionProxy:
    return section(unit, "Service")


def lines(unit: Path, key: str) -> list[str]:
    """All values that a key has, in their order: systemd adds up what stands twice."""
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{key}=")]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    """A renamed command must not be found out by a box that does not come up."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in (*lines(unit, "ExecStart"), *(each for each in lines(unit, "ExecStop") if "songshan" in each)):
        if line.startswith("/usr/bin/systemd-"):
            assert unit.name == following.USERS, "systemd's own; test_users_and_folders_are_those_of_the_release"
            continue
        program, name, *words = line.split()
        assert Path(program).name in project["scripts"]
        found = project["entry-points"][f"{Path(program).name.replace('-', '_')}.commands"][name]
        module, _colon, attribute = found.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        while isinstance(command, click.Group) and words:
            command = command.commands[words.pop(0)]
        known = {option for each in command.params for option in each.opts}
        assert {word for word in words if word.startswith("-")} <= known


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All units in one folder, as on a box, with commands that are there."""
    folder = tmp_path_factory.mktemp("units")
    here = str(Path(sys.executable).parent)
    for each in ALL:
        text = re.sub(rf"{INSTALLED_RELEASES}/(current|trusted)/bin", here, each.read_text())
        (folder / each.name).write_text(text)
    return folder


@pytest.mark.parametrize("unit", ALL, ids=lambda unit: unit.name)
def test_systemd_understands_every_line(unit: Path, installed: Path) -> None:
    """A misspelt line of a sandbox is passed over by systemd with a warning, and protects nothing."""
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(installed / unit.name)],
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


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_forbidden_call_is_told_no_and_kills_nobody(unit: Path) -> None:
    """Without EPERM a filtered call ends ffmpeg and nice with SIGSYS; who calls them would think the clip was bad."""
    assert service(unit)["SystemCallErrorNumber"] == "EPERM"
    assert "@system-service" in lines(unit, "SystemCallFilter")[0]
    refused = {word for line in lines(unit, "SystemCallFilter") if line.startswith("~") for word in line[1:].split()}
    assert "@resources" in refused


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_can_be_written_cannot_be_run(unit: Path) -> None:
    """And not by ExecPaths=, which makes what it names writable (systemd 252): for root that would be all programs."""
    assert lines(unit, "ExecPaths") == []
    closed = {path.lstrip("-") for path in service(unit)["NoExecPaths"].split()}
    writable = {path.lstrip("-") for path in service(unit).get("ReadWritePaths", "").split()}
    assert {"/tmp", "/var/tmp", "/dev/shm"} <= closed
    assert writable - closed <= {str(INSTALLED_RELEASES)}


def test_only_who_is_read_by_psutil_sees_the_whole_of_proc() -> None:
    """The agent reads /proc/stat, /proc/meminfo and the interfaces; what installs a release has pip."""
    seen = {unit.name for unit in UNITS if service(unit).get("ProcSubset") != "pid"}
    assert seen == {"songshan-agent.service", "songshan-upgrade.service", "songshan-upgrade-boot.service"}
    families = {unit.name: set(service(unit)["RestrictAddressFamilies"].split()) for unit in UNITS}
    assert {name for name, each in families.items() if "AF_NETLINK" in each} == {"songshan-agent.service"}
    assert {name for name, each in families.items() if "AF_INET" in each} == {
        "songshan-agent.service",
        "songshan-first-boot.service",
        "songshan-upgrade.service",
        *(unit.name for unit in UNITS if unit.name.startswith("songshan-playout")),
    }


@pytest.mark.parametrize("unit", ALL, ids=lambda unit: unit.name)
def test_nothing_waits_for_a_network_nor_the_air_for_the_agent(unit: Path) -> None:
    """Cold boot with no line: on the air by itself, also while the agent finishes a restore or cannot start."""
    unit_section = section(unit, "Unit")
    ordered = " ".join(unit_section.get(key, "") for key in ("After", "Requires", "Wants", "BindsTo", "Requisite"))
    assert "network-online" not in unit.read_text().replace("# Never network-online.target", "")
    assert "songshan-agent" not in ordered
    assert "default.target" not in ordered


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_fails_is_put_on_record(unit: Path) -> None:
    """By OnFailure=; and what is started again for ever, and so never fails for systemd 252, by the note it leaves."""
    if unit.name.startswith(("songshan-incident", "songshan-usb@")):
        assert "OnFailure" not in section(unit, "Unit"), "it would call itself; another's stick is no incident"
        return
    assert section(unit, "Unit")["OnFailure"] == "songshan-incident@%n.service"
    assert UNIT.fullmatch(unit.name.replace("@", "@dengfeng-1"))
    left = lines(unit, "ExecStopPost")
    assert len(left) == (1 if service(unit).get("Restart") == "always" else 0)
    for line in left:
        assert line.endswith(f"> {incidents.NOTES}/%n'")
        assert f"-{incidents.NOTES}" in service(unit)["ReadWritePaths"].split()
        assert section(unit, "Unit")["StartLimitIntervalSec"] == "0", "tried for ever"


def test_who_hangs_is_ended_where_the_loop_itself_says_that_it_lives() -> None:
    """gunicorn says READY=1 and never WATCHDOG=1: with WatchdogSec= a healthy web server would be killed."""
    watched = {unit.name for unit in UNITS if "WatchdogSec" in service(unit)}
    assert watched == {
        "songshan-agent.service",
        *(unit.name for unit in UNITS if unit.name.startswith("songshan-playout")),
    }
    assert {service(SYSTEMD / name)["Type"] for name in (*watched, "songshan-web.service")} == {"notify"}


def test_the_services_are_users_of_their_own_in_one_group() -> None:
    """The web server reads what the agent writes; it cannot write the database, nor read the keys."""
    made = (SYSTEMD / "songshan.sysusers").read_text().splitlines()
    named = [unit for unit in UNITS if service(unit).get("DynamicUser") != "yes" and service(unit)["User"] != "root"]
    users = {unit.name: service(unit)["User"] for unit in named}
    assert set(users.values()) == {line.split()[1] for line in made if line.startswith("u ")}
    assert {line.split()[1] for line in made if line.startswith("m ")} == set(users.values()) - {"songshan"}
    # The backup reads what the agent alone may read, and has nothing else to do with it.
    by_user = {
        user: {name.split("@")[0].split(".")[0] for name, each in users.items() if each == user}
        for user in set(users.values())
    }
    assert by_user == {
        "songshan": {"songshan-agent", "songshan-backup"},
        "songshan-web": {"songshan-web"},
        "songshan-playout": {"songshan-playout", "songshan-playout-standby", "songshan-playout-watch"},
        "songshan-incident": {"songshan-incident"},
    }
    assert {service(unit)["Group"] for unit in named} == {"songshan"}
    for unit in named:
        if users[unit.name] != "songshan":
            assert f"-{INSTALLED_HOME}/keys" in service(unit)["InaccessiblePaths"].split()


def test_who_reads_what_strangers_made_has_nothing_to_lose() -> None:
    """ffmpeg in the transcoder: no user that owns anything, no network, no path of the box, and last in line."""
    unit = service(SYSTEMD / "songshan-transcode@.service")
    assert (unit["DynamicUser"], unit["PrivateNetwork"], unit["RestrictAddressFamilies"]) == ("yes", "yes", "none")
    assert {"-/var/lib/songshan", "-/etc/songshan", "-/run/songshan"} <= set(unit["InaccessiblePaths"].split())
    assert int(unit["Nice"]) >= 10 and int(unit["CPUWeight"]) <= 50 and unit["IOSchedulingClass"] == "idle"
    assert unit["MemoryMax"]


def test_what_is_on_the_air_goes_before_all_else() -> None:
    """Nice= counts within a group alone, and whoever has CPUWeight= makes groups of all: the slice's weight holds."""
    senders = {"songshan-playout@.service", "songshan-playout-standby@.service"}
    assert {unit.name for unit in UNITS if service(unit).get("Slice") == "songshan.slice"} == senders
    air = section(SYSTEMD / "songshan.slice", "Slice")
    assert (air["CPUWeight"], air["IOWeight"]) == ("10000", "10000"), "the most that there is"
    weights = {unit.name: int(service(unit).get("CPUWeight", 100)) for unit in UNITS}
    assert max(weights.values()) <= 100 and not senders & {name for name, weight in weights.items() if weight != 100}
    assert weights["songshan-upgrade.service"] < 100, "an installation beside the air"


def test_the_transcoders_socket_is_where_the_box_looks_for_it() -> None:
    """And starts the unit of the same name; only the agent may connect."""
    listens = section(SYSTEMD / "songshan-transcode.socket", "Socket")
    assert Path(listens["ListenStream"]) == INSTALLED_TRANSCODER
    assert (listens["Accept"], listens["SocketUser"], listens["SocketMode"]) == ("yes", "songshan", "0600")
    assert SYSTEMD / "songshan-transcode@.service" in UNITS


def test_the_web_servers_door_is_where_nginx_knocks_and_does_not_close() -> None:
    """Given up after many starts, a service takes its socket along: neither may be given up."""
    door, web = SYSTEMD / "songshan-web.socket", SYSTEMD / "songshan-web.service"
    assert section(door, "Socket")["ListenStream"] == Config.web_bind
    assert section(door, "Socket")["TriggerLimitIntervalSec"] == "0"
    assert section(web, "Unit")["Requires"] == door.name
    assert section(web, "Unit")["StartLimitIntervalSec"] == "0"
    # What is accepted has the filter of the socket's unit, and not that of the service.
    assert (section(door, "Socket")["IPAddressDeny"], section(door, "Socket")["IPAddressAllow"]) == ("any", "localhost")
    assert service(web)["PrivateNetwork"] == "yes"


def test_what_root_does_is_little_and_asked_for() -> None:
    """The releases are root's. What asks for another is a folder that the web server's user may not write."""
    upgrade, usb = SYSTEMD / "songshan-upgrade.service", SYSTEMD / "songshan-usb@.service"
    assert {unit.name for unit in UNITS if service(unit).get("User") == "root"} == set(ROOTS)
    for name, capabilities in ROOTS.items():
        assert set(service(SYSTEMD / name)["CapabilityBoundingSet"].split()) == capabilities
    for unit in UNITS:
        assert service(unit)["NoNewPrivileges"] == "yes"
        assert unit.name in ROOTS or service(unit)["CapabilityBoundingSet"] == ""
        started = [line for key in STARTED for line in lines(unit, key)]
        assert not [line for line in started if line.lstrip("-").startswith(("+", "!"))], "outside of its sandbox"
    assert {*ROOTS, "songshan-upgrade.path"} >= OF_THE_TRUSTED
    for unit in (upgrade, SYSTEMD / "songshan-upgrade-boot.service"):
        judge = f"{INSTALLED_RELEASES}/trusted/"
        assert service(unit)["ExecStart"].startswith(judge), "the newcomer does not judge itself"
        assert set(service(unit)["ReadWritePaths"].split()) == {str(INSTALLED_RELEASES), str(INSTALLED_HOME)}
    asked = (SYSTEMD / "songshan-upgrade.path").read_text()
    assert f"DirectoryNotEmpty={INSTALLED_HOME}/upgrade\n" in asked
    assert "ExecStart=/opt/songshan/current/" in (SYSTEMD / "songshan-agent.service").read_text()
    assert service(usb)["ReadWritePaths"] == f"-{INSTALLED_HOME}/state", "for the box's user to keep who is shut out"


def test_users_and_folders_are_those_of_the_release() -> None:
    """An upgrade starts the unit before anything of the new release: systemd's own programs, on our two files alone."""
    started = lines(SYSTEMD / following.USERS, "ExecStart")
    assert started == [
        "/usr/bin/systemd-sysusers /etc/sysusers.d/songshan.conf",
        "/usr/bin/systemd-tmpfiles --create /etc/tmpfiles.d/songshan.conf",
    ]
    assert "RestrictSUIDSGID" not in service(SYSTEMD / following.USERS), "shared folders have the bit of their group"


def test_who_is_of_the_group_puts_commands_and_cannot_change_what_they_are_done_with() -> None:
    """Technicians, the web server and nginx are of it: they read, and write into the spool. Who may write a folder can
    put another one in the place of each that lies in it, keys and requests to root among them."""
    made = [line.split() for line in (SYSTEMD / "songshan.tmpfiles").read_text().splitlines() if line[:2] == "d "]
    for_all = {line[1] for line in made if int(line[2], 8) & 0o020}
    assert for_all == {"/var/lib/songshan/spool", "/var/lib/songshan/incidents", str(incidents.NOTES)}
    agent = service(SYSTEMD / "songshan-agent.service")
    assert (agent["StateDirectory"], agent["StateDirectoryMode"]) == ("songshan", "2750"), "set at each start"


def test_a_stick_that_is_put_in_is_looked_at_and_taken_down_when_it_goes() -> None:
    """Only file systems whose files can be handed over, and only on USB."""
    (rule,) = [line for line in (SYSTEMD / "songshan-usb.rules").read_text().splitlines() if not line.startswith("#")]
    words = [word.strip() for word in rule.split(",")]
    assert 'ENV{SYSTEMD_WANTS}+="songshan-usb@%k.service"' in words and 'TAG+="systemd"' in words
    assert 'ENV{ID_BUS}=="usb"' in words
    (kinds,) = (word for word in words if "ID_FS_TYPE" in word)
    assert set(kinds.split('"')[1].split("|")) == plugging.KINDS
    unit = SYSTEMD / "songshan-usb@.service"
    assert section(unit, "Unit")["BindsTo"] == "dev-%i.device"
    assert service(unit)["ExecStopPost"].endswith(f"{plugging.PLACE}/%I")


def test_the_page_on_security_shows_the_units_own_lines() -> None:
    """`python -m tests.deploy.rights` prints the table; a page that was written by hand would be true for a week."""
    assert rights.table() in (ROOT / "docs/security.md").read_text()


def test_folders_that_units_share_are_there_before_them() -> None:
    """A path that a sandbox was to open and did not find stays closed until the unit is started again."""
    made = [
        line.split() for line in (SYSTEMD / "songshan.tmpfiles").read_text().splitlines() if line[:1] not in {"", "#"}
    ]
    folders = {line[1] for line in made}
    owned = {f"/var/lib/{name}" for unit in UNITS for name in service(unit).get("StateDirectory", "").split()}
    opened = {
        path.removeprefix("-")
        for unit in UNITS
        if unit.name != following.USERS
        for path in service(unit).get("ReadWritePaths", "").split()
        if not path.startswith(str(INSTALLED_RELEASES))
    }
    assert opened <= folders
    assert owned <= folders | {"/var/lib/songshan/spool"}
    assert str(plugging.PLACE) in folders and str(incidents.NOTES) in folders
    users = {line.split()[1] for line in (SYSTEMD / "songshan.sysusers").read_text().splitlines() if line[:2] == "u "}
    assert {line[3] for line in made} <= {"root", *users} and {line[4] for line in made} <= {"root", "songshan"}
