"""Each assertion of the roles is seen to fail once, by Ansible itself: a run that stops says what to correct.

One run of ansible-playbook for all of them, on this machine, with facts that are made up; nothing is changed.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ANSIBLE = Path(__file__).parents[2] / "ansible"
GIB = 1024**3
DEBIAN = {
    "distribution": "Debian",
    "distribution_major_version": "12",
    "service_mgr": "systemd",
    "effective_user_id": 0,
    "env": {"SSH_CONNECTION": "10.44.0.254 40000 10.44.0.2 22"},
    "mounts": [{"mount": "/", "size_available": 500 * GIB}],
}
SMALL = {**DEBIAN, "mounts": [{"mount": "/", "size_available": GIB}]}
CHANNEL = {"id": "dengfeng-1", "name": "登封综合"}
BUNDLE = "BUNDLE"
GOOD: dict[str, dict[str, Any]] = {
    "common": {"common_bundle_dir": BUNDLE},
    "hub": {"hub_bundle_dir": BUNDLE, "hub_host": "10.44.0.1", "hub_port": 2222},
    "box": {"box_bundle_dir": BUNDLE, "box_site": "dengfeng", "box_name": "登封市", "box_channels": [CHANNEL]},
    "nginx": {"nginx_listen": "80"},
}


@dataclass(frozen=True)
class Case:
    """What is wrong with the inventory or the machine, and a word of what is to be said of it; "" where nothing is."""

    role: str
    says: str
    wrong: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=lambda: DEBIAN)


CASES = [
    *(Case(role, "") for role in GOOD),
    Case("common", "install Debian 12 first", facts={**DEBIAN, "distribution": "Ubuntu"}),
    Case("common", "is not root", facts={**DEBIAN, "effective_user_id": 1000}),
    Case("common", "check and open the bundle first", {"common_bundle_dir": "/nowhere"}),
    Case("common", "not within the night", {"common_updates_from_hour": 5, "common_updates_until_hour": 3}),
    Case("common", "run without --ask-pass", {"ansible_password": "secret"}),
    Case("hub", "address that boxes connect to is not right", {"hub_host": ""}),
    Case("hub", "Port 22 is the operators' sshd", {"hub_port": 22}),
    Case("hub", "name a bundle", {"hub_bundle_dir": ""}),
    Case("hub", "mount the disk of the assets", facts=SMALL),
    Case("box", "songshan_site and songshan_name", {"box_site": "Deng Feng"}),
    Case("box", "has no channel, or one twice", {"box_channels": [CHANNEL, CHANNEL]}),
    Case("box", "name a bundle", {"box_bundle_dir": ""}),
    Case("box", "mount a larger disk", facts=SMALL),
    Case("nginx", "should be PORT or ADDR:PORT", {"nginx_listen": "everywhere"}),
]


def task_of(number: int, case: Case, bundle: Path) -> dict[str, Any]:
    told = {**GOOD[case.role], **case.wrong, "ansible_facts": case.facts}
    told = {name: str(bundle) if value == BUNDLE else value for name, value in told.items()}
    role = {"ansible.builtin.include_role": {"name": case.role, "tasks_from": "preflight"}, "vars": told}
    said = "{{ said | default({}) | combine({'NUMBER': ansible_failed_result.msg}) }}".replace("NUMBER", str(number))
    return {"block": [role], "rescue": [{"ansible.builtin.set_fact": {"said": said}}]}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What Ansible says to each case, by its number."""
    folder = tmp_path_factory.mktemp("preflight")
    (folder / "bundle.json").write_text("{}")
    told = folder / "said.json"
    last = {"ansible.builtin.copy": {"content": "{{ said | to_json }}", "dest": str(told), "mode": "0600"}}
    tasks = [*(task_of(number, case, folder) for number, case in enumerate(CASES)), last]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook = folder / "preflight.yml"
    playbook.write_text(yaml.safe_dump([play], allow_unicode=True))
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(playbook)]
    environ = {**os.environ, "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home")}
    environ["ANSIBLE_PYTHON_INTERPRETER"] = sys.executable
    ran = subprocess.run(argv, cwd=ANSIBLE, env=environ, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-2000:]
    found: dict[str, str] = json.loads(told.read_text())
    return found


@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)), ids=[f"{each.role}-{each.says}" for each in CASES])
def test_what_is_wrong_is_said_before_anything_is_done(number: int, case: Case, said: dict[str, str]) -> None:
    """An assertion that cannot fail lets a wrong inventory through to a machine; one that always fails, nobody."""
    if case.says:
        assert case.says in said.get(str(number), "nothing was said")
    else:
        assert said.get(str(number), "") == ""
