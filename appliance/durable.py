"""Writing that survives a power cut: whole or not there, and on the disk before anybody is told.

Every file that a box writes goes through here: write, fsync, rename, fsync the folder. And so does every file that it
takes from somebody else: a regular one, within bounds, that nobody is still writing.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from appliance.core.asset import Digest
from appliance.core.errors import DiskFull, Refused, Text, WorldError

FILE_MODE: Final = 0o640
"""Owner writes, group reads: the box's services share a group."""
STAGED_SUFFIX: Final = ".part"
"""Ends the name of a file that is still being written; what a killed process leaves behind has this name too."""

_STAGED: Final = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(STAGED_SUFFIX)}")
"""Names that `staged_beside` gives, and nobody else."""
_NAMES_TRIED_MAX: Final = 16
_CHUNK_BYTES: Final = 1024 * 1024
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_atomically(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Make `path` hold `data`; whoever looks sees the old file or the new one, also after a power cut.

    Raises DiskFull or WorldError; then the old file stands and nothing half is left.
    """
    with disk_errors(path), staged_beside(path, mode) as (descriptor, staged):
        write_all(descriptor, data)
        put_in_place(descriptor, staged, path)


@contextmanager
def staged_beside(path: Path, mode: int = FILE_MODE) -> Iterator[tuple[int, Path]]:
    """A new empty file in the folder of `path`, under a name of its own; taken away unless it was put in place.

    The name does not depend on that of `path`, which may already be as long as a file system allows. It is held locked
    by its writer: what is not was left by one that was killed, and `sweep` takes it away.
    """
    descriptor, staged = _new_file(path.parent, mode)
    try:
        yield descriptor, staged
    finally:
        os.close(descriptor)
        staged.unlink(missing_ok=True)


def _new_file(folder: Path, mode: int) -> tuple[int, Path]:
    """One that is ours: whoever swept may have had it between its name and the lock."""
    for _name in range(_NAMES_TRIED_MAX):
        staged = folder / f".{secrets.token_hex(8)}{STAGED_SUFFIX}"
        descriptor = os.open(staged, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        # Where a file system has no locks nobody can sweep either.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, staged
        os.close(descriptor)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(folder))


def sweep(folder: Path) -> int:
    """Take away what writers left there that were killed; how many. What a living one is writing stays.

    May be called at any time, by whoever may write in the folder; nothing happens where there is none. Raises
    WorldError.
    """
    with disk_errors(folder):
        try:
            found = [path for path in folder.iterdir() if _STAGED.fullmatch(path.name)]
        except FileNotFoundError:
            return 0
        return sum([_sweep_file(path) for path in found])


def _sweep_file(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # It was put in place meanwhile, or it is somebody's whose files we may not touch.
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Somebody is writing it; or there are no locks, and nobody can know.
        return False
    else:
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def put_in_place(descriptor: int, staged: Path, path: Path) -> None:
    """fsync what was written, give it its name, fsync the folder."""
    os.fsync(descriptor)
    staged.rename(path)
    sync_folder(path.parent)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """write(2) may take less than it was given."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def regular_file(path: Path, *, follow: bool = False) -> Iterator[int]:
    """A file for reading, not waiting where a fifo would make one wait. A link is followed only where `follow` says so.

    Raises Refused when it is no regular file, WorldError when it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _refused(path, "不是普通文件", "is not a regular file") from error
        raise world_error(error, path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refused(path, "不是普通文件", "is not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def copy_settled(source: int, into: int, path: Path, bytes_max: int) -> tuple[Digest, int]:
    """Copy an open file whose writer has ended; digest and size of the copy. `path` is what to call it in errors.

    Raises Refused when it is empty, larger than `bytes_max`, or changes meanwhile: also a file that grows without end.
    """
    before = os.fstat(source)
    if before.st_size == 0:
        raise _refused(path, "是空文件", "is empty")
    if before.st_size > bytes_max:
        raise _refused(path, f"超过 {bytes_max} 字节", f"has more than {bytes_max} bytes")
    hashed, size_bytes = hashlib.sha256(), 0
    while size_bytes <= before.st_size and (chunk := os.read(source, _CHUNK_BYTES)):
        write_all(into, chunk)
        hashed.update(chunk)
        size_bytes += len(chunk)
    after = os.fstat(source)
    if (size_bytes, before.st_size, before.st_mtime_ns) != (before.st_size, after.st_size, after.st_mtime_ns):
        raise _refused(path, "还在变化", "is still changing")
    return Digest(f"sha256:{hashed.hexdigest()}"), size_bytes


def hash_of(descriptor: int, bytes_per_s: int = 0) -> tuple[Digest, int]:
    """Digest and size of an open file, from its start; read at most so fast where not 0."""
    hashed, size_bytes, began_s = hashlib.sha256(), 0, time.monotonic()
    while chunk := os.pread(descriptor, _CHUNK_BYTES, size_bytes):
        hashed.update(chunk)
        size_bytes += len(chunk)
        if bytes_per_s:
            time.sleep(max(0.0, began_s + size_bytes / bytes_per_s - time.monotonic()))
    return Digest(f"sha256:{hashed.hexdigest()}"), size_bytes


def unlink_durably(path: Path) -> None:
    """Take a name away, for good; nothing happens when there is none."""
    with disk_errors(path):
        try:
            path.unlink()
        except FileNotFoundError:
            return
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a rename, link or unlink in this folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_disk(folder: Path) -> None:
    """Make all that was written on the disk of this folder survive a power cut, files and names: syncfs(2).

    For many small files at once: the disk is waited for once, and not twice for each of them.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _LIBC.syncfs(descriptor) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(folder))
    finally:
        os.close(descriptor)


def names_in(folder: Path) -> Iterator[str]:
    """The names in a folder that do not begin with a dot, in no order; no path is made of each, there may be many."""
    with os.scandir(folder) as found:
        yield from (entry.name for entry in found if not entry.name.startswith("."))


def make_folder(path: Path, mode: int = 0o750) -> None:
    """Make a folder and those above it, and see to it that they are still there after a power cut."""
    if path.is_dir():
        # Who made it may have been killed before its name was durable. A parent that we may not open is not ours.
        with suppress(PermissionError):
            sync_folder(path.parent)
        return
    make_folder(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


def owned_like(model: Path, *paths: Path) -> None:
    """What root made in a box belongs to whom the box belongs to: its services are no root."""
    if os.geteuid() == 0 and model.exists() and (owner := model.stat()).st_uid != 0:
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Say what the operating system reported in the terms of `appliance.core.errors`."""
    try:
        yield
    except OSError as error:
        raise world_error(error, path) from error


def world_error(error: OSError, path: Path) -> WorldError:
    """DiskFull when there was no room, else a WorldError that names the path and the cause."""
    cause, shown = error.strerror or str(error), os.fsencode(path).decode(errors="replace")
    if error.errno in _NO_ROOM:
        return DiskFull(
            Text(f"磁盘已满，写不了 {shown}", f"the disk is full: cannot write {shown}"),
            hint=Text("清理磁盘或调整缓存上限", "free some space, or lower what the cache may use"),
        )
    return WorldError(Text(f"{shown}：{cause}", f"{shown}: {cause}"), retryable=error.errno != errno.EROFS)


def _refused(path: Path, zh: str, en: str) -> Refused:
    shown = os.fsencode(path).decode(errors="replace")
    return Refused(Text(f"{shown} {zh}", f"{shown} {en}"))
