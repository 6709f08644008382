"""Three ways back to the beginning, each whole: what was begun is finished by whoever comes next.

    config    every option back to its default; who the box is stays: site, hub, channels
    keys      the keys and the config go; the box joins again with a new bundle, and keeps what it holds
    all       the state goes too: for a box that leaves the county

Media, the drop folder and the library stay unless they are named: they are terabytes, and not always the box's alone.
The software is never touched.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance.config import INSTALLED_HOME, Config, config_path, load, render
from appliance.core.errors import Corrupt, Text
from appliance.durable import disk_errors, sync_folder, unlink_durably, write_atomically

Level = Literal["config", "keys", "all"]
MARK: Final = ".reset"
MARK_BYTES_MAX: Final = 4096
_STATE: Final = ("spool", "public", "upgrade", "backups", "before-restore", "restoring", "state")
_MEDIA: Final = ("library", "drop", "media")


class Reset(msgspec.Struct, frozen=True):
    """What was begun."""

    level: Literal["keys", "all"]
    with_media: bool


def to_defaults(home: Path | None) -> None:
    """Write the config anew with what says who the box is, and nothing else."""
    now = load(home, {})
    plain = Config(
        home=now.home, run=now.run, site=now.site, name=now.name, zone=now.zone, hub=now.hub, channels=now.channels
    )
    write_atomically(config_path(home), render(plain).encode())


def begin(home: Path | None, level: Literal["keys", "all"], *, with_media: bool) -> None:
    """Take away what this level takes away; under the lock. Killed anywhere, `finish` does the rest."""
    root = home or INSTALLED_HOME
    write_atomically(root / MARK, msgspec.json.encode(Reset(level, with_media)), 0o600)
    finish(home)


def finish(home: Path | None) -> bool:
    """Go on with a reset that was cut off; whether there was one. Corrupt where its note cannot be read."""
    root = home or INSTALLED_HOME
    try:
        data = (root / MARK).read_bytes()[:MARK_BYTES_MAX]
    except FileNotFoundError:
        return False
    try:
        begun = msgspec.json.decode(data, type=Reset)
    except ValueError as error:
        raise Corrupt(Text(f"{root / MARK} 读不出", f"{root / MARK} cannot be read")) from error
    # Without a config nothing of the box runs, so it goes first.
    unlink_durably(config_path(home))
    for path in goes(root, begun.level, with_media=begun.with_media):
        with disk_errors(path):
            _take_away(path)
    unlink_durably(root / MARK)
    return True


def goes(root: Path, level: Level, *, with_media: bool) -> Iterator[Path]:
    """What a reset takes away, beside the config, of what is there."""
    names = [*(("keys",) if level != "config" else ())]
    if level == "all":
        names += [*_STATE, *(_MEDIA if with_media else ())]
    yield from (root / name for name in names if (root / name).exists() or (root / name).is_symlink())


def _take_away(path: Path) -> None:
    """A folder, or what is in it where a disk is mounted there. A link goes, and not what it leads to."""
    if path.is_symlink():
        path.unlink()
    elif path.is_mount():
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    else:
        shutil.rmtree(path)
    sync_folder(path.parent)
