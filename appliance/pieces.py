"""Assets on a stick, in pieces that every file system takes: copied there and back, going on where it was.

A copy begins by comparing: what lies at the target already and is the same is read and kept, from the first difference
on it is written anew. So a stick that was pulled out costs what was not on it yet, and a bit that turned on it is put
right by the next trip. Everything is hashed on the way.
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from appliance.core import carry
from appliance.core.asset import Digest, hex_of
from appliance.core.carry import Side, piece_name, pieces_of
from appliance.core.errors import Corrupt, Text
from appliance.durable import disk_errors, regular_file, write_all
from appliance.stick import FOLDERS, PART, Parts, Stick, regular_below, sync_open_folder

Progress = Callable[[int], None]
"""Told how many bytes have been dealt with since it was last told."""

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES: Final = 1024 * 1024
_SYNC_BYTES: Final = 64 * 1024 * 1024
"""So much is written at most before it is waited for: what is told of the progress is on the stick, about."""


def holds_asset(stick: Stick, side: Side, digest: str, size_bytes: int, piece_bytes: int = carry.PIECE_BYTES) -> bool:
    """Whether all pieces of an asset are there, by their sizes; whether they are right is for the hash to say."""
    for number, length in enumerate(pieces_of(size_bytes, piece_bytes)):
        parts = _piece(side, digest, number)
        with stick.errors(parts):
            try:
                with stick.folder(parts[:-1]) as folder:
                    facts = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return False
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != length:
            return False
    return True


def there_bytes(stick: Stick, side: Side, digest: str, size_bytes: int, piece_bytes: int = carry.PIECE_BYTES) -> int:
    """How much of an asset takes up room on the stick already, whole or begun."""
    found = 0
    for number, length in enumerate(pieces_of(size_bytes, piece_bytes)):
        parts = _piece(side, digest, number)
        with stick.errors(parts), suppress(FileNotFoundError), stick.folder(parts[:-1]) as folder:
            sizes = (_size_of(folder, parts[-1]), _size_of(folder, parts[-1] + PART))
            here = min(length, max(size or 0 for size in sizes))
            found += here
            if here < length:
                break
    return found


def put_asset(
    stick: Stick, side: Side, source: Path, digest: str, progress: Progress, piece_bytes: int = carry.PIECE_BYTES
) -> None:
    """Copy an asset to the stick, going on behind what is there already and the same.

    Corrupt when the source is not what it is called: then nothing of it stays on the stick.
    """
    hashed, offset = hashlib.sha256(), 0
    with regular_file(source) as origin:
        for number, length in enumerate(pieces_of(os.fstat(origin).st_size, piece_bytes)):
            parts = _piece(side, digest, number)
            span = _Span(origin, offset, length, partial(disk_errors, source))
            with stick.errors(parts), stick.folder(parts[:-1], make=True) as folder:
                _put_piece(folder, parts[-1], span, partial(stick.errors, parts), hashed, progress)
            offset += length
    if hashed.hexdigest() != hex_of(digest):
        drop_asset(stick, side, digest, offset, piece_bytes)
        raise Corrupt(Text(f"{digest} 的内容与指纹不符", f"{digest} is not what it is called"))


def drop_asset(stick: Stick, side: Side, digest: str, size_bytes: int, piece_bytes: int = carry.PIECE_BYTES) -> None:
    """Take an asset off the stick, whole or begun."""
    for number, _length in enumerate(pieces_of(size_bytes, piece_bytes)):
        parts = _piece(side, digest, number)
        with stick.errors(parts), suppress(FileNotFoundError), stick.folder(parts[:-1]) as folder:
            for name in (parts[-1], parts[-1] + PART):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)


def get_asset(
    stick: Stick,
    side: Side,
    digest: str,
    size_bytes: int,
    target: Path,
    progress: Progress,
    piece_bytes: int = carry.PIECE_BYTES,
) -> Digest:
    """Copy an asset from the stick into `target`, going on behind what is there; the digest of what was read.

    `target` is fsynced; whoever called compares. WorldError when a piece is missing or shorter than it should be.
    """
    hashed, offset = hashlib.sha256(), 0
    with disk_errors(target):
        into = os.open(target, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        for number, length in enumerate(pieces_of(size_bytes, piece_bytes)):
            parts = _piece(side, digest, number)
            with stick.errors(parts), stick.folder(parts[:-1]) as folder, regular_below(folder, parts[-1]) as piece:
                origin = _Span(piece, 0, length, partial(stick.errors, parts))
                _pour(origin, _Span(into, offset, length, partial(disk_errors, target)), hashed, progress)
            offset += length
        with disk_errors(target):
            os.ftruncate(into, offset)
            os.fsync(into)
    finally:
        os.close(into)
    return Digest(f"sha256:{hashed.hexdigest()}")


def keep_only_assets(stick: Stick, side: Side, digests: Collection[str]) -> None:
    """Take the assets of earlier trips away; those that are to go on this one stay, whole or begun."""
    kept = {hex_of(digest) for digest in digests}
    top = (FOLDERS[side], "assets")
    for shelf in stick.names(top):
        if len(shelf) == 2:
            there = stick.names((*top, shelf))
            stick.keep_only((*top, shelf), {name.removesuffix(PART) for name in there if name[:64] in kept})


def listed(stick: Stick, side: Side, enough: Callable[[int], bool]) -> tuple[dict[str, int], bool]:
    """The assets that lie there by their names, with the bytes of their pieces; and whether that is all of them.

    Whether they are whole or right is not asked. `enough` is told how many were found, and says when to stop: each
    costs a question to the stick.
    """
    top, found = (FOLDERS[side], "assets"), dict[str, int]()
    for shelf in stick.names(top):
        for name in stick.names((*top, shelf)) if len(shelf) == 2 else ():
            hexed, _dot, number = name.partition(".")
            if _HEX.fullmatch(hexed) is None or not (number == "" or number.isdecimal()):
                continue
            if enough(len(found)):
                return found, False
            parts, digest = (*top, shelf, name), f"sha256:{hexed}"
            with stick.errors(parts), stick.folder(parts[:-1]) as folder:
                found[digest] = found.get(digest, 0) + (_size_of(folder, name) or 0)
    return found, True


@dataclass(frozen=True)
class _Span:
    """So many bytes of an open file, from an offset on; `errors` says what its disk reports in its own words."""

    descriptor: int
    offset: int
    length: int
    errors: Callable[[], AbstractContextManager[None]]


def _put_piece(
    folder: int,
    name: str,
    origin: _Span,
    errors: Callable[[], AbstractContextManager[None]],
    hashed: "hashlib._Hash",
    progress: Progress,
) -> None:
    """A piece has its name only while it is whole: before a byte of it changes it is renamed."""
    is_whole = _size_of(folder, name) == origin.length
    with regular_below(folder, name if is_whole else name + PART, os.O_RDWR | os.O_CREAT) as into:

        def unname() -> None:
            if is_whole:
                os.rename(name, name + PART, src_dir_fd=folder, dst_dir_fd=folder)

        is_same = _pour(origin, _Span(into, 0, origin.length, errors), hashed, progress, unname)
        if is_whole and is_same:
            return
        os.ftruncate(into, origin.length)
        os.fsync(into)
    os.rename(name + PART, name, src_dir_fd=folder, dst_dir_fd=folder)
    sync_open_folder(folder)


def _pour(
    origin: _Span, into: _Span, hashed: "hashlib._Hash", progress: Progress, differs: Callable[[], None] = lambda: None
) -> bool:
    """Make one span hold what the other does; what is the same already is only read. Whether all of it was.

    `differs` is called before the first byte changes. What was written is on the disk every _SYNC_BYTES.
    """
    done_bytes, is_same, unsynced_bytes = 0, True, 0
    while done_bytes < origin.length:
        with origin.errors():
            left_bytes = origin.length - done_bytes
            chunk = os.pread(origin.descriptor, min(_CHUNK_BYTES, left_bytes), origin.offset + done_bytes)
            if not chunk:
                raise OSError(errno.EIO, "shorter than it should be")
        hashed.update(chunk)
        with into.errors():
            if is_same and os.pread(into.descriptor, len(chunk), into.offset + done_bytes) != chunk:
                is_same = False
                differs()
                os.ftruncate(into.descriptor, into.offset + done_bytes)
            if not is_same:
                os.lseek(into.descriptor, into.offset + done_bytes, os.SEEK_SET)
                write_all(into.descriptor, chunk)
                unsynced_bytes += len(chunk)
            if unsynced_bytes >= _SYNC_BYTES:
                os.fdatasync(into.descriptor)
                unsynced_bytes = 0
        done_bytes += len(chunk)
        progress(len(chunk))
    return is_same


def _piece(side: Side, digest: str, number: int) -> Parts:
    return (FOLDERS[side], "assets", hex_of(digest)[:2], piece_name(digest, number))


def _size_of(folder: int, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None
