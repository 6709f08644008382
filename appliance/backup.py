"""The state of a box as one sealed file: made while the agent runs, read again to the last byte before it counts.

    write(config, path, ...)      copy, hash, seal beside the target, fsync, rename
    unpack(path, code, into)      the files of a backup, each checked against the manifest, in a folder of their own

What a backup holds: core/backup.py. How it is sealed: core/seal.py. How it is put in place: appliance/restoring.py.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from appliance.config import Config, config_path
from appliance.core import backup, seal
from appliance.core.backup import Manifest, Part
from appliance.core.errors import Corrupt, Refused, Text
from appliance.core.moment import to_text
from appliance.durable import (
    disk_errors,
    make_folder,
    owned_like,
    put_in_place,
    regular_file,
    staged_beside,
    sweep,
    write_all,
    write_atomically,
)
from appliance.nights import code_path
from appliance.store.at_rest import copy_as_it_is, heads_of, steps_of
from appliance.store.facts import version

SECRET: Final = 0o600
COPY: Final = ".copy-"
"""Begins the name of the folder in which a backup is put together; the next one takes away what a killed one leaves."""


def write(config: Config, home: Path | None, path: Path, now_us: int) -> Manifest:
    """Back the box up into `path`; it is whole and on the disk when this returns. Raises WorldError, DiskFull.

    `home` is what `--home` named: the config lies there, else in /etc.
    """
    seed = recovery_seed(config)
    with _copy(config) as copy:
        parts = [(name, source) for name, source in _sources(config, home, copy) if source.is_file()]
        manifest = Manifest(
            v=backup.V,
            site=config.site,
            made_at=to_text(now_us),
            software=version(),
            steps=steps_of(copy),
            heads=heads_of(copy),
            files=tuple(_part(name, source) for name, source in parts),
        )
        _seal(path, manifest, [source for _name, source in parts], seed)
    owned_like(config.home, path)
    return manifest


def recovery_seed(config: Config) -> bytes:
    """What this box's backups are sealed under; made when it is first asked for, and then never changed."""
    path = code_path(config)
    if not path.exists():
        with disk_errors(path):
            make_folder(config.keys, 0o700)
        write_atomically(path, seal.code_text(secrets.token_bytes(seal.SEED_BYTES)).encode() + b"\n", SECRET)
        owned_like(config.home, config.keys, path)
    with disk_errors(path):
        return seal.parse_code(path.read_text())


def read_header(path: Path) -> seal.Header:
    """What can be known of a backup without its code. Corrupt, Refused or WorldError where it is none."""
    with regular_file(path, follow=True) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        return seal.parse_header(_lines(file))[0]


def unpack(path: Path, seed: bytes, into: Path) -> Manifest:
    """The files of a backup, in `into`, which must be empty; on the disk when this returns.

    Raises Refused for a code that is another box's, Corrupt that names the file at fault, WorldError.
    """
    with regular_file(path, follow=True) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        lines = _lines(file)
        header, salt = seal.parse_header(lines)
        if not seal.opens(header, seed, salt):
            raise Refused(
                Text(
                    f"恢复码不是这份备份的（{header.site}）", f"this code is not the one of this backup ({header.site})"
                ),
                hint=Text("请用备份时那台机器的恢复码", "take the code of the box that made it"),
            )
        plain = _Plain(file, seal.Sealing(lines, seed, salt))
        manifest = backup.parse_manifest(_manifest_bytes(plain))
        for part in manifest.files:
            _unpack_part(plain, part, into / part.name)
        plain.end()
    return manifest


def _sources(config: Config, home: Path | None, copy: Path) -> Iterator[tuple[str, Path]]:
    """What goes in, in this order: the small things first. `keys/unused` never does: a key that comes back was used."""
    yield backup.CONFIG, config_path(home)
    yield backup.TOKEN, config.playout_token
    for key in backup.KEYS:
        yield f"keys/{key}", config.keys / key
    yield backup.DATABASE, copy


@contextmanager
def _copy(config: Config) -> Iterator[Path]:
    """The database as it is now, in a folder that goes again."""
    with disk_errors(config.backups):
        make_folder(config.backups, 0o700)
        owned_like(config.home, config.backups)
        sweep(config.backups)
        for left in config.backups.glob(f"{COPY}*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = config.backups / f"{COPY}{secrets.token_hex(6)}"
        folder.mkdir(mode=0o700)
    try:
        copy_as_it_is(config.database, folder / backup.DATABASE)
        yield folder / backup.DATABASE
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _part(name: str, source: Path) -> Part:
    hashed, size_bytes = hashlib.sha256(), 0
    with disk_errors(source), source.open("rb") as file:
        while chunk := file.read(seal.CHUNK_BYTES):
            hashed.update(chunk)
            size_bytes += len(chunk)
    return Part(name, size_bytes, hashed.hexdigest())


def _seal(path: Path, manifest: Manifest, sources: list[Path], seed: bytes) -> None:
    salt = secrets.token_bytes(seal.SALT_BYTES)
    header = seal.header_of(manifest.site, manifest.made_at, manifest.software, seed, salt)
    sealing = seal.Sealing(header, seed, salt)
    with disk_errors(path), staged_beside(path, SECRET) as (descriptor, staged):
        write_all(descriptor, header)
        waiting = b""
        for data in _plain_bytes(manifest, sources):
            waiting += data
            while len(waiting) > seal.CHUNK_BYTES:
                write_all(descriptor, sealing.seal(waiting[: seal.CHUNK_BYTES], is_last=False))
                waiting = waiting[seal.CHUNK_BYTES :]
        write_all(descriptor, sealing.seal(waiting, is_last=True))
        put_in_place(descriptor, staged, path)


def _plain_bytes(manifest: Manifest, sources: list[Path]) -> Iterator[bytes]:
    """The manifest's length, the manifest, then each file as long as it says."""
    told = msgspec.json.encode(manifest)
    yield f"{len(told)}\n".encode() + told
    for part, source in zip(manifest.files, sources, strict=True):
        left = part.size_bytes
        with source.open("rb") as file:
            while left and (chunk := file.read(min(left, seal.CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk
        if left:
            raise Refused(Text(f"{part.name} 正在变化，请再试", f"{part.name} is changing: try again"))


class _Plain:
    """The bytes of a sealed file, chunk by chunk."""

    def __init__(self, file: BinaryIO, sealing: seal.Sealing) -> None:
        self._file, self._sealing = file, sealing
        self._data = b""
        self._ahead = file.read(seal.CHUNK_BYTES + seal.TAG_BYTES)
        self._is_over = False

    def take(self, size: int) -> bytes:
        """At most so many bytes, b"" at the end. Corrupt where a chunk is damaged."""
        if not self._data and not self._is_over:
            data, self._ahead = self._ahead, self._file.read(seal.CHUNK_BYTES + seal.TAG_BYTES)
            self._is_over = not self._ahead
            self._data = self._sealing.unseal(data, is_last=self._is_over)
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def end(self) -> None:
        """Corrupt where more follows."""
        if self.take(1):
            raise Corrupt(Text("备份末尾有多余的内容", "something follows the end of the backup"))


def _lines(file: BinaryIO) -> bytes:
    """The two lines at the beginning, whatever the file is."""
    return b"".join(file.readline(seal.HEADER_BYTES_MAX) for _line in range(2))


def _manifest_bytes(plain: _Plain) -> bytes:
    digits = b""
    while (digit := plain.take(1)) not in (b"\n", b""):
        digits += digit
        if len(digits) > 7:
            break
    if not digits.isdigit() or int(digits) > backup.MANIFEST_BYTES_MAX:
        raise Corrupt(Text(f"{backup.MANIFEST} 损坏", f"{backup.MANIFEST} is damaged"))
    data = b""
    while len(data) < int(digits) and (more := plain.take(int(digits) - len(data))):
        data += more
    return data


def _unpack_part(plain: _Plain, part: Part, path: Path) -> None:
    """One file; whatever is wrong with it is said under its name."""
    with disk_errors(path):
        make_folder(path.parent, 0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET)
        try:
            hashed, left = hashlib.sha256(), part.size_bytes
            while left:
                chunk = _take(plain, part, left)
                hashed.update(chunk)
                write_all(descriptor, chunk)
                left -= len(chunk)
            if hashed.hexdigest() != part.sha256:
                raise _at_fault(part.name, Text("内容不对", "other bytes than were backed up"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _take(plain: _Plain, part: Part, left: int) -> bytes:
    try:
        chunk = plain.take(left)
    except Corrupt as error:
        raise _at_fault(part.name, error.problems[0]) from error
    if not chunk:
        raise _at_fault(part.name, Text("不完整", "it is cut off"))
    return chunk


def _at_fault(name: str, what: Text) -> Corrupt:
    return Corrupt(
        Text(f"备份中的 {name}：{what.zh}", f"{name} in the backup: {what.en}"),
        hint=Text("未改动本机；请换一份备份", "nothing was changed; take another backup"),
    )
