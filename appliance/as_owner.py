"""Root's work in a folder that is somebody else's is done as that somebody: what he put there leads root nowhere."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from appliance.core.errors import SongshanError, Text, WorldError

TOLD_BYTES_MAX: Final = 64 * 1024


def as_owner_of(folder: Path, act: Callable[[], bytes | None]) -> bytes:
    """Do something as the user whom `folder` belongs to: in a child, where we are root and he is not.

    What it returns comes back, at most TOLD_BYTES_MAX of it. What it raises of ours comes back as a WorldError with its
    words; anything else is a WorldError without.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return act() or b""
    ours, his = os.pipe()
    child = os.fork()
    if child == 0:
        _as_him(owner, act, his)
    os.close(his)
    with os.fdopen(ours, "rb") as pipe:
        told = pipe.read(TOLD_BYTES_MAX)
    _child, status = os.waitpid(child, 0)
    if status != 0:
        raise WorldError(*_words(told))
    return told


def _as_him(owner: os.stat_result, act: Callable[[], bytes | None], his: int) -> None:
    """In the child; never returns."""
    status = 1
    try:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
        told = act() or b""
        assert len(told) <= TOLD_BYTES_MAX, "it fits into the pipe at once"
        os.write(his, told)
        status = 0
    except SongshanError as error:
        os.write(his, msgspec.json.encode(error.problems)[:TOLD_BYTES_MAX])
    finally:
        os._exit(status)


def _words(told: bytes) -> tuple[Text, ...]:
    try:
        return msgspec.json.decode(told, type=tuple[Text, ...])
    except ValueError:
        return (Text("在节点文件夹中的操作失败", "what was to be done in the folder of the box failed"),)
