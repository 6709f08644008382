"""A line between two ports of this machine, in user space: late by half a round trip, of a given rate, and it breaks.

    every byte    passes the rate of its direction first, which all connections share, and then takes half a round trip
    a cut         resets all that runs over the line, what is under way is lost; nobody gets through until it is mended

The kernel acknowledges on either side of it, so no packet is ever lost and TCP never starts slowly: what is measured
over it is what the programs do, not what TCP does. `tests/simulators/namespace.py` is a line of the kernel's own.
"""

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 256 * 1024
SHAPED_CHUNK_BYTES = 16 * 1024
UNDER_WAY_MAX = 256
"""Chunks of one connection and direction; a receiver that does not read stops its sender."""
QUEUE_S = 0.1
"""So much may wait at the near end of a line with a rate, as in a router of the trade; then its sender waits."""
OPEN_TIMEOUT_S = 10


@dataclass(frozen=True)
class Cut:
    """Breaks the line once `at_bytes` have passed, both ways together, or `at_s` after it opened; `for_s` long."""

    for_s: float
    at_bytes: int | None = None
    at_s: float | None = None


@dataclass
class Way:
    """One direction: how much has passed, and until when its rate is used up. A rate of 0 is none at all."""

    rate_bytes_per_s: float
    one_way_s: float
    passed_bytes: int = 0
    free_at_s: float = 0.0

    def due_s(self, size_bytes: int, now_s: float) -> float:
        """When the last of so many more bytes comes out at the far end; they are under way from now on."""
        if self.rate_bytes_per_s:
            self.free_at_s = max(now_s, self.free_at_s) + size_bytes / self.rate_bytes_per_s
            return self.free_at_s + self.one_way_s
        return now_s + self.one_way_s

    def waiting_s(self, now_s: float) -> float:
        """How long the sender has to wait before it may give more."""
        return max(0.0, self.free_at_s - now_s - QUEUE_S)


@dataclass
class Link:
    """Relays 127.0.0.1:`port` to 127.0.0.1:`to_port`. `port` 0 takes a free one."""

    to_port: int
    up: Way
    down: Way
    cuts: Sequence[Cut] = ()
    port: int = 0
    is_cut: bool = False
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _to_come: deque[Cut] = field(default_factory=deque)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def bytes_up(self) -> int:
        """What has gone from whoever connected to whom it reached, without what TCP and IP add."""
        return self.up.passed_bytes

    @property
    def bytes_down(self) -> int:
        return self.down.passed_bytes

    @property
    def bytes_both(self) -> int:
        return self.up.passed_bytes + self.down.passed_bytes

    def cut(self) -> None:
        """Break it; from any thread. It has happened when this returns."""
        self._call(self._break)

    def mend(self) -> None:
        """Let through whoever connects from now on; from any thread."""
        self._call(self._mend)

    def end(self) -> None:
        """Close the line for good; from any thread."""
        assert self._loop is not None, "the line was never open"
        self._loop.call_soon_threadsafe(self._ended.set)

    async def serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._to_come = deque(sorted((cut for cut in self.cuts if cut.at_bytes), key=lambda cut: cut.at_bytes or 0))
        for cut in self.cuts:
            if cut.at_s is not None:
                self._loop.call_later(cut.at_s, self._break_for, cut.for_s)
        with socket.create_server(("127.0.0.1", self.port), backlog=64) as server:
            server.setblocking(False)
            self.port = server.getsockname()[1]
            ready.set()
            accepting = asyncio.create_task(self._accept(server))
            await self._ended.wait()
            accepting.cancel()
            self._break()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _accept(self, server: socket.socket) -> None:
        assert self._loop is not None
        while True:
            near, _ = await self._loop.sock_accept(server)
            if self.is_cut:
                _reset(near)
                continue
            task = asyncio.create_task(self._connect(near))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _connect(self, near: socket.socket) -> None:
        assert self._loop is not None
        far = socket.socket()
        try:
            for end in (near, far):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.sock_connect(far, ("127.0.0.1", self.to_port))
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._carry(near, far, self.up))
                ways.create_task(self._carry(far, near, self.down))
        except* (OSError, asyncio.CancelledError):
            _reset(near)
            _reset(far)
        finally:
            near.close()
            far.close()

    async def _carry(self, source: socket.socket, target: socket.socket, way: Way) -> None:
        """One direction of one connection, until its sender ends it. What is under way comes late, in order."""
        assert self._loop is not None
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY_MAX)
        is_plain = not way.rate_bytes_per_s and not way.one_way_s
        async with asyncio.TaskGroup() as ends:
            if not is_plain:
                ends.create_task(self._deliver(under_way, target, way))
            chunk_bytes = SHAPED_CHUNK_BYTES if way.rate_bytes_per_s else CHUNK_BYTES
            while data := await self._loop.sock_recv(source, chunk_bytes):
                due_s = way.due_s(len(data), self._loop.time())
                if is_plain:
                    self._count(way, len(data))
                    await self._loop.sock_sendall(target, data)
                    # Neither call gives way to others where it need not wait; the break that `_count` made has to come.
                    await asyncio.sleep(0)
                else:
                    await under_way.put((due_s, data))
                    await asyncio.sleep(way.waiting_s(self._loop.time()))
            if not is_plain:
                await under_way.put((max(self._loop.time(), way.free_at_s) + way.one_way_s, b""))
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    async def _deliver(self, under_way: asyncio.Queue[tuple[float, bytes]], target: socket.socket, way: Way) -> None:
        assert self._loop is not None
        while True:
            due_s, data = await under_way.get()
            if (left_s := due_s - self._loop.time()) > 0:
                await asyncio.sleep(left_s)
            if not data:
                return
            self._count(way, len(data))
            await self._loop.sock_sendall(target, data)

    def _count(self, way: Way, size_bytes: int) -> None:
        """What comes out has passed; what a cut catches on its way has not."""
        way.passed_bytes += size_bytes
        if self._to_come and self.bytes_both >= (self._to_come[0].at_bytes or 0):
            self._break_for(self._to_come.popleft().for_s)

    def _break_for(self, for_s: float) -> None:
        assert self._loop is not None
        self._break()
        self._loop.call_later(for_s, self._mend)

    def _break(self) -> None:
        self.is_cut = True
        for task in self._running:
            task.cancel()

    def _mend(self) -> None:
        self.is_cut = False

    def _call(self, change: Callable[[], None]) -> None:
        assert self._loop is not None, "the line was never open"
        done = threading.Event()

        def call() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(call)
        assert done.wait(OPEN_TIMEOUT_S), "the line does not answer"


def _reset(end: socket.socket) -> None:
    """Close it as a line that breaks does: with no word of farewell where anything was still to be sent."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


@contextmanager
def link(
    to_port: int, round_trip_s: float = 0.0, rate_bytes_per_s: float = 0.0, cuts: Sequence[Cut] = ()
) -> Iterator[Link]:
    """A running line, the same both ways; closed at the end of the block."""
    one_way_s = round_trip_s / 2
    made = Link(to_port, Way(rate_bytes_per_s, one_way_s), Way(rate_bytes_per_s, one_way_s), cuts)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(made.serve(ready)), daemon=True)
    thread.start()
    assert ready.wait(OPEN_TIMEOUT_S), "the line did not open"
    try:
        yield made
    finally:
        made.end()
        thread.join(OPEN_TIMEOUT_S)
