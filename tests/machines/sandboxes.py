"""Each unit's sandbox, tried from within: rsync, ssh, ffmpeg and psutil run in it, and what it must not do is told no.

    prove(run)      on a machine that has the box's units and has joined; all that is wrong, as lines

`run(command, stdin)` runs a line of shell as root on the machine and gives back what it printed. The unit tried is the
one that is installed, line by line, under another name; a drop-in puts the trial in the place of what it starts, and
nothing else. By hand, in any root that systemd has booted: `python -m tests.machines.sandboxes COMMAND...`, where
COMMAND with `sh -c LINE` behind it runs a line in there.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.machines.trial import Trial

PLACE: Final = "/usr/local/lib/songshan-trial"
SYSTEM: Final = "/run/systemd/system"
TRIAL_S: Final = 300
PYTHON: Final = "/opt/songshan/current/bin/python"

Run = Callable[[str, str], str]

ALL: Final = frozenset({"rsync", "nice", "ffmpeg", "reopen what was handed"})
"""What works in every sandbox: nothing breaks for want of a system call."""
READS: Final = frozenset({"read database", "write spool"})
ROOTS: Final = frozenset(
    {"ffmpeg within bounds", "have systemd mount", "write database", "write incidents", "write releases", "journal"}
)
MAY: Final[dict[str, frozenset[str]]] = {
    "songshan-agent.service": ALL
    | READS
    | {"ssh", "rsync over ssh", "psutil", "connect", "send", "read keys", "write database", "write incidents"}
    | {"write config", "ffmpeg within bounds", "be nice"},
    "songshan-web.service": ALL | READS,
    "songshan-playout@.service": ALL | {"read database", "send", "connect", "ssh", "rsync over ssh"},
    "songshan-playout-standby@.service": ALL | {"read database", "send", "connect", "ssh", "rsync over ssh"},
    "songshan-playout-watch@.service": ALL
    | READS
    | {"send", "connect", "ssh", "rsync over ssh", "ffmpeg within bounds"},
    "songshan-transcode@.service": ALL | {"ffmpeg within bounds"},
    "songshan-backup.service": ALL | READS | {"read keys", "write database", "write incidents"},
    "songshan-incident.service": ALL | READS | {"journal", "write incidents"},
    "songshan-incident@.service": ALL | READS | {"journal", "write incidents"},
    "songshan-upgrade.service": ALL | READS | ROOTS | {"connect", "send", "ssh", "rsync over ssh"},
    "songshan-upgrade-boot.service": ALL | READS | ROOTS,
    "songshan-users.service": ALL
    | READS
    | {"journal", "write database", "write incidents", "write config", "have systemd mount", "ffmpeg within bounds"},
    "songshan-first-boot.service": ALL
    | READS
    | {"connect", "send", "ssh", "rsync over ssh", "journal", "write database", "write incidents", "write config"}
    | {"ffmpeg within bounds", "read keys", "have systemd mount", "see devices"},
    "songshan-usb@.service": ALL - {"reopen what was handed"}
    | {"journal", "ffmpeg within bounds", "have systemd mount", "see devices"},
}
"""What each may, of what is tried; all else must be told no."""

DROP_IN: Final = f"""[Unit]
OnFailure=
StartLimitIntervalSec=0
[Service]
Type=oneshot
RemainAfterExit=no
ExecCondition=
ExecStartPre=
ExecStart=
ExecStart={PYTHON} {PLACE}/in_sandbox.py {PLACE}
ExecStartPost=
ExecStop=
ExecStopPost=
Restart=no
WatchdogSec=0
TimeoutStartSec={TRIAL_S}
RuntimeMaxSec=infinity
StandardInput=file:{PLACE}/handed
StandardOutput=truncate:%t/songshan-trial.json
# The folder of the unit itself: it would go when the trial ends.
RuntimeDirectory=
Nice=0
"""


def prove(run: Run) -> list[str]:
    """What does not hold; [] when all does. What was put on the machine for it is taken away again."""
    wrong: list[str] = []
    try:
        run(_PREPARE, Path(__file__).with_name("in_sandbox.py").read_text())
        for unit in MAY:
            wrong += [f"{unit}: {each}" for each in _of(unit, tried(run, unit))]
    finally:
        run(_CLEAR, "")
    return wrong


def play(trial: "Trial") -> None:
    """The scenario of `make appliance-test`."""
    trial.as_made()
    trial.switch_on()

    def run(line: str, stdin: str) -> str:
        return trial.pair.box.shell.run(line, check=False, timeout_s=TRIAL_S, stdin=stdin.encode()).out

    wrong = prove(run)
    trial.figures["units_tried"] = len(MAY)
    assert not wrong, "\n".join(wrong)


def tried(run: Run, unit: str) -> dict[str, str]:
    """What came of each thing in the sandbox of a unit."""
    trial = f"trial-{unit}"
    started = trial.replace("@.", "@trial.")
    # When a unit is to run is nothing of its sandbox: bound to a device, or while the box has not joined.
    copied = f"sed '/^BindsTo=/d; /^After=dev-/d; /^Condition/d' /etc/systemd/system/{unit} > {SYSTEM}/{trial}"
    line = (
        f"{copied}; mkdir -p {SYSTEM}/{trial}.d && cat > {SYSTEM}/{trial}.d/zz-trial.conf && systemctl daemon-reload"
        f" && rm -f /run/songshan-trial.json && systemctl start {started};"
        f" cat /run/songshan-trial.json || journalctl -u {started} -n 20 --no-pager;"
        f" rm -rf {SYSTEM}/{trial} {SYSTEM}/{trial}.d"
    )
    said = run(line, DROP_IN)
    try:
        found: dict[str, str] = json.loads(said)
    except ValueError:
        return {"start": said[-2000:]}
    return found


def _of(unit: str, found: dict[str, str]) -> Iterator[str]:
    if "start" in found:
        yield f"did not start: {found['start']}"
        return
    for name, how in found.items():
        if how.startswith("killed by"):
            yield f"{name} was {how}"
        elif name in MAY[unit] and how != "ok":
            yield f"{name} must work: {how}"
        elif name not in MAY[unit] and how == "ok":
            yield f"{name} must be told no"
    for name in MAY[unit] - found.keys():
        yield f"{name} was not tried"


_PREPARE: Final = f"""set -e
umask 022; mkdir -p {PLACE}; cat > {PLACE}/in_sandbox.py
rm -f {PLACE}/key {PLACE}/key.pub {PLACE}/handed
printf handed > {PLACE}/handed; chown songshan:songshan {PLACE}/handed; chmod 440 {PLACE}/handed
ssh-keygen -q -t ed25519 -N '' -C songshan-trial -f {PLACE}/key
chmod 644 {PLACE}/key
echo "127.0.0.1 $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" > {PLACE}/known_hosts
mkdir -p -m 700 /root/.ssh
echo "from=\\"127.0.0.1\\",restrict $(cat {PLACE}/key.pub)" >> /root/.ssh/authorized_keys
"""
_CLEAR: Final = f"""rm -rf {PLACE} /run/songshan-trial.json /run/songshan-trial-uploaded
sed -i '/ songshan-trial$/d' /root/.ssh/authorized_keys; systemctl daemon-reload"""


def main() -> None:
    prefix = sys.argv[1:]

    def run(line: str, stdin: str) -> str:
        argv = [*prefix, "sh", "-c", line]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=2 * TRIAL_S, check=False)
        return done.stdout

    wrong = prove(run)
    print(shlex.join(prefix), "holds" if not wrong else "does not hold", *wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
