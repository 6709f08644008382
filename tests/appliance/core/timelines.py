"""Timelines of real segments for what sends them: rows one after the other, laid out for a multiplex."""

from collections.abc import Sequence

from appliance.core import ts
from appliance.core.cbr import LEAD_TICKS, Laid, Multiplex, Rate, laid_out
from appliance.core.ledger import Segment
from appliance.core.mux import PACKET
from appliance.core.probe import Heard, Listening
from appliance.core.ts import AIR_LEAD_TICKS, FILE_PTS_TICKS, FRAMES_PER_SEGMENT, PTS_MODULO, SEGMENT_TICKS
from tests.appliance import clips

START = 1_795_500_000 * ts.TICKS_PER_S
Row = tuple[str, int, int]
"""Which clip, from which of its segments on, how many frames."""


def timeline(rows: Sequence[Row], start: int = START) -> list[Laid]:
    """The segments of these rows, each where the one before it ends."""
    made: list[Laid] = []
    for name, number, frames in rows:
        stored = clips.segments(name)
        while frames > 0:
            length = min(frames, FRAMES_PER_SEGMENT, ts.segment_frames(stored[number]))
            offset = (start + AIR_LEAD_TICKS - FILE_PTS_TICKS - number * SEGMENT_TICKS) % PTS_MODULO
            segment = Segment(len(made), start, length, name, number, offset)
            made.append(laid_out(segment, stored[number]))
            start, frames = segment.end_tick, frames - length
            number = (number + 1) % len(stored) if name != "slate" else 0
    return made


def sent(laid: Sequence[Laid], rate: Rate, step: int = 35) -> tuple[bytes, Multiplex]:
    """All that a multiplex makes of a timeline, taken in small steps, up to where its last segment is through."""
    multiplex = Multiplex(rate, laid[0].segment.start_tick)
    waiting, parts = list(laid), []
    end = rate.slot_of(laid[-1].segment.end_tick)
    while multiplex.slot < end:
        until = min(end, multiplex.slot + step)
        while waiting and multiplex.fed_tick <= rate.tick_of(until) + LEAD_TICKS:
            multiplex.feed(waiting.pop(0))
        parts.append(multiplex.take(until))
    return b"".join(parts), multiplex


def heard(stream: bytes, rate: Rate) -> Heard:
    """What the probe says of a stream that comes at its rate."""
    listening = Listening(rate.bits_per_s)
    for at in range(0, len(stream), 7 * PACKET):
        listening.hear(stream[at : at + 7 * PACKET], at * 8 * 1_000_000 // rate.bits_per_s)
    return listening.heard
