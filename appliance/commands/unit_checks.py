"""What the doctor looks at of systemd: whether the units that an installed box stands on are on."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.commands.check import Check, good, wrong
from appliance.config import INSTALLED_HOME, Config
from appliance.core.errors import Text
from appliance.core.unit_states import PROPERTIES, WATCHED, ailing, parse

BOOTED: Final = Path("/run/systemd/system")
"""There where systemd is what runs the machine: sd_booted(3)."""
TIMEOUT_S: Final = 10.0


def units(config: Config) -> Iterator[Check]:
    """Nothing for a box in a home of its own, or where systemd cannot be asked: then other checks say more."""
    said = _show() if config.home == INSTALLED_HOME and BOOTED.is_dir() else None
    yield from of_units(said)


def of_units(said: str | None) -> Iterator[Check]:
    """From what systemctl said."""
    if said is None:
        return
    states = parse(said)
    found = list(ailing(states))
    for each in found:
        status = Text(f"systemctl status {each.unit}", f"systemctl status {each.unit}")
        start = Text(f"systemctl enable --now {each.unit}", f"systemctl enable --now {each.unit}")
        yield wrong("units", "bad" if each.is_bad else "warning", each.found, status if each.is_bad else start)
    if not found and states:
        yield good("units", f"{len(states)} 个单元运行", f"{len(states)} units are on")


def _show() -> str | None:
    argv = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", *WATCHED]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
