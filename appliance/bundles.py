"""A bundle (升级包) as a file that comes in: judged before it is unpacked, hashed as it is read, in bounded memory.

opened(path)                     the tar, read once from its start to its end
manifest_of(archive, key)        what the hub vouches for
take(archive, manifest, place)   every file is hashed; where `place` names a path it is written there
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core import bundle
from appliance.core.bundle import File, Manifest
from appliance.core.errors import Corrupt, Text
from appliance.durable import disk_errors, regular_file, write_all

CHUNK_BYTES: Final = 1024 * 1024


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Corrupt, then or later, where it is no tar."""
    try:
        with (
            regular_file(path, follow=True) as descriptor,
            os.fdopen(os.dup(descriptor), "rb") as file,
            tarfile.open(fileobj=file, mode="r|") as archive,
        ):
            yield archive
    except tarfile.TarError as error:
        raise Corrupt(Text(f"{path} 不是升级包：{error}", f"{path} is no bundle: {error}")) from error


def manifest_of(archive: tarfile.TarFile, key: Ed25519PublicKey) -> tuple[Manifest, bytes, bytes]:
    """The manifest, as it was signed, and the signature. Raises Refused, Corrupt."""
    said = _next(archive, bundle.MANIFEST, bundle.MANIFEST_BYTES_MAX)
    signature = _next(archive, bundle.SIGNATURE, bundle.SIGNATURE_BYTES_MAX)
    return bundle.parse_signed(said, signature, key), said, signature


def take(archive: tarfile.TarFile, manifest: Manifest, place: Callable[[File], Path | None]) -> None:
    """All files, in order; names are those that were signed, and nothing else is taken. Raises Corrupt, WorldError."""
    for file in manifest.files:
        member = archive.next()
        if member is None or not member.isreg() or member.name != file.path or member.size != file.size_bytes:
            raise _damaged(file)
        body = archive.extractfile(member)
        assert body is not None, "it is a regular file"
        _take_one(body, file, place(file))
    if archive.next() is not None:
        raise Corrupt(Text("升级包末尾有多余的文件", "the bundle holds a file that nobody signed"))


def _take_one(body: IO[bytes], file: File, path: Path | None) -> None:
    hashed = hashlib.sha256()
    with disk_errors(path or Path(file.path)):
        into = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644) if path else None
        try:
            while chunk := body.read(CHUNK_BYTES):
                hashed.update(chunk)
                if into is not None:
                    write_all(into, chunk)
        finally:
            if into is not None:
                os.close(into)
    if hashed.hexdigest() != file.sha256:
        raise _damaged(file)


def _next(archive: tarfile.TarFile, name: str, bytes_max: int) -> bytes:
    member = archive.next()
    if member is None or member.name != name or not member.isreg() or member.size > bytes_max:
        raise Corrupt(Text(f"升级包中应有 {name}", f"{name} is not where it should be in the bundle"))
    file = archive.extractfile(member)
    assert file is not None, "it is a regular file"
    return file.read()


def _damaged(file: File) -> Corrupt:
    return Corrupt(
        Text(f"升级包中的 {file.path} 损坏或缺失", f"{file.path} in the bundle is damaged or missing"),
        hint=Text("请重新拷贝升级包", "copy the bundle again"),
    )
