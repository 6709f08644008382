"""Units of systemd by one task: linked, enabled, started.

A loop over twenty of them is twenty trips on a county's line.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: songshan_units
short_description: Link, enable and start units of systemd
description:
  - Makes the links that are missing or lead elsewhere, has systemd read them, and enables and starts units.
  - What runs is never restarted, and what is no link is never replaced.
options:
  links:
    description: What each link leads to, by the path of the link. Folders that are missing are made.
    type: dict
    default: {}
  enabled:
    description: Units that are to be started at boot.
    type: list
    elements: str
    default: []
  started:
    description: Units that are to run now, in the order in which they are started.
    type: list
    elements: str
    default: []
  no_block:
    description: Starts are not waited for.
    type: bool
    default: false
author: [Songshan Edge]
"""
EXAMPLES = r"""
- songshan_units:
    links:
      /etc/systemd/system/songshan-agent.service: /opt/songshan/current/share/songshan/systemd/songshan-agent.service
    enabled: [songshan-agent.service]
    started: [songshan-agent.service]
"""
RETURN = r"""
linked:
  description: Links that were made or led elsewhere.
  type: list
  returned: always
enabled:
  description: Units that were not enabled.
  type: list
  returned: always
started:
  description: Units that did not run.
  type: list
  returned: always
"""

SYSTEMCTL_S_MAX = 300
RUNS = ("active", "activating", "reloading", "refreshing")


def main() -> None:
    """In check mode it is told what would be done, and nothing is done."""
    module = AnsibleModule(
        argument_spec={
            "links": {"type": "dict", "default": {}},
            "enabled": {"type": "list", "elements": "str", "default": []},
            "started": {"type": "list", "elements": "str", "default": []},
            "no_block": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    try:
        before = {path: _leads_to(Path(path)) for path in given["links"]}
        linked = [path for path in sorted(before) if before[path] != given["links"][path]]
        enabled = [unit for unit in given["enabled"] if not _is_enabled(unit)]
        started = [unit for unit in given["started"] if _asked("is-active", unit) not in RUNS]
        if not module.check_mode:
            for path in linked:
                _link(given["links"][path], Path(path))
            if linked:
                _systemctl("daemon-reload")
            if enabled:
                _systemctl("enable", *enabled)
            for unit in started:
                _systemctl("start", *(["--no-block"] if given["no_block"] else []), unit)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(linked or enabled or started),
        linked=linked,
        enabled=enabled,
        started=started,
        diff={
            "before": "".join(f"{path} -> {before[path] or 'absent'}\n" for path in linked),
            "after": "".join(f"{path} -> {given['links'][path]}\n" for path in linked)
            + "".join(f"enabled {unit}\n" for unit in enabled)
            + "".join(f"started {unit}\n" for unit in started),
        },
    )


def _leads_to(path: Path) -> str:
    """Empty where nothing is. Raises ValueError for what is no link: somebody made it by hand."""
    if path.is_symlink():
        return str(path.readlink())
    if path.exists():
        raise ValueError(f"{path} 不是链接，请先移走 / {path} is not a link; move it away first")
    return ""


def _link(target: str, path: Path) -> None:
    """In one step, so that nobody finds nothing there."""
    beside = path.with_name(f"{path.name}.songshan-new")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)


def _is_enabled(unit: str) -> bool:
    return _run("is-enabled", "--quiet", unit).returncode == 0


def _asked(question: str, unit: str) -> str:
    return _run(question, unit).stdout.strip()


def _systemctl(*words: str) -> None:
    done = _run(*words)
    if done.returncode != 0:
        raise ValueError(f"systemctl {' '.join(words)}: {done.stderr.strip() or done.returncode}")


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemctl", *words], capture_output=True, text=True, errors="replace", timeout=SYSTEMCTL_S_MAX, check=False
    )


if __name__ == "__main__":
    main()
