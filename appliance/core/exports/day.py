"""A broadcast day of a channel as other engines play it: files, in and out points in frames, no hole, one day long.

    played(stretches, pieces, begin, end)    what the ledger has committed, behind it what the rundown says
    lines(played, names)                     the same as items of a playlist, each a part of one file

What other engines cannot do is done for them: a gap is an item (its filler), the slate, which is one file of two
seconds, stands as often as it is shown, and the last item ends with the day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from appliance.core.errors import Text
from appliance.core.ledger import LEDGER_ENDED, Stretch
from appliance.core.rundown import SLATE, Piece, StretchKind
from appliance.core.ts import FRAMES_PER_S, FRAMES_PER_SEGMENT, TICKS_PER_FRAME

SECOND_FRAMES: Final = FRAMES_PER_S


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """So many frames of one rendition, from one of its frames on."""

    start_tick: int
    frames: int
    rendition: str
    from_frame: int = 0
    source: str | None = None
    date: str | None = None
    entry_id: str | None = None
    title: str = ""
    kind: StretchKind = "slate"
    planned: bool = True
    reason: Text | None = None

    @property
    def end_tick(self) -> int:
        return self.start_tick + self.frames * TICKS_PER_FRAME


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a playlist: frames [in_frame, out_frame) of the file `path` at a moment of the day."""

    start_tick: int
    path: str
    in_frame: int
    out_frame: int
    played: Played

    @property
    def frames(self) -> int:
        return self.out_frame - self.in_frame


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer writes. `files_frames`: how long each file is, by its path."""

    channel: str
    name: str
    date: str
    zone: str
    begin_tick: int
    end_tick: int
    lines: tuple[Line, ...]
    files_frames: Mapping[str, int]


def played(stretches: Iterable[Stretch], pieces: Iterable[Piece], begin: int, end: int) -> list[Played]:
    """What plays from `begin` to `end`, cut to that. `pieces` come behind the last stretch that is committed."""
    found: list[Played] = []
    tick = begin
    both: list[Stretch | Piece] = [each for each in stretches if each.reason != LEDGER_ENDED]
    both += pieces
    for each in both:
        start, stop = max(tick, each.start_tick), min(each.end_tick, end)
        if stop <= start:
            continue
        if start > tick:
            found.append(Played(start_tick=tick, frames=(start - tick) // TICKS_PER_FRAME, rendition=SLATE))
        found.append(_part(each, start, stop))
        tick = stop
    if tick < end:
        found.append(Played(start_tick=tick, frames=(end - tick) // TICKS_PER_FRAME, rendition=SLATE))
    return found


def lines(found: Iterable[Played], paths: Mapping[tuple[str | None, str], str]) -> Iterator[Line]:
    """As items. `paths`: the file of each entry (None: of no entry) and rendition."""
    for each in found:
        path = paths[key_of(each)]
        if each.rendition != SLATE:
            yield Line(
                start_tick=each.start_tick,
                path=path,
                in_frame=each.from_frame,
                out_frame=each.from_frame + each.frames,
                played=each,
            )
            continue
        tick = each.start_tick
        for frames in shares(each.frames):
            yield Line(start_tick=tick, path=path, in_frame=0, out_frame=frames, played=each)
            tick += frames * TICKS_PER_FRAME


def key_of(each: Played) -> tuple[str | None, str]:
    """What a file is named for: the entry (`DATE/ID`), where it plays its own asset, else the file itself."""
    is_own = each.entry_id is not None and each.planned and each.kind not in ("slate", "emergency")
    return (f"{each.date}/{each.entry_id}" if is_own else None), each.rendition


def shares(frames: int) -> list[int]:
    """So many frames of the slate in items of at most its one segment, none of them shorter than need be: what is
    shorter than a second some engines skip."""
    count = -(-frames // FRAMES_PER_SEGMENT)
    return [frames * (number + 1) // count - frames * number // count for number in range(count)]


def without_short(items: Sequence[Line], files_frames: Mapping[str, int]) -> list[Line]:
    """The items with none shorter than a second, for an engine that skips such: each lacks what the item before it then
    gives up at its end. The starts of all others stay."""
    found: list[Line] = []
    for each in items:
        lacking = SECOND_FRAMES - each.frames
        before = found[-1] if found else None
        room = files_frames.get(each.path, 0) - each.frames
        if lacking > 0 and before is not None and before.frames >= 2 * SECOND_FRAMES and room >= lacking:
            found[-1] = msgspec.structs.replace(before, out_frame=before.out_frame - lacking)
            in_frame = max(0, each.in_frame - lacking)
            out_frame = in_frame + SECOND_FRAMES
            each = msgspec.structs.replace(
                each, start_tick=each.start_tick - lacking * TICKS_PER_FRAME, in_frame=in_frame, out_frame=out_frame
            )
        found.append(each)
    return found


def _part(each: Stretch | Piece, start: int, stop: int) -> Played:
    from_frame = each.first_segment * FRAMES_PER_SEGMENT + (start - each.start_tick) // TICKS_PER_FRAME
    return Played(
        start_tick=start,
        frames=(stop - start) // TICKS_PER_FRAME,
        rendition=each.rendition,
        from_frame=0 if each.rendition == SLATE else from_frame,
        source=each.source,
        date=each.date,
        entry_id=each.entry_id,
        title=each.title,
        kind=each.kind,
        planned=each.planned,
        reason=each.reason,
    )
