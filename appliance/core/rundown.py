"""The rundown (串联单): what a channel should play at every moment, from schedules and fillers alone.

Nothing here depends on what was played before, so two boxes with the same schedules and assets play the same, and after
a break-in or an outage the channel is where the wall clock says. Times are ticks (90 kHz since 1970) on whole frames.

    slots(days, lengths)     who has which time: entries and the gaps between them, readiness not looked at
    losses(days, lengths)    entries that a hard start cuts or drops
    pieces(slot, stock)      what fills a slot: the entry's rendition; else the default programme, fillers, the slate
    gaps(slots, stock)       what fillers have to close, and how close they come
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from appliance.core.entry import Entry, EntryKind
from appliance.core.errors import Text
from appliance.core.filler import FILLERS_MAX, Filling, filling
from appliance.core.schedule import Schedule
from appliance.core.ts import (
    FRAMES_PER_S,
    FRAMES_PER_SEGMENT,
    TICKS_PER_FRAME,
)

SLATE: Final = "sha256:ce52e7ea6f314d490816b99d37d0cac97464732b30e1a94eb476730ff61a3fbe"
"""The built-in slate, `appliance/slate/slate.ts`: one segment."""

NOT_CONNECTED: Final = Text("直播源未接入", "the live source is not connected")

StretchKind = Literal[EntryKind, "emergency", "slate"]
Plan = Literal["schedule", "template", "default", ""]
"""Who says what plays on a day: its own schedule, the template of its weekday, the default programme, nobody."""


class Day(msgspec.Struct, frozen=True):
    """A broadcast day and the schedule that counts on it, its own or its weekday's; without one None."""

    date: str
    begin_tick: int
    end_tick: int
    schedule: Schedule | None = None
    plan: Plan = "schedule"

    @property
    def version(self) -> int | None:
        """Of that schedule."""
        return self.schedule.version if self.schedule is not None else None


class Packed(msgspec.Struct, frozen=True):
    """An asset that can air: its rendition is on disk, verified, and `frames` long."""

    rendition: str
    frames: int


class Stock(msgspec.Struct, frozen=True):
    """What a channel can play: what is ready, by its source; its fillers; the entries of its default programme."""

    ready: Mapping[str, Packed]
    fillers: Sequence[str] = ()
    default: Sequence[Entry] = ()


class Slot(msgspec.Struct, frozen=True):
    """A time of a channel, and the entry that has it; None for a gap. `turn` says which filler begins, if one must."""

    start_tick: int
    end_tick: int
    date: str
    version: int | None
    entry: Entry | None
    turn: int
    plan: Plan = "schedule"

    @property
    def frames(self) -> int:
        return (self.end_tick - self.start_tick) // TICKS_PER_FRAME


class Loss(msgspec.Struct, frozen=True):
    """An entry that does not get its time: `by` is the hard one that takes it; None where its length is not known.

    It would have begun at `start_tick`; `lost_frames` of it are not seen.
    """

    start_tick: int
    date: str
    version: int | None
    entry: Entry
    lost_frames: int
    is_dropped: bool
    by: Entry | None


class Gap(msgspec.Struct, frozen=True):
    """A time that fillers close: see `appliance.core.filler` for `slate_frames` and `short_frames`.

    `entry` is what should be there, `reason` why it is not; None where the time is left to fillers.
    """

    start_tick: int
    frames: int
    slate_frames: int
    short_frames: int
    entry: Entry | None
    reason: Text | None


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
    plan: Plan = ""

    @property
    def end_tick(self) -> int:
        return self.start_tick + self.frames * TICKS_PER_FRAME


def slots(days: Sequence[Day], lengths: Mapping[str, int]) -> tuple[Slot, ...]:
    """Divide these days, which join, among the entries of their schedules. `lengths`: frames of the assets known.

    A hard start cuts what runs, and drops what would only have begun later. What is left over is gaps; a gap ends with
    its day.
    """
    return rundown(days, lengths)[0]


def rundown(days: Sequence[Day], lengths: Mapping[str, int]) -> tuple[tuple[Slot, ...], tuple[Loss, ...]]:
    """`slots` and `losses` at once."""
    placed, lost = _placed(days, lengths)
    return tuple(_with_gaps(placed, days)), tuple(sorted(lost, key=lambda loss: loss.start_tick))


def losses(days: Sequence[Day], lengths: Mapping[str, int]) -> tuple[Loss, ...]:
    """What these days' schedules name and do not show, in order: there is more than fits before a hard start."""
    return rundown(days, lengths)[1]


def pieces(slot: Slot, stock: Stock, from_tick: int | None = None) -> Iterator[Piece]:
    """What plays in a slot, in order, without a hole; pieces that end by `from_tick` may be left out."""
    tick = slot.start_tick
    since = from_tick if from_tick is not None else tick
    shown = _content_in(slot, stock.ready)
    if shown is not None:
        packed, first, frames = shown
        yield _piece(slot, tick, frames, packed.rendition, slot.entry, first_segment=first)
        tick += frames * TICKS_PER_FRAME
    elif slot.entry is None and slot.plan == "default":
        for piece in _looped(slot, stock, since):
            yield piece
            tick = piece.end_tick
    if tick < slot.end_tick:
        yield from _filled(slot, tick, _library(stock), since)


def gaps(found: Sequence[Slot], stock: Stock) -> Iterator[Gap]:
    """The times in these slots that fillers close."""
    library = _library(stock)
    for slot in found:
        shown = _content_in(slot, stock.ready)
        tick = slot.start_tick + (shown[2] * TICKS_PER_FRAME if shown is not None else 0)
        is_looped = slot.entry is None and slot.plan == "default" and _clips(stock)
        if tick < slot.end_tick and not is_looped:
            made, frames = _filling_of(slot, tick, library), (slot.end_tick - tick) // TICKS_PER_FRAME
            yield Gap(tick, frames, made.slate_frames, made.short_frames, slot.entry, _why_filled(slot))


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


def _placed(days: Sequence[Day], lengths: Mapping[str, int]) -> tuple[list[Slot], list[Loss]]:
    """The entries with the times that they have, in order, and those that lost theirs."""
    placed: list[Slot] = []
    lost: list[Loss] = []
    tick = days[0].begin_tick
    for day in days:
        for number, entry in enumerate(day.schedule.entries if day.schedule else ()):
            start = tick if entry.start_us is None else tick_of(entry.start_us)
            if entry.start_type == "hard":
                lost += _clear(placed, start, entry)
            else:
                start = max(start, tick)
            frames = _frames(day, number, start, lengths)
            tick = start + TICKS_PER_FRAME * frames
            if frames:
                placed.append(Slot(start, tick, day.date, day.version, entry, number, day.plan))
            else:
                lost.append(Loss(start, day.date, day.version, entry, 0, is_dropped=True, by=None))
    return placed, lost


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


def _clear(placed: list[Slot], tick: int, by: Entry) -> Iterator[Loss]:
    """Make room for a hard start; what is thereby lost."""
    while placed and placed[-1].start_tick >= tick:
        yield _loss(placed.pop(), None, by)
    if placed and placed[-1].end_tick > tick:
        yield _loss(placed[-1], tick, by)
        placed[-1] = msgspec.structs.replace(placed[-1], end_tick=tick)


def _loss(slot: Slot, cut_tick: int | None, by: Entry) -> Loss:
    assert slot.entry is not None
    frames = slot.frames if cut_tick is None else (slot.end_tick - cut_tick) // TICKS_PER_FRAME
    return Loss(slot.start_tick, slot.date, slot.version, slot.entry, frames, is_dropped=cut_tick is None, by=by)


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
            yield Slot(start, stop, day.date, day.version, None, turn, day.plan)


def _content_in(slot: Slot, ready: Mapping[str, Packed]) -> tuple[Packed, int, int] | None:
    """What a slot shows of its entry: the rendition, its first segment, how many frames; None when it shows nothing."""
    packed = ready.get(slot.entry.asset) if slot.entry is not None and slot.entry.asset is not None else None
    if slot.entry is None or packed is None:
        return None
    first, frames = content(slot.entry, packed.frames)
    frames = min(frames, slot.frames)
    return (packed, first, frames) if frames > 0 else None


def _clips(stock: Stock) -> list[tuple[Entry, Packed, int, int]]:
    """What of the default programme can air: each with its first segment and its frames."""
    found = []
    for entry in stock.default:
        packed = stock.ready.get(entry.asset or "")
        if packed is not None and (shown := content(entry, packed.frames))[1]:
            found.append((entry, packed, *shown))
    return found


def _looped(slot: Slot, stock: Stock, from_tick: int) -> Iterator[Piece]:
    """The default programme from the slot's beginning to its end, again and again; nothing when none of it is here."""
    clips = _clips(stock)
    round_ticks = sum(frames for *_, frames in clips) * TICKS_PER_FRAME
    tick = (
        slot.start_tick + max(0, from_tick - slot.start_tick) // round_ticks * round_ticks if clips else slot.end_tick
    )
    while tick < slot.end_tick:
        for entry, packed, first, frames in clips:
            shown = min(frames, (slot.end_tick - tick) // TICKS_PER_FRAME)
            if shown:
                yield _piece(slot, tick, shown, packed.rendition, entry, first_segment=first)
            tick += shown * TICKS_PER_FRAME


def _library(stock: Stock) -> list[tuple[str, Packed]]:
    """What may fill: the fillers that are here; where there is none, the clips of the default programme."""
    for sources in (stock.fillers, dict.fromkeys(entry.asset or "" for entry in stock.default)):
        here = [(source, stock.ready[source]) for source in sources if source in stock.ready]
        if here:
            return here[:FILLERS_MAX]
    return []


def _filling_of(slot: Slot, tick: int, library: Sequence[tuple[str, Packed]]) -> Filling:
    return filling([packed.frames for _, packed in library], (slot.end_tick - tick) // TICKS_PER_FRAME, slot.turn)


def _filled(slot: Slot, tick: int, library: Sequence[tuple[str, Packed]], from_tick: int) -> Iterator[Piece]:
    """The fillers, then the slate, from a tick to the slot's end."""
    made = _filling_of(slot, tick, library)
    one_round = [((slot.turn + step) % len(library), None) for step in range(len(library))]
    round_ticks = sum(packed.frames for _, packed in library) * TICKS_PER_FRAME
    passed = min(made.rounds, max(0, from_tick - tick) // round_ticks) if made.rounds else 0
    tick += passed * round_ticks
    shown = [(each.number, each.frames) for each in made.shown]
    for number, cut in (*(one_round * (made.rounds - passed)), *shown):
        source, packed = library[number]
        frames = packed.frames if cut is None else cut
        yield _piece(slot, tick, frames, packed.rendition, None, source=source)
        tick += frames * TICKS_PER_FRAME
    if made.slate_frames:
        yield _piece(slot, tick, made.slate_frames, SLATE, None)


def _piece(
    slot: Slot,
    tick: int,
    frames: int,
    rendition: str,
    entry: Entry | None,
    *,
    first_segment: int = 0,
    source: str | None = None,
) -> Piece:
    """A piece of an entry, or of a filler in a slot; what the default programme shows is nobody's entry."""
    is_own = entry is not None and entry is slot.entry
    reason = None if is_own else _why_filled(slot, entry)
    named = entry if entry is not None else slot.entry
    kind: StretchKind = "slate" if rendition == SLATE else "filler"
    return Piece(
        start_tick=tick,
        frames=frames,
        rendition=rendition,
        first_segment=first_segment,
        source=source if entry is None else entry.asset,
        entry_id=slot.entry.id if slot.entry else None,
        title=named.title if named else "",
        kind=entry.kind if entry is not None else kind,
        planned=reason is None,
        reason=reason,
        date=slot.date,
        version=slot.version,
        catchup=named.catchup if named else True,
        plan=slot.plan,
    )


def _why_filled(slot: Slot, default: Entry | None = None) -> Text | None:
    """Why something plays here that nobody planned; None when the schedule leaves the time to fillers."""
    entry = slot.entry
    if entry is None and default is not None:
        return Text(f"{slot.date} 没有节目单，播默认节目", f"no schedule for {slot.date}: the default programme")
    if entry is None:
        return None if slot.version is not None else Text(f"{slot.date} 没有节目单", f"no schedule for {slot.date}")
    if entry.kind == "filler" and entry.asset is None:
        return None
    if entry.kind == "live":
        return NOT_CONNECTED
    return Text("媒资未就绪", "the asset is not ready")
