"""The disk that forgets: what a power cut may take and what it may not."""

import random
import socket
import struct
import threading
from pathlib import Path

import pytest

from tests.machines import nbd
from tests.machines.disk import SECTOR_BYTES, ForgetfulDisk

SECTORS = 64
EMPTY = bytes(SECTORS * SECTOR_BYTES)


@pytest.fixture
def disk(tmp_path: Path) -> ForgetfulDisk:
    path = tmp_path / "disk"
    path.write_bytes(EMPTY)
    return ForgetfulDisk(path)


def sectors(letter: str, count: int = 1) -> bytes:
    return letter.encode() * (SECTOR_BYTES * count)


@pytest.mark.parametrize("seed", range(40))
def test_a_cut_takes_nothing_that_was_flushed(disk: ForgetfulDisk, seed: int) -> None:
    """Otherwise every trial would accuse the box of what its disk did."""
    disk.write(0, sectors("a", 4))
    disk.flush()
    disk.write(2 * SECTOR_BYTES, sectors("b", 4))
    disk.write(0, sectors("c"))
    disk.cut(random.Random(seed))
    for number, allowed in enumerate(("ac", "a", "ab", "ab", "\0b", "\0b", "\0")):
        seen = disk.read(number * SECTOR_BYTES, SECTOR_BYTES)
        assert seen in {sectors(letter) for letter in allowed}, f"sector {number}"


def test_what_was_written_twice_and_lost_twice_is_as_it_was_flushed(disk: ForgetfulDisk) -> None:
    """Taken back in the wrong order, the first of two lost writes would be there, as if it had been kept."""
    lost = 0
    for seed in range(40):
        disk.write(0, sectors("a"))
        disk.flush()
        disk.write(0, sectors("b"))
        disk.write(0, sectors("c"))
        if disk.cut(random.Random(seed)).lost == 2:
            lost += 1
            assert disk.read(0, SECTOR_BYTES) == sectors("a")
    assert lost > 0


def test_a_cut_may_take_any_of_what_was_not_flushed_and_tear_it(disk: ForgetfulDisk) -> None:
    """A later write may be there without an earlier one, and one in part: else the trial is kinder than a disk."""
    seen = set()
    for seed in range(200):
        disk.write(0, sectors("\0", SECTORS))
        disk.flush()
        disk.write(0, sectors("a"))
        disk.write(8 * SECTOR_BYTES, sectors("b", 4))
        disk.cut(random.Random(seed))
        there = disk.read(0, 12 * SECTOR_BYTES)
        seen.add((there[:1] == b"a", there[8 * SECTOR_BYTES :].count(b"b") // SECTOR_BYTES))
    assert {(False, 0), (True, 0), (False, 4), (True, 4)} < seen
    assert any(0 < count < 4 for _first, count in seen)


def test_what_is_over_the_cache_is_on_the_disk(tmp_path: Path) -> None:
    """A drive holds back only so much: the memory of what was there is bounded."""
    path = tmp_path / "disk"
    path.write_bytes(EMPTY)
    disk = ForgetfulDisk(path, cache_bytes_max=2 * SECTOR_BYTES)
    for number, letter in enumerate("abc"):
        disk.write(number * SECTOR_BYTES, sectors(letter))
    done = disk.cut(random.Random(1))
    assert done.kept + done.torn + done.lost == 2
    assert disk.read(0, SECTOR_BYTES) == sectors("a")


class Client:
    """As much of a client as QEMU shows the server."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        assert self.exactly(18)[:16] == b"NBDMAGICIHAVEOPT"
        line.sendall(struct.pack(">I", 3))
        line.sendall(b"IHAVEOPT" + struct.pack(">II", 8, 0))
        assert self.option_reply()[0] == 0x80000001
        line.sendall(b"IHAVEOPT" + struct.pack(">II", 7, 6) + bytes(6))
        kind, data = self.option_reply()
        self.size_bytes = struct.unpack(">HQH", data)[1]
        while kind != 1:
            kind, data = self.option_reply()

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.line.recv(count - len(data))
        return data

    def option_reply(self) -> tuple[int, bytes]:
        _magic, _option, kind, length = struct.unpack(">QIII", self.exactly(20))
        return kind, self.exactly(length)

    def ask(self, kind: int, offset: int = 0, data: bytes = b"", count: int = 0) -> tuple[int, bytes]:
        self.line.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 77, offset, len(data) or count) + data)
        _magic, error, handle = struct.unpack(">IIQ", self.exactly(16))
        assert handle == 77
        return error, self.exactly(count) if not error else b""


@pytest.mark.parametrize("goodbye", [True, False])
def test_the_server_tells_a_goodbye_from_a_cut(disk: ForgetfulDisk, goodbye: bool) -> None:
    """After an ordered shutdown nothing may be taken back; after a kill within a write, that write is none."""
    ours, theirs = socket.socketpair()
    ended: list[bool] = []
    server = threading.Thread(target=lambda: ended.append(nbd.serve(theirs, disk)))
    server.start()
    client = Client(ours)
    assert client.size_bytes == len(EMPTY)
    assert client.ask(1, SECTOR_BYTES, sectors("x")) == (0, b"")
    assert client.ask(3) == (0, b"")
    assert client.ask(0, SECTOR_BYTES, count=SECTOR_BYTES) == (0, sectors("x"))
    assert client.ask(9)[0] != 0
    if goodbye:
        ours.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 2, 0, 0, 0))
    else:
        ours.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 1, 0, 0, SECTOR_BYTES) + b"half")
    ours.close()
    server.join(timeout=10)
    assert ended == [goodbye]
    assert disk.read(0, SECTOR_BYTES) == bytes(SECTOR_BYTES)
