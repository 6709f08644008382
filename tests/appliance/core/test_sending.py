"""What is due, whatever clock and ledger do: nothing stale, nothing twice, and the screen as whole as it can be."""

from collections.abc import Mapping
from itertools import pairwise

import pytest

from appliance import slate
from appliance.core.cbr import DATAGRAM_PACKETS, RATE_MIN, Laid, Rate
from appliance.core.mux import AUDIO_PID, PACKET, VIDEO_PID
from appliance.core.rundown import us_of
from appliance.core.sending import LATE_US, Sending
from appliance.core.ts import TICKS_PER_S
from tests.appliance.core.test_cbr import packets, payload, pcrs
from tests.appliance.core.timelines import START, heard, timeline

RATE = Rate(4_000_000)
BATCH_US = 10_000
BEGIN_US = us_of(START) + 8_000_000
"""When tests begin to send: the timeline has begun before."""
DATAGRAM_BITS = DATAGRAM_PACKETS * PACKET * 8


@pytest.fixture(scope="module")
def shelf() -> Mapping[int, Laid]:
    rows = [("long", 0, 205), ("odd", 0, 83), ("slate", 0, 30), ("long", 0, 205), ("odd", 0, 83), ("long", 0, 205)]
    return {each.segment.start_tick: each for each in timeline(rows)}


class Sent:
    """A sender on a clock that a test sets."""

    def __init__(
        self, shelf: Mapping[int, Laid], at_us: int = BEGIN_US, sent_until: int = 0, rate: Rate = RATE
    ) -> None:
        self.sending = Sending(rate, slate.slate_path().read_bytes())
        self.shelf, self.air_us, self.running_us, self.sent_until = shelf, at_us, 5_000_000, sent_until

    def go(self, seconds: float) -> bytes:
        parts = []
        for _ in range(round(seconds * 1_000_000 / BATCH_US)):
            parts.append(self.look())
            self.air_us += BATCH_US
            self.running_us += BATCH_US
        return b"".join(parts)

    def stand_by(self, seconds: float) -> None:
        """It reckons along, and another one sends."""
        for _ in range(round(seconds * 1_000_000 / BATCH_US)):
            self.sending.advance(self.air_us, self.running_us, self.shelf)
            self.air_us += BATCH_US
            self.running_us += BATCH_US

    def look(self) -> bytes:
        self.sending.advance(self.air_us, self.running_us, self.shelf)
        data = self.sending.unsent(self.sent_until, self.shelf)
        self.sent_until = self.sending.slot
        return data

    def stall(self, seconds: float) -> None:
        self.air_us += round(seconds * 1_000_000)
        self.running_us += round(seconds * 1_000_000)


def lag_us(sent: Sent, data: bytes) -> int:
    """How far the oldest clock in what was just sent is behind the air."""
    _place, pcr = pcrs(data)[0]
    return (sent.air_us * 27 - pcr) % (300 << 33) // 27


def keyframe_first(data: bytes) -> bool:
    first = next(payload(one) for _, one in packets(data, 0x100) if one[1] & 0x40)
    return b"\x00\x00\x01\x65" in first


def carried(data: bytes) -> bytes:
    """What the packets of the pictures carry, one behind the other."""
    return b"".join(payload(one) for _, one in packets(data, VIDEO_PID))


def continuous(data: bytes, pid: int) -> bool:
    """Whether the counters of the packets that carry anything go on by one each."""
    turns = [one[3] & 0x0F for _, one in packets(data, pid) if one[3] & 0x10]
    return all((before + 1) % 16 == after for before, after in pairwise(turns))


def test_what_is_sent_is_the_present_at_the_rate(shelf: Mapping[int, Laid]) -> None:
    """The sender's clock is the air's, and its rate is what the modulator was told."""
    sent = Sent(shelf)
    data = sent.go(4)
    assert abs(len(data) * 8 - 4 * RATE.bits_per_s) <= 2 * BATCH_US * RATE.bits_per_s // 1_000_000
    assert len(data) % (DATAGRAM_PACKETS * PACKET) == 0
    assert lag_us(sent, data) // 1_000_000 == 3
    found = heard(data, RATE)
    assert (found.continuity_errors, found.pts_steps, found.pts_late) == (0, 0, 0)


def test_a_short_stall_is_made_up_for_and_loses_nothing(shelf: Mapping[int, Laid]) -> None:
    """A busy machine wakes a process late; a modulator's buffer does not mind, a hole it would."""
    sent = Sent(shelf)
    before = sent.go(1)
    sent.stall(0.15)
    whole = before + sent.go(1)
    found = heard(whole, RATE)
    assert (found.continuity_errors, found.pcr_steps, found.pts_steps) == (0, 0, 0)
    assert sent.sending.counts.skips == 0


def test_what_is_stale_is_never_sent(shelf: Mapping[int, Laid]) -> None:
    """After a stop of some seconds the past is past: the next packet is of the present moment."""
    for stopped_s in (0.3, 1.0, 4.0):
        sent = Sent(shelf)
        sent.go(1)
        sent.stall(stopped_s)
        after = sent.go(0.03)
        assert 0 <= lag_us(sent, after) <= LATE_US
        assert sent.sending.counts.skipped_us == pytest.approx(stopped_s * 1_000_000, abs=2 * BATCH_US)


@pytest.mark.parametrize("held_up_s", [0.21, 0.5, 0.95])
def test_a_machine_that_stood_still_for_up_to_a_second_loses_no_picture(
    shelf: Mapping[int, Laid], held_up_s: float
) -> None:
    """A picture is due more than a second before it is shown: behind the gap, wherever it is, it is still in time."""
    there = Sent(shelf)
    whole = carried(there.go(8))
    for before_s in (1.0, 1.3, 1.6, 1.9, 2.2, 2.5, 2.8):
        sent = Sent(shelf)
        data = sent.go(before_s)
        sent.stall(held_up_s)
        data += sent.go(3)
        assert whole.startswith(carried(data))
        assert heard(data, RATE).pts_late == 0
        assert continuous(data, VIDEO_PID)
        tally = sent.sending.tally
        assert (tally.lost_pictures, tally.late_pictures) == (there.sending.tally.lost_pictures, 0)
        assert tally.margin_ticks > 0
        assert sent.sending.counts.skips == 1


def test_also_the_densest_clips_catch_up_in_time_at_the_lowest_rate() -> None:
    """Two clips with all bits that the encoder may give them leave the least room behind a gap."""
    rate, begin_us = Rate(RATE_MIN), us_of(START) + 3_500_000
    dense = {each.segment.start_tick: each for each in timeline([("slate", 0, 100)] + [("dense", 0, 100)] * 4)}
    whole = carried(Sent(dense, begin_us, rate=rate).go(8))
    for before_s in (1.3, 2.9):
        sent = Sent(dense, begin_us, rate=rate)
        data = sent.go(before_s)
        sent.stall(0.95)
        data += sent.go(3)
        assert whole.startswith(carried(data))
        assert (sent.sending.tally.late_pictures, heard(data, rate).pts_late) == (0, 0)
        assert 0 < sent.sending.tally.margin_ticks < TICKS_PER_S // 2, "it was close"


def test_what_was_held_up_catches_up_and_is_forgotten(shelf: Mapping[int, Laid]) -> None:
    """Two seconds later the stream is what it would have been: a standby that knows nothing of it can take over."""
    there, held_up = Sent(shelf), Sent(shelf)
    held_up.go(2)
    held_up.stall(0.8)
    held_up.go(2.2)
    there.go(5)
    assert held_up.go(1) == there.go(1)


def test_a_second_stall_before_it_has_caught_up_loses_no_picture_either(shelf: Mapping[int, Laid]) -> None:
    """It knows what it has sent; nobody else does."""
    whole = carried(Sent(shelf).go(9))
    sent = Sent(shelf)
    data = sent.go(1.9)
    for held_up_s in (0.5, 0.4):
        sent.stall(held_up_s)
        data += sent.go(0.2)
    data += sent.go(3)
    assert whole.startswith(carried(data))
    assert continuous(data, VIDEO_PID)
    assert sent.sending.counts.skips == 2


def test_after_a_stall_a_sound_that_nobody_could_hear_any_more_is_left_out(shelf: Mapping[int, Laid]) -> None:
    """Sounds go out 0.15 s before they are heard: those of the gap are past, also the one that was half out."""
    whole = packets(Sent(shelf).go(3), AUDIO_PID)
    halves = 0
    for batches in range(100, 140):
        sent = Sent(shelf)
        before = sent.go(batches * BATCH_US / 1_000_000)
        sent.stall(0.6)
        after = sent.go(0.5)
        assert packets(after, AUDIO_PID)[0][1][1] & 0x40, "a sound from its beginning on"
        assert heard(after, RATE).pts_late == 0
        halves += not whole[len(packets(before, AUDIO_PID))][1][1] & 0x40
    assert halves, "none of them was half out: this shows nothing"


def test_a_small_leap_of_the_clock_is_told_and_costs_no_picture(shelf: Mapping[int, Laid]) -> None:
    """A box whose clock is set right by half a second: what was due is still in time."""
    whole = carried(Sent(shelf).go(8))
    sent = Sent(shelf)
    data = sent.go(1.9)
    sent.air_us += 500_000
    after = sent.go(3)
    told = [one for _, one in packets(after, VIDEO_PID) if one[3] & 0x20 and one[4] and one[5] & 0x80]
    assert (len(told), sent.sending.counts.leaps, sent.sending.counts.skips) == (1, 1, 0)
    assert whole.startswith(carried(data + after))
    assert heard(after, RATE).pts_late == 0


def test_after_a_stop_the_picture_comes_back_with_a_keyframe(shelf: Mapping[int, Laid]) -> None:
    """What depends on pictures that nobody received would be rubbish; clock and sound go on meanwhile."""
    sent = Sent(shelf)
    sent.go(1)
    sent.stall(2.5)
    after = sent.go(2.2)
    assert keyframe_first(after)
    found = heard(after, RATE)
    assert (found.pcr_late, found.pcr_steps, found.pts_late) == (0, 0, 0)


def test_a_leap_of_the_clock_is_told_and_begins_with_a_keyframe(shelf: Mapping[int, Laid]) -> None:
    """The box was late by three seconds and is set right: the channel is where the wall clock says."""
    sent = Sent(shelf)
    sent.go(1)
    sent.air_us += 3_000_000
    after = sent.go(2.2)
    told = [one for _, one in packets(after, 0x100) if one[3] & 0x20 and one[4] and one[5] & 0x80]
    assert len(told) == 1 and sent.sending.counts.leaps == 1
    assert keyframe_first(after)
    assert abs(lag_us(sent, after) - 2_200_000) <= LATE_US


def test_a_segment_that_is_missing_is_the_slate_until_the_next_one(shelf: Mapping[int, Laid]) -> None:
    """A file that went bad costs its own frames; the timeline does not move by one."""
    at = min(tick for tick in shelf if us_of(tick) > BEGIN_US + 1_000_000)
    sent = Sent({tick: each for tick, each in shelf.items() if tick != at})
    found = heard(sent.go(6), RATE)
    assert (found.continuity_errors, found.pts_steps, found.blackouts) == (0, 0, 0)
    assert sent.sending.counts.slate_segments == 1


def test_a_boundary_that_comes_too_late_is_passed_over_without_a_break(shelf: Mapping[int, Laid]) -> None:
    """The commit of an insertion took too long: what is half out is finished, and the next boundary is joined."""
    begin = min(tick for tick in shelf if us_of(tick) > BEGIN_US + 1_000_000)
    sent = Sent(shelf)
    first = sent.go((us_of(begin) - BEGIN_US) / 1_000_000 + 0.2)
    moved = timeline([("long", 0, 205)], begin + 25 * 3600)
    before = {tick: each for tick, each in shelf.items() if tick < begin}
    sent.shelf = {**before, **{each.segment.start_tick: each for each in moved}}
    found = heard(first + sent.go(4), RATE)
    assert (found.continuity_errors, found.pts_steps, found.blackouts) == (0, 0, 0)
    assert sent.sending.counts.slate_segments == 1


def test_with_nothing_at_hand_the_slate_goes_on_and_the_ledger_is_joined_at_its_first_boundary(
    shelf: Mapping[int, Laid],
) -> None:
    """A box that boots without its database is on the air, and needs no restart when it is there again."""
    sent = Sent({})
    first = sent.go(3)
    sent.shelf = shelf
    found = heard(first + sent.go(4), RATE)
    assert (found.continuity_errors, found.pts_steps, found.blackouts) == (0, 0, 0)
    assert found.pictures > 6 * 25 - 60


def test_whoever_takes_over_sends_what_the_other_did_not(shelf: Mapping[int, Laid]) -> None:
    """Killed between two batches, the first sender leaves a few packets: the second one has them."""
    whole = Sent(shelf).go(4)
    first, second = Sent(shelf), Sent(shelf)
    one = first.go(2)
    second.stand_by(2.03)
    second.sent_until = first.sent_until
    two = second.go(1)
    assert (one + two) == whole[: len(one + two)]


def test_a_sender_that_comes_in_sends_what_one_that_was_there_sends(shelf: Mapping[int, Laid]) -> None:
    """Sounds and pictures of the seconds before are still on their way: it reckons as if it had sent them."""
    there, begun_us = Sent(shelf), BEGIN_US + 2_300_000
    whole, first_slot = there.go(4), RATE.slot_at(BEGIN_US) // DATAGRAM_PACKETS * DATAGRAM_PACKETS
    slot = RATE.slot_at(begun_us) // DATAGRAM_PACKETS * DATAGRAM_PACKETS
    late = Sent(shelf, begun_us, slot).go(1.5)
    assert len(late) > 0
    assert whole[(slot - first_slot) * PACKET :][: len(late)] == late


def test_a_standby_that_stood_still_as_well_shows_every_picture(shelf: Mapping[int, Laid]) -> None:
    """The whole machine stood still, and the standby is the first that wakes."""
    whole = carried(Sent(shelf).go(9))
    for held_up_s in (0.25, 0.9):
        first, second = Sent(shelf), Sent(shelf, BEGIN_US)
        data = first.go(1.9)
        second.stand_by(1.9)
        second.stall(held_up_s)
        second.sent_until = first.sent_until
        data += second.go(3)
        assert whole.startswith(carried(data))
        assert continuous(data, VIDEO_PID)


def test_whoever_takes_over_late_does_not_send_what_is_stale(shelf: Mapping[int, Laid]) -> None:
    """A standby that was itself held up for a second goes on at the present, with what can be decoded."""
    first, second = Sent(shelf), Sent(shelf)
    first.go(1)
    second.stand_by(2)
    assert second.sending.unsent(first.sent_until, shelf) == b""
    assert second.sending.counts.skipped_us == pytest.approx(1_000_000, abs=3 * BATCH_US)


@pytest.mark.parametrize(("away_s", "pictures"), [(0.5, 0), (1.2, 1)])
def test_a_restarted_sender_goes_on_with_the_pictures_whose_keyframe_is_out(
    shelf: Mapping[int, Laid], away_s: float, pictures: int
) -> None:
    """A sender that comes back within the same two seconds costs the frames of the gap at most."""
    first = Sent(shelf)
    first.go(4.0)
    key_us = us_of(next(tick for tick in sorted(shelf) if us_of(tick) > first.air_us))
    first.go((key_us - first.air_us) / 1_000_000 + 0.4)
    second = Sent(shelf, first.air_us + round(away_s * 1_000_000), first.sent_until)
    after = second.go(0.5)
    assert second.sending.tally.lost_pictures <= pictures
    assert heard(after, RATE).pictures >= 8
