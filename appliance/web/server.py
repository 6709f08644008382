"""gunicorn around one application, with settings of its own."""

import resource
from typing import Any, Final

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from appliance.serving import Lamp
from appliance.web.front import Front
from appliance.web.worker import IDLE_S, LINE_BYTES_MAX, Worker

WORKERS: Final = 2
"""One for each core of the smallest box, and one left when a bug or a cut ends the other."""
THREADS: Final = 8
"""They never wait for clients, only for disk and database."""
CONNECTIONS_MAX: Final = 2000
"""Of each worker; each may have a file open, too."""
FILES_BESIDE: Final = 256
"""Descriptors that are neither: database, listener, heartbeat."""
HUNG_S: Final = 30
STOP_S: Final = 5


class Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn with one application and settings of its own; it reads no file, no environment and no control socket."""

    def __init__(self, front: Any, address: str, lamp: Lamp) -> None:
        self.lamp = lamp
        self._front: Front = front
        self._address = address
        super().__init__(prog="songshan web")

    def load_config(self) -> None:
        files = open_files_max(2 * CONNECTIONS_MAX + FILES_BESIDE)
        settings = {
            "bind": self._address,
            "workers": WORKERS,
            "threads": THREADS,
            "worker_class": Worker,
            "worker_connections": max(THREADS + 1, (files - FILES_BESIDE) // 2),
            "timeout": HUNG_S,
            "graceful_timeout": STOP_S,
            "keepalive": int(IDLE_S),
            "limit_request_line": LINE_BYTES_MAX,
            "limit_request_fields": 64,
            # Made before the fork, so that the workers share its memory.
            "preload_app": True,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - a heartbeat must not wait for a disk
            "control_socket_disable": True,
            "accesslog": None,
            "loglevel": "warning",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Front:
        return self._front


def open_files_max(wanted: int) -> int:
    """Ask for so many open files for this process and its children; how many there may be.

    Where there are too few, a listener that cannot accept would be ready for ever, and spin.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(soft, wanted)
