"""A disk with a cache that forgets: what a power cut does to a real one.

When QEMU is killed, all that the guest had handed to its disk is in a file of this machine, flushed or not: more than a
real disk promises. So each machine's disk is served by a process of ours. What the guest writes is in the file at once,
and the bytes that were there before are remembered until the guest flushes. When the guest is cut off (QEMU's end of
the line is gone without a goodbye), each write since the last flush is lost, kept, or torn between two sectors, as a
seed says.

    python -m tests.machines.disk FILE --fd N --seed S --log FILE     serves FILE on the socket N to its client's end
"""

import argparse
import json
import os
import random
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.machines import nbd
from tests.machines.nbd import SECTOR_BYTES

CACHE_BYTES_MAX: Final = 64 * 1024 * 1024
"""What a drive holds back; beyond it the oldest is on the platters, flushed or not."""
_TORN_SHARE: Final = 0.1
KEPT_SHARES: Final = (0.0, 0.5, 0.9)
"""How much of what was not flushed outlives a cut: nothing, some of it in any choice, most of it."""


@dataclass(frozen=True)
class Write:
    """One write, and what was there before it."""

    offset: int
    old: bytes
    new: bytes


@dataclass(frozen=True)
class Cut:
    """What a power cut did: how many of the unflushed writes were kept, torn and lost."""

    kept: int
    torn: int
    lost: int
    steps: tuple[tuple[int, bytes], ...]
    """What has to be written, in this order, for the disk to be as the cut left it."""


def cut(unflushed: Sequence[Write], dice: random.Random) -> Cut:
    """What is on the disk after the power went, with these writes not flushed.

    First all are taken back, the last one first; then those that had reached the platters are done again in order.
    """
    steps = [(each.offset, each.old) for each in reversed(unflushed)]
    kept_share = dice.choice(KEPT_SHARES)
    kept = torn = 0
    for each in unflushed:
        if dice.random() >= kept_share:
            continue
        sectors = len(each.new) // SECTOR_BYTES
        if sectors > 1 and dice.random() < _TORN_SHARE:
            torn += 1
            steps.append((each.offset, each.new[: SECTOR_BYTES * dice.randrange(1, sectors)]))
        else:
            kept += 1
            steps.append((each.offset, each.new))
    return Cut(kept, torn, len(unflushed) - kept - torn, tuple(steps))


class ForgetfulDisk:
    """A file as a disk (`nbd.Disk`), which knows what of it was not flushed."""

    def __init__(self, path: Path, cache_bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._fd = os.open(path, os.O_RDWR)
        self.size_bytes = os.fstat(self._fd).st_size
        self._cache_bytes_max = cache_bytes_max
        self._unflushed: deque[Write] = deque()
        self._held_bytes = 0
        self.flushes = 0

    def read(self, offset: int, count: int) -> bytes:
        return os.pread(self._fd, count, offset)

    def write(self, offset: int, data: bytes) -> None:
        old = os.pread(self._fd, len(data), offset)
        self._unflushed.append(Write(offset, old, data))
        self._held_bytes += len(data)
        _write_all(self._fd, offset, data)
        while self._held_bytes > self._cache_bytes_max:
            self._held_bytes -= len(self._unflushed.popleft().new)

    def flush(self) -> None:
        self._unflushed.clear()
        self._held_bytes = 0
        self.flushes += 1

    def cut(self, dice: random.Random) -> Cut:
        """The power goes. The file is then what the disk would show at the next start."""
        done = cut(self._unflushed, dice)
        for offset, data in done.steps:
            _write_all(self._fd, offset, data)
        self.flush()
        return done

    def close(self) -> None:
        os.close(self._fd)


def _write_all(fd: int, offset: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        done = os.pwrite(fd, rest, offset)
        rest, offset = rest[done:], offset + done


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args()
    disk = ForgetfulDisk(given.file)
    with socket.socket(fileno=given.fd) as line:
        goodbye = nbd.serve(line, disk)
    told: dict[str, object] = {"goodbye": goodbye, "flushes": disk.flushes}
    if not goodbye:
        done = disk.cut(random.Random(given.seed))
        told |= {"kept": done.kept, "torn": done.torn, "lost": done.lost}
    disk.close()
    with given.log.open("a") as log:
        log.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
