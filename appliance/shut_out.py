"""Whether this box was shut out (吊销) by its hub: a file in its state, read by whoever would do something."""

from pathlib import Path
from typing import Final

import msgspec

from appliance.config import Config
from appliance.core.errors import Refused, Text
from appliance.core.shut_out import Kept
from appliance.durable import make_folder, write_atomically

KEPT: Final = "shut-out"
KEPT_BYTES_MAX: Final = 1024 * 1024


def path_of(config: Config) -> Path:
    """Beside the database; not in it, for it is read where there is none and written where the agent is not."""
    return config.database.with_name(KEPT)


def kept(config: Config) -> Kept | None:
    """The newest list that this box has seen; None where it never saw one."""
    try:
        with path_of(config).open("rb") as file:
            return msgspec.json.decode(file.read(KEPT_BYTES_MAX), type=Kept)
    except (OSError, ValueError):
        return None


def is_shut_out(config: Config) -> bool:
    """Whether this box stands on it."""
    found = kept(config)
    return found is not None and found.is_shut_out


def keep(config: Config, found: Kept) -> None:
    """On the disk when this returns."""
    make_folder(config.database.parent)
    write_atomically(path_of(config), msgspec.json.encode(found))


def check(config: Config) -> None:
    """Refused for a box that was shut out."""
    if is_shut_out(config):
        raise Refused(WORDS, hint=HINT)


WORDS: Final = Text(
    "本节点已被嵩山云吊销，停止同步和收发移动盘", "this box was shut out by its hub: no line, no sticks"
)
HINT: Final = Text(
    "如属误操作，请嵩山云 songshan-hub readmit，再插入新写的移动盘",
    "if that is a mistake: songshan-hub readmit at the hub, then a stick that was written after it",
)
