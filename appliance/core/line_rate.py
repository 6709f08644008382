"""How fast the line to the hub is, from what transfers really carried: in slots of ten minutes, each way by itself.

A slot says how many bytes were carried in how much time in which at least one transfer ran. What was held back by a
limit of ours is not measured: that says nothing about the line.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import msgspec

from appliance.core.moment import US

SLOT_US: Final = 600 * US
BUSY_US_MIN: Final = 2 * US
"""A slot with less says more about the beginning of a transfer than about the line."""
RECENT_BUSY_US: Final = 1800 * US
"""So much of the latest busy time is what the line is now: a storm counts, one bad minute does not."""
HOUR_US: Final = 3600 * US
HOUR_BUSY_US_MIN: Final = 60 * US
KEPT_US: Final = 14 * 86_400 * US
"""Two weeks: the worst hour of each weekday twice."""
LIMITED_SHARE: Final = 0.8
"""Above this share of a limit it is the limit that was measured."""


class Slot(msgspec.Struct, frozen=True):
    """What was carried in ten minutes."""

    slot_us: int
    bytes: int
    busy_us: int


class LineRate(msgspec.Struct, frozen=True):
    """Bytes a second: what the line carries lately, and in the slowest hour that is known; None before any."""

    now_bytes_per_s: float | None = None
    worst_bytes_per_s: float | None = None


def is_of_limit(bytes_per_s: float, limit_bytes_per_s: int) -> bool:
    """Whether it is a limit of ours that was measured, and not the line; 0 is no limit."""
    return limit_bytes_per_s > 0 and bytes_per_s >= LIMITED_SHARE * limit_bytes_per_s


def line_rate(slots: Iterable[Slot]) -> LineRate:
    """The median of the latest half hour of busy time, each slot as heavy as it was busy; and the slowest hour.

    A slot in which nothing came is one in which the line was cut. That is no rate, and nothing can be divided by it.
    """
    told = (slot for slot in slots if slot.busy_us >= BUSY_US_MIN and slot.bytes > 0)
    known = sorted(told, key=lambda slot: -slot.slot_us)
    return LineRate(_median(_latest(known)), _worst_hour(known))


def _latest(newest_first: Sequence[Slot]) -> list[Slot]:
    latest, busy_us = [], 0
    for slot in newest_first:
        if busy_us >= RECENT_BUSY_US:
            break
        latest.append(slot)
        busy_us += slot.busy_us
    return latest


def _median(slots: Sequence[Slot]) -> float | None:
    half_us, passed_us = sum(slot.busy_us for slot in slots) / 2, 0
    for rate, busy_us in sorted((slot.bytes * US / slot.busy_us, slot.busy_us) for slot in slots):
        passed_us += busy_us
        if passed_us >= half_us:
            return rate
    return None


def _worst_hour(newest_first: Sequence[Slot]) -> float | None:
    rates = []
    for _hour, found in groupby(newest_first, key=lambda slot: slot.slot_us // HOUR_US):
        slots = list(found)
        busy_us = sum(slot.busy_us for slot in slots)
        if busy_us >= HOUR_BUSY_US_MIN:
            rates.append(sum(slot.bytes for slot in slots) * US / busy_us)
    return min(rates, default=None)
