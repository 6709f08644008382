"""Incidents on the disk, where they can be read with everything dead: HOME/incidents, the newest fifty.

    keep(...)        a unit ended badly: a file here, and a command in the spool, of which the agent makes an alarm
    notes(folder)    what units left that systemd starts again and again, and so never counts as failed
    newest(config)   what happened, newest first

The journal is read by who may read it, and only its last lines are kept, without what looks secret.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from appliance import machine_log, spool
from appliance.config import Config
from appliance.core import incident
from appliance.core.command import Incident as Told
from appliance.core.errors import WorldError
from appliance.core.incident import Ended, Incident
from appliance.core.moment import to_text
from appliance.durable import disk_errors, make_folder, unlink_durably, write_atomically

NOTES: Final = Path("/run/songshan-incident")
NOTES_MAX: Final = 100
FILE_BYTES_MAX: Final = 128 * 1024


def keep(config: Config, unit: str, ended: Ended, now_us: int) -> Incident:
    """Put an incident on record; one that goes on is the same one, and told once. Raises WorldError, Refused."""
    lines, unit = journal_of(unit), incident.known_as(unit)
    folder = config.incidents
    make_folder(folder, 0o770)
    before = next((each for each in newest(config) if each.unit == unit), None)
    found = incident.again(before, unit, ended, lines, now_us)
    is_new = found is None
    if found is None:
        found = incident.begun(unit, ended, lines, now_us)
    # By the folder's group: whoever looks at the box may read it.
    write_atomically(folder / _name(found), msgspec.json.encode(found), 0o660)
    for name in _names(folder)[: -incident.KEPT]:
        unlink_durably(folder / name)
    if is_new:
        told = Told(
            unit=unit,
            result=ended.result,
            code=ended.code,
            status=ended.status,
            by="systemd",
            via="unit",
            at=to_text(now_us),
        )
        spool.put(config, told)
    return found


def newest(config: Config) -> tuple[Incident, ...]:
    """All that are kept, newest first; files that hold none are passed over."""
    found = []
    for name in reversed(_names(config.incidents)):
        try:
            with (config.incidents / name).open("rb") as file:
                found.append(msgspec.json.decode(file.read(FILE_BYTES_MAX), type=Incident))
        except (OSError, msgspec.DecodeError):
            continue
    return tuple(found)


def notes(folder: Path = NOTES) -> Iterator[tuple[Path, str, Ended]]:
    """What units left: where, which unit, how it ended. What is no note of ours is taken away."""
    with disk_errors(folder):
        paths = sorted(folder.iterdir())[:NOTES_MAX]
    for path in paths:
        if not incident.UNIT.fullmatch(path.name):
            path.unlink(missing_ok=True)
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            path.unlink(missing_ok=True)
            continue
        with os.fdopen(descriptor, "rb") as file:
            said = file.read(incident.NOTE_BYTES_MAX).decode("ascii", errors="replace")
        yield path, path.name, incident.note_of(said)


def journal_of(unit: str) -> tuple[str, ...]:
    """The last lines of a unit, oldest first; () where no journal can be read."""
    if not machine_log.has_journal():
        return ()
    try:
        lines = machine_log.journal(("--unit", unit), incident.LINES_MAX)
    except WorldError:
        return ()
    return tuple(line.text for line in reversed(lines))


def _name(found: Incident) -> str:
    return f"{max(0, found.at_us):020d}-{found.unit}.json"


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.name.endswith(".json"))
    except OSError:
        return []
