"""A disk that loses what was not synced. It stands in for the kernel: while it is in force, Python's own `os` calls and
SQLite's commits on its volumes go through it, so that no module of ours can write around it.

Files lie on the real file system (a tmpfs): that is what a running process sees. Beside it each volume remembers what
is durable: for each file the content at its last fsync, for each folder the names at its last fsync. A power cut makes
the one into the other, each change by itself kept, undone or torn, as the seed has it. SQLite's files are left out:
with `synchronous=FULL` what it committed is durable; without it a cut takes back what was committed since the boot.
"""

import ctypes
import errno
import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance import durable

DATABASE = "box.db"
SECTOR_BYTES = 512
BLOCKS = 1 << 28
"""Of a volume: a terabyte, half of it free."""
SYNCHRONOUS_FULL = 2


class Killed(BaseException):
    """The process is gone: nothing that would run in it afterwards, not even a `finally`, can touch the disk."""


@dataclass
class Volume:
    """One machine's disk. `dead`: its process was killed; `full`, `failing`: what the next writes will meet."""

    root: Path
    names: dict[str, int] = field(default_factory=dict)
    """Durable names of files, with the inode that each stands for."""
    folders: set[str] = field(default_factory=set)
    contents: dict[int, bytes] = field(default_factory=dict)
    """What of each file is durable, by inode."""
    modes: dict[int, int] = field(default_factory=dict)
    connections: list[sqlite3.Connection] = field(default_factory=list)
    dead: bool = False
    full: bool = False
    countdown: int | None = None
    """Steps until the process is killed."""
    failing: int | None = None
    faults: int = 0
    """Calls that were not carried out: whoever made them was killed, or told that it failed."""
    """Steps until one call fails with EIO."""

    def __post_init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """All that is there is durable."""
        found = self.scan()
        self.folders, self.names = found.folders, found.names
        self.contents = {ino: found.read(ino) for ino in set(found.names.values())}
        self.modes = {ino: stat.S_IMODE(os.stat(path).st_mode) for ino, path in found.paths.items()}

    def scan(self) -> "Found":
        found = Found()
        root = str(self.root)
        for folder, folders, files in os.walk(root):
            inside = folder[len(root) + 1 :]
            prefix = f"{inside}/" if inside else ""
            found.folders.update(prefix + each for each in folders)
            for name in files:
                if name.startswith(DATABASE):
                    continue
                path = f"{folder}/{name}"
                facts = os.lstat(path)
                if stat.S_ISREG(facts.st_mode):
                    found.names[prefix + name] = facts.st_ino
                    found.paths[facts.st_ino] = path
        return found

    def inside(self, path: str) -> str | None:
        root = str(self.root)
        if path == root:
            return ""
        return path[len(root) + 1 :] if path.startswith(root + "/") else None

    def boot(self) -> None:
        """A new process starts on this machine."""
        self.dead, self.countdown, self.failing = False, None, None
        self.connections.clear()

    def kill_after(self, steps: int) -> None:
        """Let the process die before its `steps`-th next call that changes the disk."""
        self.countdown = steps

    def set_full(self, full: bool) -> None:
        """No room is left; there is again."""
        self.full = full
        for connection in self.connections:
            with suppress(sqlite3.Error):
                limit_pages(connection, full)

    def lets_go_of(self, path: Path) -> None:
        """A process that had written `path` is gone; what the kernel has of it stays."""

    def cut(self, chance: random.Random) -> None:
        """The power goes. What was not durable is kept, undone or torn."""
        found = self.scan()
        lost = {folder for folder in found.folders - self.folders if chance.random() < 0.5}
        self._tear(found, chance)
        self._rename(found, self._names_kept(found, lost, chance))
        for folder in sorted(lost, reverse=True):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        self.settle()

    def _tear(self, found: "Found", chance: random.Random) -> None:
        for ino, path in found.paths.items():
            there, durable = found.read(ino), self.contents.get(ino, b"")
            if there == durable:
                continue
            kept = chance.choice((durable, there, torn(durable, there, chance)))
            rewrite(path, kept)

    def _names_kept(self, found: "Found", lost: set[str], chance: random.Random) -> dict[str, int | None]:
        """Every name that changed since its folder was synced, and what it stands for after the cut."""
        after: dict[str, int | None] = {}
        for name in sorted(found.names.keys() | self.names.keys()):
            now, durable = found.names.get(name), self.names.get(name)
            if any(name.startswith(f"{folder}/") for folder in lost):
                after[name] = None
            elif now != durable:
                after[name] = now if chance.random() < 0.5 else durable
        names = {**found.names, **after}
        for name, ino in found.names.items():
            # A rename is one step to a journaling file system: one of the two names is there.
            if (
                ino in self.names.values()
                and ino not in names.values()
                and not any(name.startswith(f"{folder}/") for folder in lost)
            ):
                after[name] = names[name] = ino
        return after

    def _rename(self, found: "Found", after: dict[str, int | None]) -> None:
        held = self.root.with_name(f"{self.root.name}.held")
        held.mkdir()
        for ino in {each for each in after.values() if each is not None}:
            aside = held / str(ino)
            if ino in found.paths:
                _link(found.paths[ino], aside)
            else:
                # A name may be durable whose bytes never were.
                _write(aside, self.contents.get(ino, b""))
                os.chmod(aside, self.modes.get(ino, 0o640))
        for name in after:
            with suppress(FileNotFoundError):
                _unlink(self.root / name)
        for name, kept in after.items():
            if kept is not None:
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                _link(held / str(kept), path)
        shutil.rmtree(held)

    def synced_file(self, descriptor: int, facts: os.stat_result) -> None:
        self.contents[facts.st_ino] = _content(descriptor, facts.st_size)
        self.modes[facts.st_ino] = stat.S_IMODE(facts.st_mode)

    def synced_folder(self, descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        inside = self.inside(path)
        if inside is None:
            return
        prefix = f"{inside}/" if inside else ""
        for name in [each for each in self.names if each.rpartition("/")[0] == inside]:
            del self.names[name]
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                self.folders.add(prefix + entry.name)
            elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(DATABASE):
                self.names[prefix + entry.name] = entry.inode()


@dataclass
class Found:
    """What lies on a volume now."""

    names: dict[str, int] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def read(self, ino: int) -> bytes:
        return Path(self.paths[ino]).read_bytes()


def torn(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """Some sectors are the new ones, some the old ones, some never written."""
    size = len(after) if chance.random() < 0.7 else chance.randint(min(len(before), len(after)), len(after))
    sectors = []
    for start in range(0, size, SECTOR_BYTES):
        end = min(start + SECTOR_BYTES, size)
        old = before[start:end].ljust(end - start, b"\0")
        sectors.append(chance.choice((after[start:end], old)))
    return b"".join(sectors)


def rewrite(path: str | Path, content: bytes) -> None:
    """Other bytes under the same inode, behind everybody's back."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    os.chmod(path, mode | 0o200)
    _write(path, content)
    os.chmod(path, mode)


def limit_pages(connection: sqlite3.Connection, full: bool) -> None:
    """SQLITE_FULL comes once the database would have to grow."""
    pages = sqlite3.Connection.execute(connection, "PRAGMA page_count").fetchone()[0] if full else 1_073_741_823
    sqlite3.Connection.execute(connection, f"PRAGMA max_page_count = {pages}")


_REAL: dict[str, Callable[..., Any]] = {
    name: getattr(os, name) for name in ("open", "write", "fsync", "rename", "replace", "link", "unlink", "mkdir")
}
_REAL_STATVFS = os.statvfs
_REAL_CONNECT = sqlite3.connect
_link, _unlink = _REAL["link"], _REAL["unlink"]


def _write(path: str | Path, content: bytes) -> None:
    descriptor = _REAL["open"](path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        _REAL["write"](descriptor, content)
    finally:
        os.close(descriptor)


def _content(descriptor: int, size_bytes: int) -> bytes:
    """Of a file that may be open for writing only."""
    reading = _REAL["open"](f"/proc/self/fd/{descriptor}", os.O_RDONLY)
    try:
        return os.pread(reading, size_bytes, 0)
    finally:
        os.close(reading)


class SimulatedDisk:
    """All volumes of a simulation. `on(volume)` says whose process is running."""

    def __init__(self) -> None:
        self._running: Volume | None = None
        self.besides: list[Volume] = []
        """Disks that are in no machine of their own, as sticks: whoever writes there, theirs is what was synced."""
        self.steps = 0

    @contextmanager
    def in_force(self) -> Iterator["SimulatedDisk"]:
        """Take the kernel's place; it is given back at the end."""
        calls: dict[str, Callable[..., Any]] = {
            "open": self._open,
            "write": self._write,
            "fsync": self._fsync,
            **{name: self._changing(name) for name in ("rename", "replace", "link", "unlink", "mkdir")},
        }
        for name, call in calls.items():
            setattr(os, name, call)
        os.statvfs = self._statvfs
        sqlite3.connect = self._connect  # type: ignore[assignment]
        libc, durable._LIBC = durable._LIBC, self  # type: ignore[assignment, misc]
        try:
            yield self
        finally:
            durable._LIBC = libc  # type: ignore[misc]
            for name, call in _REAL.items():
                setattr(os, name, call)
            os.statvfs = _REAL_STATVFS
            sqlite3.connect = _REAL_CONNECT

    @contextmanager
    def on(self, volume: Volume | None) -> Iterator[None]:
        """A process of this machine runs; None: what happens is done by nobody, and is no step of anybody's."""
        before, self._running = self._running, volume
        try:
            yield
        finally:
            self._running = before

    def step(self, *, may_fail: bool = True) -> None:
        """One more call that changes the disk: here the process may be killed, or the call fail."""
        volume = self._running
        if volume is None:
            return
        self.steps += 1
        if volume.countdown is not None:
            volume.countdown -= 1
            if volume.countdown < 0:
                volume.dead, volume.countdown = True, None
                volume.faults += 1
        if volume.dead:
            raise Killed
        if may_fail and volume.failing is not None:
            volume.failing -= 1
            if volume.failing < 0:
                volume.failing = None
                volume.faults += 1
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _changing(self, name: str) -> Callable[..., Any]:
        real = _REAL[name]

        def call(*args: Any, **named: Any) -> Any:
            self.step()
            return real(*args, **named)

        return call

    def _open(self, path: Any, flags: int, *args: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self.step()
        descriptor: int = _REAL["open"](path, flags, *args, **named)
        return descriptor

    def _write(self, descriptor: int, data: Any) -> int:
        volume = self._running
        if volume is not None and stat.S_ISREG(os.fstat(descriptor).st_mode):
            self.step()
            if self._disk_under(descriptor, volume).full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written: int = _REAL["write"](descriptor, data)
        return written

    def _fsync(self, descriptor: int) -> None:
        volume = self._running
        if volume is None:
            return
        self.step()
        facts = os.fstat(descriptor)
        volume = self._disk_under(descriptor, volume)
        if stat.S_ISDIR(facts.st_mode):
            volume.synced_folder(descriptor)
            return
        if volume.full and facts.st_size > len(volume.contents.get(facts.st_ino, b"")):
            # Room is given when the data goes to the disk, as on file systems that allocate late.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        volume.synced_file(descriptor, facts)

    def _disk_under(self, descriptor: int, running: Volume) -> Volume:
        """Which disk a file lies on."""
        if not self.besides:
            return running
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        return next((each for each in self.besides if each.inside(path) is not None), running)

    def syncfs(self, _descriptor: int) -> int:
        """syncfs(2), as the product calls it: all of the volume at once. Says nothing of why it failed but by errno."""
        volume = self._running
        if volume is None:
            return 0
        self.step()
        found = volume.scan()
        is_larger = any(os.stat(path).st_size > len(volume.contents.get(ino, b"")) for ino, path in found.paths.items())
        if volume.full and is_larger:
            ctypes.set_errno(errno.ENOSPC)
            return -1
        volume.settle()
        return 0

    def _statvfs(self, path: Any) -> os.statvfs_result:
        """Of a simulated volume what it would say of itself, not how much the others on this machine have left."""
        values = list(_REAL_STATVFS(path))
        if self._running is not None:
            values[2], values[5], values[6], values[7] = BLOCKS, BLOCKS, BLOCKS, BLOCKS
            values[3] = values[4] = 0 if self._running.full else BLOCKS // 2
        return os.statvfs_result(values)

    def _connect(self, *args: Any, **named: Any) -> sqlite3.Connection:
        disk, volume = self, self._running
        if volume is None:
            plain: sqlite3.Connection = _REAL_CONNECT(*args, **named)
            return plain

        class Connection(sqlite3.Connection):
            """Where a transaction begins and ends the process may be killed."""

            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                if sql not in ("BEGIN IMMEDIATE", "COMMIT"):
                    return super().execute(sql, *values)
                try:
                    disk.step()
                except OSError as error:
                    failed = sqlite3.OperationalError("disk I/O error")
                    failed.sqlite_errorcode = sqlite3.SQLITE_IOERR
                    raise failed from error
                done = super().execute(sql, *values)
                if sql == "COMMIT":
                    disk.step(may_fail=False)
                return done

        self.step()
        connection: sqlite3.Connection = _REAL_CONNECT(*args, **named, factory=Connection)
        volume.connections.append(connection)
        if volume.full:
            limit_pages(connection, True)
        return connection
