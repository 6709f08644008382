"""The machine's units follow the release: what core/unit_links.py says is done, by systemctl and by nobody else.

systemctl has systemd itself write the links, so who upgrades needs no right to write below /etc.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance import releases
from appliance.config import Config
from appliance.core import unit_links
from appliance.core.errors import WorldError
from appliance.core.unit_links import Following

INSTALLED_UNITS: Final = Path("/etc/systemd/system")
UNIT_BYTES_MAX: Final = 64 * 1024
UNITS_MAX: Final = 200
USERS: Final = "songshan-users.service"
"""Makes the users and folders of the release that `current` leads to; to nothing of that has who upgrades any right."""

Run = Callable[[Sequence[str]], None]
"""Starts, stops and restarts units: `systemctl ARGUMENTS`. Raises WorldError."""


def leave(config: Config, run: Run, units: Path | None, version: str) -> None:
    """Take away the units that release `version`, which is to run, does not have; before the links are switched."""
    for name in _planned(config, units, version).gone:
        with suppress(WorldError):
            run(["disable", "--now", name])


def enter(config: Config, run: Run, units: Path | None, version: str) -> None:
    """Have systemd read the units of `version`, to which the links lead now, and begin what is new among them.

    Users and folders that it brings are there before anything of it is started.
    One that does not start is the gate's and the doctor's business.
    """
    planned = _planned(config, units, version)
    for name in planned.new:
        with suppress(WorldError):
            run(["link", unit_links.source(str(config.releases), name)])
    with suppress(WorldError):
        run(["daemon-reload"])
    if USERS in _ships(releases.folder_of(config, version) / unit_links.SHARE) and is_linked(config, units, USERS):
        with suppress(WorldError):
            run(["start", USERS])
    for name in _of_one_release(config, units):
        with suppress(WorldError):
            run(["reenable", name])
    for name in planned.start:
        with suppress(WorldError):
            if name.endswith(".socket"):
                # A socket cannot be listened on while the service that had it before runs.
                run(["stop", name.replace(".socket", ".service")])
        with suppress(WorldError):
            run(["enable", "--now", name])


def is_linked(config: Config, units: Path | None, name: str) -> bool:
    """Whether the machine knows this unit from a release."""
    return units is not None and name in _linked(config, units)[0]


def while_booting(run: Run) -> Run:
    """The same where systemd is about to start everything: nothing is waited for, and nothing stopped or restarted."""

    def run_now(arguments: Sequence[str]) -> None:
        plain = [argument for argument in arguments if argument != "--now"]
        if plain[0] in ("daemon-reload", "link", "enable", "reenable", "disable"):
            run(plain)
        if plain[0] == "enable" and "--now" in arguments:
            run(["start", "--no-block", *plain[1:]])

    return run_now


def _planned(config: Config, units: Path | None, version: str) -> Following:
    if units is None or not version:
        return Following()
    linked, taken = _linked(config, units)
    ships = _ships(releases.folder_of(config, version) / unit_links.SHARE)
    # A release from before units came along knows nothing of them; it does not take those away that there are.
    return unit_links.follow(ships, linked, taken) if ships else Following()


def _linked(config: Config, units: Path) -> tuple[set[str], set[str]]:
    """The names that lead into OPT, and all others."""
    linked, taken = set[str](), set[str]()
    with suppress(OSError):
        for path in sorted(units.iterdir()):
            target = str(path.readlink()) if path.is_symlink() else ""
            ours = target.startswith(f"{config.releases}{os.sep}")
            (linked if ours else taken).add(path.name)
    return linked, taken


def _of_one_release(config: Config, units: Path | None) -> list[str]:
    """Names that lead into one release and would go with it: `systemctl enable` of a channel's sender makes such a
    link, by following `current` to its end. Enabled anew it leads into the one that runs now."""
    found = []
    with suppress(OSError):
        for path in sorted(units.iterdir() if units is not None else ()):
            target = str(path.readlink()) if path.is_symlink() else ""
            if target.startswith(f"{config.releases}{os.sep}releases{os.sep}"):
                found.append(path.name)
    return found


def _ships(folder: Path) -> dict[str, str]:
    found = {}
    with suppress(OSError):
        for path in sorted(folder.iterdir())[:UNITS_MAX]:
            if unit_links.is_unit(path.name):
                with path.open("rb") as file:
                    found[path.name] = file.read(UNIT_BYTES_MAX).decode(errors="replace")
    return found
