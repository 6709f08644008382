"""A channel as a modulator takes it: house segments laid into a transport stream of constant rate.

docs/formats.md, section 7. The rate divides time into slots, one packet each, numbered since 1970 on the air's clock.
What stands in a slot depends on its number and on the ledger alone:

    each 20 ms       a packet with nothing but a PCR; each 80 ms PAT and PMT after it, counted by the time
    then             sounds, spaced as the decoder's transport buffer empties, SOUND_LEAD_TICKS before they are heard
    then             pictures in order, from LEAD_TICKS before their place in the ledger on; PCRs in them are restamped
    else             a null packet

So two senders that were begun at different times put the same packets into the same slots once both had nothing to
send, which happens many times a second. In the ledger a picture is shown AIR_LEAD_TICKS after its place: that and the
lead are the time in which it must be through. Counters fit at every splice: each segment has full turns of them.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from appliance.core.ledger import Segment
from appliance.core.mux import (
    AUDIO_PID,
    PACKET,
    PAT,
    PCR_FIELD,
    PMT,
    PMT_PID,
    PTS_MODULO,
    SYNC,
    TURN,
    VIDEO_PID,
    table_packet,
)
from appliance.core.ts import AIR_LEAD_TICKS, TICKS_PER_S, move

RATE_DEFAULT: Final = 4_000_000
RATE_MIN: Final = 3_500_000
"""The house format's peak: pictures of 2.5 Mb/s with a buffer of one second, sound, tables, clock, packets' heads. Two
clips that each fill their buffer may meet: what is in both is through within the lead and the second after it."""
RATE_MAX: Final = 60_000_000
DATAGRAM_PACKETS: Final = 7
GRID_TICKS: Final = 1800
"""A PCR every 20 ms: half of what DVB allows (ETSI TR 101 290, 2.3)."""
TABLES_EVERY: Final = 4
"""PAT and PMT with every fourth of them."""
LEAD_TICKS: Final = 27_000
"""A picture may go out 0.3 s before its place where there is room. What is sent cannot be changed, so this is less than
the time by which an insertion must be committed."""
SOUND_LEAD_TICKS: Final = 13_500
"""0.15 s: the decoder's buffer for sound has 3,584 bytes (ISO/IEC 13818-1, 2.4.2.3), 0.2 s of it."""
_SOUND_BITS_PER_S: Final = 2_000_000
"""How fast a decoder takes sound out of its transport buffer of 512 bytes."""
_PACKET_BITS: Final = PACKET * 8
_SYSTEM_HZ: Final = 27_000_000
_PCR_BYTE: Final = 10
"""The byte of a packet that holds the last bit of the PCR's base: what the PCR is the time of."""
_NULL: Final = bytes((SYNC, 0x1F, 0xFF, 0x10)) + b"\xff" * (PACKET - 4)
_US: Final = 1_000_000
_FULL: Final = PACKET - 5


class Rate(msgspec.Struct, frozen=True):
    """Slots and times at a number of bits per second, in whole numbers throughout."""

    bits_per_s: int

    def slot_of(self, tick: int) -> int:
        """The first slot that begins at this tick or after."""
        return -(-tick * self.bits_per_s // (_PACKET_BITS * TICKS_PER_S))

    def tick_of(self, slot: int) -> int:
        """When a slot begins."""
        return slot * _PACKET_BITS * TICKS_PER_S // self.bits_per_s

    def slot_at(self, moment_us: int) -> int:
        """The slot that is under way at a moment."""
        return moment_us * self.bits_per_s // (_PACKET_BITS * _US)

    def us_of(self, slots: int) -> int:
        """How long so many slots take."""
        return slots * _PACKET_BITS * _US // self.bits_per_s

    def pcr_of(self, slot: int) -> int:
        """The PCR of a packet in this slot, in 1/27,000,000 s."""
        return (slot * PACKET + _PCR_BYTE) * 8 * _SYSTEM_HZ // self.bits_per_s % (PTS_MODULO * 300)


class Unit(NamedTuple):
    """A picture or a sound: when it is shown, on a clock that does not wrap, and its packets."""

    pts_tick: int
    packets: bytes


class Laid(msgspec.Struct, frozen=True):
    """A segment taken apart; its first picture is a keyframe."""

    segment: Segment
    pictures: tuple[Unit, ...]
    sounds: tuple[Unit, ...]


class Tally(msgspec.Struct):
    """What went wrong since the beginning, and by how much it went well."""

    pictures: int = 0
    late_pictures: int = 0
    """Left out, because they could not have been through in time: the rate is too low for what is on."""
    lost_pictures: int = 0
    """Left out after a gap: nobody has the keyframe that they need."""
    margin_ticks: int = AIR_LEAD_TICKS + LEAD_TICKS
    """The least time that was left when a picture was through."""


def laid_out(segment: Segment, data: bytes) -> Laid:
    """A segment's bytes in its file, moved to its place on the air, cut, and taken apart. Raises NotHouseFormat."""
    moved = move(data, segment.offset_ticks, segment.frames)
    pictures: list[Unit] = []
    sounds: list[Unit] = []
    for pid, packets in _units(moved):
        unit = Unit(_pts_of(packets, segment.start_tick + AIR_LEAD_TICKS), packets)
        (pictures if pid == VIDEO_PID else sounds).append(unit)
    return Laid(segment, tuple(pictures), tuple(sounds))


class Multiplex:
    """Segments in, packets out. `slot` is the next one; `fed_tick` where the segment begins that is to be fed next.

    Whoever takes up to a slot has fed all that begins up to LEAD_TICKS after it.
    """

    def __init__(self, rate: Rate, begin_tick: int) -> None:
        self.rate = rate
        self.slot = rate.slot_of(begin_tick - LEAD_TICKS)
        self.fed_tick = begin_tick
        self.tally = Tally()
        self._pictures: deque[tuple[int, Unit, bool]] = deque()
        self._sounds: deque[tuple[int, Unit]] = deque()
        self._picture_at = self._sound_at = 0
        self._picture_from = self._sound_from = self.slot
        """In which slot the picture or sound began that is under way."""
        self._key = (self.slot, self.slot)
        """The slots of the last keyframe that began: its first, and the one after its last so far."""
        self._next_sound = self.slot
        self._sound_every = max(2, -(-rate.bits_per_s // _SOUND_BITS_PER_S))
        self._video_turn = TURN - 1
        self._begin_grid()
        self._is_leap = False

    def feed(self, laid: Laid) -> None:
        """The segment that begins at `fed_tick`."""
        assert laid.segment.start_tick == self.fed_tick, "segments join"
        for number, unit in enumerate(laid.pictures):
            release = self.rate.slot_of(unit.pts_tick - AIR_LEAD_TICKS - LEAD_TICKS)
            self._pictures.append((release, unit, number == 0))
        for unit in laid.sounds:
            self._sounds.append((self.rate.slot_of(unit.pts_tick - SOUND_LEAD_TICKS), unit))
        self.fed_tick = laid.segment.end_tick

    def take(self, until: int) -> bytes:
        """The packets of the slots from `slot` up to `until`."""
        parts: list[bytes] = []
        while self.slot < until:
            if self.slot >= self._grid_slot:
                parts.append(self._grid_packet())
                self.slot += 1
                continue
            limit = min(until, self._grid_slot)
            if self._sounds:
                due = max(self._sounds[0][0], self._next_sound)
                if due <= self.slot:
                    parts.append(self._sound_packet())
                    self.slot += 1
                    continue
                limit = min(limit, due)
            if self._pictures:
                due = self._pictures[0][0]
                if due <= self.slot:
                    self._take_picture(parts, limit)
                    continue
                limit = min(limit, due)
            parts.append(_NULL * (limit - self.slot))
            self.slot = limit
        return b"".join(parts)

    def resume(self, slot: int) -> None:
        """Nothing was sent from here up to `slot`: what was due meanwhile goes out from there on, where it is in time.

        Whoever calls it has fed all that begins up to LEAD_TICKS after `slot`. Pictures catch up by the room that the
        rate leaves them; one that is too late by then is left out, and a sound that is too late at once.
        """
        assert slot >= self.slot, "what is out is out"
        self.slot = slot
        now = self.rate.tick_of(slot)
        while self._sounds and self._sounds[0][1].pts_tick < now:
            self._sounds.popleft()
            self._sound_at = 0
        self._begin_grid()

    def mend(self, sent_until: int) -> None:
        """Of what was taken, the slots from `sent_until` on were never sent: leave out what is worth nothing without.

        That is the rest of what is half gone, and the pictures up to the next keyframe if that of theirs was not sent.
        """
        if sent_until >= self.slot:
            return
        if self._picture_at and self._picture_from < self.slot:
            self._lose_picture()
        if self._sound_at:
            self._sounds.popleft()
            self._sound_at = 0
        first, last = self._key
        if last > sent_until and first < self.slot:
            while self._pictures and not self._pictures[0][2]:
                self._lose_picture()

    def tell_leap(self) -> None:
        """Time itself has jumped: the next PCR says so."""
        self._is_leap = True

    def _begin_grid(self) -> None:
        """The next PCR is that of the first multiple of 20 ms from here on."""
        self._grid = -(-self.rate.tick_of(self.slot) // GRID_TICKS)
        self._grid_slot = self.rate.slot_of(self._grid * GRID_TICKS)
        self._phase = 0

    def _take_picture(self, parts: list[bytes], limit: int) -> None:
        _due, unit, is_key = self._pictures[0]
        at = self._picture_at
        if at == 0:
            if self.rate.tick_of(self.slot) > unit.pts_tick:
                self._leave_out(is_key=is_key)
                return
            self._picture_from = self.slot
            parts.append(_restamped(unit.packets[:PACKET], self.rate.pcr_of(self.slot)))
            end = PACKET
        else:
            end = min(len(unit.packets), at + (limit - self.slot) * PACKET)
            parts.append(unit.packets[at:end])
        self.slot += (end - at) // PACKET
        self._video_turn = unit.packets[end - PACKET + 3] & 0x0F
        if is_key:
            self._key = (self._picture_from, self.slot)
        if end < len(unit.packets):
            self._picture_at = end
            return
        self._picture_at = 0
        self._pictures.popleft()
        self.tally.pictures += 1
        self.tally.margin_ticks = min(self.tally.margin_ticks, unit.pts_tick - self.rate.tick_of(self.slot))

    def _leave_out(self, *, is_key: bool) -> None:
        """A picture that cannot be shown any more, and those that are nothing without it."""
        self._drop_picture()
        self.tally.late_pictures += 1
        while is_key and self._pictures and not self._pictures[0][2]:
            self._drop_picture()
            self.tally.late_pictures += 1

    def _drop_picture(self) -> None:
        """The counter stands where its last packet would have put it: what comes next fits."""
        _due, unit, _is_key = self._pictures.popleft()
        self._video_turn = unit.packets[3 - PACKET] & 0x0F
        self._picture_at = 0

    def _lose_picture(self) -> None:
        self._drop_picture()
        self.tally.lost_pictures += 1

    def _sound_packet(self) -> bytes:
        unit = self._sounds[0][1]
        at = self._sound_at
        self._sound_at += PACKET
        self._next_sound = self.slot + self._sound_every
        if self._sound_at == len(unit.packets):
            self._sounds.popleft()
            self._sound_at = 0
        return unit.packets[at : at + PACKET]

    def _grid_packet(self) -> bytes:
        """A PCR, and with every fourth the tables, in consecutive slots."""
        phase, turn = self._phase, self._grid // TABLES_EVERY % TURN
        self._phase += 1
        if self._phase == (3 if self._grid % TABLES_EVERY == 0 else 1):
            self._phase = 0
            self._grid += 1
            self._grid_slot = self.rate.slot_of(self._grid * GRID_TICKS)
        if phase == 0:
            flags = 0x90 if self._is_leap else 0x10
            self._is_leap = False
            return _clock_packet(self._video_turn, flags, self.rate.pcr_of(self.slot))
        return table_packet(0, turn, PAT) if phase == 1 else table_packet(PMT_PID, turn, PMT)


def _restamped(packet: bytes, pcr: int) -> bytes:
    """A picture's first packet with the PCR of the slot that it is in; as it is where it has none."""
    if not packet[3] & 0x20 or packet[4] < PCR_FIELD - 1 or not packet[5] & 0x10:
        return packet
    return packet[:6] + _pcr_bytes(pcr) + packet[12:]


def _clock_packet(turn: int, flags: int, pcr: int) -> bytes:
    """An adaptation field and no payload: the counter stays where it is."""
    head = bytes((SYNC, VIDEO_PID >> 8, VIDEO_PID & 0xFF, 0x20 | turn, _FULL, flags))
    return head + _pcr_bytes(pcr) + b"\xff" * (PACKET - 12)


def _pcr_bytes(pcr: int) -> bytes:
    base, extension = divmod(pcr, 300)
    return (base << 15 | 0x7E00 | extension).to_bytes(6, "big")


def _units(segment: bytes) -> Iterator[tuple[int, bytes]]:
    """PID and packets of each PES, without the tables between them."""
    kinds, pids = segment[1::PACKET], segment[2::PACKET]
    starts: list[int] = []
    at = kinds.find(0x41)
    while at >= 0:
        starts.append(at)
        at = kinds.find(0x41, at + 1)
    for begin, after in zip(starts, [*starts[1:], len(kinds)], strict=True):
        pid, end = 0x100 | pids[begin], after
        while kinds[end - 1] & 0x1F != pid >> 8 or pids[end - 1] != pids[begin]:
            end -= 1
        if pid in (VIDEO_PID, AUDIO_PID):
            yield pid, segment[begin * PACKET : end * PACKET]


def _pts_of(packets: bytes, near_tick: int) -> int:
    """The PTS of a PES, brought from the 33-bit clock to the one that does not wrap."""
    at = 4 + (1 + packets[4] if packets[3] & 0x20 else 0) + 9
    field = int.from_bytes(packets[at : at + 5], "big")
    pts = field >> 3 & 0x1C0000000 | field >> 2 & 0x3FFF8000 | field >> 1 & 0x7FFF
    return near_tick + (pts - near_tick + PTS_MODULO // 2) % PTS_MODULO - PTS_MODULO // 2
