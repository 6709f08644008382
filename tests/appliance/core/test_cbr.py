"""The modulator's stream: its rate, its clock, its counters; and every byte of the programme is in it."""

import random
from itertools import pairwise

import pytest

from appliance.core import cbr, ts
from appliance.core.cbr import RATE_DEFAULT, RATE_MIN, Rate
from appliance.core.mux import AUDIO_PID, PACKET, PMT_PID, PTS_MODULO, VIDEO_PID
from tests.appliance import clips
from tests.appliance.core.timelines import START, heard, sent, timeline

RATE = Rate(RATE_DEFAULT)
SPLICED = (
    ("long", 0, 130),
    ("odd", 0, 83),
    ("slate", 0, 17),
    ("long", 2, 51),
    ("odd", 1, 33),
    ("slate", 0, 1),
    ("odd", 0, 83),
)


def packets(stream: bytes, pid: int) -> list[tuple[int, bytes]]:
    """The packets of a PID and their places."""
    cut = [stream[at : at + PACKET] for at in range(0, len(stream), PACKET)]
    return [(place, one) for place, one in enumerate(cut) if (one[1] & 0x1F) << 8 | one[2] == pid]


def payload(packet: bytes) -> bytes:
    begin = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    return packet[begin:] if packet[3] & 0x10 else b""


def pcrs(stream: bytes) -> list[tuple[int, int]]:
    """Place and value of each PCR."""
    found = []
    for place, one in packets(stream, VIDEO_PID):
        if one[3] & 0x20 and one[4] and one[5] & 0x10:
            field = int.from_bytes(one[6:12], "big")
            found.append((place, (field >> 15) * 300 + (field & 0x1FF)))
    return found


@pytest.mark.parametrize("bits_per_s", [RATE_MIN, RATE_DEFAULT, 8_000_001])
def test_each_pcr_is_the_time_of_its_own_byte(bits_per_s: int) -> None:
    """A modulator rebuilds the clock from the PCRs: one that was left as it was in the file throws it off."""
    rate = Rate(bits_per_s)
    stream, _ = sent(timeline(SPLICED), rate)
    first_slot = rate.slot_of(START - cbr.LEAD_TICKS)
    for place, pcr in pcrs(stream):
        bits = ((first_slot + place) * PACKET + 10) * 8
        assert pcr == bits * 27_000_000 // bits_per_s % (300 << 33)
    steps = [after - before for (_, before), (_, after) in pairwise(pcrs(stream))]
    assert max(steps) <= 27_000 * 20.5
    assert heard(stream, rate).pcr_error_max_ns < 100


def test_tables_come_often_enough_to_tune_in() -> None:
    """A receiver that is switched on waits for them before it shows anything."""
    stream, _ = sent(timeline(SPLICED), RATE)
    for pid in (0, PMT_PID):
        places = [place for place, _ in packets(stream, pid)]
        longest = max(after - before for before, after in pairwise(places))
        assert RATE.us_of(longest) <= 100_000


@pytest.mark.parametrize("seed", range(6))
def test_no_break_at_a_splice_wherever_rows_are_cut(seed: int) -> None:
    """Counters go on, times go on, nothing comes too late to be shown: in any order of rows, cut after any frame."""
    chance = random.Random(seed)
    rows = [
        (
            name,
            chance.randrange(len(clips.segments(name))),
            chance.choice([1, 2, 17, 49, 50, 51, chance.randrange(1, 120)]),
        )
        for name in chance.choices(["long", "odd", "small", "slate"], k=12)
    ]
    stream, multiplex = sent(timeline(rows), RATE, chance.choice([7, 28, 350]))
    found = heard(stream, RATE)
    wrong = (
        found.continuity_errors,
        found.pts_steps,
        found.pts_late,
        found.pcr_steps,
        found.pcr_late,
        found.sync_errors,
    )
    assert wrong == (0,) * 6
    assert 0 <= multiplex.tally.pictures - found.pictures <= 3, "but for those before the first tables"
    assert multiplex.tally.late_pictures == 0


def test_the_clock_of_33_bits_wraps_without_a_step() -> None:
    """It does so every 26.5 hours, also in the middle of a clip."""
    begin = START // PTS_MODULO * PTS_MODULO + PTS_MODULO - 3 * ts.TICKS_PER_S
    found = heard(sent(timeline([("long", 0, 205)], begin), RATE)[0], RATE)
    assert (found.continuity_errors, found.pts_steps, found.pts_late, found.pcr_steps, found.pcr_late) == (0,) * 5
    assert found.since_us is not None and found.until_us is not None and found.until_us < found.since_us


def test_every_byte_of_pictures_and_sounds_arrives_in_order() -> None:
    """The multiplex moves packets; it must not lose, double or change what they carry."""
    laid = timeline(SPLICED)
    stream, _ = sent([*laid, *timeline([("slate", 0, 100)], laid[-1].segment.end_tick)], RATE)
    for pid, units in ((VIDEO_PID, [each.pictures for each in laid]), (AUDIO_PID, [each.sounds for each in laid])):
        put = b"".join(
            payload(unit.packets[at : at + PACKET])
            for each in units
            for unit in each
            for at in range(0, len(unit.packets), PACKET)
        )
        got = b"".join(payload(one) for _, one in packets(stream, pid))
        assert got[: len(put)] == put


def test_pictures_are_through_in_time_at_the_lowest_rate_also_of_the_densest_clips() -> None:
    """The house format's peak fits: two clips with all bits that the encoder may give them, one after the other."""
    laid = timeline([("dense", 0, 100), ("dense", 0, 100), ("dense", 1, 50), ("dense", 0, 100)])
    stream, multiplex = sent(laid, Rate(RATE_MIN))
    assert (multiplex.tally.late_pictures, heard(stream, Rate(RATE_MIN)).pts_late) == (0, 0)
    assert multiplex.tally.margin_ticks > 0


def test_a_rate_that_is_too_low_costs_pictures_and_never_time() -> None:
    """What cannot be shown in time any more is left out, with what needs it: the stream does not fall behind."""
    rate = Rate(1_200_000)
    stream, multiplex = sent(timeline([("dense", 0, 100), ("slate", 0, 200)]), rate)
    found = heard(stream, rate)
    assert multiplex.tally.late_pictures > 0
    assert (found.pcr_steps, found.pcr_late) == (0, 0)
    assert found.pts_late <= 1


def test_two_senders_begun_at_different_times_say_the_same() -> None:
    """A standby can take over in the middle of a picture, because what stands in a slot is no matter of history."""
    laid = timeline([("long", 0, 205), ("odd", 0, 83), ("long", 1, 155)])
    one, _ = sent(laid, RATE, 7)
    later, _ = sent(laid[2:], RATE, 70)
    common = len(later) - RATE.slot_at(2_000_000) * PACKET
    assert one[-common:] == later[-common:]


def test_after_a_gap_only_what_can_be_decoded_is_sent() -> None:
    """Pictures whose keyframe fell into the gap would be rubbish on every screen until the next one."""
    laid = timeline([("long", 0, 200)])
    for lost_from_s, lost_until_s, loses in ((0.9, 1.4, False), (1.5, 2.4, True)):
        multiplex = cbr.Multiplex(RATE, START)
        for each in laid:
            multiplex.feed(each)
        sent_until = multiplex.slot + RATE.slot_at(round(lost_from_s * 1_000_000))
        multiplex.take(multiplex.slot + RATE.slot_at(round(lost_until_s * 1_000_000)))
        multiplex.mend(sent_until)
        assert (multiplex.tally.lost_pictures > 5) is loses
        rest = multiplex.take(multiplex.slot + RATE.slot_at(2_000_000))
        first = next(payload(one) for _, one in packets(rest, VIDEO_PID) if one[1] & 0x40)
        assert (ts.KEYFRAME_NAL in first) is loses
