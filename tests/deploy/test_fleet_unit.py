"""The unit of the watch at the hub, held against its command, its config and systemd's own checks."""

import re
import subprocess
import sys
from pathlib import Path

from provisioning.fleet.watch import watch
from tests.deploy.test_units import SYSTEMD, lines, section, service

UNIT = SYSTEMD / "hub" / "songshan-hub-fleet.service"
EXPOSURE_MAX = 1.2
"""By `systemd-analyze security`, on a scale to 10; it has to reach a mail relay and a webhook."""
HUB = "/srv/songshan-hub"


def test_it_starts_the_watch_with_options_that_there_are() -> None:
    """A hub whose alarms do not start says so to nobody."""
    program, command, *words = service(UNIT)["ExecStart"].split()
    assert (program, command) == ("/opt/songshan-hub/current/bin/songshan-hub", "watch")
    assert {word for word in words if word.startswith("-")} <= {each for option in watch.params for each in option.opts}
    assert words[words.index("--page") + 1] == f"/run/{service(UNIT)['RuntimeDirectory']}"
    assert service(UNIT)["Environment"] == f"SONGSHAN_HUB={HUB}"


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """A misspelt line of a sandbox is passed over with a warning, and protects nothing."""
    there = re.sub("/opt/songshan-hub/current/bin", str(Path(sys.executable).parent), UNIT.read_text())
    (tmp_path / UNIT.name).write_text(there)
    argv = ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / UNIT.name)]
    verified = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if UNIT.name in line]) == (0, [])


def test_the_sandbox_stays_as_tight_as_it_is() -> None:
    """It speaks with strangers, with the account that owns the hub."""
    argv = ["systemd-analyze", "security", "--offline=yes", f"--threshold={round(EXPOSURE_MAX * 10)}", str(UNIT)]
    rated = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert rated.returncode == 0, rated.stdout[-2000:]
    assert service(UNIT)["SystemCallErrorNumber"] == "EPERM"


def test_the_keys_are_not_there_for_it_and_it_writes_no_journal() -> None:
    """Whoever gets into it through a relay's answer cannot sign, and cannot change what was said."""
    hidden = {path.removeprefix("-") for line in lines(UNIT, "InaccessiblePaths") for path in line.split()}
    assert {f"{HUB}/keys", f"{HUB}/assets", f"{HUB}/claims", "/etc/songshan-hub"} <= hidden
    assert (service(UNIT)["ProtectSystem"], lines(UNIT, "ReadWritePaths")) == ("strict", [f"-{HUB}/fleet"])
    # A file that is named would be the one of before where an editor puts another in its place.
    assert "ReadOnlyPaths" not in service(UNIT)


def test_a_watch_that_hangs_is_ended_and_one_that_ends_comes_back() -> None:
    """Nobody else would notice."""
    facts = service(UNIT)
    assert (facts["Type"], facts["Restart"], facts["WatchdogSec"]) == ("notify", "always", "5min")
    assert section(UNIT, "Unit")["StartLimitIntervalSec"] == "0"


def test_a_secret_that_is_not_there_does_not_keep_the_page_from_the_operator() -> None:
    """LoadCredential= of a file that is missing fails the unit, unless there is a value in its place."""
    loaded = {line.partition(":")[0] for line in lines(UNIT, "LoadCredential")}
    assert loaded == {"smtp-password", "webhook-secret"}
    assert {line.partition(":")[0] for line in lines(UNIT, "SetCredential")} == loaded
