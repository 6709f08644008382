"""Whether anybody serves: each worker of the web server holds a lock, of which the kernel lets go when the worker dies.

Nothing is written and nobody is asked, so it costs nothing, and the web server needs no right to write. The lock's file
lies beside the database and is made by the agent; a worker that is there first tries again.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.config import Config

NAME: Final = "web.lock"
MODE: Final = 0o640


def lock_of(config: Config) -> Path:
    """The file that is locked."""
    return config.database.with_name(NAME)


def is_served(config: Config) -> bool:
    """Whether a worker lives. Raises OSError where its file cannot be made."""
    descriptor = os.open(lock_of(config), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class Lamp:
    """A worker's own lock. It is taken after the fork: two processes that share a descriptor share its lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def light(self) -> None:
        """Hold it until this process dies. To be called again and again: the file may come later, or be another."""
        if self._descriptor is not None:
            if self._is_same(self._descriptor):
                return
            os.close(self._descriptor)
            self._descriptor = None
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor

    def _is_same(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except OSError:
            return False
