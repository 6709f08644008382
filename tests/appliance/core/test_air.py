"""What the compiler puts into the ledger: the right frame at the right time, whatever is missing, late or breaks in."""

from itertools import pairwise

import pytest

from appliance.core.air import FREEZE_S, URGENT_TICKS
from appliance.core.insertion import Break
from appliance.core.ledger import Stretch, segments_of
from appliance.core.rundown import SLATE, tick_of, us_of
from tests.appliance.core.air_box import DAY, LENGTHS, SECOND, Box, clock, digest, entry, rendition


def started(box: Box, entry_id: str) -> int:
    return us_of(next(row.start_tick for row in box.rows if row.entry_id == entry_id))


def at(box: Box, local: str) -> Stretch:
    tick = tick_of(clock(local))
    return next(row for row in box.stretches(clock(local) + SECOND) if row.start_tick <= tick < row.end_tick)


def position_s(box: Box, local: str) -> float:
    """Where in its file the channel is, in seconds."""
    row = at(box, local)
    return row.first_segment * 2 + (tick_of(clock(local)) - row.start_tick) / 90_000


def check_whole(box: Box) -> None:
    """Every frame has one row, and the numbers are those of the segments."""
    for before, after in pairwise(box.rows):
        assert before.end_tick == after.start_tick
        assert before.next_msn == after.first_msn
    for row in box.rows:
        assert row.segments == -(-row.frames // 50)
        if row.rendition != SLATE:
            assert row.source is not None
            assert row.first_segment * 50 + row.frames <= LENGTHS[int(row.source[7:], 16) - 1]


def test_hard_starts_are_exact_to_the_frame_and_cut_what_runs() -> None:
    """The seven o'clock news begins at seven; what ran is cut, in the middle of a segment if need be."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"), entry(2, 1, "12:01:00.520"), entry(3, 2))
    box.compile(box.born_us)
    assert box.told("12:00:00", "12:02:30.520") == [
        ("programme", "e1", 1513),
        ("programme", "e2", 1500),
        ("programme", "e3", 750),
    ]
    assert started(box, "e2") == clock("12:01:00.520")
    check_whole(box)


def test_soft_starts_wait_and_followers_follow() -> None:
    """Soft means not before its time and not before the end of what runs; following means without a hole."""
    box = Box(clock("11:59:00"))
    soft = {"start_type": "soft"}
    box.write(entry(1, 1, "12:00:00"), entry(2, 2, "12:00:30", **soft), entry(3, 2, "12:10:00", **soft), entry(4, 5))
    box.compile(box.born_us)
    assert [started(box, name) for name in ("e1", "e2", "e3", "e4")] == [
        clock(local) for local in ("12:00:00", "12:01:00", "12:10:00", "12:10:30")
    ]


def test_a_hard_start_drops_what_would_begin_after_it() -> None:
    """An overfull hour loses its tail, never its next hour's beginning."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 1, "12:00:00"), entry(2, 1), entry(3, 1), entry(4, 1, "12:01:30"))
    box.compile(box.born_us)
    assert box.told("12:00:00", "12:02:30") == [
        ("programme", "e1", 1500),
        ("programme", "e2", 750),
        ("programme", "e4", 1500),
    ]


def test_gaps_are_filled_in_turn_and_closed_to_the_frame() -> None:
    """Fillers take turns from gap to gap; the last one ends, or is cut, where the next programme begins."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 5, "12:00:00"), entry(2, 5, "12:01:07"), entry(3, 5, "12:01:50"))
    box.compile(box.born_us)
    gaps = [row for row in box.rows if clock("12:00:02") <= us_of(row.start_tick) < clock("12:01:50")]
    told = [(row.kind, int(row.source[7:]) if row.source else None, row.frames) for row in gaps]
    assert told == [
        *[("filler", 4, 133), ("filler", 2, 750), ("filler", 2, 742)],
        ("programme", 5, 50),
        *[("filler", 4, 133)] * 7,
        ("filler", 4, 94),
    ]
    assert all(row.planned and row.reason is None and row.plan == "schedule" for row in gaps)


def test_a_long_rest_gets_a_filler_cut_short() -> None:
    """Ten seconds of slate look like a fault."""
    box = Box(clock("11:59:00"), fillers=[digest(2)])
    box.write(entry(1, 5, "12:00:00"), entry(2, 5, "12:00:14"))
    box.compile(box.born_us)
    assert box.told("12:00:02", "12:00:14") == [("filler", None, 300)]


def test_fillers_are_used_fairly() -> None:
    """No filler is worn out while another is never seen."""
    box = Box(clock("11:59:00"), fillers=[digest(1), digest(2), digest(3)])
    box.frames |= {digest(1): 400, digest(2): 500, digest(3): 550}
    box.write(*(entry(n, 5, f"12:{n:02}:00") for n in range(1, 60)))
    box.compile(box.born_us)
    firsts = [after.source for before, after in pairwise(box.rows) if before.kind == "programme"][:57]
    assert [firsts.count(source) for source in box.fillers] == [19, 19, 19]
    day = [row.source for row in box.rows if us_of(row.start_tick) > clock("14:00:00")][:-10]
    counts = [day.count(source) for source in box.fillers]
    assert max(counts) - min(counts) <= 5


def test_without_anything_the_slate_plays() -> None:
    """Nothing scheduled, nothing to fill with: the channel is on the air all the same, and says what is missing."""
    box = Box(clock("11:59:00"), fillers=[])
    box.compile(box.born_us)
    row = at(box, "18:00:00")
    assert (row.rendition, row.kind, row.planned) == (SLATE, "slate", False)
    assert row.reason is not None and "no schedule" in row.reason.en
    assert box.rows[-1].end_tick >= tick_of(box.born_us + DAY)


def test_what_is_not_ready_is_replaced_for_just_its_time() -> None:
    """The rest of the evening is not moved by one missing clip, and the filler tells what it stands for."""
    box = Box(clock("11:59:00"), missing={digest(1)})
    box.write(entry(1, 5, "12:00:00"), entry(2, 1), entry(3, 2))
    box.compile(box.born_us)
    told = box.told("12:00:02", "12:01:02")
    assert {kind for kind, _, _ in told} <= {"filler", "slate"}
    assert {name for _, name, _ in told} == {"e2"} and sum(frames for _, _, frames in told) == 1500
    row = at(box, "12:00:10")
    assert not row.planned and row.reason is not None and "not ready" in row.reason.en
    assert started(box, "e3") == clock("12:01:02")
    box.missing.clear()
    box.compile(clock("11:59:30"))
    assert box.told("12:00:02", "12:01:02") == [("programme", "e2", 1500)]


def test_a_programme_that_arrives_late_is_joined_where_the_clock_says() -> None:
    """Late is better than filler; and joining keeps the evening's times."""
    box = Box(clock("11:59:00"), missing={digest(8)})
    box.write(entry(1, 8, "12:00:00"))
    box.compile(box.born_us)
    box.missing.clear()
    box.compile(clock("12:01:00"))
    joined = next(row for row in box.rows if row.kind == "programme")
    assert clock("12:01:15") <= us_of(joined.start_tick) < clock("12:01:15") + 4 * SECOND
    assert position_s(box, "12:02:00") == 120
    check_whole(box)


def test_a_live_entry_gets_fillers_and_says_why() -> None:
    """Live sources come later; until then the time is held, to the frame."""
    box = Box(clock("11:59:00"))
    live = {"kind": "live", "url": "http://x/live.m3u8", "duration_s": 90}
    box.write(entry(1, None, "12:00:00", **live), entry(2, 2))
    box.compile(box.born_us)
    assert {told[:2] for told in box.told("12:00:00", "12:01:30")} <= {("filler", "e1"), ("slate", "e1")}
    assert started(box, "e2") == clock("12:01:30")
    assert "live" in (at(box, "12:00:05").reason or pytest.fail("no reason")).en


def test_planned_fillers_need_no_asset() -> None:
    """A planner may leave two minutes to fillers; that is a plan, not a fault."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, None, "12:00:00", kind="filler", duration_s=120), entry(2, 2))
    box.compile(box.born_us)
    assert at(box, "12:00:10").planned
    assert started(box, "e2") == clock("12:02:00")


def test_in_and_out_points() -> None:
    """Out is exact; in waits for the next segment, so that nothing before it is seen."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 3, "12:00:00", in_s=3.0, out_s=10.52), entry(2, 2))
    box.compile(box.born_us)
    row = at(box, "12:00:00")
    assert (row.first_segment, row.frames) == (2, 163)
    assert started(box, "e2") == clock("12:00:06.520")


def test_an_edit_changes_nothing_within_the_freeze() -> None:
    """What is about to air was promised to players; an edit takes effect at the first boundary after the freeze."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"))
    box.compile(box.born_us)
    box.compile(clock("12:01:00"))
    before = list(box.rows)
    box.write(entry(9, 3, "12:00:00"))
    made = box.compile(clock("12:01:00.480"))
    frozen = clock("12:01:00.480") + FREEZE_S * SECOND
    assert us_of(made.boundary_tick) - frozen < 2 * SECOND
    flat = [one for row in before for one in segments_of(row) if one.start_tick < made.boundary_tick]
    now = [one for row in box.rows for one in segments_of(row) if one.start_tick < made.boundary_tick]
    assert now == flat
    assert at(box, "12:01:20").entry_id == "e9"
    assert position_s(box, "12:01:20") == 80
    assert (at(box, "12:01:10").version, at(box, "12:01:20").version) == (1, 2)


def test_compiling_again_changes_nothing() -> None:
    """The agent compiles every minute; only the far end may grow."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"), entry(2, 3), entry(3, 1, "12:08:00"))
    box.compile(box.born_us)
    first = list(box.rows)
    for minute in range(20):
        box.compile(box.born_us + minute * 61 * SECOND + minute * 40_000)
    assert box.rows[: len(first) - 1] == first[:-1]


def test_two_boxes_with_the_same_plan_air_the_same() -> None:
    """A viewer or a standby box must find the same frame at the same time, whenever each box was started."""
    one, two = Box(clock("11:40:00")), Box(clock("11:51:13"))
    for box in (one, two):
        box.write(entry(1, 8, "12:00:00"), entry(2, 3), entry(3, 1, "12:20:00"))
        box.compile(box.born_us)
    low, high = tick_of(clock("12:00:00")), tick_of(clock("23:00:00"))
    told = [
        [(row.start_tick, row.frames, row.rendition) for row in box.rows if low <= row.start_tick < high]
        for box in (one, two)
    ]
    assert told[0] == told[1]


def test_an_emergency_breaks_in_at_the_next_boundary_that_may_change_and_the_clock_goes_on_behind_it() -> None:
    """Seconds count; and afterwards the channel is where it would have been."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"))
    box.compile(box.born_us)
    box.breaks.append(Break(id="i1", source=digest(4)))
    box.compile(clock("12:01:00"))
    begun = next(row for row in box.rows if row.kind == "emergency")
    waited = begun.start_tick - tick_of(clock("12:01:00"))
    assert URGENT_TICKS <= waited <= URGENT_TICKS + 2 * 90_000
    assert begun.frames in range(133, 133 + 50)
    assert begun.entry_id == "i1"
    assert position_s(box, "12:02:00") == 120
    check_whole(box)
    for second in range(1, 60):
        box.compile(clock("12:01:00") + second * SECOND)
    assert [row.kind for row in box.rows].count("emergency") <= 2


def test_an_emergency_at_a_time_until_a_time_is_repeated_and_exact() -> None:
    """An announced warning begins on the second and lasts as long as was said."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"))
    box.breaks.append(
        Break(id="i1", source=digest(4), at_tick=tick_of(clock("12:01:00.200")), until_tick=tick_of(clock("12:01:30")))
    )
    box.compile(box.born_us)
    rows = [row for row in box.rows if row.kind == "emergency"]
    assert us_of(rows[0].start_tick) == clock("12:01:00.200")
    assert clock("12:01:30") <= us_of(rows[-1].end_tick) < clock("12:01:32")
    assert position_s(box, "12:01:40") == 100
    check_whole(box)


def test_resume_ends_an_emergency() -> None:
    """The button that ends it must work as fast as the one that began it."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"))
    box.breaks.append(Break(id="i1", source=digest(3), until_tick=tick_of(clock("12:30:00"))))
    box.compile(clock("12:01:00"))
    box.compile(clock("12:02:00"))
    assert at(box, "12:04:00").kind == "emergency"
    box.breaks = [
        Break(**{**{f: getattr(each, f) for f in each.__struct_fields__}, "stopped": True}) for each in box.breaks
    ]
    box.compile(clock("12:02:30"))
    assert at(box, "12:02:31.400").kind == "emergency"
    assert at(box, "12:02:40").entry_id == "e1"
    assert position_s(box, "12:02:40") == 160
    box.compile(clock("12:02:50"))
    assert box.breaks == []
    check_whole(box)


def test_an_emergency_of_yesterday_does_not_air_today() -> None:
    """A box that was cut off hears of a break-in a day late: it is missed, not played."""
    box = Box(clock("11:59:00"))
    box.breaks = [
        Break(id="late", source=digest(4), not_after_tick=tick_of(clock("11:00:00"))),
        Break(id="past", source=digest(4), until_tick=tick_of(clock("11:30:00"))),
    ]
    made = box.compile(box.born_us)
    assert [placement.state for placement in made.placements] == ["missed", "missed"]
    assert all(row.kind != "emergency" for row in box.rows)


def test_an_emergency_waits_for_its_asset() -> None:
    """It comes as soon as it can, not never."""
    box = Box(clock("11:59:00"), missing={digest(4)})
    box.breaks = [Break(id="i1", source=digest(4))]
    assert box.compile(box.born_us).placements[0].state == "waiting"
    box.missing.clear()
    assert box.compile(clock("11:59:30")).placements[0].state == "placed"
    assert any(row.kind == "emergency" for row in box.rows)


def test_the_newest_of_two_emergencies_is_shown() -> None:
    """A second warning replaces the first, and the first goes on if it lasts longer."""
    box = Box(clock("11:59:00"))
    box.breaks = [Break(id="old", source=digest(3), until_tick=tick_of(clock("12:10:00")))]
    box.compile(box.born_us)
    box.breaks.append(Break(id="new", source=digest(1)))
    box.compile(clock("12:01:00"))
    assert (at(box, "12:01:30").entry_id, at(box, "12:03:00").entry_id) == ("new", "old")


def test_a_recall_takes_coming_rows_away_at_once() -> None:
    """What was recalled must not be seen, not even for the rest of the freeze."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"), entry(2, 3))
    box.compile(box.born_us)
    box.compile(clock("12:01:00"))
    del box.frames[digest(8)]
    box.missing.add(digest(8))
    box.compile(clock("12:01:00.520"))
    last = max(row.end_tick for row in box.rows if row.source == digest(8))
    assert last - tick_of(clock("12:01:00.520")) <= URGENT_TICKS + 2 * 90_000
    assert all(row.rendition != rendition(8) for row in box.rows if row.start_tick >= last)
    check_whole(box)


def test_an_agent_that_was_dead_for_days_continues_what_readers_saw() -> None:
    """Readers go on with the slate where the ledger ends; what is written afterwards must be the very same."""
    box = Box(clock("11:59:00"))
    box.write(entry(1, 8, "12:00:00"))
    box.compile(box.born_us)
    later = box.born_us + 3 * DAY + 12_340_000
    seen = [one for row in box.stretches(later) for one in segments_of(row)]
    box.compile(later)
    now = [one for row in box.rows for one in segments_of(row)]
    announced = [one for one in seen if one.end_tick <= tick_of(later)]
    assert now[: len(announced)] == announced
    check_whole(box)


def test_days_join_at_midnight() -> None:
    """A programme may run over midnight; the next day's hard start cuts it, a day without one lets it end."""
    box = Box(clock("23:50:00"), hours=24)
    box.write(entry(1, 8, "23:57:00"))
    box.write(entry(1, 1, "00:00:30"), date="2026-11-25")
    box.compile(box.born_us)
    rows = [row for row in box.rows if row.kind == "programme"]
    assert [(row.date, row.frames) for row in rows] == [("2026-11-24", 210 * 25), ("2026-11-25", 1500)]


def test_a_clock_that_leaps_forth_changes_no_row() -> None:
    """A time server sets the box an hour on: the channel goes on where that hour is, with the rows that were there."""
    box, twin = Box(clock("11:59:00")), Box(clock("11:59:00"))
    for each in (box, twin):
        each.write(entry(1, 8, "12:00:00"), entry(2, 3), entry(3, 1, "13:30:00"))
        each.compile(each.born_us)
    before = [one for row in box.rows for one in segments_of(row)]
    box.compile(clock("12:01:00"))
    box.compile(clock("13:01:00"))
    after = [one for row in box.rows for one in segments_of(row)]
    assert after[: len(before) - 50] == before[:-50]
    twin.compile(clock("13:01:00"))
    assert box.rows == twin.rows
