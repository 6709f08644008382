"""One process at a time works on the state of a box: the agent, or who puts another state in its place."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from appliance.core.errors import Refused, Text
from appliance.durable import disk_errors, make_folder

LOCK: Final = "agent.lock"
OWNER_BYTES_MAX: Final = 20


@contextmanager
def only_one(run: Path, home: Path) -> Iterator[None]:
    """Hold the folder of the box itself; the kernel lets go when we die. Refused when somebody holds it.

    Who that is stands in `run`, where there is such a folder: systemd takes it away while the agent is stopped.
    """
    with disk_errors(home):
        make_folder(home)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _hold(descriptor, run / LOCK)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, told: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = _told(told)
        raise Refused(
            Text(f"此节点的 agent 已在运行（{owner}）", f"the agent of this box runs already ({owner})"),
            hint=Text("同一文件夹只能有一个 agent", "one agent for each home"),
        ) from error
    with suppress(OSError):
        told.write_text(f"{os.getpid()}\n")


def _told(path: Path) -> str:
    try:
        with path.open() as file:
            return file.read(OWNER_BYTES_MAX).strip()
    except OSError:
        return "?"
