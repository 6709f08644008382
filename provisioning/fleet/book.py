"""What the watch keeps on the disk, in HUB/fleet: its book, one file and so in one piece, and each county's history.

One watch at a time writes here: whoever holds `lock`. Where a hub has several gateways, the others show and tell not.
"""

import fcntl
from pathlib import Path
from typing import Final

import msgspec

from appliance.core.errors import Text, WorldError
from appliance.durable import disk_errors, make_folder, write_atomically
from provisioning.fleet.core.changes import History
from provisioning.fleet.core.letters import Book

BOOK: Final = "book.json"
FILE_BYTES_MAX: Final = 64 * 1024 * 1024
MODE: Final = 0o600


def read_book(folder: Path) -> Book:
    """The book; a new one where there is none. Raises WorldError where it cannot be read: nothing is told twice."""
    data = _read(folder / BOOK)
    if data is None:
        return Book()
    try:
        return msgspec.json.decode(data, type=Book)
    except (ValueError, RecursionError) as error:
        path = folder / BOOK
        raise WorldError(
            Text(f"{path} 读不出：{error}", f"{path} cannot be read: {error}"),
            hint=Text(
                f"移走 {path} 后重启：现有告警会再发一次",
                f"move {path} away and start again: what stands is told once more",
            ),
        ) from error


def write_book(folder: Path, book: Book) -> None:
    write_atomically(folder / BOOK, msgspec.json.encode(book), MODE)


def read_history(folder: Path, site: str) -> History | None:
    """What changed at a county; None where nothing is kept, or it cannot be read: it begins anew."""
    data = _read(folder / "history" / f"{site}.json")
    try:
        return msgspec.json.decode(data, type=History) if data is not None else None
    except (ValueError, RecursionError):
        return None


def write_history(folder: Path, site: str, history: History) -> None:
    write_atomically(folder / "history" / f"{site}.json", msgspec.json.encode(history), MODE)


class Turn:
    """Whose turn it is to tell, among the watches of one hub. Held until the process ends, also by kill -9."""

    def __init__(self, folder: Path) -> None:
        with disk_errors(folder):
            make_folder(folder / "history", 0o700)
            self._file = (folder / "lock").open("ab")
        self._is_ours = False

    def is_ours(self) -> bool:
        """Whether this watch tells; asked anew at each look, as the other one may have ended."""
        if not self._is_ours:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._is_ours = True
            except OSError:
                return False
        return True

    def end(self) -> None:
        self._file.close()


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorldError(Text(f"{path}：{error.strerror}", f"{path}: {error.strerror}")) from error
