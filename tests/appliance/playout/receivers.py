"""A modulator for tests: keeps each datagram with the kernel's time of arrival."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from appliance.core.mux import PACKET
from appliance.core.probe import Heard, Listening
from appliance.playout.watch import open_listener, receive

RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024
SO_RCVBUFFORCE = 33


@dataclass
class Receiver:
    """What came to an address, in order; (microseconds since 1970, bytes)."""

    address: str
    line: socket.socket
    datagrams: list[tuple[int, bytes]] = field(default_factory=list)

    def dropped(self) -> int:
        """Datagrams that the kernel had here and no room for, because this process was too slow to take others."""
        inode = os.fstat(self.line.fileno()).st_ino
        sockets = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
        return next(int(one[-1]) for one in sockets if int(one[9]) == inode)

    def since(self, at_us: int) -> list[tuple[int, bytes]]:
        return [one for one in list(self.datagrams) if one[0] >= at_us]

    def stream(self, at_us: int = 0) -> bytes:
        return b"".join(data for _, data in self.since(at_us))

    def heard(self, at_us: int = 0, bits_per_s: int = 4_000_000) -> Heard:
        listening = Listening(bits_per_s)
        for moment_us, data in self.since(at_us):
            listening.hear(data, moment_us)
        return listening.heard

    def longest_silence_us(self, at_us: int = 0) -> int:
        """Between two datagrams."""
        moments = [moment_us for moment_us, _ in self.since(at_us)]
        return max(after - before for before, after in pairwise(moments))

    def pictures(self, at_us: int = 0) -> list[int]:
        """The PTS of each picture, as it came; read here once more, since the probe only counts."""
        found = []
        stream = self.stream(at_us)
        for at in range(0, len(stream), PACKET):
            one = stream[at : at + PACKET]
            if one[1] == 0x41 and one[2] == 0x00:
                begin = at + 4 + (1 + one[4] if one[3] & 0x20 else 0) + 9
                field_ = int.from_bytes(stream[begin : begin + 5], "big")
                found.append(field_ >> 3 & 0x1C0000000 | field_ >> 2 & 0x3FFF8000 | field_ >> 1 & 0x7FFF)
        return found


def last_picture(stream: bytes) -> int:
    """Where the last picture begins, of which not all may have come."""
    starts = (at for at in range(len(stream) - PACKET, 0, -PACKET) if stream[at + 1 : at + 3] == b"\x41\x00")
    return next(starts, len(stream))


@contextmanager
def receiving(address: str) -> Iterator[Receiver]:
    """Listen in the background."""
    line = open_listener(address, "")
    with suppress(PermissionError):
        # Whoever looks at much of what came keeps the one who listens from listening.
        line.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    receiver, ended = Receiver(address, line), threading.Event()

    def listen() -> None:
        while not ended.is_set():
            try:
                data, at_us, _missed = receive(line)
                receiver.datagrams.append((at_us, data))
            except TimeoutError:
                continue

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        ended.set()
        thread.join(5)
        line.close()


def free_udp_port() -> int:
    """Nobody has it at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def playout(home: Path, channel: str, *options: str) -> subprocess.Popen[bytes]:
    """Start `songshan playout` as systemd would."""
    program = str(Path(sys.executable).with_name("songshan"))
    argv = ["setpriv", "--pdeathsig", "KILL", "--", program, "--home", str(home), "playout", channel, *options]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def end(*running: subprocess.Popen[bytes]) -> None:
    """Kill what is left."""
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)
