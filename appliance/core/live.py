"""Live entries (直播): which pieces of an imported source air, and when. docs/formats.md, section 7; docs/adr/0024.

A source is imported ahead of the air in chunks, each one segment in house format. Chunks air one after the other, each
where the one before it ends, so the channel follows its source with one delay for as long as chunks keep coming:

    source    .. c7 c8 c9 |
    ledger    c4 c5 c6 c7 c8 c9 | filler, committed to the end of the slot
                       ^ urgent boundary: chunks lie ahead of it

Behind the last chunk the ledger always holds filler. So nobody has to notice that a source is lost: what was committed
plays, from the segment after the last one that came. The way back is slow on purpose (`placed`).

A run is a row of chunks that air without a filler between them.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from appliance.core.errors import Text
from appliance.core.rundown import Piece, Slot, Stock, pieces
from appliance.core.ts import FRAMES_PER_SEGMENT, TARGET_DURATION_S, TICKS_PER_FRAME, TICKS_PER_S

CHUNKS_MORE_MAX: Final = 4
"""A source that is lost again and again gets one chunk more of delay each time, up to so many."""
FRESH_TICKS: Final = 30 * TICKS_PER_S
"""No run begins with what came longer before it than this."""
BURST_S_MAX: Final = 12.0
"""A source that hands over longer segments than this is not given more delay for it."""
RETURN_TICKS: Final = 30 * TICKS_PER_S
"""Two runs begin no less than this apart: a channel that flickers is worse than a filler."""

LOST: Final = Text("直播信号中断", "the live source is lost")


class Answer(msgspec.Struct, frozen=True):
    """What came of asking after a source: the reason is None where it answered as it should."""

    asked_us: int
    reason: Text | None


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a source, which came at `came_tick`. `burst_s` is how much its source hands over at a time.

    `air_tick`: where it airs, None where it does not, or not yet; `begins`: a run begins with it.
    """

    number: int
    rendition: str
    came_tick: int
    frames: int = FRAMES_PER_SEGMENT
    burst_s: float = TARGET_DURATION_S
    air_tick: int | None = None
    begins: bool = False

    @property
    def end_tick(self) -> int:
        assert self.air_tick is not None, "only what airs has an end"
        return self.air_tick + self.frames * TICKS_PER_FRAME


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the source of one entry, as the store keeps it. `chunks`: in order; those that aired some time ago
    are left out, and are told by: how many runs began with them, when the last of these did, when the last one ends."""

    date: str
    entry_id: str
    chunks: tuple[Chunk, ...] = ()
    runs: int = 0
    run_tick: int | None = None
    end_tick: int | None = None


def placed(slot: Slot, imported: Imported, urgent: int) -> Imported:
    """The same with the moments at which the chunks air; `urgent` is the first boundary that may still change.

    What begins before that stays. While the last of it reaches up to there, what came since follows on it. Else the
    source is lost, or has not come yet: a run begins when enough chunks wait, not before the slot, and not within 30 s
    of the run before. It begins with the newest of them, and until it is committed for good it is placed anew, so that
    the delay is never longer than it has to be.
    """
    stays = [chunk for chunk in imported.chunks if chunk.air_tick is not None and chunk.air_tick < urgent]
    last = stays[-1] if stays else None
    before = [chunk for chunk in imported.chunks if last is not None and chunk.number <= last.number]
    waiting = [_unplaced(chunk) for chunk in imported.chunks[len(before) :]]
    if last is not None and last.end_tick >= urgent:
        follows = _in_a_row(waiting, last.end_tick, slot.end_tick)
    else:
        runs = imported.runs + sum(chunk.begins for chunk in stays)
        begun = next((chunk.air_tick for chunk in reversed(stays) if chunk.begins), imported.run_tick)
        start = max(urgent, slot.start_tick, begun + RETURN_TICKS if begun is not None else 0)
        follows = _returning(waiting, runs, start, slot.end_tick)
    return msgspec.structs.replace(imported, chunks=(*before, *follows))


def placed_all(slots: Iterable[Slot], live: Sequence[Imported], urgent: int) -> tuple[Imported, ...]:
    """`placed` for each; what has no slot any more stays as it is."""
    by_entry = {(slot.date, slot.entry.id): slot for slot in slots if slot.entry is not None} if live else {}
    found = []
    for imported in live:
        slot = by_entry.get((imported.date, imported.entry_id))
        found.append(imported if slot is None else placed(slot, imported, urgent))
    return tuple(found)


def moved(before: Imported, after: Imported) -> Iterator[Chunk]:
    """The chunks that `placed` gave another moment than they had."""
    for old, new in zip(before.chunks, after.chunks, strict=True):
        if (old.air_tick, old.begins) != (new.air_tick, new.begins):
            yield new


def is_urgent(before: Sequence[Imported], after: Sequence[Imported], frozen: int) -> bool:
    """Whether what `placed` changed is to be seen before `frozen`."""
    return any(
        tick is not None and tick < frozen
        for old, new in zip(before, after, strict=True)
        for one, other in zip(old.chunks, new.chunks, strict=True)
        if one.air_tick != other.air_tick
        for tick in (one.air_tick, other.air_tick)
    )


def renditions(live: Iterable[Imported]) -> set[str]:
    """The files of all chunks that may be shown."""
    return {chunk.rendition for imported in live for chunk in imported.chunks}


def pieces_of_live(slot: Slot, imported: Imported | None, stock: Stock, from_tick: int) -> Iterator[Piece]:
    """What plays in a live entry's slot, without a hole: chunks where they air, and filler, never planned, elsewhere.

    What ends by `from_tick` may be left out, and what begins at the slot's end or later is for whoever asks to drop, as
    `appliance.core.air` does. After a loss a filler begins anew where the last chunk ends.
    """
    if imported is None:
        yield from pieces(slot, stock, from_tick)
        return
    tick, runs = _since(slot, imported.end_tick), imported.runs
    for chunk in imported.chunks:
        if chunk.air_tick is None or chunk.end_tick <= slot.start_tick:
            continue
        runs += chunk.begins
        if chunk.end_tick > from_tick:
            yield from _filled(slot, tick, chunk.air_tick, runs - chunk.begins, stock, from_tick)
            yield _piece(slot, chunk)
        tick = chunk.end_tick
    yield from _filled(slot, tick, slot.end_tick, runs, stock, from_tick)


def _returning(waiting: Sequence[Chunk], runs: int, start: int, until: int) -> list[Chunk]:
    """A run from `start` on with the newest of what waits, if that is enough: what lasts until the source hands over
    again and one chunk, so two at least; and more where that was too few before."""
    fresh = [chunk for chunk in waiting if chunk.came_tick >= start - FRESH_TICKS]
    burst_s = min(BURST_S_MAX, max((chunk.burst_s for chunk in fresh), default=0))
    enough = math.ceil(burst_s / TARGET_DURATION_S) + 1 + min(runs, CHUNKS_MORE_MAX)
    if len(fresh) < enough:
        return list(waiting)
    return [*waiting[:-enough], *_in_a_row(waiting[-enough:], start, until, begins=True)]


def _in_a_row(chunks: Iterable[Chunk], tick: int, until: int, *, begins: bool = False) -> list[Chunk]:
    """Each where the one before it ends; what could only begin at `until` or later does not air."""
    found = []
    for chunk in chunks:
        if tick >= until:
            found.append(_unplaced(chunk))
            continue
        found.append(msgspec.structs.replace(chunk, air_tick=tick, begins=begins))
        tick, begins = found[-1].end_tick, False
    return found


def _unplaced(chunk: Chunk) -> Chunk:
    return msgspec.structs.replace(chunk, air_tick=None, begins=False)


def _since(slot: Slot, tick: int | None) -> int:
    return slot.start_tick if tick is None else min(max(slot.start_tick, tick), slot.end_tick)


def _filled(slot: Slot, begin: int, end: int, runs: int, stock: Stock, from_tick: int) -> Iterator[Piece]:
    """Filler for the rest of a slot from `begin` on, as far as `end`: what is committed before a chunk comes is the
    same as after."""
    if begin >= end:
        return
    rest = msgspec.structs.replace(slot, start_tick=begin, turn=slot.turn + runs)
    for piece in pieces(rest, stock, from_tick):
        if piece.start_tick >= end:
            return
        frames = min(piece.frames, (end - piece.start_tick) // TICKS_PER_FRAME)
        reason = LOST if runs else piece.reason
        yield msgspec.structs.replace(piece, frames=frames, reason=reason)


def _piece(slot: Slot, chunk: Chunk) -> Piece:
    assert slot.entry is not None and chunk.air_tick is not None
    return Piece(
        start_tick=chunk.air_tick,
        frames=chunk.frames,
        rendition=chunk.rendition,
        entry_id=slot.entry.id,
        title=slot.entry.title,
        kind="live",
        catchup=slot.entry.catchup,
        date=slot.date,
        version=slot.version,
        plan=slot.plan,
    )
