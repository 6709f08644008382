"""How far an export to a stick is: run/export.json, written by the process that exports, for whoever looks.

An export may take hours and whoever began it may be gone; a screen that is opened later shows the same. What cannot be
told (no such folder, no right) does not keep the export from being done.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from appliance.config import Config
from appliance.core.errors import SongshanError, Text, WorldError
from appliance.core.manifest import Exported
from appliance.durable import make_folder, write_atomically

TELL_EVERY_S: Final = 1.0
BYTES_MAX: Final = 64 * 1024
GONE: Final = Text("导出中断，再导出一次即从断处继续", "it broke off; exported once more it goes on from there")


class Telling:
    """Of one export. `fact` is what was told last."""

    def __init__(self, config: Config, path: Path) -> None:
        self._file = _file(config)
        now_us = time.time_ns() // 1000
        self.fact = Exported(path=str(path), pid=os.getpid(), state="running", began_us=now_us, at_us=now_us)
        self._told_s = 0.0

    def moved(self, done_bytes: int, all_bytes: int) -> None:
        """So much of so much is on the stick; told about once a second."""
        self.fact = msgspec.structs.replace(self.fact, done_bytes=done_bytes, all_bytes=all_bytes)
        if time.monotonic() >= self._told_s + TELL_EVERY_S:
            self.tell()

    def tell(self, **facts: object) -> None:
        """What is so now."""
        self._told_s = time.monotonic()
        self.fact = msgspec.structs.replace(self.fact, at_us=time.time_ns() // 1000, **facts)
        with suppress(WorldError, OSError):
            make_folder(self._file.parent)
            write_atomically(self._file, msgspec.json.encode(self.fact))


@contextmanager
def telling(config: Config, path: Path) -> Iterator[Telling]:
    """Tells that it has begun, and how it ended."""
    told = Telling(config, path)
    told.tell()
    try:
        yield told
    except SongshanError as error:
        told.tell(state="failed", problem=error.problems[0])
        raise
    told.tell(state="done")


def exported(config: Config) -> Exported | None:
    """The export that runs, or the last one since the machine started; one whose process is gone has failed."""
    try:
        data = _file(config).read_bytes()[:BYTES_MAX]
        found = msgspec.json.decode(data, type=Exported)
    except (OSError, msgspec.DecodeError):
        return None
    if found.state == "running" and not Path(f"/proc/{found.pid}").exists():
        return msgspec.structs.replace(found, state="failed", problem=GONE)
    return found


def _file(config: Config) -> Path:
    return config.run / "export.json"
