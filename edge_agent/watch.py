"""What wakes the loop: one byte in a pipe, meaning "look again". Nobody who writes it says where or what.

Watchers, the thread that dials and signals write it; the loop selects on it and then looks at everything itself. Where
the kernel has no watch left to give, the loop still looks every few seconds, and an alarm says why it is slower.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

TELLING: Final = frozenset({"created", "moved", "modified", "closed"})
"""Kinds of events after which there may be something new. Our own looking opens files, which is an event too."""
END_TIMEOUT_S: Final = 5.0


class Wake:
    """The pipe. `wake` may be called from any thread and from a signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Readable when somebody called `wake` since the last `drain`."""
        return self._read

    def wake(self) -> None:
        """Look again soon."""
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._write, b".")

    def drain(self) -> None:
        """Forget how often it was called."""
        with suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass

    def close(self) -> None:
        """Nobody listens any more. Who dials may still write, and not into a file that has got the number since."""
        os.close(self._read)

    def __del__(self) -> None:
        os.close(self._write)


@contextmanager
def watched(folders: Sequence[Path], wake: Wake) -> Iterator[OSError | None]:
    """Have `wake` called when something new is in one of the folders; yields why not, where that cannot be had."""
    observer = Observer()
    problem: OSError | None = None
    try:
        for folder in folders:
            observer.schedule(_Waker(wake), str(folder))
        observer.start()
    except OSError as error:
        # No inotify instances or watches left: see inotify(7), "/proc interfaces".
        problem = error
    try:
        yield problem
    finally:
        observer.stop()
        if observer.is_alive():
            observer.join(END_TIMEOUT_S)


class _Waker(FileSystemEventHandler):
    def __init__(self, wake: Wake) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in TELLING:
            self._wake.wake()
