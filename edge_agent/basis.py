"""The basis of a transfer on disk: a file that is much like what comes, which rsync compares so that little travels.

    media/incoming/basis/<hex>       what is compared with the asset of that digest; under its name, as rsync wants it
    media/incoming/<hex>             what has come, or was found to be the same: always the asset's own beginning

The new file grows beside the old one and not on a copy of it (`--inplace` alone): there what was moved within the file
would come again, and a cut would leave bytes of which nobody knows whose they are. See docs/adr/0011.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance import files
from appliance.config import Config
from appliance.core.asset import hex_of
from appliance.durable import disk_errors, make_folder, regular_file, unlink_durably

_CHUNK_BYTES: Final = 16 * 1024 * 1024
_UNFINISHED: Final = ".unfinished"


def folder_of(config: Config) -> Path:
    """Where the bases lie."""
    return config.incoming / "basis"


def path_of(config: Config, digest: str) -> Path:
    """The basis of this asset's transfer, when it has one."""
    return folder_of(config) / hex_of(digest)


def source_of(config: Config, digest: str, base: str) -> Path:
    """The file that `base` names: an asset that is here, or for the asset itself its bytes in quarantine."""
    return config.quarantine / hex_of(digest) if base == digest else files.path_of(config, base)


def lay(config: Config, digest: str, base: str) -> None:
    """Give the transfer of an asset a basis: `base`, and before it what has come of the asset so far.

    With nothing staged that is a second name of a file. After a cut it is a copy and takes as long as one: call it in a
    process then. Killed at any moment it can be done again, and nothing that has come is lost. Raises Refused when
    there is no such file, DiskFull or WorldError.
    """
    target, staged, source = path_of(config, digest), files.stage_path(config, digest), source_of(config, digest, base)
    with regular_file(source) as descriptor, disk_errors(target):
        make_folder(target.parent)
        brought_bytes = staged.stat().st_size if staged.exists() else 0
        base_bytes = os.fstat(descriptor).st_size
        known_bytes = target.stat().st_size - base_bytes if target.exists() else -1
        if brought_bytes > max(0, known_bytes):
            unfinished = target.with_name(target.name + _UNFINISHED)
            with regular_file(staged) as brought:
                _join(unfinished, ((brought, brought_bytes), (descriptor, base_bytes)))
            unfinished.rename(target)
        elif known_bytes < 0:
            with suppress(FileExistsError):
                target.hardlink_to(source)
        staged.unlink(missing_ok=True)


def discard(config: Config, digest: str) -> None:
    """Take the basis of a transfer away; nothing happens when there is none."""
    target = path_of(config, digest)
    for path in (target, target.with_name(target.name + _UNFINISHED)):
        unlink_durably(path)


def _join(path: Path, parts: tuple[tuple[int, int], ...]) -> None:
    """Need not survive a power cut: what of a basis is wrong comes over the line."""
    into = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        for source, size_bytes in parts:
            offset = 0
            while offset < size_bytes:
                sent_bytes = os.sendfile(into, source, offset, min(_CHUNK_BYTES, size_bytes - offset))
                if sent_bytes == 0:
                    break
                offset += sent_bytes
    finally:
        os.close(into)
