"""The rundown: who has which time, what is lost to a hard start, and the ladder down to the slate."""

import itertools
import json
from typing import Any

from appliance.core.entry import Entry
from appliance.core.misfits import misfits
from appliance.core.moment import to_us
from appliance.core.rundown import SLATE, Day, Packed, Piece, Plan, Stock, gaps, losses, pieces, slots, tick_of, us_of
from appliance.core.schedule import day_bounds_us, parse_schedule
from tests.appliance.core.air_box import DATE, LENGTHS, ZONE, clock, digest, entry, rendition

READY = {digest(n): Packed(rendition(n), frames) for n, frames in enumerate(LENGTHS, 1)}
KNOWN = {digest(n): frames for n, frames in enumerate(LENGTHS, 1)}
DEFAULT = tuple(
    Entry(id=f"d{n}", start_type="follow", kind="programme", title=f"默认{n}", asset=digest(n)) for n in (1, 3)
)


def day(*entries: dict[str, Any], date: str = DATE, zone: str = ZONE, plan: Plan = "schedule") -> Day:
    begin_us, end_us = day_bounds_us(date, zone)
    document = {"channel": "ch-1", "date": date, "version": 4, "entries": entries}
    schedule = parse_schedule(json.dumps(document).encode(), zone, ["ch-1"]) if entries else None
    return Day(date, tick_of(begin_us), tick_of(end_us), schedule, plan)


def played(made: Day, stock: Stock, at: str = "12:00:00") -> Piece:
    tick = tick_of(clock(at))
    found = (piece for slot in slots([made], KNOWN) for piece in pieces(slot, stock))
    return next(piece for piece in found if piece.start_tick <= tick < piece.end_tick)


def test_what_a_hard_start_takes_is_told() -> None:
    """An hour that is too full loses something; whoever made it must hear what, and how much of it."""
    made = day(entry(1, 1, "12:00:00"), entry(2, 1), entry(3, 3), entry(4, 2, "12:01:30"), entry(5, 5))
    assert [
        (loss.entry.id, loss.lost_frames, loss.is_dropped, loss.by and loss.by.id) for loss in losses([made], KNOWN)
    ] == [
        ("e2", 750, False, "e4"),
        ("e3", 2300, True, "e4"),
    ]


def test_an_entry_of_unknown_length_without_a_next_start_is_told_too() -> None:
    """It has no time at all; it must not vanish in silence."""
    [loss] = losses([day(entry(1, 1, "12:00:00"), entry(2, 99))], KNOWN)
    assert (loss.entry.id, loss.is_dropped, loss.by) == ("e2", True, None)


def test_a_day_that_fits_loses_nothing() -> None:
    """A warning that is always there is none."""
    assert losses([day(entry(1, 1, "12:00:00"), entry(2, 1), entry(3, 3, "12:02:00"))], KNOWN) == ()


def test_gaps_tell_how_close_the_fillers_come() -> None:
    """Planned or not: what fillers have to close is known before it is on the air."""
    made = day(
        entry(1, 5, "00:00:00"), entry(2, 5, "00:01:02"), entry(3, 99, "00:01:10", out_s=20.0), entry(4, 5, "23:59:58")
    )
    first, second, third, fourth = gaps(slots([made], KNOWN), Stock(READY, [digest(2)]))
    assert (first.frames, first.slate_frames, first.short_frames, first.entry) == (1500, 0, 0, None)
    assert (second.frames, second.slate_frames, second.short_frames) == (150, 150, 150)
    assert third.entry is not None and third.reason is not None
    assert (third.entry.id, third.frames, third.short_frames, third.slate_frames) == ("e3", 500, 250, 0)
    assert fourth.start_tick == tick_of(clock("00:01:30")) and fourth.reason is None


def test_the_ladder_ends_at_the_slate() -> None:
    """No schedule: the default programme; none of it here: fillers; none: the slate, which nobody can take away."""
    nothing = day(plan="default")
    default = played(nothing, Stock(READY, [digest(2)], DEFAULT))
    assert (default.title[:2], default.kind, default.planned, default.plan) == ("默认", "programme", False, "default")
    assert default.reason is not None and "default programme" in default.reason.en
    only_filler = Stock({digest(2): READY[digest(2)]}, [digest(2)], DEFAULT)
    assert (played(nothing, only_filler).kind, played(nothing, only_filler).planned) == ("filler", False)
    assert played(nothing, Stock({}, [digest(2)], DEFAULT)).rendition == SLATE
    assert played(day(), Stock({})).rendition == SLATE


def test_where_no_filler_is_here_the_default_programme_fills() -> None:
    """A box that was sent no fillers shows what it has, rather than the slate, in gaps and for what is missing."""
    made = day(entry(1, 99, "11:00:00", out_s=7200.0), entry(2, 5, "13:00:00"))
    missing, gap = (played(made, Stock(READY, (), DEFAULT), at) for at in ("12:00:00", "14:00:00"))
    assert (missing.kind, missing.planned, missing.entry_id) == ("filler", False, "e1")
    assert (gap.kind, gap.planned, gap.source in (digest(1), digest(3))) == ("filler", True, True)


def test_the_default_programme_is_where_the_clock_says() -> None:
    """It loops from the day's first moment, whole, in its order; a box that starts at noon finds the same frame."""
    [slot] = slots([day(plan="default")], KNOWN)
    stock = Stock(READY, (), DEFAULT)
    whole = list(pieces(slot, stock))
    assert [piece.source for piece in whole[:4]] == [digest(1), digest(3), digest(1), digest(3)]
    assert all(before.end_tick == after.start_tick for before, after in itertools.pairwise(whole))
    assert (whole[0].start_tick, whole[-1].end_tick) == (slot.start_tick, slot.end_tick)
    noon = tick_of(clock("12:00:00"))
    late = list(pieces(slot, stock, noon))
    assert noon - late[0].start_tick < (1500 + 2300) * 3600
    assert late == whole[-len(late) :]


def test_skipping_into_a_long_gap_changes_nothing() -> None:
    """Compiled anew in its middle, a gap of hours is what it was."""
    made = day(entry(1, 5, "00:00:00"), entry(2, 5, "23:59:57"))
    gap = slots([made], KNOWN)[1]
    stock = Stock(READY, [digest(2), digest(4)])
    whole = list(pieces(gap, stock))
    late = list(pieces(gap, stock, tick_of(clock("12:00:00"))))
    assert late == whole[-len(late) :] and len(late) < 0.6 * len(whole)


def test_a_day_of_summer_time_is_an_hour_shorter_or_longer() -> None:
    """The county has none, other zones do: starts are local, the day is filled, and nothing stands on its head."""
    zone = "Europe/Berlin"
    for date, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        made = day(entry(1, 5, "01:30:00"), entry(2, 5, "03:30:00"), date=date, zone=zone)
        found = slots([made], KNOWN)
        assert us_of(found[-1].end_tick) - us_of(found[0].start_tick) == hours * 3600 * 1_000_000
        assert all(one.end_tick == other.start_tick for one, other in itertools.pairwise(found))
        starts = [us_of(slot.start_tick) for slot in found if slot.entry is not None]
        assert starts[0] == to_us(f"{date}T01:30:00+0{1 if hours == 23 else 2}:00")
        assert starts[1] == to_us(f"{date}T03:30:00+0{2 if hours == 23 else 1}:00")


def test_what_does_not_fit_is_told_in_words() -> None:
    """The planner reads this, in the evening, in Chinese; it must name the entry, the moment and the amount."""
    made = day(
        entry(1, 1, "12:00:00"),
        entry(2, 1),
        entry(3, 3),
        entry(4, 2, "12:01:30"),
        entry(5, 99),
        entry(6, 5, "23:59:58"),
    )
    told = misfits(made, KNOWN, Stock(READY, [digest(2)]), ZONE)
    assert [each.en for each in told] == [
        "12:01:00.00 节目2 (e2): cut by 30.00 s, by the hard start of 节目4",
        "12:02:00.00 节目3 (e3): dropped by the hard start of 节目4",
    ]
    assert told[0].zh == "12:01:00.00 节目2（e2）被硬开始的 节目4 截掉 30.00 秒"
    [gap] = misfits(
        day(entry(1, 5, "00:00:00"), entry(2, 5, "00:00:05"), entry(3, 5, "23:59:58")), KNOWN, Stock({}), ZONE
    )
    assert gap.en == "the channel has no fillers: 2 gaps, 86394 s in all, are left to the slate"
