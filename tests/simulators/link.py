"""A line between two ports of this machine, in user space: every byte comes half a round trip late; it can be cut."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536


@dataclass
class Link:
    """Relays 127.0.0.1:`port` to 127.0.0.1:`to_port`, each way `one_way_s` late, in order."""

    to_port: int
    one_way_s: float
    port: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await self._ended.wait()
            for writer in self._writers:
                writer.close()

    def cut(self) -> None:
        """End the line and all that runs over it; from any thread."""
        assert self._loop is not None, "the line was never open"
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _accept(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self.to_port)
        self._writers |= {near_out, far_out}
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._carry(near_in, far_out, up=True), self._carry(far_in, near_out, up=False))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, up: bool) -> None:
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=4096)
        loop = asyncio.get_running_loop()

        async def deliver() -> None:
            while True:
                due, data = await line.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    break
                target.write(data)
                await target.drain()

        delivering = asyncio.create_task(deliver())
        with suppress(ConnectionError):
            while data := await source.read(CHUNK_BYTES):
                if up:
                    self.bytes_up += len(data)
                else:
                    self.bytes_down += len(data)
                await line.put((loop.time() + self.one_way_s, data))
        await line.put((loop.time() + self.one_way_s, b""))
        with suppress(ConnectionError):
            await delivering
        target.close()


@contextmanager
def link(to_port: int, round_trip_s: float) -> Iterator[Link]:
    """A running link; cut at the end of the block."""
    made = Link(to_port, round_trip_s / 2)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(made.serve(ready)), daemon=True)
    thread.start()
    assert ready.wait(10), "the link did not open"
    try:
        yield made
    finally:
        made.cut()
        thread.join(10)
