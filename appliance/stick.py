"""A stick (移动盘) as a folder that nobody vouches for: read and written below one open folder, never through a link.

    with opened(path) as stick: ...        DIR, wherever the file system of a stick was mounted
    label, read_label                      nothing is written to a stick that has no label of ours
    write_pages, read_head                 the streams of one side (its assets: appliance/pieces.py)

Whoever held the stick in between may have left anything on it: links, pipes, devices, files without end. Each name is
opened below the folder that was opened before it, without following links and without waiting; only regular files are
read, and only so far as something says how long they are. What the stick does is a WorldError with the next step.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.core import carry
from appliance.core.carry import Label, Side
from appliance.core.errors import DiskFull, Refused, Text, WorldError
from appliance.core.journal import Checkpoint, Record, checkpoint_text, parse_checkpoint_text
from appliance.core.snapshot import Statement, parse_statement_text, statement_text
from appliance.durable import write_all

FOLDERS: Final[dict[Side, str]] = {"hub": "from-hub", "box": "from-box"}
NOTE: Final = "note"
CHECKPOINT: Final = "checkpoint"
SNAPSHOT: Final = "snapshot"
ENTRIES_MAX: Final = carry.PAGES_MAX + 1000
"""Names in one folder of a stick; with more it is not one that we wrote."""
CHECKPOINT_BYTES_MAX: Final = 16 * 1024

PART: Final = ".part"
"""Ends the name of what is being written."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_STRANGE: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO})

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Stick:
    """`root` is the open folder, `path` what to call it in errors."""

    root: int
    path: Path

    def read(self, parts: Parts, bytes_max: int) -> bytes | None:
        """A file's bytes, None when it is not there. Refused when it is no regular file or longer than `bytes_max`."""
        with self.errors(parts):
            try:
                with self.folder(parts[:-1]) as folder, regular_below(folder, parts[-1]) as descriptor:
                    if os.fstat(descriptor).st_size > bytes_max:
                        raise self._refused(parts, f"超过 {bytes_max} 字节", f"has more than {bytes_max} bytes")
                    return _read_all(descriptor, bytes_max)
            except FileNotFoundError:
                return None

    def names(self, parts: Parts) -> list[str]:
        """What lies in a folder, [] when there is none; Refused when there is more than could be ours."""
        found: list[str] = []
        with self.errors(parts):
            try:
                with self.folder(parts) as folder, os.scandir(folder) as entries:
                    for entry in entries:
                        found.append(entry.name)
                        if len(found) > ENTRIES_MAX:
                            raise self._refused(parts, "内的文件太多", "holds too many files")
            except FileNotFoundError:
                return []
        return sorted(found)

    def write(self, parts: Parts, data: bytes) -> None:
        """Make a file hold `data`: write, fsync, rename, fsync the folder."""
        with self.errors(parts), self.folder(parts[:-1], make=True) as folder:
            name = parts[-1]
            with regular_below(folder, name + PART, os.O_RDWR | os.O_CREAT) as descriptor:
                os.ftruncate(descriptor, 0)
                write_all(descriptor, data)
                os.fsync(descriptor)
            os.rename(name + PART, name, src_dir_fd=folder, dst_dir_fd=folder)
            sync_open_folder(folder)

    def keep_only(self, parts: Parts, names: Collection[str]) -> None:
        """Take all other plain files away from a folder of ours; what is being written under a kept name stays too."""
        left = [name for name in self.names(parts) if name.removesuffix(PART) not in names]
        if not left:
            return
        with self.errors(parts), self.folder(parts) as folder:
            for name in left:
                # A folder that somebody else put there is theirs.
                with suppress(IsADirectoryError, PermissionError):
                    os.unlink(name, dir_fd=folder)
            sync_open_folder(folder)

    def free_bytes(self) -> int:
        """What can still be written."""
        with self.errors(()):
            room = os.fstatvfs(self.root)
        return room.f_bavail * room.f_frsize

    @contextmanager
    def folder(self, parts: Parts, *, make: bool = False) -> Iterator[int]:
        """A folder below the root, opened name by name."""
        folder = os.dup(self.root)
        try:
            for name in parts:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o755, dir_fd=folder)
                        sync_open_folder(folder)
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def errors(self, parts: Parts) -> Iterator[None]:
        """What the operating system says of the stick, in words, with what to do."""
        try:
            yield
        except OSError as error:
            if error.errno in _STRANGE:
                raise self._refused(parts, "不是普通文件或文件夹", "is no plain file or folder") from error
            shown, cause = self._shown(parts), error.strerror or str(error)
            if error.errno in _NO_ROOM:
                raise DiskFull(Text(f"盘已满：{shown}", f"the stick is full: {shown}"), hint=_FULL) from error
            raise WorldError(Text(f"{shown}：{cause}", f"{shown}: {cause}"), hint=_AGAIN) from error

    def _refused(self, parts: Parts, zh: str, en: str) -> Refused:
        shown = self._shown(parts)
        return Refused(Text(f"{shown} {zh}", f"{shown} {en}"))

    def _shown(self, parts: Parts) -> str:
        return os.fsencode(self.path.joinpath(*parts)).decode(errors="replace")


@contextmanager
def opened(path: Path, *, to_write: bool = False) -> Iterator[Stick]:
    """The folder `path` as a stick; with `to_write` nobody else writes to it meanwhile. Raises WorldError, Refused."""
    try:
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        cause = error.strerror or str(error)
        raise WorldError(Text(f"打不开 {path}：{cause}", f"cannot open {path}: {cause}"), hint=_MOUNT) from error
    try:
        if to_write:
            _hold(root, path)
        yield Stick(root, path)
    finally:
        os.close(root)


def label(stick: Stick, made: Label) -> None:
    """Write the label to an empty stick; nothing else is ever written to one without. Refused when it is not empty."""
    if stick.read((carry.LABEL,), carry.LABEL_BYTES_MAX) is not None:
        raise Refused(Text("此盘已有标签", "this stick has a label already"), hint=_CHOOSE)
    there = [name for name in stick.names(()) if name not in carry.OF_OTHERS and name != carry.LABEL + PART]
    if there:
        shown = "、".join(there[:3]), ", ".join(there[:3])
        raise Refused(
            Text(f"{stick.path} 不是空的：{shown[0]}", f"{stick.path} is not empty: {shown[1]}"), hint=_CHOOSE
        )
    stick.write((carry.LABEL,), carry.encode_label(made))


def read_label(stick: Stick, site: str, hub: str) -> Label:
    """The label of a stick that goes between this site and this hub; Refused for every other, with the next step."""
    data = stick.read((carry.LABEL,), carry.LABEL_BYTES_MAX)
    if data is None:
        raise Refused(
            Text(f"{stick.path} 上没有标签 {carry.LABEL}", f"there is no label {carry.LABEL} on {stick.path}"),
            hint=Text("先用 usb label 给一个空盘贴标签", "label an empty stick first: usb label"),
        )
    found = carry.parse_label(data)
    carry.check_label(found, site, hub)
    return found


def stream_folder(side: Side, stream: str) -> Parts:
    """Where a stream's pages lie."""
    return (FOLDERS[side], "streams", *stream.split("/"))


def write_snapshot(stick: Stick, stream: str, statement: Statement, pages: Iterable[Sequence[Record]]) -> set[str]:
    """Put a snapshot of the hub's on the stick: its records in parts, then what vouches for them; the names."""
    folder, written = stream_folder("hub", stream), {SNAPSHOT}
    for number, records in enumerate(pages, start=1):
        stick.write((*folder, f"{SNAPSHOT}.{number}"), carry.encode_records(records))
        written.add(f"{SNAPSHOT}.{number}")
    stick.write((*folder, SNAPSHOT), "".join(f"{text}\n" for text in statement_text(statement)).encode())
    return written


def read_statement(stick: Stick, stream: str) -> Statement | None:
    """What vouches for the snapshot of a stream of the hub, None when the stick has none. Raises Broken."""
    data = stick.read((*stream_folder("hub", stream), SNAPSHOT), CHECKPOINT_BYTES_MAX)
    if data is None:
        return None
    payload, _, signature = data.decode("ascii", errors="replace").strip().partition("\n")
    return parse_statement_text(payload, signature)


def write_pages(
    stick: Stick,
    side: Side,
    stream: str,
    pages: Iterable[tuple[Sequence[Record], Checkpoint]],
    head: Checkpoint | None,
    besides: Collection[str] = (),
) -> int:
    """Put a stream's pages and its head on the stick, and take away those of earlier trips; how many records.

    `besides` are the names of what was written there before and stays."""
    folder, written, count = stream_folder(side, stream), {CHECKPOINT, *besides}, 0
    for records, checkpoint in pages:
        name = carry.page_name(records[0])
        stick.write((*folder, name), carry.encode_page(records, checkpoint))
        written.add(name)
        count += len(records)
    if head is not None:
        stick.write((*folder, CHECKPOINT), "".join(f"{text}\n" for text in checkpoint_text(head)).encode())
    stick.keep_only(folder, written)
    return count


def read_head(stick: Stick, side: Side, stream: str) -> Checkpoint | None:
    """Where the stream stood when the stick was written, None when nothing says so. Raises Broken."""
    data = stick.read((*stream_folder(side, stream), CHECKPOINT), CHECKPOINT_BYTES_MAX)
    if data is None:
        return None
    payload, _, signature = data.decode("ascii", errors="replace").strip().partition("\n")
    return parse_checkpoint_text(payload, signature)


@contextmanager
def regular_below(folder: int, name: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A regular file of an open folder; OSError ENXIO for whatever else has that name."""
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, bytes_max: int) -> bytes:
    data = bytearray()
    while len(data) < bytes_max and (chunk := os.read(descriptor, bytes_max - len(data))):
        data += chunk
    return bytes(data)


def sync_open_folder(folder: int) -> None:
    """Some file systems of sticks know no fsync of a folder; their files are synced all the same."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _hold(root: int, path: Path) -> None:
    try:
        fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Refused(
            Text(f"另一个命令正在写 {path}", f"another command is writing to {path}"),
            hint=Text("等它结束后再试", "try again when it has ended"),
        ) from error


_AGAIN: Final = Text(
    "把盘插回，再运行同一命令，会从中断处继续", "put the stick back and give the same command: it goes on where it was"
)
_MOUNT: Final = Text("先挂载移动盘：lsblk，mount", "mount the stick first: lsblk, mount")
_FULL: Final = Text("换更大的盘，或下次再带其余的", "take a larger stick, or carry the rest next time")
_CHOOSE: Final = Text("请选空的盘或空文件夹", "choose an empty stick or an empty folder")
