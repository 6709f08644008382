"""Live entries: a source that comes, stops, comes late, comes back; and an end that holds to the frame."""

import json
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.air import URGENT_TICKS
from appliance.core.insertion import Break
from appliance.core.ledger import Stretch, runs_joined
from appliance.core.live import LOST, RETURN_TICKS
from appliance.core.rundown import tick_of, us_of
from appliance.core.template import parse_template, schedule_on
from appliance.core.ts import SEGMENT_TICKS, TARGET_DURATION_S, TICKS_PER_FRAME, TICKS_PER_S
from tests.appliance.core.air_box import DATE, SECOND, ZONE, Box, clock, digest, entry, live_rendition

START = clock("12:01:00")
LATE_S = 1.3
"""How long after its last picture a chunk is here: encoded, written, noted."""


def box(duration_s: float = 120.0, fillers: Iterable[str] = (digest(3),)) -> Box:
    """A programme until 12:01, the live entry, and a programme that begins hard when it ends."""
    made = Box(clock("11:59:00"), fillers=list(fillers), hours=1)
    live = {"kind": "live", "url": "http://source/live.m3u8", "duration_s": duration_s, "title": "新闻联播"}
    minutes, ms = divmod(60_000 + round(duration_s * 1000), 60_000)
    made.write(
        entry(1, 8, "12:00:00"),
        entry(2, None, "12:01:00", **live),
        entry(3, 1, f"12:{minutes:02d}:{ms // 1000:02d}.{ms % 1000:03d}"),
    )
    made.compile(made.born_us)
    return made


def feed(made: Box, numbers: Iterable[int], source_us: int, entry_id: str = "e2", late_s: float = LATE_S) -> None:
    """Chunks of a source of 2 s segments; number 0 was shown by the source at `source_us`."""
    for number in numbers:
        made.came(entry_id, number, source_us + round((2 * (number + 1) + late_s) * SECOND))


def live_rows(made: Box) -> list[Stretch]:
    return [row for row in made.rows if row.kind == "live"]


def aired(made: Box) -> list[int]:
    """The numbers of the chunks that the ledger has."""
    return [int(row.rendition[7:], 16) - 65536 for row in live_rows(made)]


def slot_rows(made: Box) -> list[Stretch]:
    return [row for row in made.rows if row.entry_id == "e2"]


def check_joined(made: Box) -> None:
    for before, after in pairwise(made.rows):
        assert (before.end_tick, before.next_msn) == (after.start_tick, after.first_msn)


def test_21_a_healthy_source_airs_from_the_first_frame_of_its_slot_to_the_last() -> None:
    """The relay is on at its second and off at its second, with nothing between its chunks."""
    made = box(duration_s=30)
    feed(made, range(60), START - 60 * SECOND)
    rows = slot_rows(made)
    assert (rows[0].start_tick, rows[-1].end_tick) == (tick_of(START), tick_of(START + 30 * SECOND))
    assert all(row.kind == "live" and row.planned and row.reason is None for row in rows)
    assert aired(made) == list(range(aired(made)[0], aired(made)[0] + 15))
    following = next(row for row in made.rows if row.start_tick == rows[-1].end_tick)
    assert (following.kind, following.entry_id) == ("programme", "e3")
    check_joined(made)


def test_the_delay_behind_the_source_is_small_and_stays() -> None:
    """What is on the air was seen at the source some seconds ago, always as many, and not more than twelve."""
    made = box()
    feed(made, range(90), START - 60 * SECOND)
    delays = {us_of(row.start_tick) - (START - 60 * SECOND) - 2 * number * SECOND
              for row, number in zip(live_rows(made), aired(made), strict=True)}  # fmt: skip
    assert len(delays) == 1
    assert delays.pop() <= 12 * SECOND


def test_22_when_the_source_stops_filler_follows_its_last_chunk() -> None:
    """Within 1.5 target durations; in the ledger there is no hole at all, and nobody had to notice anything."""
    made = box()
    feed(made, range(45), START - 60 * SECOND)
    last = live_rows(made)[-1]
    assert aired(made)[-1] == 44
    following = next(row for row in made.rows if row.start_tick == last.end_tick)
    assert (following.kind, following.planned, following.reason) == ("filler", False, LOST)
    # Chunk 44 ends at the source 30 s into the slot; what the air shows next is filler, from its beginning.
    assert following.first_segment == 0
    gone = [row for row in slot_rows(made) if row.start_tick >= last.end_tick]
    assert all(not row.planned and row.reason == LOST for row in gone)
    check_joined(made)


def test_22_it_returns_with_new_chunks_only_and_not_before_two() -> None:
    """One chunk after a loss is no source that is back."""
    made = box()
    feed(made, range(45), START - 60 * SECOND)
    feed(made, [60], START - 60 * SECOND)
    assert aired(made)[-1] == 44
    feed(made, range(61, 75), START - 60 * SECOND)
    numbers = aired(made)
    back = numbers.index(44) + 1
    assert numbers[back] >= 60
    assert numbers[back:] == list(range(numbers[back], 75))
    rows = live_rows(made)
    filled = [row for row in slot_rows(made) if rows[back - 1].end_tick <= row.start_tick < rows[back].start_tick]
    assert filled and all(row.reason == LOST for row in filled)


def test_22_two_runs_never_begin_within_half_a_minute() -> None:
    """A source that comes and goes makes one change in 30 s, not one every few seconds."""
    made = box()
    source = START - 60 * SECOND
    wanted = [number for number in range(90) if number < 31 or number % 8 < 4]
    feed(made, wanted, source)
    starts = [row.start_tick for before, row in pairwise(made.rows) if row.kind == "live" and before.kind != "live"]
    assert len(starts) > 1
    assert all(after - before >= RETURN_TICKS for before, after in pairwise(starts))


def test_22_what_came_before_a_long_silence_is_not_news_when_it_ends() -> None:
    """A chunk that was left over half a minute ago does not come back with the first new one."""
    made = box(duration_s=300)
    feed(made, [*range(45), 47], START - 60 * SECOND)
    assert 47 not in aired(made)
    feed(made, [100, 101], START - 60 * SECOND)
    assert 47 not in aired(made)
    feed(made, [102, 103], START - 60 * SECOND)
    assert aired(made)[-1] == 103
    assert 47 not in aired(made)


def test_23_a_late_source_changes_nothing_about_the_end() -> None:
    """Filler that nobody planned until the first chunk, then the source, and the next programme at its time."""
    made = box(duration_s=60)
    feed(made, range(60), START + 6 * SECOND)
    rows = slot_rows(made)
    first = next(number for number, row in enumerate(rows) if row.kind == "live")
    assert all(row.reason is not None and "未接入" in row.reason.zh for row in rows[:first])
    assert all(row.kind == "live" for row in rows[first:])
    assert us_of(rows[first].start_tick) <= START + 6 * SECOND + 12 * SECOND
    assert rows[-1].end_tick == tick_of(START + 60 * SECOND)
    assert next(row for row in made.rows if row.start_tick == rows[-1].end_tick).entry_id == "e3"


def test_what_the_source_sent_before_it_died_does_not_open_the_slot() -> None:
    """A minute of trial before the slot, and then silence: no four seconds of a minute ago at seven o'clock."""
    made = box(duration_s=60)
    feed(made, range(10), START - 60 * SECOND)
    made.compile(START - 5 * SECOND)
    assert aired(made) == []


def test_a_source_that_never_comes_leaves_the_slot_to_fillers() -> None:
    """As if the entry were a filler, and said to be none."""
    made = box(duration_s=60)
    rows = slot_rows(made)
    assert {row.kind for row in rows} == {"filler"}
    assert all(not row.planned for row in rows)


def test_the_end_is_hard_to_the_frame() -> None:
    """The last chunk is cut where the next entry begins, in the middle of a segment if need be."""
    made = box(duration_s=31.48)
    feed(made, range(60), START - 60 * SECOND)
    rows = slot_rows(made)
    assert sum(row.frames for row in rows) == 787
    assert rows[-1].frames == 787 % 50
    assert rows[-1].end_tick == tick_of(START) + 787 * TICKS_PER_FRAME
    assert next(row for row in made.rows if row.entry_id == "e3").start_tick == rows[-1].end_tick


def test_long_segments_at_the_source_get_the_buffer_that_they_need() -> None:
    """A source that hands over six seconds at a time airs without a gap between two of its segments."""
    made = box(duration_s=100)
    source = START - 60 * SECOND
    for burst in range(30):
        for part in range(3):
            number = 3 * burst + part
            made.came("e2", number, source + round((6 * (burst + 1) + LATE_S + 0.3 * part) * SECOND), burst_s=6.0)
    rows = slot_rows(made)
    assert {row.kind for row in rows} == {"live"}
    check_joined(made)


def test_an_emergency_lies_over_the_live_source_and_gives_the_air_back() -> None:
    """After it the channel is where the source is, not where it was left."""
    made = box()
    source = START - 60 * SECOND
    feed(made, range(40), source)
    asked = source + round((2 * 40 + LATE_S) * SECOND)
    made.breaks = [Break(id="a", source=digest(2), at_tick=None, until_tick=None)]
    made.compile(asked)
    feed(made, range(40, 80), source)
    over = [row for row in made.rows if row.kind == "emergency"]
    assert sum(row.frames for row in over) == 750
    after = next(row for row in live_rows(made) if row.start_tick >= over[-1].end_tick)
    assert us_of(after.start_tick) - us_of(over[-1].end_tick) <= 2 * SECOND
    before = live_rows(made)[0]
    delay = before.start_tick - (int(before.rendition[7:], 16)) * SEGMENT_TICKS
    assert after.start_tick - int(after.rendition[7:], 16) * SEGMENT_TICKS == delay


def test_what_is_frozen_never_changes_when_chunks_come() -> None:
    """A list that was announced stays as it was, whatever the source does."""
    made = box()
    source = START - 60 * SECOND
    seen: dict[int, str] = {}
    for number in [*range(40), *range(48, 60), 70, 71, 80, *range(84, 100)]:
        feed(made, [number], source)
        now = source + round((2 * (number + 1) + LATE_S) * SECOND)
        for row in made.rows:
            if row.end_tick <= tick_of(now) + URGENT_TICKS:
                assert seen.setdefault(row.start_tick, row.rendition) == row.rendition


@given(
    gaps=st.lists(st.integers(0, 12), min_size=5, max_size=50),
    lateness=st.lists(st.floats(0, 6), min_size=50, max_size=50),
    burst_s=st.sampled_from([2.0, 4.0, 6.0]),
)
def test_whatever_a_source_does_the_channel_is_whole(gaps: list[int], lateness: list[float], burst_s: float) -> None:
    """No hole, no chunk twice, none out of order, no flicker, no end but the planned one."""
    made = box(duration_s=90)
    number, now = 0, START - 20 * SECOND
    for gap, late in zip(gaps, lateness, strict=False):
        number += 1
        now += round((2 + (gap if gap > 8 else 0) + late / 4) * SECOND)
        made.came("e2", number, now, burst_s)
    rows = slot_rows(made)
    assert (rows[0].start_tick, rows[-1].end_tick) == (tick_of(START), tick_of(START + 90 * SECOND))
    check_joined(made)
    assert aired(made) == sorted(set(aired(made)))
    starts = [row.start_tick for before, row in pairwise(made.rows) if row.kind == "live" and before.kind != "live"]
    assert all(after - before >= RETURN_TICKS for before, after in pairwise(starts))
    assert all(row.frames <= 50 for row in live_rows(made))
    assert all(row.planned == (row.kind == "live") for row in rows)
    assert {row.rendition for row in live_rows(made)} <= {live_rendition(each) for each in range(number + 1)}


def test_the_relay_of_a_template_begins_at_seven_and_ends_at_half_past() -> None:
    """Every evening, on days that nobody planned too: 19:00:00 and 19:30:00, to the frame."""
    relay = {"id": "relay", "start": "19:00:00", "start_type": "hard", "kind": "live", "title": "新闻联播",
             "url": "http://10.1.2.3/cctv1/live.m3u8", "duration_s": 1800}  # fmt: skip
    plan = {"on": ["tue"], "entries": [entry(1, 8, "18:58:00"), relay, entry(2, 1)]}
    template = parse_template(json.dumps({"channel": "ch-1", "version": 1, "days": [plan]}).encode(), ["ch-1"])
    day = schedule_on(template, DATE, ZONE)
    assert day is not None
    made = Box(clock("18:50:00"), hours=1, days={DATE: [day]})
    made.compile(made.born_us)
    seven, half_past = clock("19:00:00"), clock("19:30:00")
    feed(made, range(30), seven - 40 * SECOND, "relay")
    feed(made, range(850, 940), seven - 40 * SECOND, "relay")
    rows = [row for row in made.rows if row.entry_id == "relay"]
    assert (us_of(rows[0].start_tick), us_of(rows[-1].end_tick)) == (seven, half_past)
    assert rows[0].kind == rows[-1].kind == "live"
    before = next(row for row in made.rows if row.end_tick == rows[0].start_tick)
    after = next(row for row in made.rows if row.start_tick == rows[-1].end_tick)
    assert (before.entry_id, after.entry_id) == ("e1", "e2")


def test_a_run_is_one_stretch_for_those_who_account() -> None:
    """Two hours of a live source are one row of the as-run log, not three thousand."""
    made = box()
    feed(made, [*range(40), *range(60, 90)], START - 60 * SECOND)
    joined = runs_joined(made.rows)
    live = [row for row in joined if row.kind == "live"]
    assert len(live) == 2
    assert [row.rendition for row in live] == [live_rendition(aired(made)[0]), live_rendition(next(
        number for number in aired(made) if number >= 60))]  # fmt: skip
    assert sum(row.frames for row in joined) == sum(row.frames for row in made.rows)
    for before, after in pairwise(joined):
        assert (before.end_tick, before.next_msn) == (after.start_tick, after.first_msn)


def test_figures_agree() -> None:
    """The delay is made of these: they are not to be changed one without the other."""
    assert TARGET_DURATION_S * TICKS_PER_S == SEGMENT_TICKS == 50 * TICKS_PER_FRAME
