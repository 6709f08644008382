"""Small assets, many at a time: the disk is waited for twice for all of them, and not twice for each.

adopt_all         staged files, as rsync left them
adopt_contents    bytes that were received into memory and hashed there
stage_contents    the same, only put where rsync would have
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from appliance.config import Config
from appliance.core.asset import Digest, hex_of, parse_digest
from appliance.core.errors import SongshanError
from appliance.durable import (
    STAGED_SUFFIX,
    disk_errors,
    make_folder,
    put_in_place,
    regular_file,
    staged_beside,
    sync_disk,
    write_all,
)
from appliance.files import ASSET_MODE, check, path_of, stage_path

STAGED_MODE: Final = 0o600
ONE_BY_ONE_MAX: Final = 8
"""More small files than these cost less when the whole disk is waited for once than when each is."""


def adopt_all(config: Config, digests: Iterable[str]) -> dict[str, int | SongshanError]:
    """Make many small staged files assets, as `adopt` does with one; the disk is waited for twice, not for each.

    Whoever wrote them must have ended. Of each its size, or why it was not adopted. Raises DiskFull or WorldError when
    that is so of all: those that were renamed are assets, the others staged as before.
    """
    found: dict[str, int | SongshanError] = {}
    right: list[Digest] = []
    for digest in map(parse_digest, digests):
        try:
            found[digest] = _checked(config, digest)
            right.append(digest)
        except SongshanError as error:
            found[digest] = error
    with disk_errors(config.media):
        sync_disk(config.incoming)
        _put_all_in_place(config, {digest: stage_path(config, digest) for digest in right})
    return found


def _checked(config: Config, digest: Digest) -> int:
    """The size of a staged file whose bytes are right, and which nobody may write any more."""
    staged = stage_path(config, digest)
    with regular_file(staged) as descriptor:
        size_bytes = check(config, staged, descriptor, digest)
        with disk_errors(staged):
            os.fchmod(descriptor, ASSET_MODE)
    return size_bytes


def stage_contents(config: Config, contents: Mapping[str, bytes]) -> None:
    """Put bytes where a transfer would have put them, as whole as it would."""
    with disk_errors(config.incoming):
        for digest, content in contents.items():
            staged = stage_path(config, digest)
            staged.unlink(missing_ok=True)
            _write_new(staged, content, STAGED_MODE)


def adopt_contents(config: Config, contents: Mapping[str, bytes]) -> None:
    """Make assets of bytes by their digests, which whoever received them has hashed: write, fsync, rename, fsync.

    For more than a few the disk is waited for twice, as in `adopt_all`. Raises DiskFull or WorldError; those that were
    renamed are assets, of the others nothing is left.
    """
    if len(contents) <= ONE_BY_ONE_MAX:
        for digest, content in contents.items():
            _adopt_content(config, digest, content)
        return
    staged = {digest: f"{config.incoming}/.{hex_of(digest)}{STAGED_SUFFIX}" for digest in contents}
    with disk_errors(config.incoming):
        try:
            for digest, path in staged.items():
                _write_new(path, contents[digest], ASSET_MODE)
            sync_disk(config.incoming)
            _put_all_in_place(config, staged)
        except OSError:
            for path in staged.values():
                Path(path).unlink(missing_ok=True)
            raise


def _adopt_content(config: Config, digest: str, content: bytes) -> None:
    target = path_of(config, digest)
    with disk_errors(config.incoming), staged_beside(config.incoming / "given", ASSET_MODE) as (into, staged):
        write_all(into, content)
        make_folder(target.parent)
        put_in_place(into, staged, target)


def _write_new(path: Path | str, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _put_all_in_place(config: Config, staged: Mapping[Digest, Path] | Mapping[str, str]) -> None:
    """Give files that are on the disk their names as assets; all of them survive a power cut when this returns."""
    # Of ten thousand each microsecond counts: no path is made of parts.
    for digest, path in staged.items():
        name = hex_of(digest)
        target = f"{config.media}/{name[:2]}/{name}"
        try:
            os.rename(path, target)  # noqa: PTH104
        except FileNotFoundError:
            path_of(config, digest).parent.mkdir(0o750, exist_ok=True)
            os.rename(path, target)  # noqa: PTH104
    sync_disk(config.media)
