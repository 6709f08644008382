"""A box as far as the air knows it, in memory: schedules, stock and ledger, compiled and read by what is tested."""

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

import msgspec

from appliance.core import air, playlist
from appliance.core.air import Compilation, Wants, compile_ledger
from appliance.core.insertion import Break
from appliance.core.ledger import PRE_ROLL_S, Channel, Stretch, with_slate
from appliance.core.live import Chunk, Imported
from appliance.core.moment import to_us
from appliance.core.rundown import Day, Packed, Stock, slots, tick_of
from appliance.core.schedule import Schedule, day_bounds_us, day_of, parse_schedule

ZONE = "Asia/Shanghai"
SECOND = 1_000_000
DAY = 86_400 * SECOND
DATE = "2026-11-24"
LENGTHS = (1500, 750, 2300, 133, 50, 49, 51, 7777, 26)
"""Frames of the assets 1, 2, ..."""


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def rendition(number: int) -> str:
    return f"sha256:{number + 4096:064x}"


def live_rendition(number: int) -> str:
    return f"sha256:{number + 65536:064x}"


def clock(local: str) -> int:
    """A time of the test's day."""
    return to_us(f"{DATE}T{local}+08:00")


def entry(number: int, asset: int | None, start: str | None = None, **more: Any) -> dict[str, Any]:
    """Hard where it has a start, else following."""
    made = {"id": f"e{number}", "kind": "programme", "start": start, "start_type": "hard" if start else "follow"}
    made |= {"asset": digest(asset) if asset else None, "title": f"节目{number}", **more}
    return {key: value for key, value in made.items() if value is not None}


@dataclass
class Box:
    born_us: int
    days: dict[str, list[Schedule]] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=lambda: {digest(n): f for n, f in enumerate(LENGTHS, 1)})
    missing: set[str] = field(default_factory=set)
    fillers: list[str] = field(default_factory=lambda: [digest(2), digest(4)])
    breaks: list[Break] = field(default_factory=list)
    live: list[Imported] = field(default_factory=list)
    rows: list[Stretch] = field(default_factory=list)
    frozen: int = 0
    hours: int = 24

    def __post_init__(self) -> None:
        self.epoch = tick_of(self.born_us - PRE_ROLL_S * SECOND)
        self.frozen = self.frozen or self.epoch

    @property
    def channel(self) -> Channel:
        return Channel(self.epoch, self.born_us // SECOND, self.frozen)

    def write(self, *entries: dict[str, Any], date: str = DATE) -> None:
        """A new version of a day's schedule."""
        versions = self.days.setdefault(date, [])
        document = {"channel": "ch-1", "date": date, "version": len(versions) + 1, "entries": entries}
        versions.append(parse_schedule(json.dumps(document).encode(), ZONE, ["ch-1"]))

    def wants(self, now_us: int) -> Wants:
        days, moment = [], now_us - DAY
        while moment <= now_us + self.hours * 3600 * SECOND:
            date = day_of(moment, ZONE)
            begin, moment = day_bounds_us(date, ZONE)
            versions = self.days.get(date)
            days.append(Day(date, tick_of(begin), tick_of(moment), versions[-1] if versions else None))
        ready = {
            source: Packed(rendition(int(source[7:], 16)), frames)
            for source, frames in self.frames.items()
            if source not in self.missing
        }
        return Wants(slots(days, self.frames), Stock(ready, self.fillers), self.breaks, self.live)

    def came(self, entry_id: str, number: int, now_us: int, burst_s: float = 2.0) -> None:
        """A chunk of a live source came; the agent notes it and compiles."""
        known = next((each for each in self.live if each.entry_id == entry_id), Imported(date=DATE, entry_id=entry_id))
        chunk = Chunk(number=number, rendition=live_rendition(number), came_tick=tick_of(now_us), burst_s=burst_s)
        others = [each for each in self.live if each.entry_id != entry_id]
        self.live = [*others, msgspec.structs.replace(known, chunks=(*known.chunks, chunk))]
        self.compile(now_us)

    def compile(self, now_us: int) -> Compilation:
        """Compile and commit, as the agent does."""
        now = tick_of(now_us)
        made = compile_ledger(self.channel, self.rows, self.wants(now_us), now, now + self.hours * 3600 * 90_000)
        kept = [row for row in self.rows if row.first_msn < made.stretches[0].first_msn]
        assert not kept or kept[-1].end_tick == made.stretches[0].start_tick
        self.rows = [*kept, *made.stretches]
        self.frozen = max(self.frozen, now + air.URGENT_TICKS)
        self.live = list(made.live)
        states = {placement.id: placement for placement in made.placements}
        self.breaks = [
            msgspec.structs.replace(each, start_tick=states[each.id].start_tick, end_tick=states[each.id].end_tick)
            for each in self.breaks
            if states[each.id].state in ("placed", "waiting")
        ]
        return made

    def stretches(self, until_us: int, since_us: int = 0) -> list[Stretch]:
        """What readers see."""
        first = bisect_right(self.rows, tick_of(since_us), key=lambda row: row.start_tick)
        last = bisect_right(self.rows, tick_of(until_us), key=lambda row: row.start_tick)
        return with_slate(self.channel, self.rows[max(0, first - 1) : last], tick_of(until_us))

    def listing(self, now_us: int) -> str:
        reach = playlist.reach_ticks(playlist.LIVE_WINDOW_S) * 100 // 9
        return playlist.live(self.stretches(now_us, now_us - reach), tick_of(now_us))

    def told(self, begin: str, end: str) -> list[tuple[str, str | None, int]]:
        """(kind, entry, frames) of what plays between two times of the day."""
        low, high = tick_of(clock(begin)), tick_of(clock(end))
        found = [row for row in self.stretches(clock(end)) if row.end_tick > low and row.start_tick < high]
        return [(row.kind, row.entry_id, (min(high, row.end_tick) - max(low, row.start_tick)) // 3600) for row in found]
