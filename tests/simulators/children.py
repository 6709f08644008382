"""Programs that an agent starts, in one thread: they copy and read a piece each turn, and can die in the middle.

rsync is a stand-in that does to the disk what `rsync --inplace` does: it goes on where the bytes are the same, and it
syncs nothing. Reading is the product's own, `edge_agent.reading` and, of sticks, `edge_agent.carrying`.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance import files
from appliance.config import Config
from appliance.core.asset import hex_of
from edge_agent import carrying, reading
from edge_agent.children import Children, Ended
from edge_agent.core.observation import Child
from tests.simulators.disk import Killed, SimulatedDisk, Volume

PIECE_BYTES = 1500
KILLED = -9
STOPPED = 20
LINE_BROKE = 12
MISSING = 23
NO_ROOM = 11
OF_STICKS = ("look", "carry")


@dataclass
class _AtWork:
    child: Child
    work: Iterator[tuple[int, bytes, str] | None]
    was_stopped: bool = False


class SimulatedChildren(Children):
    """All children of one agent. `hub` is the site's folder at the hub, `line_is_up` whether rsync gets there."""

    def __init__(
        self,
        config: Config,
        hub: Path,
        disk: SimulatedDisk,
        volumes: tuple[Volume, Volume],
        line_is_up: Callable[[], bool],
        chance: random.Random,
    ) -> None:
        self._config, self._hub, self._disk, self._line_is_up = config, hub, disk, line_is_up
        self._own, self._theirs = volumes
        self._chance = chance
        self._at_work: list[_AtWork] = []

    def start(
        self, child: Child, argv: Sequence[str | bytes], limit_s: float, environ: Mapping[str, str], told: bytes = b""
    ) -> None:
        work = {"fetch": self._fetch, "upload": self._upload}.get(child.work)
        words = [os.fsdecode(word) for word in argv[3:]]
        of_stick = child.work in ("look", "carry")
        told_by = (
            (lambda: carrying.look(self._config, words)) if of_stick else lambda: reading.read(self._config, words)
        )
        self._at_work.append(_AtWork(child, work(child.subjects) if work else self._read(told_by)))

    def running(self) -> tuple[Child, ...]:
        return tuple(each.child for each in self._at_work)

    def filenos(self) -> list[int]:
        return []

    def said(self, child: Child) -> bytes:
        return b""

    def look(self) -> list[Ended]:
        ended = []
        for each in list(self._at_work):
            done: tuple[int, bytes, str] | None
            if each.was_stopped:
                done = STOPPED, b"", ""
            elif self._chance.random() < 0.02:
                done = KILLED, b"", ""
            else:
                done = next(each.work)
            if done is not None:
                self._at_work.remove(each)
                ended.append(Ended(each.child, *done, was_stopped=each.was_stopped))
        return ended

    def stop(self, subjects: tuple[str, ...]) -> None:
        for each in self._at_work:
            each.was_stopped |= each.child.subjects == subjects

    def stop_all(self) -> None:
        self._at_work.clear()

    def _fetch(self, digests: tuple[str, ...]) -> Iterator[tuple[int, bytes, str] | None]:
        sources = [self._hub / "readable" / hex_of(digest) for digest in digests]
        yield None
        if not all(source.is_file() for source in sources):
            yield MISSING, b"", "No such file or directory"
        for digest, source in zip(digests, sources, strict=True):
            yield from self._copy(source, files.stage_path(self._config, digest), self._own)
        yield 0, b"", ""

    def _upload(self, digests: tuple[str, ...]) -> Iterator[tuple[int, bytes, str] | None]:
        yield None
        for digest in digests:
            source = files.path_of(self._config, digest)
            if not source.is_file():
                yield MISSING, b"", "No such file or directory"
            yield from self._copy(source, self._hub / "incoming" / hex_of(digest), self._theirs)
        yield 0, b"", ""

    def _copy(self, source: Path, target: Path, volume: Volume) -> Iterator[tuple[int, bytes, str] | None]:
        """Open all the time, as rsync has it, and so is the source: what is taken away meanwhile is read to its end."""
        content = source.read_bytes()
        # rsync's own beginning is no step of the simulation: nothing of ours runs in it.
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            there = os.pread(descriptor, len(content), 0)
            same = next((at for at, (one, other) in enumerate(zip(content, there, strict=False)) if one != other), None)
            offset = min(len(there), len(content)) if same is None else same
            while offset < len(content):
                if not self._line_is_up():
                    yield LINE_BROKE, b"", "rsync: connection unexpectedly closed"
                try:
                    with self._disk.on(volume):
                        os.lseek(descriptor, offset, os.SEEK_SET)
                        offset += os.write(descriptor, content[offset : offset + max(PIECE_BYTES, len(content) // 4)])
                except Killed:
                    if volume is self._own:
                        raise
                    # The hub's machine went down under rsync; whoever runs the hub sees that it is dead.
                    yield LINE_BROKE, b"", "rsync: connection unexpectedly closed"
                except OSError as error:
                    yield NO_ROOM, b"", f"rsync: write failed: {error.strerror}"
                if offset < len(content):
                    yield None
            os.truncate(descriptor, len(content))
        finally:
            os.close(descriptor)

    def _read(self, told_by: Callable[[], object]) -> Iterator[tuple[int, bytes, str] | None]:
        yield None
        own = self._own
        is_to_die = own.countdown is None and self._chance.random() < 0.05
        if is_to_die:
            own.kill_after(self._chance.randint(0, 12))
        try:
            with self._disk.on(own):
                answer = told_by()
        except Killed:
            if not is_to_die:
                raise
            own.dead = False
            yield KILLED, b"", ""
        except OSError as error:
            yield 1, b"", f"OSError: {error}"
        else:
            if is_to_die:
                own.countdown = None
            yield 0, msgspec.json.encode(answer) + b"\n", ""
