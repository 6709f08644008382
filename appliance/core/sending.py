"""What a sender has to send now, whatever clock and ledger do. docs/adr/0022.

    sending.advance(air_us, running_us, shelf)     every few milliseconds: the stream as it is up to this moment
    sending.unsent(sent_until, shelf) -> bytes     the packets of it that are not out yet and not stale

What is late by more than LATE_US is never sent: the stream goes on at the present moment. Pictures are due long before
they are shown, so after a gap of up to RESUME_US those that were due in it go out behind it; after a longer one, those
that nobody could decode are left out. A start, a stall, a leap of the clock and taking over are all the same.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec

from appliance.core.cbr import DATAGRAM_PACKETS, LEAD_TICKS, Laid, Multiplex, Rate, Tally, laid_out
from appliance.core.ledger import Segment
from appliance.core.mux import PACKET, PTS_MODULO
from appliance.core.rundown import SLATE, tick_of, us_of
from appliance.core.ts import (
    AIR_LEAD_TICKS,
    FILE_PTS_TICKS,
    FRAMES_PER_SEGMENT,
    SEGMENT_TICKS,
    TICKS_PER_FRAME,
    TICKS_PER_S,
)

LATE_US: Final = 200_000
"""What is later than this is stale. Less is made up for at once: a modulator's buffer holds it."""
RESUME_US: Final = us_of(AIR_LEAD_TICKS)
"""After a gap no longer than this nothing of what was due in it is too late: a picture is due that long, and the lead,
before it is shown."""
LEAP_US: Final = 100_000
"""A wall clock that parts from the running clock by more between two looks was set."""
FEED_AHEAD_TICKS: Final = TICKS_PER_FRAME
"""A segment is taken from the shelf so long before its first packet can be due."""
BACK_TICKS: Final = 3 * TICKS_PER_S
"""A sender that comes in reckons as if it had sent for so long: by then every one has had nothing to send once."""
SHELF_AHEAD_TICKS: Final = 8 * TICKS_PER_S
"""Longer than a database can keep whoever fills the shelf waiting (`store.database.BUSY_TIMEOUT_S`)."""


class Counts(msgspec.Struct):
    """Since the beginning."""

    skipped_us: int = 0
    """Air that was never sent, because it would have been stale."""
    skips: int = 0
    leaps: int = 0
    slate_segments: int = 0
    """Segments in whose place the slate was sent, because they were not at hand."""


class Sending:
    """One channel's stream. A shelf holds the segments around now that are at hand, by their first tick."""

    def __init__(self, rate: Rate, slate: bytes) -> None:
        self.rate = rate
        self.counts = Counts()
        self.tally = Tally()
        self._slate = slate
        self._multiplex: Multiplex | None = None
        self._broken_off: Multiplex | None = None
        """What stood where this sender itself was held up."""
        self._kept: deque[tuple[int, bytes]] = deque()
        """What became due within LATE_US, so that whoever takes over sends what the other did not."""
        self._late_slots = rate.slot_at(LATE_US)
        self._offset_us = 0
        self._is_leap = False

    @property
    def slot(self) -> int:
        """The first slot that is not due yet; 0 before the first look."""
        return self._multiplex.slot if self._multiplex is not None else 0

    def is_behind(self, air_us: int) -> bool:
        """Whether the stream has to be begun anew to be at this moment."""
        return self._multiplex is None or self.rate.slot_at(air_us) - self._multiplex.slot > self._late_slots

    def advance(self, air_us: int, running_us: int, shelf: Mapping[int, Laid]) -> None:
        """Bring the stream up to this moment of the air, in whole datagrams."""
        offset_us = air_us - running_us
        leapt = self._multiplex is not None and offset_us - self._offset_us > LEAP_US
        self._is_leap = self._is_leap or leapt
        self._offset_us = offset_us
        until = self.rate.slot_at(air_us) // DATAGRAM_PACKETS * DATAGRAM_PACKETS
        if self._multiplex is None or self.is_behind(air_us):
            self._broken_off, self._multiplex = self._multiplex, self._begun(until, shelf)
            self._kept.clear()
        elif until > self._multiplex.slot:
            self.counts.slate_segments += self._feed(self._multiplex, until, shelf)
            self._kept.append((self._multiplex.slot, self._multiplex.take(until)))
            while self._kept[0][0] < until - self._late_slots:
                self._kept.popleft()

    def unsent(self, sent_until: int, shelf: Mapping[int, Laid]) -> bytes:
        """The packets from slot `sent_until` on, where the stream was broken off; 0 when it never began.

        Nothing, where that is too long ago: then it goes on with the next ones.
        """
        if self._multiplex is None or sent_until >= self.slot:
            return b""
        if not self._kept or sent_until < self._kept[0][0]:
            self._multiplex = self._skipped(self._multiplex, sent_until, shelf)
            self._kept.clear()
            return b""
        return b"".join(data[max(0, sent_until - slot) * PACKET :] for slot, data in self._kept)

    def _skipped(self, multiplex: Multiplex, sent_until: int, shelf: Mapping[int, Laid]) -> Multiplex:
        """What goes on at the present where the slots from `sent_until` on were never sent."""
        gap_us = self.rate.us_of(multiplex.slot - sent_until)
        if gap_us <= RESUME_US:
            multiplex = self._resumed(sent_until, multiplex.slot, shelf)
        else:
            multiplex.mend(sent_until)
        if self._is_leap:
            multiplex.tell_leap()
            self.counts.leaps += 1
        elif sent_until:
            self.counts.skipped_us += gap_us
            self.counts.skips += 1
        self._is_leap = False
        return multiplex

    def _resumed(self, sent_until: int, slot: int, shelf: Mapping[int, Laid]) -> Multiplex:
        """One that stands at `slot` with all that was due since `sent_until` before it."""
        multiplex = self._broken_off
        if multiplex is None or multiplex.slot != sent_until:
            multiplex = self._begun(sent_until, shelf)
        self.counts.slate_segments += self._feed(multiplex, slot, shelf)
        multiplex.resume(slot)
        return multiplex

    def _begun(self, until: int, shelf: Mapping[int, Laid]) -> Multiplex:
        """A multiplex that stands at `until`, as if it had been running for long."""
        latest = self.rate.tick_of(until) - BACK_TICKS
        begin = max((tick for tick in shelf if tick <= latest), default=latest // TICKS_PER_FRAME * TICKS_PER_FRAME)
        multiplex = Multiplex(self.rate, begin)
        self._feed(multiplex, until, shelf)
        multiplex.take(until)
        multiplex.tally = self.tally
        return multiplex

    def _feed(self, multiplex: Multiplex, until: int, shelf: Mapping[int, Laid]) -> int:
        """All that can begin before `until`; how often the slate had to stand in."""
        reach = self.rate.tick_of(until) + LEAD_TICKS + FEED_AHEAD_TICKS
        missing = 0
        while multiplex.fed_tick <= reach:
            found = shelf.get(multiplex.fed_tick)
            missing += found is None
            multiplex.feed(found or self._slate_at(multiplex.fed_tick, shelf))
        return missing

    def _slate_at(self, tick: int, shelf: Mapping[int, Laid]) -> Laid:
        """The slate up to where the next segment begins that is at hand."""
        room = min((begin - tick for begin in shelf if begin > tick), default=SEGMENT_TICKS)
        frames = min(FRAMES_PER_SEGMENT, room // TICKS_PER_FRAME)
        offset = (tick + AIR_LEAD_TICKS - FILE_PTS_TICKS) % PTS_MODULO
        return laid_out(Segment(0, tick, frames, SLATE, 0, offset), self._slate)


def shelf_ticks(air_us: int) -> tuple[int, int]:
    """From where to where a shelf reaches that serves also a sender which comes in now."""
    now = tick_of(air_us)
    return now - BACK_TICKS - 2 * SEGMENT_TICKS, now + SHELF_AHEAD_TICKS
