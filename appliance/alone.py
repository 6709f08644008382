"""One process at a time works on the state of a box: the agent, or who puts another state in its place."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.core.errors import Refused, Text
from appliance.durable import disk_errors, make_folder, owned_like

LOCK: Final = "agent.lock"


@contextmanager
def only_one(run: Path, home: Path) -> Iterator[None]:
    """Hold the lock of this home, which lies in `run`; the kernel lets go when we die. Refused when it is held."""
    make_folder(run)
    path = run / LOCK
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        owned_like(home, run, path)
    try:
        _hold(descriptor)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        raise Refused(
            Text(f"此节点的 agent 已在运行（{owner}）", f"the agent of this box runs already ({owner})"),
            hint=Text("同一文件夹只能有一个 agent", "one agent for each home"),
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
