"""A line between a box and a hub in one thread: late, in pieces, cut anywhere, and with old lines said again."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.core.errors import HubUnreachable, Text

REPLAYABLE = (b'{"t":"records"', b'{"t":"checkpoint"', b'{"t":"ack"')
REMEMBERED = 40


@dataclass
class Way:
    """One direction. What `put` took arrives by `carry`, as far as that goes each time."""

    on_the_way: bytearray = field(default_factory=bytearray)
    arrived: bytearray = field(default_factory=bytearray)

    def put(self, data: bytes) -> None:
        self.on_the_way += data

    def carry(self, size_bytes: int) -> None:
        self.arrived += self.on_the_way[:size_bytes]
        del self.on_the_way[:size_bytes]

    def take(self) -> bytes:
        data = bytes(self.arrived)
        self.arrived.clear()
        return data


class SimulatedLine:
    """One session's worth of line. The box's end is an `edge_agent.line.Link`; the hub's end is `up` and `down`."""

    def __init__(self, heard: Callable[[str, bytes], None]) -> None:
        self.up, self.down = Way(), Way()
        self.is_cut = False
        self._heard = heard
        """Told of each whole line as it is said, with `up` or `down`."""
        self._half = {"up": bytearray(), "down": bytearray()}
        self.forge: Callable[[str, bytes], bytes | None] | None = None
        """Somebody on the line: makes another line of the one that is said, or None and waits for the next."""

    def fileno(self) -> int:
        raise AssertionError("nobody waits in a simulation")

    def read(self) -> bytes:
        data = self.down.take()
        if not data and self.is_cut:
            raise HubUnreachable(Text("线路断了", "the line is cut"))
        return data

    def write(self, data: bytes) -> None:
        if self.is_cut:
            raise HubUnreachable(Text("线路断了", "the line is cut"))
        self.say("up", data)

    def close(self) -> None:
        self.is_cut = True

    def say(self, way: str, data: bytes) -> None:
        """Put bytes on the line."""
        (self.up if way == "up" else self.down).put(self._forged(way, data))
        half = self._half[way]
        half += data
        *lines, rest = bytes(half).split(b"\n")
        self._half[way] = bytearray(rest)
        for line in lines:
            self._heard(way, line)

    def _forged(self, way: str, data: bytes) -> bytes:
        """What arrives in the place of what was said; where that is no whole lines, it is let through."""
        if self.forge is None or self._half[way] or not data.endswith(b"\n"):
            return data
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines):
            other = self.forge(way, line)
            if other is not None:
                self.forge, lines[number] = None, other
                break
        return b"".join(lines)

    def repeat(self, way: str, line: bytes) -> None:
        """An old line once more, between two others, where the writer has said only whole ones."""
        if not self._half[way]:
            (self.up if way == "up" else self.down).put(line + b"\n")

    def carry(self, chance: random.Random) -> None:
        """Some of what is on the way arrives; most often all of it."""
        for way in (self.up, self.down):
            there = len(way.on_the_way)
            way.carry(there if chance.random() < 0.8 else chance.randint(0, there))

    def cut(self, chance: random.Random) -> None:
        """Part of what is on the way still arrives, the rest is lost."""
        for way in (self.up, self.down):
            way.carry(chance.randint(0, len(way.on_the_way)))
            way.on_the_way.clear()
        self.is_cut = True
