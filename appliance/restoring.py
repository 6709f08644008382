"""Put a backup in the place of what is there: checked beside it first, then swapped, and nothing is deleted before.

    HOME/restoring/           the files of the backup, unpacked and checked
    HOME/restoring/ready      from here on the new state counts: whoever comes next - this command again, or the agent
                              when it starts - moves the rest into place
    HOME/before-restore/      what was there; the one of an earlier restore goes when the new state is in place

A restored database does not know what the site has said since. It says nothing before the hub has told it, and what was
lost comes back in one history (`edge_agent.recovery`).
"""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.backup import COPY, unpack
from appliance.config import INSTALLED_HOME, Config, config_path, load
from appliance.core import backup
from appliance.core.backup import Manifest
from appliance.core.errors import Corrupt, OperatorError, Refused, SongshanError, Text
from appliance.durable import disk_errors, make_folder, owned_like, sync_disk, sync_folder, write_atomically
from appliance.keys import read_sign_key
from appliance.store import at_rest
from appliance.store.database import writing

STAGE: Final = "restoring"
READY: Final = "ready"
OLD: Final = "old"
ASIDE: Final = "before-restore"
_MODES: Final = {backup.DATABASE: 0o640, backup.TOKEN: 0o640, "ssh.pub": 0o644, "sign.pub": 0o644}
"""Of all others only the owner reads anything."""


def restore(home: Path | None, path: Path, seed: bytes) -> Manifest:
    """Check a backup and put it in place. The caller holds the lock of the box.

    Raises Corrupt, Refused or OperatorError that name the file at fault, DiskFull, WorldError: then nothing is changed.
    """
    root = home or INSTALLED_HOME
    stage = root / STAGE
    finish(home)
    with disk_errors(root):
        make_folder(root)
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
    manifest = unpack(path, seed, stage)
    config = _checked(stage, manifest)
    _check_place(stage, config, home)
    _come_from_before(stage, config)
    with disk_errors(stage):
        for file in _files(stage):
            file.chmod(_MODES.get(file.name, 0o600))
            owned_like(root, file)
        sync_disk(stage)
        sync_folder(root)
        write_atomically(stage / READY, b"")
    finish(home)
    return manifest


def rehearse(config: Config, path: Path, seed: bytes) -> Manifest:
    """Open a backup as a restore would, beside everything that is in use, and take what came of it away again.

    Raises what a restore would: Corrupt, Refused or OperatorError that name the file at fault, DiskFull, WorldError.
    """
    with disk_errors(config.backups):
        folder = config.backups / f"{COPY}{secrets.token_hex(6)}"
        folder.mkdir(mode=0o700)
    try:
        manifest = unpack(path, seed, folder)
        found = _checked(folder, manifest)
        if found.site != config.site:
            raise Refused(Text(f"这是 {found.site} 的备份", f"a backup of {found.site}"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return manifest


def finish(home: Path | None) -> bool:
    """Move into place what a restore has made ready; whether there was anything. May be killed and called again.

    Before anything else of the box is read, for the config itself may be another; under the lock.
    """
    root = home or INSTALLED_HOME
    stage, aside = root / STAGE, root / STAGE / OLD
    is_ready = (stage / READY).exists()
    with disk_errors(stage):
        if is_ready:
            make_folder(aside, 0o700)
            _put_config(stage, aside, home)
            for new, place in _places(stage, root):
                _swap(new, place, aside)
            _set_aside(root / "keys" / "unused", aside)
            (stage / READY).unlink()
            sync_folder(stage)
        if aside.exists():
            shutil.rmtree(root / ASIDE, ignore_errors=True)
            aside.rename(root / ASIDE)
            sync_folder(root)
            shutil.rmtree(stage, ignore_errors=True)
    return is_ready


def _checked(stage: Path, manifest: Manifest) -> Config:
    """The config of the backup, when all that was unpacked is what a box can run on."""
    there = {part.name for part in manifest.files}
    missing = [name for name in (backup.CONFIG, backup.DATABASE) if name not in there]
    if missing:
        raise Corrupt(*(Text(f"备份中没有 {name}", f"there is no {name} in the backup") for name in missing))
    try:
        config = load(stage, {})
    except OperatorError as error:
        raise OperatorError(*error.problems, hint=_UNCHANGED) from error
    database = stage / backup.DATABASE
    faults = at_rest.faults_of(database)
    if faults:
        raise Corrupt(
            Text(f"备份中的 {backup.DATABASE} 损坏：{faults[0]}", f"{backup.DATABASE} in the backup: {faults[0]}"),
            hint=_UNCHANGED,
        )
    if config.hub is not None:
        key = read_sign_key(stage / "keys" / "sign").public_key()
        if not at_rest.is_written_by(database, config.site, key):
            text = Text(
                "备份中的 keys/sign 不是其数据库的密钥", "keys/sign in the backup is not the key of its database"
            )
            raise Corrupt(text, hint=_UNCHANGED)
    return config


def _check_place(stage: Path, config: Config, home: Path | None) -> None:
    """Refused for another site's backup; WorldError where the config cannot be written."""
    place = config_path(home)
    try:
        now = load(home, {})
    except SongshanError:
        now = None
    if now is not None and now.site != config.site:
        raise Refused(
            Text(f"这是 {config.site} 的备份，本机是 {now.site}", f"a backup of {config.site}; this box is {now.site}"),
            hint=Text("换中心须先 songshan reset all", "to make it another site's, songshan reset all first"),
        )
    if _bytes(place) != _bytes(stage / backup.CONFIG):
        with disk_errors(place):
            make_folder(place.parent)
            # Tried now, while nothing has been changed yet.
            trial = place.with_name(f".{backup.CONFIG}.part")
            trial.touch()
            trial.unlink()


def _come_from_before(stage: Path, config: Config) -> None:
    """Bring the database to what this software knows, and make it doubt where its site's stream stands."""
    database = stage / backup.DATABASE
    with writing(database):
        pass
    if config.hub is not None:
        at_rest.doubt_own_stream(database, config.site)


def _files(stage: Path) -> list[Path]:
    return [path for path in stage.rglob("*") if path.is_file()]


def _places(stage: Path, root: Path) -> Iterator[tuple[Path, Path]]:
    """What was unpacked, and where it belongs."""
    for key in backup.KEYS:
        yield stage / "keys" / key, root / "keys" / key
    yield stage / backup.TOKEN, root / "state" / backup.TOKEN
    yield stage / backup.DATABASE, root / "state" / backup.DATABASE


def _put_config(stage: Path, aside: Path, home: Path | None) -> None:
    """It may lie on another disk than all the rest, so it is written and not renamed."""
    new, place = stage / backup.CONFIG, config_path(home)
    if not new.exists():
        return
    before = _bytes(place)
    if before is not None and not (aside / backup.CONFIG).exists():
        write_atomically(aside / backup.CONFIG, before, 0o600)
    if before != _bytes(new):
        write_atomically(place, new.read_bytes())
        owned_like(place.parent, place)
    new.unlink()


def _swap(new: Path, place: Path, aside: Path) -> None:
    if not new.exists():
        return
    make_folder(place.parent, 0o700 if place.parent.name == "keys" else 0o750)
    owned_like(place.parent.parent, place.parent)
    # The log beside a database would be read into the one that comes: it goes with its own.
    for old in (place.with_name(f"{place.name}-wal"), place.with_name(f"{place.name}-shm"), place):
        _set_aside(old, aside)
    new.rename(place)
    sync_folder(place.parent)


def _set_aside(path: Path, aside: Path) -> None:
    """Once: what is there when a cut-off swap is done again is the new one's."""
    kept = aside / path.name
    if path.exists() and not kept.exists():
        path.rename(kept)
        sync_folder(aside)
        sync_folder(path.parent)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


_UNCHANGED: Final = Text("未改动本机；请换一份备份", "nothing was changed; take another backup")
