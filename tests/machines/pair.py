"""The hub and the box of a trial, and the operator who makes them: Ansible over SSH, with a bundle, from this machine.

    pair = Pair(image())
    pair.playbook("hub.yml")        a Run: what changed, how long it took; raises PlaybookFailed
    pair.hub_command("publish", …)  as the hub's own user
    pair.box_command("status", "--json")

The inventory is the project's own, with two files laid over it that say where the two machines are.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.machines.debian import Image
from tests.machines.machine import Machine
from tests.machines.places import BUILD, PATIENCE, ROOT
from tests.machines.shell import Done

SITE: Final = "dengfeng"
CHANNEL: Final = "dengfeng-1"
HUB_ADDRESS: Final = "10.44.0.1"
UDP: Final = "239.45.0.1:5000"
BUNDLE: Final = ROOT / "build" / "bundle"
INVENTORY: Final = BUILD / "inventory"
PLAYBOOK_S_MAX: Final = 3600 * PATIENCE
COMMAND_S_MAX: Final = 300 * PATIENCE
HTTP_S_MAX: Final = 30 * PATIENCE

_HUB: Final = "runuser -u songshan-hub -- /opt/songshan-hub/current/bin/songshan-hub --hub /srv/songshan-hub"
_BOX: Final = "/opt/songshan/current/bin/songshan"
_RECAP: Final = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_TASK: Final = re.compile(r"^TASK \[(.*?)\] \**$|^(?:changed): \[(\S+)\]", re.MULTILINE)


class PlaybookFailed(Exception):
    """A playbook ended badly; its last lines are in the message, all of it in its log."""


@dataclass(frozen=True)
class Run:
    """A playbook that went through."""

    changed: int
    tasks_changed: tuple[str, ...]
    seconds: float


def read_run(said: str, seconds: float) -> Run:
    """What a playbook's output tells: the recap's count of changes, and which tasks made them."""
    task, changed = "", []
    for match in _TASK.finditer(said):
        if match[1]:
            task = match[1]
        else:
            changed.append(task)
    return Run(sum(int(recap[3]) for recap in _RECAP.finditer(said)), tuple(changed), seconds)


class Pair:
    """Two machines and their operator."""

    def __init__(self, image: Image) -> None:
        self.hub = Machine("hub", image)
        self.box = Machine("box", image)

    @property
    def machines(self) -> tuple[Machine, Machine]:
        return self.hub, self.box

    def power_off(self) -> None:
        """Whatever runs is ended, in order where it can be."""
        for machine in self.machines:
            if machine.running() is not None:
                machine.power_cut()

    def playbook(self, name: str, *arguments: str, log: str = "") -> Run:
        """Plays one of ansible/ on the machines that are on. Raises PlaybookFailed."""
        self._write_inventory()
        words = [str(Path(sys.executable).with_name("ansible-playbook")), name, "-i", "inventory", "-i", str(INVENTORY)]
        words += [
            "--limit",
            f"songshan,{SITE},songshan_wave",
            "--diff",
            "-e",
            f"songshan_bundle_dir={BUNDLE}",
            *arguments,
        ]
        path = BUILD / "log" / f"{log or name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with path.open("wb") as said:
            done = subprocess.run(
                words,
                cwd=ROOT / "ansible",
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=PLAYBOOK_S_MAX,
                check=False,
            )
        text = path.read_text(errors="replace")
        if done.returncode != 0:
            raise PlaybookFailed(f"{name} {shlex.join(arguments)}: status {done.returncode}, {path}\n{text[-3000:]}")
        return read_run(text, time.monotonic() - began)

    def _environ(self) -> dict[str, str]:
        control = Path(self.hub.running().sockets if self.hub.running() else self.box.running().sockets)  # type: ignore[union-attr]
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"),
            "ANSIBLE_HOME": str(BUILD / "ansible"),
            # Its own: the usual place, ~/.ansible/cp, is shared by all who call a machine by the same address.
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_TIMEOUT": "60",
        }

    def _write_inventory(self) -> None:
        """Laid over the project's own: where the two are, and what a trial has that a county has not."""
        hosts = INVENTORY / "host_vars"
        hosts.mkdir(parents=True, exist_ok=True)
        groups = {"hub": {"hosts": {"songshan": {}}}, "boxes": {"hosts": {SITE: {}}}}
        (INVENTORY / "hosts.json").write_text(json.dumps(groups))
        for name, machine in (("songshan", self.hub), (SITE, self.box)):
            running = machine.running()
            if running is None:
                continue
            options = shlex.join(machine.shell.options()[2:])
            known: dict[str, Any] = {
                "ansible_host": "127.0.0.1",
                "ansible_port": running.ssh_port,
                "ansible_user": "root",
                "ansible_ssh_common_args": re.sub(r"-o Control\w+=\S+ ?", "", options),
            }
            (hosts / f"{name}.json").write_text(json.dumps(known | _OF_THE_TRIAL[name], ensure_ascii=False))

    # Words with the two

    def hub_command(self, *words: str, check: bool = True, timeout_s: float = COMMAND_S_MAX) -> Done:
        """A command of the hub's operator."""
        return self.hub.shell.run(f"{_HUB} {shlex.join(words)}", check=check, timeout_s=timeout_s)

    def box_command(self, *words: str, check: bool = True, timeout_s: float = COMMAND_S_MAX) -> Done:
        """A command of the box's technician."""
        return self.box.shell.run(f"{_BOX} {shlex.join(words)}", check=check, timeout_s=timeout_s)

    def status(self) -> dict[str, Any]:
        """What `songshan status --json` says."""
        return dict(json.loads(self.box_command("status", "--json").out))

    def fleet(self) -> list[dict[str, Any]]:
        """What `songshan-hub fleet --json` says of each site."""
        return list(json.loads(self.hub_command("fleet", "--json").out)["sites"])

    def get(self, path: str) -> int:
        """The status that the box's web server answers a citizen with; 0 where it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.box.http}{path}", timeout=HTTP_S_MAX) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


_OF_THE_TRIAL: Final[dict[str, dict[str, Any]]] = {
    "songshan": {
        "songshan_name": "嵩山云",
        "songshan_hub_address": HUB_ADDRESS,
        "hub_free_bytes_min": 4 * 1024**3,
        "common_console": False,
    },
    SITE: {
        "songshan_site": SITE,
        "songshan_name": "登封市融媒体中心",
        "songshan_channels": [{"id": CHANNEL, "name": "登封综合", "udp": UDP, "udp_from": "10.45.0.2"}],
        "songshan_hub_address": HUB_ADDRESS,
        # A virtual machine of Debian's cloud kernel has no screen to draw Chinese on.
        "common_console": False,
    },
}
