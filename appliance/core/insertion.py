"""Emergency insertions: what breaks into a channel, and from when to when."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from appliance.core.rundown import Packed
from appliance.core.ts import TICKS_PER_FRAME


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """An emergency insertion. `start_tick`, `end_tick`: where it was placed, None before; `stopped`: it shall end."""

    id: str
    source: str
    at_tick: int | None = None
    until_tick: int | None = None
    not_after_tick: int | None = None
    start_tick: int | None = None
    end_tick: int | None = None
    stopped: bool = False


class Placement(msgspec.Struct, frozen=True):
    """What became of an insertion: placed or still placed with its ticks, over, missed - or waiting for its asset."""

    id: str
    state: Literal["waiting", "placed", "over", "missed"]
    start_tick: int | None = None
    end_tick: int | None = None


def placed(breaks: Sequence[Break], ready: Mapping[str, Packed], urgent: int, now_tick: int) -> tuple[Placement, ...]:
    """Where each insertion stands; `urgent` is the first boundary that may still change."""
    return tuple(_placement(each, ready.get(each.source), urgent, now_tick) for each in breaks)


def _placement(each: Break, packed: Packed | None, urgent: int, now_tick: int) -> Placement:
    """Where an insertion stands. It begins at its time, or at the first boundary that may still change.

    It lasts until its end time, again and again if need be, or once. One that is stopped or whose asset is gone ends at
    that boundary; one that could only begin after its `not_after` or its end is missed.
    """
    start, end = each.start_tick, each.end_tick
    if start is None or end is None:
        start = max(each.at_tick or 0, urgent)
        expired = each.not_after_tick is not None and start > each.not_after_tick
        if each.stopped:
            return Placement(each.id, "over")
        if expired or (each.until_tick is not None and each.until_tick <= start):
            return Placement(each.id, "missed")
        if packed is None:
            return Placement(each.id, "waiting")
        length = packed.frames * TICKS_PER_FRAME
        end = each.until_tick if each.until_tick is not None else start + length
    if each.stopped or packed is None:
        end = min(end, max(urgent, start))
    if end <= now_tick or end <= start:
        return Placement(each.id, "over", start, end)
    return Placement(each.id, "placed", start, end)
