"""The rundown (串联单): what a channel should play at every moment, from schedules and fillers alone.

Nothing here depends on what was played before, so two boxes with the same schedules and assets play the same, and after
a break-in or an outage the channel is where the wall clock says. Times are ticks (90 kHz since 1970) on whole frames.

    slots(days, lengths)          who has which time: entries and the gaps between them, readiness not looked at
    pieces(slot, ready, fillers)  what fills a slot: the entry's rendition, else fillers in turn, else the slate
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.schedule import Entry, EntryKind, Schedule
from appliance.core.ts import (
    FRAMES_PER_S,
    FRAMES_PER_SEGMENT,
    TICKS_PER_FRAME,
    TICKS_PER_S,
)

SLATE: Final = "sha256:ce52e7ea6f314d490816b99d37d0cac97464732b30e1a94eb476730ff61a3fbe"
"""The built-in slate, `appliance/slate/slate.ts`: one segment."""
CUT_FILLER_TICKS: Final = 10 * TICKS_PER_S
"""A rest this long gets a filler cut short, a shorter one the slate: a filler that flashes by helps nobody."""

StretchKind = Literal[EntryKind, "emergency", "slate"]


class Day(msgspec.Struct, frozen=True):
    """A broadcast day and its schedule; None when there is none."""

    date: str
    begin_tick: int
    end_tick: int
    schedule: Schedule | None = None


class Packed(msgspec.Struct, frozen=True):
    """An asset that can air: its rendition is on disk, verified, and `frames` long."""

    rendition: str
    frames: int


class Slot(msgspec.Struct, frozen=True):
    """A time of a channel, and the entry that has it; None for a gap. `turn` says which filler begins, if one must."""

    start_tick: int
    end_tick: int
    date: str
    version: int | None
    entry: Entry | None
    turn: int


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of one rendition from one of its segments on. A piece of the slate repeats its one segment."""

    start_tick: int
    frames: int
    rendition: str
    first_segment: int = 0
    source: str | None = None
    entry_id: str | None = None
    title: str = ""
    kind: StretchKind = "slate"
    planned: bool = True
    reason: Text | None = None
    date: str | None = None
    version: int | None = None
    catchup: bool = True

    @property
    def end_tick(self) -> int:
        return self.start_tick + self.frames * TICKS_PER_FRAME


def slots(days: Sequence[Day], lengths: Mapping[str, int]) -> tuple[Slot, ...]:
    """Divide these days, which join, among the entries of their schedules. `lengths`: frames of the assets known.

    A hard start cuts what runs, and drops what would only have begun later. What is left over is gaps; a gap ends with
    its day.
    """
    placed: list[Slot] = []
    tick = days[0].begin_tick
    for day in days:
        for number, entry in enumerate(day.schedule.entries if day.schedule else ()):
            start = tick if entry.start_us is None else tick_of(entry.start_us)
            if entry.start_type == "hard":
                _clear(placed, start)
            else:
                start = max(start, tick)
            tick = start + TICKS_PER_FRAME * _frames(day, number, start, lengths)
            version = day.schedule.version if day.schedule else None
            placed.append(Slot(start, tick, day.date, version, entry, number))
    return tuple(_with_gaps([slot for slot in placed if slot.end_tick > slot.start_tick], days))


def pieces(
    slot: Slot, ready: Mapping[str, Packed], fillers: Sequence[str], from_tick: int | None = None
) -> Iterator[Piece]:
    """What plays in a slot, in order, without a hole; pieces that end by `from_tick` may be left out."""
    entry = slot.entry
    packed = ready.get(entry.asset) if entry is not None and entry.asset is not None else None
    tick = slot.start_tick
    if entry is not None and packed is not None:
        first, frames = content(entry, packed.frames)
        frames = min(frames, (slot.end_tick - tick) // TICKS_PER_FRAME)
        if frames > 0:
            yield _piece(slot, tick, frames, rendition=packed.rendition, first_segment=first, source=entry.asset)
            tick += frames * TICKS_PER_FRAME
    if tick < slot.end_tick:
        yield from _filling(slot, tick, ready, fillers, from_tick if from_tick is not None else tick)


def content(entry: Entry, frames: int) -> tuple[int, int]:
    """First segment and number of frames that an entry plays of an asset of `frames`.

    Out points are exact; an in point waits for the next segment: what lies before it must not be seen.
    """
    first = -(-round(entry.in_s * FRAMES_PER_S) // FRAMES_PER_SEGMENT)
    out = frames
    if entry.length_s is not None:
        out = min(frames, round((entry.in_s + entry.length_s) * FRAMES_PER_S))
    return first, max(0, out - first * FRAMES_PER_SEGMENT)


def tick_of(moment_us: int) -> int:
    """The frame at or before a moment."""
    return moment_us * 9 // 100 // TICKS_PER_FRAME * TICKS_PER_FRAME


def us_of(tick: int) -> int:
    """The moment of a frame; exact."""
    return tick * 100 // 9


def _frames(day: Day, number: int, start: int, lengths: Mapping[str, int]) -> int:
    """How long an entry has: what its schedule says or its asset gives; else until the next start."""
    assert day.schedule is not None
    entries = day.schedule.entries
    entry = entries[number]
    known = lengths.get(entry.asset) if entry.asset is not None else None
    if known is not None:
        return content(entry, known)[1]
    if entry.length_s is not None:
        return round(entry.length_s * FRAMES_PER_S)
    following = entries[number + 1].start_us if number + 1 < len(entries) else None
    return max(0, (tick_of(following) - start) // TICKS_PER_FRAME) if following is not None else 0


def _clear(placed: list[Slot], tick: int) -> None:
    """Make room for a hard start."""
    while placed and placed[-1].start_tick >= tick:
        placed.pop()
    if placed and placed[-1].end_tick > tick:
        placed[-1] = msgspec.structs.replace(placed[-1], end_tick=tick)


def _with_gaps(placed: Sequence[Slot], days: Sequence[Day]) -> Iterator[Slot]:
    """The slots with gaps between them, so that no moment of the days is left."""
    gaps: dict[str, int] = {}
    tick = days[0].begin_tick
    for slot in placed:
        yield from _gaps(tick, slot.start_tick, days, gaps)
        yield slot
        tick = slot.end_tick
    yield from _gaps(tick, days[-1].end_tick, days, gaps)


def _gaps(begin: int, end: int, days: Sequence[Day], gaps: dict[str, int]) -> Iterator[Slot]:
    for day in days:
        start, stop = max(begin, day.begin_tick), min(end, day.end_tick)
        if start < stop:
            turn = gaps.get(day.date, 0)
            gaps[day.date] = turn + 1
            version = day.schedule.version if day.schedule else None
            yield Slot(start, stop, day.date, version, None, turn)


def _filling(
    slot: Slot, tick: int, ready: Mapping[str, Packed], fillers: Sequence[str], from_tick: int
) -> Iterator[Piece]:
    """Fillers in turn, each as often as the others; the rest gets one that fits, one cut short, or the slate."""
    here = [(source, ready[source]) for source in fillers if source in ready]
    turn = slot.turn
    round_ticks = sum(packed.frames for _, packed in here) * TICKS_PER_FRAME
    if here:
        rounds = min(from_tick - tick, slot.end_tick - tick - round_ticks) // round_ticks
        tick += max(0, rounds) * round_ticks
    while here and tick < slot.end_tick:
        left = (slot.end_tick - tick) // TICKS_PER_FRAME
        order = [(turn + step) % len(here) for step in range(len(here))]
        fitting = next((number for number in order if here[number][1].frames <= left), None)
        if fitting is None and left * TICKS_PER_FRAME < CUT_FILLER_TICKS:
            break
        number = order[0] if fitting is None else fitting
        source, packed = here[number]
        frames = min(left, packed.frames)
        yield _piece(slot, tick, frames, rendition=packed.rendition, source=source, kind="filler")
        turn = number + 1
        tick += frames * TICKS_PER_FRAME
    if tick < slot.end_tick:
        frames = (slot.end_tick - tick) // TICKS_PER_FRAME
        yield _piece(slot, tick, frames, rendition=SLATE, kind="slate")


def _piece(
    slot: Slot,
    tick: int,
    frames: int,
    *,
    rendition: str,
    first_segment: int = 0,
    source: str | None = None,
    kind: StretchKind | None = None,
) -> Piece:
    entry = slot.entry
    reason = _why_filled(slot) if kind is not None else None
    return Piece(
        start_tick=tick,
        frames=frames,
        rendition=rendition,
        first_segment=first_segment,
        source=source,
        entry_id=entry.id if entry else None,
        title=entry.title if entry else "",
        kind=kind or (entry.kind if entry else "filler"),
        planned=reason is None,
        reason=reason,
        date=slot.date,
        version=slot.version,
        catchup=entry.catchup if entry else True,
    )


def _why_filled(slot: Slot) -> Text | None:
    """Why a filler plays here that nobody planned; None when the schedule leaves the time to fillers."""
    entry = slot.entry
    if entry is None:
        return None if slot.version is not None else Text(f"{slot.date} 没有节目单", f"no schedule for {slot.date}")
    if entry.kind == "filler" and entry.asset is None:
        return None
    if entry.kind == "live":
        return Text("直播源未接入", "the live source is not connected")
    return Text("媒资未就绪", "the asset is not ready")
