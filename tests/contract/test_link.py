"""One contract for the two lines that figures are measured over: the one in user space, and the kernel's own parts.

A figure taken over a line that is faster or nearer than it says means nothing. The lower bounds are held by the clock
(nothing may arrive too early, on however busy a machine); that it is not too slow is counted in bytes.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import pytest

from tests.ports import free_ports
from tests.simulators.link import Way, link
from tests.simulators.namespace import lacking, namespace

ROUND_TRIP_S = 0.06
RATE_BYTES_PER_S = 2_500_000
SENT_BYTES = 750_000
TIMEOUT_S = 20


class Line(Protocol):
    """What both give."""

    port: int

    @property
    def bytes_up(self) -> int: ...
    @property
    def bytes_down(self) -> int: ...
    def cut(self) -> None: ...
    def mend(self) -> None: ...


@pytest.fixture(params=["user space", "namespace"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """A line of 20 Mbit/s and 60 ms to a server that echoes what it gets, up to the end of each connection."""
    if request.param == "user space":
        with _echo(free_ports(1)[0]) as port, link(port, ROUND_TRIP_S, RATE_BYTES_PER_S) as made:
            yield made
        return
    if missing := lacking(ROUND_TRIP_S, RATE_BYTES_PER_S):
        pytest.skip(missing)
    with namespace(ROUND_TRIP_S, RATE_BYTES_PER_S) as real, _echo(real.port):
        yield real


@pytest.fixture(params=["user space", "namespace"])
def thin_line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """The same without the delay, which not every kernel can do."""
    if request.param == "user space":
        with _echo(free_ports(1)[0]) as port, link(port, 0.0, RATE_BYTES_PER_S) as made:
            yield made
        return
    if missing := lacking(0.0, RATE_BYTES_PER_S):
        pytest.skip(missing)
    with namespace(0.0, RATE_BYTES_PER_S) as real, _echo(real.port):
        yield real


def test_a_byte_there_and_back_takes_a_round_trip(line: Line) -> None:
    """Latency figures are divided by the round trip, so it must be what was asked for."""
    with _dial(line) as near:
        began = time.monotonic()
        near.sendall(b"ping")
        assert near.recv(16) == b"ping"
        assert time.monotonic() - began >= ROUND_TRIP_S


def test_bytes_arrive_unchanged_no_faster_than_the_rate(thin_line: Line) -> None:
    """A first copy is held against the rate of the line; each way has it to itself, so an echo costs nothing more."""
    sent = bytes(range(250)) * (SENT_BYTES // 250)
    began = time.monotonic()
    with _dial(thin_line) as near:
        sending = threading.Thread(target=near.sendall, args=(sent,), daemon=True)
        sending.start()
        got = _read(near, len(sent))
        took_s = time.monotonic() - began
        sending.join(TIMEOUT_S)
    assert got == sent
    assert took_s >= 0.95 * SENT_BYTES / RATE_BYTES_PER_S
    for counted in (thin_line.bytes_up, thin_line.bytes_down):
        assert SENT_BYTES <= counted <= 1.1 * SENT_BYTES


def test_nobody_gets_through_a_cut_line_and_everybody_through_a_mended_one(thin_line: Line) -> None:
    """A line that is away and comes back is the normal state of a county."""
    with _dial(thin_line) as near:
        near.sendall(b"before")
        assert _read(near, 6) == b"before"
        thin_line.cut()
        near.settimeout(0.3)
        with suppress(OSError):
            near.sendall(b"lost")
            assert near.recv(16) == b""
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", thin_line.port), 0.3) as near:
        near.sendall(b"nobody")
        if near.recv(16) == b"":
            raise ConnectionResetError
    thin_line.mend()
    with _dial(thin_line) as near:
        near.sendall(b"after")
        assert _read(near, 5) == b"after"


def test_a_direction_lets_through_exactly_its_rate_however_it_is_asked() -> None:
    """The token bucket by itself, in bytes and not by the clock: chunks of all sizes, one after the other."""
    way = Way(RATE_BYTES_PER_S, ROUND_TRIP_S / 2)
    sizes = [1, 1500, 16_384, 70_000] * 250
    dues = [way.due_s(size_bytes, 0.0) for size_bytes in sizes]
    assert dues == sorted(dues)
    assert dues[-1] - ROUND_TRIP_S / 2 == pytest.approx(sum(sizes) / RATE_BYTES_PER_S)
    idle_s = dues[-1] + 100
    assert way.due_s(RATE_BYTES_PER_S, idle_s) == pytest.approx(idle_s + 1 + ROUND_TRIP_S / 2), "nothing is saved up"


def _dial(line: Line) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), TIMEOUT_S)


def _read(near: socket.socket, size_bytes: int) -> bytes:
    got = bytearray()
    while len(got) < size_bytes and (data := near.recv(65_536)):
        got += data
    return bytes(got)


@contextmanager
def _echo(port: int) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", port)) as server:
        threading.Thread(target=_echo_all, args=(server,), daemon=True).start()
        yield port


def _echo_all(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            peer, _ = server.accept()
            threading.Thread(target=_echo_one, args=(peer,), daemon=True).start()


def _echo_one(peer: socket.socket) -> None:
    with peer, suppress(OSError):
        while data := peer.recv(65_536):
            peer.sendall(data)
