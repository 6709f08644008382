"""Debian packages as a flat repository: the index that apt reads, made from the packages themselves.

    write_index(folder)     folder/Packages names each .deb there, with size and hash
    control_of(path)        what a package says of itself

A .deb is an ar archive of debian-binary, control.tar and data.tar (deb(5)); only control is unpacked.
"""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import IO, Final

from appliance.core.errors import Corrupt, Text
from appliance.durable import disk_errors, write_atomically

MAGIC: Final = b"!<arch>\n"
HEADER_BYTES: Final = 60
CONTROL_BYTES_MAX: Final = 4 * 1024 * 1024
MEMBERS_MAX: Final = 10
CHUNK_BYTES: Final = 1024 * 1024
INDEX: Final = "Packages"
READ_BY_ALL: Final = 0o644
_TOLD_ANEW: Final = ("Filename:", "Size:", "SHA256:", "MD5sum:", "SHA1:")


def write_index(folder: Path) -> int:
    """Bring the index into step with the packages that lie there; how many. Raises Corrupt, WorldError."""
    stanzas = [_stanza(path) for path in sorted(folder.glob("*.deb"))]
    text = "".join(f"{stanza}\n" for stanza in stanzas).encode()
    path = folder / INDEX
    with disk_errors(path):
        if not path.is_file() or path.read_bytes() != text:
            write_atomically(path, text, READ_BY_ALL)
    return len(stanzas)


def control_of(path: Path) -> str:
    """The stanza that a package carries, with a line end at its end. Raises Corrupt, WorldError."""
    with disk_errors(path), path.open("rb") as file:
        try:
            return _control(file)
        except (ValueError, KeyError, tarfile.TarError, EOFError) as error:
            raise Corrupt(Text(f"{path} 不是 Debian 软件包", f"{path} is no Debian package: {error}")) from error


def _stanza(path: Path) -> str:
    control = control_of(path)
    kept = [line for line in control.splitlines() if line and not line.startswith(_TOLD_ANEW)]
    hashed = hashlib.sha256()
    with disk_errors(path), path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hashed.update(chunk)
        size_bytes = file.tell()
    return "\n".join([*kept, f"Filename: ./{path.name}", f"Size: {size_bytes}", f"SHA256: {hashed.hexdigest()}", ""])


def _control(file: IO[bytes]) -> str:
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("another beginning")
    for _member in range(MEMBERS_MAX):
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.endswith(b"`\n"):
            raise ValueError("an ar header is not one")
        name, size_bytes = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        if name.startswith("control.tar"):
            return _unpacked(file.read(min(size_bytes, CONTROL_BYTES_MAX)))
        file.seek(size_bytes + size_bytes % 2, 1)
    raise ValueError("no control.tar")


def _unpacked(data: bytes) -> str:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.name.removeprefix("./") == "control" and member.isreg():
                found = archive.extractfile(member)
                assert found is not None, "it is a regular file"
                return found.read(CONTROL_BYTES_MAX).decode()
    raise ValueError("no control")
