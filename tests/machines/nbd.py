"""The server's side of the NBD protocol, as far as QEMU speaks it: one client, one request at a time.

A disk that we serve ourselves can do what a file under QEMU cannot: lose what was written and not flushed. The words
are those of the protocol's specification (fixed newstyle negotiation, NBD_OPT_GO, transmission with simple replies).
"""

import struct
from dataclasses import dataclass
from io import BufferedReader
from socket import socket
from typing import Final, Protocol

SECTOR_BYTES: Final = 512
REQUEST_BYTES_MAX: Final = 32 * 1024 * 1024
_OPTIONS_MAX: Final = 32
_OPTION_BYTES_MAX: Final = 4096

_MAGIC: Final = b"NBDMAGIC"
_OPTION_MAGIC: Final = b"IHAVEOPT"
_REPLY_MAGIC: Final = 0x3E889045565A9
_REQUEST_MAGIC: Final = 0x25609513
_SIMPLE_REPLY_MAGIC: Final = 0x67446698
_FIXED_NEWSTYLE_NO_ZEROES: Final = 3
_GO: Final = 7
_ACK, _INFO, _UNSUPPORTED = 1, 3, 0x80000001
_INFO_EXPORT, _INFO_BLOCK_SIZE = 0, 3
_HAS_FLAGS_SEND_FLUSH: Final = 1 | 4
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_EIO, _EINVAL = 5, 22


class Disk(Protocol):
    """What is served: QEMU's reads, writes and flushes, whole sectors."""

    size_bytes: int

    def read(self, offset: int, count: int) -> bytes: ...
    def write(self, offset: int, data: bytes) -> None: ...
    def flush(self) -> None: ...


@dataclass(frozen=True)
class Refused(Exception):
    """The client said what this server does not understand."""

    why: str


def serve(line: socket, disk: Disk) -> bool:
    """Serves one client to its end. True when it said goodbye, False when it was cut off."""
    reader: BufferedReader = line.makefile("rb", buffering=1024 * 1024)
    try:
        _negotiate(line, reader, disk.size_bytes)
        return _transmit(line, reader, disk)
    except (EOFError, ConnectionError):
        return False


def _exactly(reader: BufferedReader, count: int) -> bytes:
    data = reader.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _negotiate(line: socket, reader: BufferedReader, size_bytes: int) -> None:
    line.sendall(_MAGIC + _OPTION_MAGIC + struct.pack(">H", _FIXED_NEWSTYLE_NO_ZEROES))
    _exactly(reader, 4)
    for _option in range(_OPTIONS_MAX):
        magic, option, length = struct.unpack(">8sII", _exactly(reader, 16))
        if magic != _OPTION_MAGIC or length > _OPTION_BYTES_MAX:
            raise Refused("an option that is none")
        _exactly(reader, length)
        if option != _GO:
            _answer(line, option, _UNSUPPORTED)
            continue
        _answer(line, option, _INFO, struct.pack(">HQH", _INFO_EXPORT, size_bytes, _HAS_FLAGS_SEND_FLUSH))
        sizes = (SECTOR_BYTES, 4096, REQUEST_BYTES_MAX)
        _answer(line, option, _INFO, struct.pack(">HIII", _INFO_BLOCK_SIZE, *sizes))
        _answer(line, option, _ACK)
        return
    raise Refused("options without end")


def _answer(line: socket, option: int, kind: int, data: bytes = b"") -> None:
    line.sendall(struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(data)) + data)


def _transmit(line: socket, reader: BufferedReader, disk: Disk) -> bool:
    while True:
        magic, _flags, kind, handle, offset, count = struct.unpack(">IHHQQI", _exactly(reader, 28))
        if magic != _REQUEST_MAGIC or count > REQUEST_BYTES_MAX:
            raise Refused("a request that is none")
        if kind == _DISCONNECT:
            return True
        error, data = 0, b""
        try:
            if kind == _READ:
                data = disk.read(offset, count)
            elif kind == _WRITE:
                disk.write(offset, _exactly(reader, count))
            elif kind == _FLUSH:
                disk.flush()
            else:
                error = _EINVAL
        except OSError:
            error, data = _EIO, b""
        line.sendall(struct.pack(">IIQ", _SIMPLE_REPLY_MAGIC, error, handle) + data)
