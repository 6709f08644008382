"""The ledger under a long and unkind life: edits, insertions, recalls, kills, clock trouble - the list stays lawful."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import pytest

from appliance.core import air, playlist
from appliance.core.air import Wants, compile_ledger
from appliance.core.insertion import Break
from appliance.core.ledger import PRE_ROLL_S, Channel, Segment, Stretch, segments_of, with_slate
from appliance.core.moment import to_us
from appliance.core.rundown import SLATE, Day, Packed, slots, tick_of, us_of
from appliance.core.schedule import day_bounds_us, day_of, parse_schedule
from tests.appliance.core.hls_lint import HlsLint, Violation

ZONE = "Asia/Shanghai"
SECOND = 1_000_000
DAY = 86_400 * SECOND
NOON = to_us("2026-11-24T12:00:00+08:00")


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


@dataclass
class Box:
    """A box as far as the air knows it: what it should play, what it has, and the ledger that it has written."""

    born_us: int
    documents: dict[str, list[dict]] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    fillers: list[str] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    rows: list[Stretch] = field(default_factory=list)
    frozen: int = 0
    hours: int = 24

    def __post_init__(self) -> None:
        self.epoch = tick_of(self.born_us - PRE_ROLL_S * SECOND)
        self.frozen = self.frozen or self.epoch

    @property
    def channel(self) -> Channel:
        return Channel(self.epoch, self.born_us // SECOND, self.frozen)

    def write(self, day: str, entries: list[dict]) -> None:
        """A new version of a day's schedule."""
        versions = self.documents.setdefault(day, [])
        document = {"channel": "ch-1", "date": day, "version": len(versions) + 1, "entries": entries}
        parse_schedule(json.dumps(document).encode(), ZONE, ["ch-1"])
        versions.append(document)

    def wants(self, now_us: int) -> Wants:
        days, moment = [], now_us - DAY
        while moment <= now_us + (self.hours + 1) * 3600 * SECOND:
            day = day_of(moment, ZONE)
            begin, moment = day_bounds_us(day, ZONE)
            versions = self.documents.get(day)
            schedule = parse_schedule(json.dumps(versions[-1]).encode(), ZONE, ["ch-1"]) if versions else None
            days.append(Day(day, tick_of(begin), tick_of(moment), schedule))
        ready = {
            source: Packed(packed(source), frames)
            for source, frames in self.frames.items()
            if source not in self.missing
        }
        return Wants(slots(days, self.frames), ready, self.fillers, self.breaks)

    def compile(self, now_us: int) -> air.Compilation:
        now = tick_of(now_us)
        made = compile_ledger(self.channel, self.rows, self.wants(now_us), now, now + self.hours * 3600 * 90_000)
        first = made.stretches[0].first_msn
        kept = [row for row in self.rows if row.first_msn < first]
        assert not kept or kept[-1].end_tick == made.stretches[0].start_tick
        self.rows = [*kept, *made.stretches]
        self.frozen = max(self.frozen, now + air.URGENT_TICKS)
        state = {placement.id: placement for placement in made.placements}
        self.breaks = [
            msgspec.structs.replace(each, start_tick=state[each.id].start_tick, end_tick=state[each.id].end_tick)
            for each in self.breaks
            if state[each.id].state in ("placed", "waiting")
        ]
        return made

    def stretches(self, until_us: int) -> list[Stretch]:
        return with_slate(self.channel, self.rows, tick_of(until_us))

    def listing(self, now_us: int) -> str:
        return playlist.live(self.stretches(now_us), tick_of(now_us))

    def plays(self, moment: str) -> Segment:
        tick = tick_of(to_us(moment))
        return next(
            one
            for row in self.stretches(us_of(tick) + SECOND)
            for one in segments_of(row)
            if one.start_tick <= tick < one.end_tick
        )


def packed(source: str) -> str:
    return "sha256:" + source[7:].replace("0", "a", 1)


def stocked(born_us: int = NOON) -> Box:
    box = Box(born_us)
    box.frames = {
        digest(number): frames for number, frames in enumerate((1500, 750, 2300, 133, 50, 49, 51, 7777, 1), 1)
    }
    box.fillers = [digest(2), digest(4)]
    return box


def entry(
    number: int, asset: int | None, start: str | None = None, start_type: str | None = None, **more: object
) -> dict:
    made = {
        "id": f"e{number}",
        "kind": "programme",
        "start": start,
        "start_type": start_type or ("hard" if start else "follow"),
    }
    made |= {"asset": digest(asset) if asset else None, "title": f"节目{number}", **more}
    return {key: value for key, value in made.items() if value is not None}


def clock(local: str) -> int:
    return to_us(f"2026-11-24T{local}+08:00")


def kinds(box: Box, begin: str, end: str) -> list[tuple[str, str | None, int]]:
    """(kind, entry, frames) of the rows that touch a time."""
    low, high = tick_of(clock(begin)), tick_of(clock(end))
    found = [row for row in box.stretches(clock(end)) if row.end_tick > low and row.start_tick < high]
    return [(row.kind, row.entry_id, (min(high, row.end_tick) - max(low, row.start_tick)) // 3600) for row in found]


def test_hard_starts_are_exact_to_the_frame_and_cut_what_runs() -> None:
    """The seven o'clock news begins at seven; whatever ran is cut, in the middle of a segment if need be."""
    box = stocked(clock("11:59:00"))
    box.write("2026-11-24", [entry(1, 7777 and 8, "12:00:00"), entry(2, 1, "12:01:00.520"), entry(3, 2)])
    box.compile(clock("11:59:00"))
    assert kinds(box, "12:00:00", "12:02:30.520") == [
        ("programme", "e1", 1513),
        ("programme", "e2", 1500),
        ("programme", "e3", 750),
    ]
    row = next(row for row in box.rows if row.entry_id == "e2")
    assert us_of(row.start_tick) == clock("12:01:00.520")


def test_soft_starts_wait_and_followers_follow() -> None:
    """Soft means no earlier than its time and after what runs; following means without a hole."""
    box = stocked(clock("11:59:00"))
    box.write("2026-11-24", [entry(1, 1, "12:00:00"), entry(2, 2, "12:00:30", "soft"), entry(3, 2, "12:10:00", "soft")])
    box.compile(clock("11:59:00"))
    starts = {row.entry_id: us_of(row.start_tick) for row in reversed(box.rows)}
    assert (starts["e1"], starts["e2"], starts["e3"]) == (clock("12:00:00"), clock("12:01:00"), clock("12:10:00"))


def test_gaps_are_filled_in_turn_and_closed_to_the_frame() -> None:
    """Fillers take turns, from gap to gap; what is left gets one cut short or the slate, never black and never a hole."""
    box = stocked(clock("11:59:00"))
    box.write("2026-11-24", [entry(1, 5, "12:00:00"), entry(2, 5, "12:01:07"), entry(3, 5, "12:01:50")])
    box.compile(clock("11:59:00"))
    rows = [row for row in box.rows if clock("12:00:02") <= us_of(row.start_tick) < clock("12:01:50")]
    assert [(row.kind, row.source and int(row.source[7:], 16), row.frames) for row in rows] == [
        ("filler", 4, 133),
        ("filler", 2, 750),
        ("filler", 4, 133),
        ("filler", 4, 133),
        ("filler", 4, 133),
        ("filler", 4, 133),
        ("filler", 4, 133),
        ("slate", None, 77),
        ("programme", 5, 50),
        ("filler", 2, 750),
        ("filler", 4, 133),
        ("slate", None, 142),
    ] or rows
    assert all(row.planned for row in rows)
