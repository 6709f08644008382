"""The air ledger (播出账) as readers see it: rows, segments, and the slate that goes on where it ends."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from appliance.core.errors import Text
from appliance.core.rundown import SLATE, Plan, StretchKind
from appliance.core.ts import (
    AIR_LEAD_TICKS,
    FILE_PTS_TICKS,
    FRAMES_PER_SEGMENT,
    PTS_MODULO,
    SEGMENT_TICKS,
    TICKS_PER_FRAME,
)

PRE_ROLL_S: Final = 60
"""A channel begins so long before it is made, so that its first list is as long as every other."""
LEDGER_ENDED: Final = Text("播出账已到尽头", "the air ledger has ended")

KIND_NAMES: Final = {
    "programme": Text("节目", "programme"),
    "ad": Text("广告", "ad"),
    "promo": Text("宣传片", "promo"),
    "filler": Text("垫片", "filler"),
    "live": Text("直播", "live"),
    "test": Text("测试", "test"),
    "emergency": Text("应急插播", "emergency"),
    "slate": Text("静帧垫片", "slate"),
}
"""What a stretch is, for people."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger. Each segment has 50 frames but the last; those of the slate are all its segment 0.

    `kind` and `planned` tell what the schedule meant: see `Piece`. `plan`, `date` and `version` name the schedule.
    """

    first_msn: int
    segments: int
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
    """Whether it may be seen again (回看), as its entry said when this was committed."""
    plan: Plan = ""

    @property
    def end_tick(self) -> int:
        return self.start_tick + self.frames * TICKS_PER_FRAME

    @property
    def next_msn(self) -> int:
        return self.first_msn + self.segments


class Segment(msgspec.Struct, frozen=True):
    """One segment on the air: `number` in the file of `rendition`, moved by `offset_ticks`, cut after `frames`."""

    msn: int
    start_tick: int
    frames: int
    rendition: str
    number: int
    offset_ticks: int

    @property
    def end_tick(self) -> int:
        return self.start_tick + self.frames * TICKS_PER_FRAME


class Channel(msgspec.Struct, frozen=True):
    """Where a channel's timeline begins, and up to where its ledger can no longer change."""

    epoch_tick: int
    first_msn: int
    frozen_tick: int


def same_live(one: Stretch, other: Stretch) -> bool:
    """Whether a stretch of a live source goes on in another: chunks of one run, to which each gives a row."""
    is_live = one.kind == other.kind == "live" and one.frames == one.segments * FRAMES_PER_SEGMENT
    same_entry = (one.entry_id, one.date, one.version) == (other.entry_id, other.date, other.version)
    return is_live and same_entry and one.end_tick == other.start_tick


def runs_joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same with each run of a live source as one stretch, called by its first chunk: for those who account."""
    joined: list[Stretch] = []
    for stretch in stretches:
        if joined and same_live(joined[-1], stretch):
            joined[-1] = resized(joined[-1], joined[-1].frames + stretch.frames)
        else:
            joined.append(stretch)
    return joined


def with_slate(channel: Channel, committed: Sequence[Stretch], until_tick: int) -> list[Stretch]:
    """The rows, and after them the slate in whole segments until `until_tick` at least: what readers see."""
    end_tick = committed[-1].end_tick if committed else channel.epoch_tick
    if end_tick >= until_tick:
        return list(committed)
    segments = -(-(until_tick - end_tick) // SEGMENT_TICKS)
    slate = Stretch(
        first_msn=committed[-1].next_msn if committed else channel.first_msn,
        segments=segments,
        start_tick=end_tick,
        frames=segments * FRAMES_PER_SEGMENT,
        rendition=SLATE,
        planned=False,
        reason=LEDGER_ENDED,
    )
    return [*committed, slate]


def boundary(timeline: Sequence[Stretch], tick: int) -> int:
    """The first segment boundary at or after `tick`, which lies on the timeline."""
    for stretch in timeline:
        if stretch.start_tick >= tick:
            return stretch.start_tick
        if stretch.end_tick >= tick:
            segments = -(-(tick - stretch.start_tick) // SEGMENT_TICKS)
            return min(stretch.end_tick, stretch.start_tick + segments * SEGMENT_TICKS)
    raise AssertionError("the slate has no end")


def segments_of(stretch: Stretch, begin: int = 0, end: int | None = None) -> Iterator[Segment]:
    """The segments [begin, end) of a stretch, counted from 0."""
    is_slate = stretch.rendition == SLATE
    for number in range(begin, stretch.segments if end is None else min(end, stretch.segments)):
        start = stretch.start_tick + number * SEGMENT_TICKS
        in_file = 0 if is_slate else stretch.first_segment + number
        offset = start + AIR_LEAD_TICKS - FILE_PTS_TICKS - in_file * SEGMENT_TICKS
        frames = min(FRAMES_PER_SEGMENT, stretch.frames - number * FRAMES_PER_SEGMENT)
        yield Segment(stretch.first_msn + number, start, frames, stretch.rendition, in_file, offset % PTS_MODULO)


def resized(stretch: Stretch, frames: int) -> Stretch:
    """A stretch made longer or shorter."""
    return msgspec.structs.replace(stretch, frames=frames, segments=-(-frames // FRAMES_PER_SEGMENT))
