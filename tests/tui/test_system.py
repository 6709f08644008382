"""The page of the machine: what it is and does, its services, who may act, backups, and a restart with a reason."""

import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance import files, spool
from appliance.core.backup import BackupFact
from appliance.core.command import Did
from appliance.core.errors import Text, WorldError
from provisioning import identity
from tests.tui.boxes import make_box, run_agent_once
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import (
    CLOCK_OFF,
    HEALTHY,
    HOUR_US,
    LOOKS,
    MIN_US,
    NOW_US,
    WEB_DEAD,
)
from tui.gather.system import HISTORY_MAX, NOTE, back_up, gather, restart, services
from tui.gather.where import Where, where
from tui.rows import Level
from tui.view.acts import Case, Weight
from tui.view.sheet import Asked
from tui.view.system import BACKUP, RESET, SERVICES, USERS, Account, Found, Machine, Moment, Unit, level_of
from tui.view.system_acts import ACTS

HISTORY = tuple(Moment(5 + 40 * (number % 7) / 7, 0.41 + number / 500, 48 + number % 5) for number in range(60))
MACHINE = Machine(
    versions=(
        ("songshan", "0.1.0"),
        ("Linux", "6.1.0-28-amd64"),
        ("OS", "Debian GNU/Linux 12 (bookworm)"),
        ("Python", "3.11.2"),
        ("SQLite", "3.40.1"),
    ),
    uptime_s=41 * 86400 + 7300,
    load_1m=0.84,
    processors=8,
    memory_bytes=16_600_000_000,
    time_source="192.168.10.1, stratum 3",
    history=HISTORY,
)
HOT = replace(MACHINE, history=(Moment(99.0, 0.97, 91.0),))
AGENT = Unit("songshan-agent.service", "Songshan Edge: the agent", "active", "running", True, NOW_US - 3 * HOUR_US)
SERVICES_FOUND = (
    AGENT,
    replace(AGENT, unit="songshan-web.service", restarts=4, since_us=NOW_US - MIN_US),
    replace(AGENT, unit="songshan-playout@dengfeng-1.service", active="failed", sub="failed", since_us=None),
    replace(AGENT, unit="songshan-backup.service", active="inactive", sub="dead", is_enabled=False),
    replace(AGENT, unit="chrony.service", active="inactive", sub="dead"),
)
NO_WEB = (AGENT, replace(AGENT, unit="songshan-web.service", active="failed", sub="failed", since_us=NOW_US - MIN_US))
ACCOUNTS = (
    Account("li", True, False, ("pts/1 (10.1.2.3)",)),
    Account("root", True, True, ("tty1",)),
    Account("songshan", True, False),
)
BACKED_UP = BackupFact(
    last_us=NOW_US - 12 * HOUR_US,
    count=7,
    size_bytes=84_000_000,
    path="/var/lib/songshan/backups",
    joined_us=1,
    code_shown_us=1,
)
STATES = {
    **with_faults(Found(MACHINE), Found(MACHINE)),
    "hot and full": seen(Found(HOT), CLOCK_OFF),
    "without sensors": seen(Found(replace(MACHINE, history=(Moment(3.0, 0.2),), time_source=""))),
    "web dead, services": seen(Found(services=NO_WEB), WEB_DEAD, asked=Asked(tab=SERVICES)),
    "services": seen(Found(services=SERVICES_FOUND), asked=Asked(tab=SERVICES)),
    "no systemd": seen(Found(no_services=Text("本机没有 systemd", "no systemd here")), asked=Asked(tab=SERVICES)),
    "a service opened": seen(Found(services=SERVICES_FOUND), asked=Asked(tab=SERVICES, opened="songshan-web.service")),
    "accounts": seen(Found(accounts=ACCOUNTS), asked=Asked(tab=USERS)),
    "backup": seen(Found(backup=BACKED_UP), asked=Asked(tab=BACKUP)),
    "backup too old": seen(
        Found(backup=msgspec.structs.replace(BACKED_UP, last_us=NOW_US - 80 * HOUR_US, code_shown_us=None)),
        asked=Asked(tab=BACKUP),
    ),
    "never backed up": seen(
        Found(backup=BackupFact(path="/var/lib/songshan/backups", joined_us=1)), asked=Asked(tab=BACKUP)
    ),
    "reset": seen(Found(), asked=Asked(tab=RESET)),
    "gone since": seen(Found(), asked=Asked(opened="x")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("system", STATES)


def test_what_should_run_and_does_not_is_told_from_what_need_not() -> None:
    """A service that is started again and again looks well at each look."""
    levels = [level_of(each) for each in SERVICES_FOUND]
    assert levels == [Level.GOOD, Level.WARN, Level.BAD, Level.NOTE, Level.WARN]


def systemctl(folder: Path, script: str) -> dict[str, str]:
    """A machine whose systemctl is this."""
    program = folder / "bin" / "systemctl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


SHOWN = """cat <<'X'
Id=songshan-agent.service
Description=Songshan Edge: the agent
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NRestarts=2
StateChangeTimestampMonotonic=5000000

Id=nginx.service
LoadState=not-found
ActiveState=inactive
X"""


def test_the_units_are_read_as_systemd_tells_them(tmp_path: Path) -> None:
    """Those that are not installed are no fault."""
    (found,) = services(where(tmp_path, systemctl(tmp_path, SHOWN)))
    assert (found.unit, found.active, found.restarts, found.is_enabled) == ("songshan-agent.service", "active", 2, True)
    without = gather(
        where(tmp_path, systemctl(tmp_path, "echo not booted with systemd >&2; exit 1")), Asked(tab=SERVICES)
    )
    assert without.no_services is not None and "not booted" in without.no_services.en


def case(reason: str = "换内存") -> Case:
    return Case(Found(), HEALTHY, LOOKS["en"], Asked(), by="张工", reason=reason)


def test_a_restart_is_on_record_with_who_and_why(tmp_path: Path) -> None:
    """The agent notes it when it is back; before that it lies in the spool through the restart."""
    config = make_box(tmp_path)
    spool.make_folders(config)
    here = where(tmp_path, systemctl(tmp_path, f'echo "$@" > {tmp_path}/asked'))
    restart(here, case())
    assert (tmp_path / "asked").read_text() == "reboot --no-ask-password\n"
    (name,) = spool.pending(config)
    command, _blobs = spool.read(config, name)
    assert isinstance(command, Did)
    assert (command.what, command.by, command.reason) == ("reboot", "张工", "换内存")


def test_a_restart_that_is_not_allowed_says_who_may_and_is_not_on_record(tmp_path: Path) -> None:
    """What did not happen is not in the trail."""
    config = make_box(tmp_path)
    spool.make_folders(config)
    here = where(tmp_path, systemctl(tmp_path, "echo Interactive authentication required. >&2; exit 1"))
    with pytest.raises(WorldError, match="authentication required") as refused:
        restart(here, case())
    assert refused.value.hint is not None and "as root" in refused.value.hint.en
    assert spool.pending(config) == []


def test_the_machine_is_restarted_only_from_a_box_that_has_it_for_itself() -> None:
    """A demo in a folder of somebody's laptop; and it counts as the air, with the site's id typed."""
    act = next(act for act in ACTS if act.name == "restart")
    assert act.weight is Weight.AIR
    assert act.refusal(Case(Found(is_own_machine=False), HEALTHY, LOOKS["en"], Asked())) is not None
    assert act.refusal(Case(Found(), HEALTHY, LOOKS["en"], Asked())) is None
    assert "登封综合频道" in act.preview(Case(Found(), HEALTHY, LOOKS["zh"], Asked()))[0]


def test_looks_make_a_history_that_ends(tmp_path: Path) -> None:
    """Screens that stay open for a month."""
    notes: dict[str, object] = {NOTE: [Moment()] * HISTORY_MAX}
    found = gather(where(tmp_path, {}, notes), Asked())
    assert len(found.machine.history) == HISTORY_MAX
    assert found.machine.history[-1].memory_share is not None
    assert not found.is_own_machine and gather(Where(None, {}, NOW_US), Asked()).is_own_machine


def test_a_backup_is_made_by_the_program_and_its_complaint_is_told(tmp_path: Path) -> None:
    """By hand as by night; with no keys there is nothing to back up, and the words are the program's own."""
    config = make_box(tmp_path)
    here = where(tmp_path, {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"})
    with pytest.raises(WorldError, match="not backed up") as failed:
        back_up(here, case())
    assert "Usage" not in str(failed.value) and "Traceback" not in str(failed.value)
    files.make_folders(config)
    for key in (config.ssh_key, config.sign_key):
        identity.make_key_files(key, key.name)
    run_agent_once(config)
    back_up(here, case())
    (made,) = config.backups.glob("*.backup")
    found = gather(here, Asked(tab=BACKUP)).backup
    assert found is not None and found.count == 1 and found.size_bytes == made.stat().st_size
