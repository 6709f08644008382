"""What somebody hears who listens to a transport stream, and what is wrong with it (ISO/IEC 13818-1, ETSI TR 101 290).

    listening = Listening(bits_per_s)
    listening.hear(datagram, at_us)      each as it comes, with the moment of its arrival
    listening.wait(at_us)                now and then: nothing may have come
    listening.miss(count)                before the first one that comes after some that the listener itself has lost
    listening.heard                      counts since the beginning; `since_us`, `until_us` of the air that was heard

It shares no code with what sends: a mistake in reading that is also one in writing would not be found.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from appliance.core.errors import Text

PACKET_BYTES: Final = 188
NULL_PID: Final = 0x1FFF
CLOCK_HZ: Final = 27_000_000
CLOCK_MODULO: Final = 300 << 33
PTS_HZ: Final = 90_000
PCR_INTERVAL_MAX_MS: Final = 40
"""TR 101 290, 2.3."""
PCR_STEP_MS: Final = 100
"""Two PCRs further apart are a break in time."""
TABLE_INTERVAL_MAX_MS: Final = 500
"""TR 101 290, 1.3 and 1.5."""
PICTURE_TICKS: Final = 3600
SOUND_GAP_TICKS: Final = 3 * 1920
"""Where two clips meet a sound may be missing."""
BLACKOUT_US: Final = 500_000
"""No packet for so long is a break that everybody sees."""
PICTURELESS_US: Final = 1_500_000
"""Packets, but no picture begins: a large picture alone may take most of a second."""

FAULTS_MAX: Final = 20


class Heard(msgspec.Struct):
    """Counts, and the worst, since the beginning."""

    datagrams: int = 0
    packets: int = 0
    null_packets: int = 0
    sync_errors: int = 0
    continuity_errors: int = 0
    pictures: int = 0
    sounds: int = 0
    pcrs: int = 0
    pcr_late: int = 0
    """PCRs more than 40 ms after the one before."""
    pcr_steps: int = 0
    """PCRs that went back, or on by more than 100 ms, without saying so."""
    leaps: int = 0
    """The same, announced by the discontinuity indicator."""
    pts_steps: int = 0
    """Pictures that are not one picture after the one before, sounds that overlap or leave a gap."""
    pts_late: int = 0
    """Pictures or sounds that came after the moment at which they should be shown."""
    table_late: int = 0
    blackouts: int = 0
    blackout_us: int = 0
    pcr_interval_max_ms: float = 0.0
    pcr_error_max_ns: float = 0.0
    """How far a PCR is from where the one before it and the packets between say."""
    missed_datagrams: int = 0
    """Came, and were not heard: the machine was too busy to listen. What was in them nobody knows."""
    since_us: int | None = None
    until_us: int | None = None


class Window(msgspec.Struct):
    """The same of the time since it was last asked for."""

    packets: int = 0
    pcr_interval_max_ms: float = 0.0
    early_us: int | None = None
    late_us: int | None = None
    """Arrival less PCR: the least and the most."""

    @property
    def jitter_us(self) -> int:
        """From the earliest to the latest arrival, as the clock in the stream sees it."""
        return 0 if self.early_us is None or self.late_us is None else self.late_us - self.early_us


class Listening:
    """Reads one programme: tables, counters, clock and timestamps. The first PAT and PMT say which PIDs matter."""

    def __init__(self, bits_per_s: int) -> None:
        self.heard = Heard()
        self.faults: list[Text] = []
        """What was found since somebody took them away, at most FAULTS_MAX."""
        self.window = Window()
        self.tick: int | None = None
        """The last PCR's base: 90 kHz, modulo 2^33."""
        self._bits_per_s = bits_per_s
        self._counters: dict[int, tuple[int, bytes]] = {}
        self._pmt_pid = self._clock_pid = self._video_pid = self._audio_pid = -1
        self._pcr: int | None = None
        self._pcr_packet = 0
        self._unwrapped: int | None = None
        self._pts: dict[int, int] = {}
        self._table_packet = 0
        self._heard_us: int | None = None
        self._picture_us: int | None = None
        self._black_since_us: int | None = None

    def hear(self, datagram: bytes, at_us: int) -> None:
        """A datagram that arrived at this moment, by any clock that does not stop."""
        self.wait(at_us)
        self._heard_us = at_us
        heard = self.heard
        self.window.packets += len(datagram) // PACKET_BYTES
        heard.datagrams += 1
        if len(datagram) % PACKET_BYTES:
            self._found("sync_errors", "数据报长度不对", "a datagram is not whole packets")
        for at in range(0, len(datagram) - PACKET_BYTES + 1, PACKET_BYTES):
            heard.packets += 1
            if datagram[at] != 0x47:
                self._found("sync_errors", "失去同步字节", "a sync byte is missing")
                continue
            pid = (datagram[at + 1] & 0x1F) << 8 | datagram[at + 2]
            if pid == NULL_PID:
                heard.null_packets += 1
            else:
                self._read(pid, datagram[at : at + PACKET_BYTES], at_us)

    def wait(self, at_us: int) -> None:
        """It is now so late: has nothing come for too long?"""
        if self._heard_us is None:
            return
        pictured_us = self._picture_us if self._picture_us is not None else self._heard_us
        if self._black_since_us is None and at_us - self._heard_us > BLACKOUT_US:
            self._black_since_us = self._heard_us
            self._found("blackouts", "输出中断", "the output broke off")
        elif self._black_since_us is None and at_us - pictured_us > PICTURELESS_US:
            self._black_since_us = pictured_us
            self._found("blackouts", "有信号无画面", "there is a signal, but no picture")

    def miss(self, datagrams: int) -> None:
        """So many came and were not heard. What follows is not compared with what was before them."""
        self.heard.missed_datagrams += datagrams
        self._counters.clear()
        self._pts.clear()
        self._pcr = self._unwrapped = self._heard_us = self._picture_us = None
        self._table_packet = 0
        self.window.early_us = self.window.late_us = None

    def take_window(self) -> Window:
        """What was since the last time."""
        window, self.window = self.window, Window()
        return window

    def _read(self, pid: int, packet: bytes, at_us: int) -> None:
        control = packet[3]
        has_field, has_payload = control & 0x20 and packet[4] > 0, control & 0x10
        flags = packet[5] if has_field else 0
        self._count(pid, packet, control & 0x0F, is_payload=bool(has_payload), is_told=bool(flags & 0x80))
        if flags & 0x10 and pid == self._clock_pid:
            self._clock(packet, at_us, is_told=bool(flags & 0x80))
        if packet[1] & 0x40 and has_payload:
            begin = 4 + (1 + packet[4] if control & 0x20 else 0)
            if pid == 0:
                self._tables(packet[begin:])
            elif pid == self._pmt_pid:
                self._programme(packet[begin:])
            elif pid in (self._video_pid, self._audio_pid):
                self._timestamp(pid, packet[begin:], at_us)

    def _count(self, pid: int, packet: bytes, counter: int, *, is_payload: bool, is_told: bool) -> None:
        """A counter goes on by one with each payload. One packet may come twice."""
        known = self._counters.get(pid)
        if known is not None and not is_told:
            before, last = known
            expected = (before + 1) % 16 if is_payload else before
            if counter != expected and not (is_payload and counter == before and packet == last):
                self._found(
                    "continuity_errors",
                    f"PID 0x{pid:x} 计数 {counter}，应为 {expected}",
                    f"PID 0x{pid:x} counts {counter} after {before}",
                )
        self._counters[pid] = (counter, packet if is_payload else (known[1] if known else b""))

    def _clock(self, packet: bytes, at_us: int, *, is_told: bool) -> None:
        field = int.from_bytes(packet[6:12], "big")
        pcr = (field >> 15) * 300 + (field & 0x1FF)
        heard, window = self.heard, self.window
        heard.pcrs += 1
        packets = heard.packets - self._pcr_packet
        step = None if self._pcr is None else (pcr - self._pcr) % CLOCK_MODULO
        if step is not None:
            if is_told:
                heard.leaps += 1
            elif not 0 < step <= PCR_STEP_MS * CLOCK_HZ // 1000:
                shown_ms = (step if step < CLOCK_MODULO // 2 else step - CLOCK_MODULO) * 1000 // CLOCK_HZ
                self._found("pcr_steps", f"PCR 跳变 {shown_ms} 毫秒", f"the PCR stepped by {shown_ms} ms")
            else:
                self._measure(step, packets)
        self._pcr, self._pcr_packet, self.tick = pcr, heard.packets, pcr // 300
        if heard.since_us is None:
            heard.since_us = pcr * 1_000_000 // CLOCK_HZ
        heard.until_us = pcr * 1_000_000 // CLOCK_HZ
        self._unwrap(0 if step is None else step)
        assert self._unwrapped is not None
        late_us = at_us - self._unwrapped * 1_000_000 // CLOCK_HZ
        window.early_us = late_us if window.early_us is None else min(window.early_us, late_us)
        window.late_us = late_us if window.late_us is None else max(window.late_us, late_us)

    def _measure(self, step: int, packets: int) -> None:
        interval_ms = step * 1000 / CLOCK_HZ
        self.heard.pcr_interval_max_ms = max(self.heard.pcr_interval_max_ms, interval_ms)
        self.window.pcr_interval_max_ms = max(self.window.pcr_interval_max_ms, interval_ms)
        if interval_ms > PCR_INTERVAL_MAX_MS:
            shown = f"{interval_ms:.0f}"
            self._found("pcr_late", f"PCR 间隔 {shown} 毫秒", f"{shown} ms between two PCRs")
            return
        expected_ns = packets * PACKET_BYTES * 8 * 1_000_000_000 / self._bits_per_s
        self.heard.pcr_error_max_ns = max(self.heard.pcr_error_max_ns, abs(step * 1000 / 27 - expected_ns))

    def _unwrap(self, step: int) -> None:
        back = step - CLOCK_MODULO if step > CLOCK_MODULO // 2 else step
        self._unwrapped = (self._unwrapped if self._unwrapped is not None else self._pcr or 0) + back

    def _tables(self, payload: bytes) -> None:
        packets = self.heard.packets - self._table_packet
        limit = self._bits_per_s * TABLE_INTERVAL_MAX_MS // (1000 * PACKET_BYTES * 8)
        if self._table_packet and packets > limit:
            self._found("table_late", "PAT 间隔超过 500 毫秒", "more than 500 ms between two PATs")
        self._table_packet = self.heard.packets
        section = payload[1 + payload[0] :]
        for at in range(8, _section_end(section), 4):
            if int.from_bytes(section[at : at + 2], "big"):
                self._pmt_pid = int.from_bytes(section[at + 2 : at + 4], "big") & 0x1FFF

    def _programme(self, payload: bytes) -> None:
        section = payload[1 + payload[0] :]
        self._clock_pid = int.from_bytes(section[8:10], "big") & 0x1FFF
        for kind, pid in _streams(section):
            if kind == 0x1B:
                self._video_pid = pid
            elif kind == 0x0F:
                self._audio_pid = pid

    def _timestamp(self, pid: int, payload: bytes, at_us: int) -> None:
        if payload[:3] != b"\x00\x00\x01" or not payload[7] & 0x80:
            return
        pts = (payload[9] >> 1 & 7) << 30 | payload[10] << 22 | payload[11] >> 1 << 15
        pts |= payload[12] << 7 | payload[13] >> 1
        known = self._pts.get(pid)
        self._pts[pid] = pts
        is_picture = pid == self._video_pid
        if is_picture:
            self.heard.pictures += 1
            self._picture_us = at_us
            if self._black_since_us is not None:
                self.heard.blackout_us += at_us - self._black_since_us
                self._black_since_us = None
        else:
            self.heard.sounds += 1
        if self._pcr is not None and not 0 <= (pts - self._pcr // 300) % (1 << 33) < 10 * PTS_HZ:
            self._found("pts_late", "画面或声音迟到", "a picture or sound came too late to be shown")
        if known is not None:
            step = (pts - known + (1 << 32)) % (1 << 33) - (1 << 32)
            if step != PICTURE_TICKS if is_picture else not 0 < step <= SOUND_GAP_TICKS:
                what = ("画面", "picture") if is_picture else ("声音", "sound")
                shown = f"{step / 90:.0f}"
                self._found("pts_steps", f"{what[0]}时间跳变 {shown} 毫秒", f"{what[1]} times step by {shown} ms")

    def _found(self, count: str, zh: str, en: str) -> None:
        setattr(self.heard, count, getattr(self.heard, count) + 1)
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(Text(zh, en))


def _section_end(section: bytes) -> int:
    """Where the CRC of a section begins."""
    return 3 + (int.from_bytes(section[1:3], "big") & 0x0FFF) - 4


def _streams(section: bytes) -> Iterator[tuple[int, int]]:
    at, end = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF), _section_end(section)
    while at + 5 <= end:
        yield section[at], int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF)
