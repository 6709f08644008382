"""The library: names for people of what the coming days play, made and pruned after each compilation.

What is to be done is decided in `appliance.core.library`. `.links.json` in the folder notes which names are ours; all
others are somebody else's and stay. Nothing here is needed for the air.
"""

import errno
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance import files, slate
from appliance.config import Config
from appliance.core.library import SLATE_NAME, changes
from appliance.core.moment import US
from appliance.core.schedule import day_of
from appliance.durable import write_atomically
from appliance.store import exports

INDEX: Final = ".links.json"
DAYS_AHEAD: Final = 2
"""Today and tomorrow have links; what is one day old or further ahead may keep those that it has."""
DAY_US: Final = 86_400 * US


def arrange(config: Config, db: Database, now_us: int) -> int:
    """Bring the library in line with the ledger and the rundown; how many names were made or taken away."""
    days = [day_of(now_us + ahead * DAY_US, config.zone) for ahead in range(-1, DAYS_AHEAD + 1)]
    gone = exports.recalled(db)
    wanted: dict[str, str] = {}
    for channel in config.channels:
        for date in days[1 : 1 + DAYS_AHEAD]:
            found = exports.library_of_day(db, channel.id, config.zone, date)
            # What was recalled may still stand in the ledger, where it has aired.
            wanted |= {path: digest for path, digest in found.items() if digest not in gone}
    ours = links_of(config)
    there: dict[str, str | None] = {path: _digest_of(config, path, digest) for path, digest in ours.items()}
    there |= {path: None for path in wanted.keys() - ours.keys() if _is_foreign(config, path, wanted[path])}
    todo = changes(wanted, there, days, gone)
    for path in todo.remove:
        _take_away(config.library / path)
        ours.pop(path, None)
    made = [(path, digest) for path, digest in todo.make if _link(config, path, digest)]
    ours |= dict(made)
    if made or todo.remove:
        write_atomically(config.library / INDEX, msgspec.json.encode(ours))
    _keep_slate(config)
    return len(made) + len(todo.remove)


def links_of(config: Config) -> dict[str, str]:
    """The names that are ours, each with its asset; none where that was not noted yet, or cannot be read."""
    try:
        return msgspec.json.decode((config.library / INDEX).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _digest_of(config: Config, path: str, digest: str) -> str:
    """What a name of ours stands for now; "" where that is not the asset any more: it went bad and was healed."""
    link = config.library / path
    try:
        is_same = link.samefile(files.path_of(config, digest))
    except OSError:
        is_same = link.is_file() and not files.is_there(config, digest)
    return digest if is_same else ""


def _is_foreign(config: Config, path: str, digest: str) -> bool:
    link = config.library / path
    try:
        return link.exists() and not link.samefile(files.path_of(config, digest))
    except OSError:
        return True


def _link(config: Config, path: str, digest: str) -> bool:
    """A second name; where the media lie on a disk of their own, one that points there. False: there is no asset."""
    link, asset = config.library / path, files.path_of(config, digest)
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.hardlink_to(asset)
    except FileExistsError:
        pass
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        link.symlink_to(asset)
    return True


def _take_away(path: Path) -> None:
    path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()
        path.parent.parent.rmdir()


def _keep_slate(config: Config) -> None:
    ours = config.library / SLATE_NAME
    if not ours.exists():
        write_atomically(ours, slate.slate_path().read_bytes())
