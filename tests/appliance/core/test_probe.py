"""The probe finds what is wrong with a stream, and nothing where nothing is."""

from collections.abc import Callable

import pytest

from appliance.core.cbr import Rate
from appliance.core.mux import PACKET
from appliance.core.probe import Listening
from tests.appliance.core.test_cbr import packets
from tests.appliance.core.timelines import heard, sent, timeline

RATE = Rate(4_000_000)
DATAGRAM = 7 * PACKET


@pytest.fixture(scope="module")
def good() -> bytes:
    stream, _ = sent(timeline([("long", 0, 130), ("slate", 0, 100)]), RATE)
    return stream[: len(stream) // DATAGRAM * DATAGRAM]


def without_a_datagram(stream: bytes) -> bytes:
    at = packets(stream, 0x100)[300][0] // 7 * DATAGRAM
    return stream[:at] + stream[at + DATAGRAM :]


def with_an_old_pcr(stream: bytes) -> bytes:
    clocks = [place for place, one in packets(stream, 0x100) if one[3] & 0x20 and one[4] and one[5] & 0x10]
    at, before = clocks[200] * PACKET + 6, clocks[150] * PACKET + 6
    return stream[:at] + stream[before : before + 6] + stream[at + 6 :]


def with_a_later_picture(stream: bytes) -> bytes:
    """The lowest byte of a PTS is another."""
    place = [place for place, one in packets(stream, 0x100) if one[1] & 0x40][40]
    one = stream[place * PACKET : (place + 1) * PACKET]
    at = place * PACKET + 4 + (1 + one[4] if one[3] & 0x20 else 0) + 13
    return stream[:at] + bytes((stream[at] ^ 0x80,)) + stream[at + 1 :]


def with_a_wrong_byte(stream: bytes) -> bytes:
    return stream[: 500 * PACKET] + b"\x48" + stream[500 * PACKET + 1 :]


def without_tables(stream: bytes) -> bytes:
    parts = [stream[at : at + PACKET] for at in range(0, len(stream), PACKET)]
    null = next(one for one in parts if one[1:3] == b"\x1f\xff")
    quiet = range(len(parts) // 3, len(parts) // 3 + RATE.slot_at(700_000))
    return b"".join(null if place in quiet and one[1:3] == b"\x40\x00" else one for place, one in enumerate(parts))


@pytest.mark.parametrize(
    ("spoil", "count"),
    [
        (without_a_datagram, "continuity_errors"),
        (with_an_old_pcr, "pcr_steps"),
        (with_a_later_picture, "pts_steps"),
        (with_a_wrong_byte, "sync_errors"),
        (without_tables, "table_late"),
    ],
)
def test_each_fault_is_found_by_its_name(good: bytes, spoil: Callable[[bytes], bytes], count: str) -> None:
    """A technician looks for the cause by what the probe calls it."""
    assert getattr(heard(good, RATE), count) == 0
    assert getattr(heard(spoil(good), RATE), count) > 0


def test_silence_and_a_signal_without_picture_are_told_once_and_timed(good: bytes) -> None:
    """What everybody sees must be in the log with its length."""
    listening = Listening(RATE.bits_per_s)

    def hear(stream: bytes, at_us: int) -> int:
        for at in range(0, len(stream), DATAGRAM):
            listening.hear(stream[at : at + DATAGRAM], at_us + at * 2)
        return at_us + len(stream) * 2

    half = len(good) // 2 // DATAGRAM * DATAGRAM
    now_us = hear(good[:half], 1_000_000)
    for _ in range(12):
        now_us += 100_000
        listening.wait(now_us)
    now_us = hear(good[half:], now_us)
    assert listening.heard.blackouts == 1
    assert listening.heard.blackout_us == pytest.approx(1_200_000, abs=100_000)
    null = b"\x47\x1f\xff\x10" + b"\xff" * 184
    hear(null * 7 * 800, now_us)
    assert listening.heard.blackouts == 2


def test_a_duplicate_and_an_announced_leap_are_no_faults(good: bytes) -> None:
    """ISO/IEC 13818-1 allows one packet to come twice, and the clock to jump when it says so."""
    place = packets(good, 0x101)[50][0] * PACKET
    doubled = good[: place + PACKET] + good[place : place + PACKET] + good[place + PACKET :]
    assert heard(doubled, RATE).continuity_errors == 0


def test_what_the_listener_missed_is_no_fault_of_the_output(good: bytes) -> None:
    """A busy box called the county's engineer to a modulator that was well. What comes after it is judged again."""
    listening = Listening(RATE.bits_per_s)

    def hear(stream: bytes, at_us: int) -> int:
        for at in range(0, len(stream), DATAGRAM):
            listening.hear(stream[at : at + DATAGRAM], at_us + at * 2)
        return at_us + len(stream) * 2

    size = len(good) // DATAGRAM
    first, lost = size // 3, RATE.slot_at(700_000) // 7
    now_us = hear(good[: first * DATAGRAM], 1_000_000)
    listening.miss(lost)
    hear(good[(first + lost) * DATAGRAM :], now_us + lost * DATAGRAM * 2)
    assert listening.faults == [] and listening.heard.missed_datagrams == lost
    assert listening.take_window().jitter_us < 100_000
    hear(without_a_datagram(good), now_us + len(good) * 2)
    assert listening.heard.continuity_errors > 0
