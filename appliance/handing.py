"""Sealed backups on their way to the hub: HOME/backups/to-hub/HEX, a second name of each that waits, by its digest.

`songshan backup --nightly` puts them there (it has no network), the agent sends them and takes the name away when the
hub has said that it keeps it. HOME/state/backup-at-hub remembers when that was.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from appliance import nights
from appliance.config import Config
from appliance.core.asset import hex_of
from appliance.core.handed import Handed, superseded
from appliance.durable import disk_errors, make_folder, owned_like, sync_folder, unlink_durably, write_atomically

FOLDER: Final = "to-hub"
READ_BYTES: Final = 1024 * 1024
HEX_CHARS: Final = 64


class Waiting(msgspec.Struct, frozen=True):
    """A backup that the hub has not got. `at_us`: when it was made, by our clock of then."""

    digest: str
    size_bytes: int
    at_us: int


def put(config: Config, backup: Path) -> None:
    """Have a backup sent; older ones that nobody waits for any more are not. Raises WorldError."""
    folder = config.backups / FOLDER
    with disk_errors(folder):
        make_folder(folder, 0o700)
        owned_like(config.home, folder)
        with suppress(FileExistsError):
            (folder / _hex(backup)).hardlink_to(backup)
        sync_folder(folder)
    for name in superseded(Handed(hex_of(each.digest), each.at_us) for each in waiting(config)):
        unlink_durably(folder / name)


def waiting(config: Config) -> tuple[Waiting, ...]:
    """Those that the hub has not got, the newest first; () where there is no folder."""
    with suppress(OSError):
        return tuple(sorted(_found(config.backups / FOLDER), key=lambda each: (-each.at_us, each.digest)))
    return ()


def path_of(config: Config, digest: str) -> Path:
    """Where one that waits lies, called as the hub is to call it."""
    return config.backups / FOLDER / hex_of(digest)


def is_kept(config: Config, digest: str) -> None:
    """The hub keeps it: it waits no more, nor does any that is older. WorldError where that cannot be noted."""
    all_waiting = waiting(config)
    made_us = max((each.at_us for each in all_waiting if each.digest == digest), default=0)
    write_atomically(nights.hub_mark(config), digest.encode() + b"\n")
    owned_like(config.home, nights.hub_mark(config))
    for each in all_waiting:
        if each.digest == digest or each.at_us < made_us:
            unlink_durably(path_of(config, each.digest))


def is_carried(config: Config) -> None:
    """It lies on a stick that goes to the hub: it waits all the same until the hub says that it has it."""
    mark = nights.stick_mark(config)
    with disk_errors(mark):
        mark.unlink(missing_ok=True)
    write_atomically(mark, b"")
    owned_like(config.home, mark)


def is_refused(config: Config, digest: str) -> None:
    """The hub does not want it, and will not: the next night makes another."""
    unlink_durably(path_of(config, digest))


def _found(folder: Path) -> Iterator[Waiting]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(entry.name) == HEX_CHARS:
                facts = entry.stat(follow_symlinks=False)
                yield Waiting(f"sha256:{entry.name}", facts.st_size, facts.st_mtime_ns // 1000)


def _hex(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            hashed.update(chunk)
    return hashed.hexdigest()
