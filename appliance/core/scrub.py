"""Reading again (scrub): everything on disk within so many days, what airs soon first, evenly and never in a hurry.

Pure: `next_reading` says what to read now, or when to look again. Each asset's deadline is the moment it was last read
plus nine tenths of the period; the tenth that is left is for an agent that was off. The pace is the lowest constant
rate that keeps all deadlines, the soonest first, with a margin; more at night, less in the evening. So what came in on
one day is read spread over the period and not at its end, and a restart needs to know only when each was last read.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from appliance.core.moment import US

HOUR_US: Final = 3600 * US
SOON_US: Final = 6 * HOUR_US
"""What airs within this time is read first,"""
FRESH_US: Final = 24 * HOUR_US
"""unless it was read so lately."""
RESTS_SHARE: Final = 0.1
"""So much of the period nothing is read twice."""
WITHIN_SHARE: Final = 0.9
MARGIN: Final = 1.5
"""A reading may take a quarter of its share of the time, and the evenings less than they should."""
READ_BYTES_PER_S_MIN: Final = 8 * 1024 * 1024
READ_BYTES_PER_S_MAX: Final = 64 * 1024 * 1024
"""About half of what the slowest disk in use gives in one piece: playout and pages read beside it."""
LEFT_US_MIN: Final = HOUR_US
LOOK_AGAIN_US: Final = 300 * US
LATE_US: Final = 24 * HOUR_US
"""So long after the period an asset that nobody has read is an alarm."""


class Unread(msgspec.Struct, frozen=True):
    """An asset on disk: when it was last read and right, and when it airs next, None when nothing is committed.

    `read_us` 0: somebody doubts it.
    """

    digest: str
    size_bytes: int
    read_us: int
    airs_us: int | None = None


class Reading(msgspec.Struct, frozen=True):
    """Read `digests` now, one after the other, at most so fast; when there are none, ask again at `look_again_us`.

    `is_paced`: the next one has to wait for its share of the time. What airs soon does not.
    """

    digests: tuple[str, ...] = ()
    bytes_per_s: int = 0
    look_again_us: int = 0
    is_paced: bool = True


class Progress(msgspec.Struct, frozen=True):
    """How far the round is. `late_*`: not read within the period and a day."""

    assets: int = 0
    size_bytes: int = 0
    read_bytes: int = 0
    """Read within the period."""
    oldest_us: int | None = None
    late_assets: int = 0
    bytes_per_s: float = 0.0
    all_read_by_us: int | None = None
    """When everything that is here now will have been read once more, at this pace."""


def next_reading(
    held: Sequence[Unread], ended: tuple[int, int] | None, now_us: int, period_us: int, hour: int, limit: int = 10
) -> Reading:
    """What to read now. `hour` is that of the site's day.

    `ended`: when the last paced reading ended and how many bytes it had.
    """
    pace = pace_bytes_per_s(held, now_us, period_us)
    speed = round(min(READ_BYTES_PER_S_MAX, max(READ_BYTES_PER_S_MIN, 4 * pace)))
    soon = [each for each in held if is_soon(each, now_us)]
    if soon:
        first = sorted(soon, key=lambda each: (each.airs_us or 0, each.digest))
        digests = tuple(each.digest for each in first[:limit])
        return Reading(digests, READ_BYTES_PER_S_MAX, now_us + LOOK_AGAIN_US, is_paced=False)
    rested = [each for each in held if each.read_us + period_us * RESTS_SHARE <= now_us]
    if not rested:
        return Reading((), speed, now_us + LOOK_AGAIN_US)
    may_begin_us = now_us
    if ended is not None:
        ended_us, size_bytes = ended
        may_begin_us = ended_us + round(size_bytes * US / (pace * _factor(hour)))
    if may_begin_us > now_us:
        return Reading((), speed, min(may_begin_us, now_us + LOOK_AGAIN_US))
    first = sorted(rested, key=lambda each: (each.read_us, each.digest))
    return Reading(tuple(each.digest for each in first[:limit]), speed, now_us + LOOK_AGAIN_US)


def is_soon(asset: Unread, now_us: int) -> bool:
    """Whether it airs within hours and was not read within a day, or is doubted."""
    if asset.read_us == 0:
        return True
    return asset.airs_us is not None and asset.airs_us <= now_us + SOON_US and asset.read_us + FRESH_US <= now_us


def pace_bytes_per_s(held: Iterable[Unread], now_us: int, period_us: int) -> float:
    """The lowest constant rate at which each asset is read before its deadline, with a margin; at least 1 byte/s."""
    needed, size_bytes = 0.0, 0
    for each in sorted(held, key=lambda each: each.read_us):
        size_bytes += each.size_bytes
        left_us = max(LEFT_US_MIN, each.read_us + round(period_us * WITHIN_SHARE) - now_us)
        needed = max(needed, size_bytes * US / left_us)
    return max(1.0, needed * MARGIN)


def progress(held: Sequence[Unread], now_us: int, period_us: int) -> Progress:
    """How far it is."""
    size_bytes = sum(each.size_bytes for each in held)
    pace = pace_bytes_per_s(held, now_us, period_us)
    return Progress(
        assets=len(held),
        size_bytes=size_bytes,
        read_bytes=sum(each.size_bytes for each in held if each.read_us + period_us > now_us),
        oldest_us=min((each.read_us for each in held), default=None),
        late_assets=sum(each.read_us + period_us + LATE_US <= now_us for each in held),
        bytes_per_s=round(pace, 1) if held else 0.0,
        all_read_by_us=now_us + round(size_bytes * US / pace) if held else None,
    )


def _factor(hour: int) -> float:
    """Twice as fast from 1 to 6, half as fast from 18 to 23, when the county watches; more than 1 over the day."""
    if 1 <= hour < 6:
        return 2.0
    return 0.5 if 18 <= hour < 23 else 1.0
