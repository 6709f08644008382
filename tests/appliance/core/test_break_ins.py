"""Emergencies: at the next segment, over whatever happens; back to the wall clock; and nothing is taken back."""

from collections.abc import Callable
from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.air import ACTED_ON_TICKS, COMMIT_TICKS, SYNC_TICKS, URGENT_TICKS, is_in_time
from appliance.core.cbr import LEAD_TICKS
from appliance.core.insertion import Break
from appliance.core.ledger import Segment, segments_of
from appliance.core.rundown import SLATE, tick_of
from appliance.core.sending import FEED_AHEAD_TICKS
from appliance.core.ts import FRAMES_PER_SEGMENT, SEGMENT_TICKS, TICKS_PER_FRAME, TICKS_PER_S
from appliance.playout.shelf import LOOK_S
from tests.appliance.core.air_box import SECOND, Box, clock, digest, entry

BORN: Final = clock("11:59:00")
READING_S: Final = 0.2
"""What a sender may take to read a segment from a disk that is busy."""


def planned() -> Box:
    box = Box(BORN, hours=1)
    soft = {"start_type": "soft"}
    box.write(
        *[entry(1, 8, "12:00:00"), entry(2, 3), entry(3, 1, "12:07:00.520"), entry(4, 7), entry(5, 2)],
        *[entry(6, 4, "12:10:00", **soft), entry(7, 8), entry(8, 6, "12:15:00")],
    )
    box.compile(BORN)
    return box


def seen(box: Box, from_us: int, until_tick: int) -> list[Segment]:
    """The segments that begin in this time, as readers read them."""
    rows = box.stretches(until_tick * 100 // 9 + SECOND, from_us)
    return [one for row in rows for one in segments_of(row) if tick_of(from_us) <= one.start_tick < until_tick]


def shown(box: Box, tick: int) -> tuple[str, int]:
    """The file and the frame of it that is on the air; all pictures of the slate are alike."""
    row = next(row for row in box.stretches(tick * 100 // 9 + SECOND) if row.start_tick <= tick < row.end_tick)
    if row.rendition == SLATE:
        return SLATE, 0
    return row.rendition, row.first_segment * FRAMES_PER_SEGMENT + (tick - row.start_tick) // TICKS_PER_FRAME


def insert(box: Box, now_us: int, number: int) -> None:
    until = tick_of(now_us + (number % 5 * 20 + 7) * SECOND) if number % 2 else None
    at = tick_of(now_us + (number % 7 - 2) * 3 * SECOND) if number % 3 == 0 else None
    box.breaks.append(Break(id=f"i{now_us}", source=digest(1 + number % 8), at_tick=at, until_tick=until))


def resume(box: Box, _now_us: int, _number: int) -> None:
    box.breaks = [msgspec.structs.replace(each, stopped=True) for each in box.breaks]


def edit(box: Box, _now_us: int, number: int) -> None:
    box.write(entry(1, 8, "12:00:00"), entry(2, 1 + number % 8), entry(3, 8, f"12:0{number % 8 + 1}:11.040"))


def lose(box: Box, _now_us: int, number: int) -> None:
    box.missing ^= {digest(1 + number % 8)}


def refill(box: Box, _now_us: int, number: int) -> None:
    box.fillers = [digest(1 + number % 7), digest(2)][: number % 3]


ACTIONS: Final[tuple[Callable[[Box, int, int], None], ...]] = (insert, insert, resume, edit, lose, refill)
EVENTS = st.lists(
    st.tuples(st.integers(0, 30_000), st.sampled_from(ACTIONS), st.integers(0, 40), st.integers(0, 12)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(events=EVENTS)
def test_nothing_that_a_reader_acted_on_is_taken_back(
    events: list[tuple[int, Callable[[Box, int, int], None], int, int]],
) -> None:
    """Whatever comes, and however long the commit takes within its time: what was sent or listed stays what it was."""
    box, now_us = planned(), clock("12:00:00")
    for passed_ms, happen, number, slow in events:
        now_us += passed_ms * 1000
        happen(box, now_us, number)
        committed_us = now_us + slow * 40_000
        acted_on = tick_of(committed_us) + ACTED_ON_TICKS
        before = seen(box, now_us - 30 * SECOND, acted_on)
        made = box.compile(now_us)
        if is_in_time(made.boundary_tick, tick_of(committed_us)):
            assert seen(box, now_us - 30 * SECOND, acted_on) == before
        else:
            assert slow * 40_000 * 9 // 100 > COMMIT_TICKS, "only what was slow is too late"


@settings(max_examples=15, deadline=None)
@given(events=EVENTS)
def test_in_the_end_the_channel_is_where_the_wall_clock_says(
    events: list[tuple[int, Callable[[Box, int, int], None], int, int]],
) -> None:
    """After any row of break-ins, ends and edits the programme goes on as on a box where nothing ever broke in."""
    box, twin, now_us = planned(), planned(), clock("12:00:00")
    for passed_ms, happen, number, _slow in events:
        now_us += passed_ms * 1000
        happen(box, now_us, number)
        if happen not in (insert, resume):
            happen(twin, now_us, number)
        box.compile(now_us)
        twin.compile(now_us)
    resume(box, now_us, 0)
    box.compile(now_us)
    twin.compile(now_us)
    after_us = now_us + 20 * SECOND
    assert all(shown(box, tick_of(after_us) + s * TICKS_PER_S) == shown(twin, tick_of(after_us) + s * TICKS_PER_S)
               for s in range(0, 600, 11))  # fmt: skip
    box.compile(after_us)
    assert box.breaks == []


@settings(max_examples=15, deadline=None)
@given(offset_ms=st.integers(0, 900_000), number=st.sampled_from([0, 2, 4, 8]))
def test_an_emergency_is_on_within_a_segment_of_what_can_still_change(offset_ms: int, number: int) -> None:
    """Seconds count: on a sender's output the picture changes at the first boundary that nobody has acted on."""
    box, now_us = planned(), clock("12:00:00") + offset_ms * 1000
    box.compile(now_us)
    insert(box, now_us, number)
    box.breaks[-1] = msgspec.structs.replace(box.breaks[-1], at_tick=None)
    box.compile(now_us)
    begun = next(row for row in box.rows if row.kind == "emergency" and row.end_tick > tick_of(now_us))
    waited = begun.start_tick - tick_of(now_us)
    assert URGENT_TICKS <= waited <= URGENT_TICKS + SEGMENT_TICKS


def test_a_sender_acts_later_than_the_compiler_fears() -> None:
    """The two are written apart: whoever lets the sender act earlier must let emergencies wait longer."""
    acts_ticks = LEAD_TICKS + FEED_AHEAD_TICKS + round((LOOK_S + READING_S) * TICKS_PER_S)
    assert acts_ticks <= ACTED_ON_TICKS
    assert URGENT_TICKS == ACTED_ON_TICKS + COMMIT_TICKS + SYNC_TICKS
