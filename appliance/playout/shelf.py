"""The segments around now, read from disk ahead of time on a thread of its own, so that a slow disk holds up nobody."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from appliance import slate
from appliance.config import Config
from appliance.core.airtime import Mark
from appliance.core.cbr import Laid, laid_out
from appliance.core.errors import Refused, Text
from appliance.core.ledger import LEDGER_ENDED, Segment, Stretch, segments_of
from appliance.core.rundown import SLATE, tick_of
from appliance.core.sending import shelf_ticks
from appliance.core.ts import SEGMENT_TICKS
from appliance.files import path_of
from appliance.playout.memory import Memory

LOOK_S: Final = 0.1
"""How soon a change of the ledger is seen."""
SEGMENT_BYTES_MAX: Final = 16 * 1024 * 1024


class Shelf:
    """`segments`, by their first tick, is replaced as a whole and never changed: any thread may read it."""

    def __init__(self, config: Config, channel: str, air_us: Callable[[], int]) -> None:
        self.segments: Mapping[int, Laid] = {}
        self.note: Text | None = None
        """Why a segment around now is not at hand; None where all are."""
        self._config, self._air_us = config, air_us
        self._memory = Memory(config.database, channel)
        self._reach_tick = 0
        self._ended, self._wanted, self._filled = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_filled, name="shelf", daemon=True)

    @property
    def mark(self) -> Mark | None:
        """The air's clock, as the agent last noted it."""
        return self._memory.mark

    @property
    def trouble(self) -> Text | None:
        """Why the database cannot be read; None when it can."""
        return self._memory.trouble

    def start(self) -> None:
        """Begin to fill it."""
        self._thread.start()

    def end(self) -> None:
        """Do not fill it any more."""
        self._ended.set()
        self._wanted.set()

    def reaches(self, air_us: int) -> bool:
        """Whether it was filled for this moment: not at the start, nor after a leap of the clock."""
        return tick_of(air_us) < self._reach_tick

    def hurry(self, timeout_s: float) -> None:
        """Wait until it was filled for the present moment, but no longer than this."""
        self._filled.clear()
        self._wanted.set()
        self._filled.wait(timeout_s)

    def fill(self) -> None:
        """Read the ledger where it has changed, and what is missing of the segments around now."""
        from_tick, to_tick = shelf_ticks(self._air_us())
        self._memory.look(from_tick, self._config.clock.running_us())
        found: dict[int, Laid] = {}
        note: Text | None = None
        stretches = self._memory.stretches
        for segment in _segments(stretches, from_tick, to_tick):
            known = self.segments.get(segment.start_tick)
            if known is not None and known.segment == segment:
                found[segment.start_tick] = known
                continue
            try:
                found[segment.start_tick] = laid_out(segment, self._read(segment))
            except (OSError, Refused) as error:
                note = _unreadable(segment, error)
        if note is None and (not stretches or stretches[-1].end_tick < to_tick):
            note = self._memory.trouble or LEDGER_ENDED
        self.segments, self.note, self._reach_tick = found, note, to_tick

    def _keep_filled(self) -> None:
        while not self._ended.is_set():
            self._wanted.clear()
            self.fill()
            self._filled.set()
            self._wanted.wait(LOOK_S)

    def _read(self, segment: Segment) -> bytes:
        place = self._memory.place(segment.rendition, segment.number)
        if place is None or place[1] > SEGMENT_BYTES_MAX:
            raise Refused(Text("段表中没有它", "it is not in the table of segments"))
        is_slate = segment.rendition == SLATE
        path = slate.slate_path() if is_slate else path_of(self._config, segment.rendition)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, place[1], place[0])
        finally:
            os.close(descriptor)


def _segments(stretches: Sequence[Stretch], from_tick: int, to_tick: int) -> Iterator[Segment]:
    for stretch in stretches:
        if stretch.end_tick > from_tick and stretch.start_tick < to_tick:
            begin = max(0, (from_tick - stretch.start_tick) // SEGMENT_TICKS)
            end = -(-(to_tick - stretch.start_tick) // SEGMENT_TICKS)
            yield from segments_of(stretch, begin, end)


def _unreadable(segment: Segment, error: OSError | Refused) -> Text:
    name = segment.rendition.removeprefix("sha256:")[:12]
    if isinstance(error, OSError):
        why = Text(error.strerror or str(error), error.strerror or str(error))
    else:
        why = error.problems[0]
    return Text(f"读不出 {name} 第 {segment.number} 段：{why.zh}", f"segment {segment.number} of {name}: {why.en}")
