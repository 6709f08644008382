"""Notice that the journals changed: a file descriptor for select. It only says "look again"; looking is the truth."""

import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent


class Watch:
    """Readable when something under `folder` was written. Where the kernel grants no watch, polling has to do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def __enter__(self) -> "Watch":
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        wake = self._wake

        class Waker(FileSystemEventHandler):
            def on_any_event(self, event: "FileSystemEvent") -> None:
                if event.event_type in ("modified", "created", "moved"):
                    wake()

        self._observer = Observer()
        self._observer.schedule(Waker(), str(self._folder), recursive=True)
        try:
            self._observer.start()
            self._watches = True
        except OSError:  # inotify's limit of watches or instances: the poll goes on
            self._watches = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watches:
            self._observer.stop()
            self._observer.join(1)

    def fileno(self) -> int:
        return self._read

    def drain(self) -> None:
        """Forget what was noticed."""
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            return

    def _wake(self) -> None:
        try:
            os.write(self._write, b"!")
        except BlockingIOError:
            return
