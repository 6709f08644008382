"""The playbooks as an operator reads them: what a role takes is told, what is told is used, nothing is fetched."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioning.hub.folder import HubSettings

ROOT = Path(__file__).parents[2]
ANSIBLE = ROOT / "ansible"
ROLES = sorted(path for path in (ANSIBLE / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path for path in ANSIBLE.glob("*.yml") if path.name not in ("packages.yml", "ports.yml"))
SITES = [
    *("zhongmu", "dengfeng", "gongyi", "xinmi", "xingyang", "xinzheng", "zhongyuan", "erqi"),
    *("jinshui", "guancheng", "huiji", "shangjie", "gaoxin", "hangkonggang", "zhengdong", "jingkai"),
]
HAN = re.compile("[一-龥]")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def tasks_of(node: Any) -> Iterator[dict[str, Any]]:
    """Every task below, those within blocks too."""
    for task in node if isinstance(node, list) else ():
        yield task
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            yield from tasks_of(task.get(part))


def files_of(role: Path) -> list[Path]:
    return [path for part in ("tasks", "handlers", "templates", "vars") for path in sorted((role / part).glob("*"))]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_a_role_takes_is_told_with_its_default(role: Path) -> None:
    """An option that is told and not there, or there and not told, or told with another default, misleads at night."""
    spec = loaded(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = loaded(role / "defaults/main.yml") or {}
    assert {name: option["default"] for name, option in spec.items() if not option.get("required")} == defaults
    assert all(option["description"] and option["type"] for option in spec.values())
    assert all(name.startswith(f"{role.name}_") for name in spec)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_option_of_a_role_is_without_use(role: Path) -> None:
    """A knob that turns nothing."""
    used = "\n".join(path.read_text() for path in files_of(role))
    assert [name for name in loaded(role / "defaults/main.yml") if not re.search(rf"\b{name}\b", used)] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_says_what_is_wrong_and_what_to_do_in_both_languages(role: Path) -> None:
    """Every assertion before anything is done has its own words, and no task is without a name in both languages."""
    tasks = [task for path in (role / "tasks").glob("*.yml") for task in tasks_of(loaded(path))]
    asserts = [task["ansible.builtin.assert"] for task in tasks if "ansible.builtin.assert" in task]
    assert asserts, "nothing is looked at before something is done"
    for each in asserts:
        chinese, english = HAN.search(each["fail_msg"]), re.search("[a-z]{4,} [a-z]+ ", each["fail_msg"])
        assert chinese and english, each["fail_msg"]
    names = [task.get("name", "") for task in tasks]
    assert [name for name in names if not (HAN.search(name) and " / " in name)] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_an_operator_can_run_a_slice(role: Path) -> None:
    """Each part of a role has the tag of what it does; preflight is always done."""
    allowed = {"always", *(f"{role.name}_{part}" for part in ("install", "configure", "run"))}
    parts = loaded(role / "tasks/main.yml")
    assert [task["name"] for task in parts if not set(task.get("tags", [])) or set(task["tags"]) - allowed] == []


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_ansible_understands_each_playbook(playbook: Path) -> None:
    """By Ansible itself, with our inventory."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "--syntax-check", playbook.name]
    checked = subprocess.run(argv, cwd=ANSIBLE, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_inventory_has_the_sixteen() -> None:
    """With name and channel each, so that a county is never made by hand."""
    groups = loaded(ANSIBLE / "inventory/hosts.yml")["all"]["children"]
    assert list(groups["boxes"]["hosts"]) == SITES
    assert len(groups["hub"]["hosts"]) == 1
    for site in SITES:
        told = loaded(ANSIBLE / f"inventory/host_vars/{site}.yml")
        assert told["songshan_site"] == site and HAN.search(told["songshan_name"])
        assert [channel["id"] for channel in told["songshan_channels"]] == [f"{site}-1"]


def test_nothing_is_fetched_from_a_network() -> None:
    """Offline by construction: what comes to a machine comes from the controller, or from Debian by apt."""
    fetching = re.compile(
        r"ansible\.builtin\.(get_url|uri|git|pip|apt_key|apt_repository|deb822_repository)\b|\b(curl|wget)\b"
    )
    texts = {path: path.read_text() for path in ANSIBLE.rglob("*.yml")}
    assert [str(path) for path, text in texts.items() if fetching.search(text)] == []


def test_every_door_is_in_the_registry_and_nowhere_else() -> None:
    """A firewall that is opened in two places is closed in none."""
    ports = loaded(ANSIBLE / "ports.yml")["songshan_ports"]
    assert {(group, port["protocol"], port["port"]) for port in ports for group in port["hosts"]} >= {
        ("boxes", "tcp", 22),
        ("boxes", "tcp", 80),
    }
    template = (ANSIBLE / "roles/common/templates/nftables.conf.j2").read_text()
    assert "policy drop" in template and re.findall(r"dport \d+", template) == ["dport 546"], "DHCPv6, from the link"


def test_what_the_roles_of_a_box_write_is_watched() -> None:
    """A file that drift.yml does not watch can be changed by anybody, and nobody hears of it."""
    watched = (ANSIBLE / "roles/box/templates/managed.json.j2").read_text()
    written = {
        parameters["dest"].replace("{{ item }}", item)
        for role in ("common", "nginx", "box")
        for path in (ANSIBLE / "roles" / role / "tasks").glob("*.yml")
        for task in tasks_of(loaded(path))
        for module in ("template", "copy")
        if (parameters := task.get(f"ansible.builtin.{module}"))
        for item in (task["loop"] if isinstance(task.get("loop"), list) else [""])
        if isinstance(item, str)
    }
    linked = loaded(ANSIBLE / "roles/box/tasks/units.yml")[1]["vars"]["box_settings"]
    lasting = {
        path
        for path in {*written, *linked}
        if path.startswith("/etc/") and "{{" not in path and "join.bundle" not in path
    }
    assert len(lasting) > 10
    assert {path for path in lasting if f'"{path}"' not in watched} == set()


def test_a_slice_needs_nothing_of_another() -> None:
    """`--tags common_configure` on a box that stands: what another part would have found out has a default."""
    texts = [(ANSIBLE / f"roles/common/tasks/{name}.yml").read_text() for name in ("main", "time", "firewall")]
    assert not [text for text in texts if re.search(r"common_is_bare(?! \| default)", text)]


def test_a_playbook_restarts_no_sender() -> None:
    """Who is on the air stays there: what restarts them is a person, or an upgrade with its gate."""
    for path in (ANSIBLE / "roles").rglob("*.yml"):
        for task in tasks_of(loaded(path)):
            unit = task.get("ansible.builtin.systemd_service", {})
            assert not ("playout" in str(unit.get("name")) and unit.get("state") not in ("started", None)), path


def test_no_technician_gets_the_number_of_a_site() -> None:
    """useradd takes the number behind the highest one: on a hub the next site's, which then cannot be let in."""
    (made,) = [
        task["ansible.builtin.user"]
        for task in tasks_of(loaded(ANSIBLE / "roles/common/tasks/logins.yml"))
        if "ansible.builtin.user" in task
    ]
    hubs_own = re.findall(r"^[ug] \S+ (\d+)", (ROOT / "systemd/hub/songshan-hub.sysusers").read_text(), re.MULTILINE)
    first = HubSettings(id="songshan", host="hub", port=22, user="hub").account_number_first
    assert len(hubs_own) == 2 and made["uid_max"] < min(first, *map(int, hubs_own))
