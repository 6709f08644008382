"""The nightly backups on the disk, and the recovery code that opens them: HOME/backups, HOME/keys/recovery.

Read by screens and the doctor; written by `songshan backup` (appliance/backup.py).
"""

from pathlib import Path
from typing import Final

from appliance.config import Config
from appliance.core.backup import NIGHTLY, BackupFact, nightly_name
from appliance.core.errors import Refused, Text
from appliance.core.moment import US, to_text

RECOVERY: Final = "recovery"
SHOWN: Final = "recovery-shown"
"""In HOME/state: its time is when the code was last shown to a person."""
AT_HUB: Final = "backup-at-hub"
"""In HOME/state: its time is when the hub last said that it keeps a backup; the digest of that one."""
AT_STICK: Final = "backup-at-stick"
"""In HOME/state: its time is when one was last put on a stick."""
REHEARSED: Final = "backup-rehearsed"
"""In HOME/state: the name of the backup that was last opened as a restore would."""
NAME_BYTES_MAX: Final = 200
NAMES_MAX: Final = 3600
"""Seconds that are looked through for a name."""


def backup_fact(config: Config) -> BackupFact:
    """How the nightly backups are; what may not be read is not there."""
    try:
        found = sorted(path for path in config.backups.iterdir() if NIGHTLY.fullmatch(path.name))
    except OSError:
        found = []
    return BackupFact(
        last_us=_changed_us(found[-1]) if found else None,
        count=len(found),
        size_bytes=sum(_size_bytes(path) for path in found),
        path=str(config.backups),
        joined_us=_changed_us(config.sign_key.with_name("sign.pub")),
        code_shown_us=_changed_us(shown_mark(config)),
        at_hub_us=_changed_us(hub_mark(config)) if config.hub is not None else None,
        at_stick_us=_changed_us(stick_mark(config)) if config.hub is not None else None,
        is_rehearsed=bool(found) and _rehearsed(config) == found[-1].name,
    )


def free_path(config: Config, moment_us: int) -> Path:
    """For a backup of this second, or of the next that has none: a clock that was set back takes no earlier one's
    place.

    Raises Refused where there is none in an hour.
    """
    for later_s in range(NAMES_MAX):
        path = config.backups / nightly_name(config.site, to_text(moment_us + later_s * US))
        if not path.exists():
            return path
    raise Refused(Text(f"{config.backups} 中没有空余的文件名", f"there is no free name in {config.backups}"))


def code_path(config: Config) -> Path:
    """Where the recovery code of this box lies."""
    return config.keys / RECOVERY


def shown_mark(config: Config) -> Path:
    """An empty file that remembers when it was shown."""
    return config.database.parent / SHOWN


def rehearsed_mark(config: Config) -> Path:
    """A file that holds the name of the backup which was opened last."""
    return config.database.parent / REHEARSED


def hub_mark(config: Config) -> Path:
    """A file whose time is when the last backup reached the hub."""
    return config.database.parent / AT_HUB


def stick_mark(config: Config) -> Path:
    """An empty file whose time is when a backup was last put on a stick."""
    return config.database.parent / AT_STICK


def _rehearsed(config: Config) -> str:
    try:
        with rehearsed_mark(config).open("rb") as file:
            return file.read(NAME_BYTES_MAX).decode(errors="replace").strip()
    except OSError:
        return ""


def _changed_us(path: Path) -> int | None:
    try:
        return int(path.stat().st_mtime * US)
    except OSError:
        return None


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
