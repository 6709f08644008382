"""Whose turn it is on the line: earliest deadline first, the order that keeps all deadlines if any does (Liu and
Layland, 1973).

Two small transfers side by side use a line better than one after the other: while one begins or ends the other
carries. But each has half of it then. So a later one runs beside an earlier one, or ends before it, only where that
makes nothing late that is known, and only while it is no more than a batch: what comes to be known later finds no more
than that done out of order. A large one has the line alone, and gives way at once.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from appliance.core.moment import US
from edge_agent.core.observation import Observation, Policy, Wanted
from edge_agent.core.urgency import deadline_of

MARGIN: Final = 1.25
"""A transfer is reckoned to take so much longer than the measured rate says: lines vary, and beginnings cost."""
LEEWAY: Final = 1.5
"""To begin beside another takes so much more room than to stay beside it, or small changes would start and stop it."""


NEARLY_US: Final = 1 * US
"""What ends within this is not held up by a transfer that begins: that takes as long."""


class Running(msgspec.Struct, frozen=True):
    """A transfer at work: what it carries, when the first and the last of that is due, how many bytes are left."""

    subjects: tuple[str, ...]
    deadline_us: int
    last_us: int
    left_bytes: int


def running_of(subjects: tuple[str, ...], wanted: Mapping[str, Wanted], deadline_us: int | None) -> Running:
    """A transfer of these, with `deadline_us` where none of them is wanted any more."""
    carried = [wanted[each] for each in subjects if each in wanted]
    due = [deadline_of(each.deadline_us) for each in carried] or [deadline_of(deadline_us)]
    return Running(subjects, min(due), max(due), sum(map(left_bytes, carried)))


def gives_way(
    missing: Sequence[Wanted], running: Sequence[Running], seen: Observation, policy: Policy
) -> tuple[Running, ...] | None:
    """Which of those that run have to end so that the first that is missing can begin; None: it has to wait.

    Both in the order of their deadlines. `missing` is not empty.
    """
    if seen.rate_bytes_per_s is None:
        return _by_places(missing[0], running, policy)
    rate, first = seen.rate_bytes_per_s, missing[0]
    first_us = deadline_of(first.deadline_us)
    later = [each for each in running if each.last_us > first_us]
    is_large = any(each.left_bytes > policy.batch_bytes_max for each in later)
    if later and (is_large or _is_pressed(missing, running, max(each.last_us for each in later), seen.now_us, rate)):
        return tuple(later)
    if len(running) >= policy.fetches_max:
        return None
    earlier = [each for each in running if each.deadline_us <= first_us]
    beside = [(first_us, left_bytes(first))] if later else []
    beside += [(each.deadline_us, each.left_bytes) for each in earlier]
    is_small = all(each.left_bytes <= policy.batch_bytes_max for each in earlier)
    return () if is_small and all(_may_share(*each, seen.now_us, rate) for each in beside) else None


def _by_places(first: Wanted, running: Sequence[Running], policy: Policy) -> tuple[Running, ...] | None:
    """Nothing was measured yet: what is due much earlier takes the place of what is due last."""
    if len(running) < policy.fetches_max:
        return ()
    is_urgent = deadline_of(first.deadline_us) + policy.preempt_us < running[-1].deadline_us
    return (running[-1],) if is_urgent else None


def is_in_time(first: Wanted, together_bytes: int, seen: Observation) -> bool:
    """Whether the first of a batch is still in time when so much travels with it, beside another batch: it is here when
    all of that is."""
    rate = seen.rate_bytes_per_s
    return rate is None or seen.now_us + LEEWAY * _takes_us(together_bytes, rate / 2) <= deadline_of(first.deadline_us)


def left_bytes(wanted: Wanted) -> int:
    """What of it still has to travel."""
    return wanted.size_bytes - max(0, wanted.staged_bytes)


def holding_up(running: Sequence[Running], seen: Observation) -> tuple[Running, ...]:
    """Those by which something that is due before would now be late: the line has become slower, or more has come.

    What runs beside the first; and the first itself where what travels with it makes it late, to begin again without.
    """
    if seen.rate_bytes_per_s is None or not running:
        return ()
    first, rate = running[0], seen.rate_bytes_per_s
    share = rate / len(running)
    mixed = [each for each in running if each.last_us > each.deadline_us]
    late = tuple(each for each in mixed if seen.now_us + _takes_us(each.left_bytes, share) > each.deadline_us)
    if late:
        return late
    is_late = seen.now_us + _takes_us(first.left_bytes, rate / 2) > first.deadline_us
    return tuple(running[1:]) if is_late and _takes_us(first.left_bytes, rate) > NEARLY_US else ()


def _is_pressed(missing: Sequence[Wanted], running: Sequence[Running], until_us: int, now_us: int, rate: float) -> bool:
    """Whether something missing, and due before the last that runs, would be late if all that runs ended first."""
    ready_us = now_us + sum(_takes_us(each.left_bytes, rate) for each in running)
    for wanted in missing:
        deadline_us = deadline_of(wanted.deadline_us)
        if deadline_us >= until_us:
            return False
        ready_us += _takes_us(left_bytes(wanted), rate)
        if ready_us > deadline_us:
            return True
    return False


def _may_share(deadline_us: int, travelling_bytes: int, now_us: int, rate: float) -> bool:
    """Whether half of the line is enough, with room to spare; or it is as good as done."""
    is_nearly_done = _takes_us(travelling_bytes, rate) <= NEARLY_US
    return is_nearly_done or now_us + LEEWAY * _takes_us(travelling_bytes, rate / 2) <= deadline_us


def _takes_us(travelling_bytes: int, rate: float) -> float:
    return MARGIN * travelling_bytes / rate * US
