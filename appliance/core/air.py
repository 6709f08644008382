"""The compiler of the air ledger (播出账): what a channel has committed to play, segment by segment, ahead of time.

    compile_ledger(channel, committed, wants, now_tick, horizon_tick) -> Compilation

A row of the ledger is a stretch: consecutive segments of one rendition, the first with a media sequence number. What
lies before the freeze never changes; beyond it the ledger is the rundown (core/rundown.py) with the insertions laid
over it, cut to the frame. Where the ledger ends, the slate goes on for ever: readers see it before it is written
(`with_slate`), and what is written later is the same.

    committed ──────────────┬─ boundary ──────────────────────────── horizon ── slate for ever
      past, never changes   │  rundown + insertions, compiled anew
             now ─ freeze ──┘

A schedule's edit waits for FREEZE_TICKS; an emergency, a recall, their end and a live source only for URGENT_TICKS.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from appliance.core import live
from appliance.core.insertion import Break, Placement, placed
from appliance.core.ledger import Channel, Stretch, boundary, resized, with_slate
from appliance.core.live import Imported
from appliance.core.rundown import SLATE, Packed, Piece, Slot, Stock, pieces
from appliance.core.ts import FRAMES_PER_SEGMENT, SEGMENT_TICKS, TARGET_DURATION_S, TICKS_PER_FRAME, TICKS_PER_S

FREEZE_S: Final = max(3 * TARGET_DURATION_S, 15)
FREEZE_TICKS: Final = FREEZE_S * TICKS_PER_S
ACTED_ON_TICKS: Final = TICKS_PER_S * 3 // 4
"""No reader acts on what begins later than this: a sender looks every 0.1 s, reads a segment, sends it 0.3 s early."""
COMMIT_TICKS: Final = TICKS_PER_S // 2
"""For compiling, on a box that is busy."""
SYNC_TICKS: Final = TICKS_PER_S // 4
"""For the commit itself, until readers see it."""
URGENT_TICKS: Final = ACTED_ON_TICKS + COMMIT_TICKS + SYNC_TICKS


class Wants(msgspec.Struct, frozen=True):
    """All that decides what should play: the rundown's slots from before now to the horizon, what can air, insertions
    in the order in which they came, what was imported of live sources."""

    slots: Sequence[Slot]
    stock: Stock
    breaks: Sequence[Break] = ()
    live: Sequence[Imported] = ()

    @property
    def ready(self) -> Mapping[str, Packed]:
        """What can air, by its source."""
        return self.stock.ready


class Compilation(msgspec.Struct, frozen=True):
    """Replace the rows from `stretches[0].first_msn` on by these; the first of them may begin a row that runs on.

    Nothing before `boundary_tick` changes thereby. Commit it while `is_in_time` holds, else compile anew.
    """

    stretches: tuple[Stretch, ...]
    boundary_tick: int
    placements: tuple[Placement, ...]
    live: tuple[Imported, ...] = ()
    """`wants.live` with the moments at which the chunks air."""


def is_in_time(boundary_tick: int, now_tick: int) -> bool:
    """Whether what changes from `boundary_tick` on can be committed now before any reader acts on it."""
    return now_tick + ACTED_ON_TICKS + SYNC_TICKS <= boundary_tick


def compile_ledger(
    channel: Channel,
    committed: Sequence[Stretch],
    wants: Wants,
    now_tick: int,
    horizon_tick: int,
    urgent_ticks: int = URGENT_TICKS,
) -> Compilation:
    """The ledger from the freeze to the horizon. `committed`: its rows from before `now_tick` to its end.
    `urgent_ticks`: how far ahead an urgent change begins at the earliest; more where the box is slow.

    Pure: the same arguments give the same rows; and when nothing changed, rows that are there already.
    """
    urgent_from = max(channel.frozen_tick, now_tick + urgent_ticks)
    frozen = max(urgent_from, now_tick + FREEZE_TICKS)
    timeline = with_slate(channel, committed, frozen + SEGMENT_TICKS)
    urgent = boundary(timeline, urgent_from)
    placements = placed(wants.breaks, wants.ready, urgent, now_tick)
    imported = live.placed_all(wants.slots, wants.live, urgent)
    is_urgent = _is_urgent(timeline, wants, placements, urgent, frozen) or live.is_urgent(wants.live, imported, frozen)
    begin = urgent if is_urgent else boundary(timeline, frozen)
    wants = msgspec.structs.replace(wants, live=imported)
    kept = [stretch for stretch in timeline if stretch.start_tick < begin]
    running = resized(kept[-1], (begin - kept[-1].start_tick) // TICKS_PER_FRAME)
    plan = _Writer(running, _goes_on(timeline, begin, _airable(wants)))
    for layer in _layers(wants, placements, begin, horizon_tick):
        for piece in layer.pieces:
            plan.play(piece, layer.end_tick)
    first = _first_changed(committed, kept)
    return Compilation((*kept[first:-1], *plan.stretches), begin, placements, imported)


class _Layer(msgspec.Struct, frozen=True):
    pieces: Iterator[Piece]
    end_tick: int


class _Writer:
    """Lays pieces end to end after a stretch that runs, and numbers their segments.

    A piece that would already be running is joined where one of its segments begins; until then what runs goes on
    (`spare_frames` more are there of it), or the slate.
    """

    def __init__(self, running: Stretch, spare_frames: int) -> None:
        self.stretches = [running]
        self._spare_frames = spare_frames

    def play(self, piece: Piece, until: int) -> None:
        """Play what is left of a piece, but not beyond `until`."""
        tick = self.stretches[-1].end_tick
        if not self._joins(piece, tick):
            join = max(piece.start_tick, piece.start_tick - (piece.start_tick - tick) // SEGMENT_TICKS * SEGMENT_TICKS)
            self._hold(min(join, until, piece.end_tick))
            tick = self.stretches[-1].end_tick
        frames = (min(piece.end_tick, until) - tick) // TICKS_PER_FRAME
        if frames <= 0:
            return
        skipped = (tick - piece.start_tick) // SEGMENT_TICKS
        first = 0 if piece.rendition == SLATE else piece.first_segment + skipped
        self._append(piece, tick, first, frames)
        left = piece.end_tick - tick - frames * TICKS_PER_FRAME
        self._spare_frames = max(0, left // TICKS_PER_FRAME)

    def _joins(self, piece: Piece, tick: int) -> bool:
        aligned = piece.rendition == SLATE or (tick - piece.start_tick) % SEGMENT_TICKS == 0
        return piece.start_tick <= tick and aligned

    def _hold(self, until: int) -> None:
        last = self.stretches[-1]
        missing = (until - last.end_tick) // TICKS_PER_FRAME
        if missing <= 0:
            return
        more = missing if last.rendition == SLATE else min(missing, self._spare_frames)
        if more:
            self.stretches[-1] = resized(last, last.frames + more)
        if missing > more:
            tick = last.end_tick + more * TICKS_PER_FRAME
            self._append(Piece(start_tick=tick, frames=missing - more, rendition=SLATE), tick, 0, missing - more)
        self._spare_frames = 0

    def _append(self, piece: Piece, tick: int, first_segment: int, frames: int) -> None:
        last = self.stretches[-1]
        stretch = Stretch(
            first_msn=last.next_msn,
            segments=-(-frames // FRAMES_PER_SEGMENT),
            start_tick=tick,
            frames=frames,
            rendition=piece.rendition,
            first_segment=first_segment,
            source=piece.source,
            entry_id=piece.entry_id,
            title=piece.title,
            kind=piece.kind,
            planned=piece.planned,
            reason=piece.reason,
            date=piece.date,
            version=piece.version,
            catchup=piece.catchup,
            plan=piece.plan,
        )
        if _continues(last, stretch):
            self.stretches[-1] = resized(last, last.frames + frames)
        else:
            self.stretches.append(stretch)


def _continues(last: Stretch, stretch: Stretch) -> bool:
    """Whether a stretch is the same row going on: so that recompiling what runs does not break it in two."""
    if last.frames % FRAMES_PER_SEGMENT:
        return False
    expected = 0 if last.rendition == SLATE else last.first_segment + last.segments
    same = msgspec.structs.replace(
        stretch,
        first_msn=last.first_msn,
        segments=last.segments,
        start_tick=last.start_tick,
        frames=last.frames,
        first_segment=last.first_segment,
    )
    return stretch.first_segment == expected and same == last


def _goes_on(timeline: Sequence[Stretch], tick: int, airable: Collection[str]) -> int:
    """Frames that what runs at `tick` was to have beyond it, if it may still be shown."""
    running = next(stretch for stretch in reversed(timeline) if stretch.start_tick < tick)
    if running.rendition not in airable:
        return 0
    return max(0, running.end_tick - tick) // TICKS_PER_FRAME


def _airable(wants: Wants) -> set[str]:
    return {SLATE, *(packed.rendition for packed in wants.ready.values()), *live.renditions(wants.live)}


def _first_changed(committed: Sequence[Stretch], kept: Sequence[Stretch]) -> int:
    """Which of the kept rows is the first that is not committed as it is; the running one at the latest."""
    same = sum(one == other for one, other in zip(committed, kept, strict=False))
    return min(same, len(kept) - 1)


def _is_urgent(
    timeline: Sequence[Stretch], wants: Wants, placements: Sequence[Placement], urgent: int, frozen: int
) -> bool:
    """Whether what lies between the urgent boundary and the freeze must not be played as it was committed."""
    airable = _airable(wants)
    near = [stretch for stretch in timeline if stretch.end_tick > urgent and stretch.start_tick < frozen]
    if any(stretch.rendition not in airable for stretch in near):
        return True
    before = {each.id: each for each in wants.breaks}
    for placement in placements:
        known = before[placement.id]
        moved = (placement.start_tick, placement.end_tick) != (known.start_tick, known.end_tick)
        touched = [tick for tick in (placement.start_tick, known.start_tick) if tick is not None]
        if moved and any(tick < frozen for tick in touched):
            return True
    return False


def _layers(wants: Wants, placements: Sequence[Placement], begin: int, horizon: int) -> Iterator[_Layer]:
    """What plays from `begin` on: the newest insertion where there is one, else the rundown."""
    shown = [
        (placement, each)
        for placement, each in zip(placements, wants.breaks, strict=True)
        if placement.state == "placed" and each.source in wants.ready
    ]
    edges = {begin, horizon}
    for placement, _ in shown:
        edges.update(tick for tick in (placement.start_tick, placement.end_tick) if tick and begin < tick < horizon)
    ordered = sorted(edges)
    for low, high in pairwise(ordered):
        over = [pair for pair in shown if (pair[0].start_tick or 0) <= low and (pair[0].end_tick or 0) >= high]
        if over:
            placement, each = over[-1]
            yield _Layer(_repeated(placement, wants.ready[each.source], each, low, high), high)
        else:
            is_last = high == horizon
            yield from _rundown(wants, low, high, is_last=is_last)


def _rundown(wants: Wants, low: int, high: int, *, is_last: bool) -> Iterator[_Layer]:
    """The slots between two ticks; at the horizon a programme is not broken off."""
    for slot in wants.slots:
        if slot.end_tick > low and slot.start_tick < high:
            until = slot.end_tick if is_last and slot.entry is not None else min(slot.end_tick, high)
            yield _Layer(_until(_pieces(slot, wants, low), until), until)


def _pieces(slot: Slot, wants: Wants, low: int) -> Iterator[Piece]:
    if slot.entry is None or slot.entry.kind != "live":
        return pieces(slot, wants.stock, low)
    found = (each for each in wants.live if (each.date, each.entry_id) == (slot.date, slot.entry.id))
    return live.pieces_of_live(slot, next(found, None), wants.stock, low)


def _until(playing: Iterator[Piece], until: int) -> Iterator[Piece]:
    for piece in playing:
        if piece.start_tick >= until:
            return
        yield piece


def _repeated(placement: Placement, packed: Packed, each: Break, low: int, high: int) -> Iterator[Piece]:
    assert placement.start_tick is not None
    length = packed.frames * TICKS_PER_FRAME
    tick = placement.start_tick + (low - placement.start_tick) // length * length
    while tick < high:
        yield Piece(
            start_tick=tick,
            frames=packed.frames,
            rendition=packed.rendition,
            source=each.source,
            entry_id=each.id,
            kind="emergency",
            planned=False,
        )
        tick += length
