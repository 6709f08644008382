"""The drop folder: whatever lies there and is finished is sent up; what cannot be says why, in the folder itself.

A scan is the truth; that something has changed is only a reason to look. A file is finished when size, times and inode
have stayed as they are for a while and no process has it open for writing. Only plain files are taken; links, pipes and
folders are named as refused and left alone.
"""

import fcntl
import hashlib
import os
import signal
import stat
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from appliance.core.errors import SongshanError, Text
from appliance.durable import regular_file, sync_folder, unlink_durably, write_atomically
from appliance.files import name_for_people

NOTICE: Final = "未收-NOT-TAKEN.txt"
"""Where the folder says what was not taken."""
ENTRIES_MAX: Final = 10_000
SETTLED_MAX: Final = 64
"""So many are looked at more closely in one scan; the others have their turn when these are taken."""
NOTICE_LINES_MAX: Final = 200
UNFINISHED_ENDINGS: Final = (".part", ".partial", ".filepart", ".tmp", ".crdownload", ".download")
"""Names that copying programs give to what they have not finished."""

_REFUSED: Final = (
    (stat.S_ISLNK, Text("是链接，不收；请放文件本身", "a link is not taken: put the file itself here")),
    (stat.S_ISDIR, Text("是文件夹，不收；请把文件逐个放进来", "a folder is not taken: put the files here one by one")),
    (stat.S_ISFIFO, Text("是管道，不收", "a pipe is not taken")),
)
_NO_FILE: Final = Text("不是普通文件，不收", "not a plain file, not taken")
_EMPTY: Final = Text("是空文件，不收", "an empty file is not taken")


class Entry(msgspec.Struct, frozen=True):
    """Something in the folder, as it is now. `key` changes with its content; `problem` says why it is not taken."""

    key: str
    path: Path
    size_bytes: int
    since_us: int
    """Since when it has been seen as it is."""
    problem: Text | None = None

    @property
    def shown(self) -> str:
        """Its name for people, on one line, whatever bytes it is made of."""
        return name_for_people(self.path)


class Look(msgspec.Struct, frozen=True):
    """What a scan found: `settled` may be taken now, `settling` perhaps at `settles_at_us`, `refused` not at all."""

    settled: tuple[Entry, ...] = ()
    refused: tuple[Entry, ...] = ()
    settling: tuple[Entry, ...] = ()
    settles_at_us: int | None = None

    @property
    def since_us(self) -> dict[str, int]:
        """Since when each entry has been as it is, by key."""
        return {entry.key: entry.since_us for entry in (*self.settled, *self.refused, *self.settling)}


def look(folder: Path, before: Look, refused: Mapping[str, Text], now_us: int, settled_us: int) -> Look:
    """Scan the folder. `refused`: why entries that were tried were not taken, by key; they are not tried again."""
    since_us = before.since_us
    entries = [
        msgspec.structs.replace(
            entry, since_us=since_us.get(entry.key, now_us), problem=entry.problem or refused.get(entry.key)
        )
        for entry in _entries(folder)
    ]
    refusable = [entry for entry in entries if entry.problem]
    plain = [entry for entry in entries if not entry.problem]
    stayed = [entry for entry in plain if entry.since_us + settled_us <= now_us][:SETTLED_MAX]
    finished = [entry for entry in stayed if not _is_open(entry)]
    finished_keys = {entry.key for entry in finished}
    settling = tuple(entry for entry in plain if entry.key not in finished_keys)
    # One that stays as it is but is still open is looked at again in a while.
    settles_us = [max(entry.since_us, now_us - settled_us // 2) + settled_us for entry in settling]
    return Look(
        settled=tuple(entry for entry in finished if entry.size_bytes),
        refused=(
            *refusable,
            *(msgspec.structs.replace(entry, problem=_EMPTY) for entry in finished if not entry.size_bytes),
        ),
        settling=settling,
        settles_at_us=min(settles_us, default=None),
    )


def tell(folder: Path, refused: tuple[Entry, ...]) -> None:
    """Write into the folder what was not taken and why, or take that notice away when there is nothing to say."""
    notice = folder / NOTICE
    if not refused:
        unlink_durably(notice)
        return
    lines = [f"{entry.shown}：{entry.problem.zh} / {entry.problem.en}" for entry in refused if entry.problem]
    left = len(lines) - NOTICE_LINES_MAX
    more = [f"… {left}"] if left > 0 else []
    write_atomically(notice, "\n".join([*lines[:NOTICE_LINES_MAX], *more, ""]).encode(), 0o644)


def take_away(entry: Entry) -> None:
    """Remove a file that was taken; not if it has become another since, which is then taken too."""
    now = _entry(entry.path)
    if now is not None and now.key == entry.key:
        unlink_durably(entry.path)
    else:
        sync_folder(entry.path.parent)


def _entries(folder: Path) -> Iterator[Entry]:
    """What lies there, in the order of names. Hidden and unfinished names are not looked at."""
    try:
        with os.scandir(folder) as found:
            names = sorted(each.name for each in islice(found, ENTRIES_MAX))
    except FileNotFoundError:
        # Whoever tidied up has taken the folder with it; the next start makes it anew.
        return
    for name in names:
        if name.startswith(".") or name == NOTICE or name.lower().endswith(UNFINISHED_ENDINGS):
            continue
        entry = _entry(folder / name)
        if entry is not None:
            yield entry


def _entry(path: Path) -> Entry | None:
    try:
        facts = path.lstat()
    except OSError:
        # Gone, or not to be seen, between two looks.
        return None
    problem = None
    if not stat.S_ISREG(facts.st_mode):
        problem = next((text for holds, text in _REFUSED if holds(facts.st_mode)), _NO_FILE)
    identity = (os.fsencode(path.name), facts.st_dev, facts.st_ino, facts.st_mode, facts.st_size, facts.st_mtime_ns)
    key = hashlib.sha256(repr(identity).encode()).hexdigest()
    return Entry(key, path, facts.st_size, 0, problem)


def _is_open(entry: Entry) -> bool:
    """Whether a process could still write it: the kernel grants a read lease only when none can (fcntl(2)).

    Only the owner may ask; of other people's files it is their staying as they are that counts.
    """
    try:
        with regular_file(entry.path) as descriptor:
            # Whoever opens it while we hold the lease breaks it by a signal, which by default would end us.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (OSError, SongshanError):
        return False
    return False
