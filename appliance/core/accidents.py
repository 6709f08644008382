"""Accidents (播出事故) of a channel in a time, counted from its as-run. docs/formats.md, section 7, defines each kind.

    off_air    停播   nothing of the channel went out
    wrong      错播   something else than what was to go out
    padded     垫播   a filler or the slate where nobody planned one
    degraded   劣播   the right programme, with faults in the signal

A second is of one kind at most, the first of these that it is. Rows of a kind that join, or lie a second apart at most,
are one accident. An emergency insertion is none; nor is time that nobody vouches for, which is told beside them.
"""

from collections.abc import Iterable
from typing import Final, Literal, get_args

import msgspec

from appliance.core.asrun import AiredRow
from appliance.core.errors import Text
from appliance.core.moment import US, to_us

AccidentKind = Literal["off_air", "wrong", "padded", "degraded"]
KINDS: Final[tuple[AccidentKind, ...]] = get_args(AccidentKind)
KIND_NAMES: Final[dict[AccidentKind, Text]] = {
    "off_air": Text("停播", "off air"),
    "wrong": Text("错播", "wrong programme"),
    "padded": Text("垫播", "padded"),
    "degraded": Text("劣播", "degraded"),
}
JOINED_US: Final = 1 * US


class Accident(msgspec.Struct, frozen=True, kw_only=True):
    """One accident, from when to when; `title` and `reason` are those of its first row."""

    kind: AccidentKind
    start_us: int
    end_us: int
    title: str = ""
    reason: Text | None = None


class Count(msgspec.Struct, frozen=True):
    """How many, and how long together."""

    count: int = 0
    duration_s: float = 0.0


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """A time of a channel summed up. `accounted_s` has a row, `unvouched_s` of it none who vouches for it."""

    off_air: Count = Count()
    wrong: Count = Count()
    padded: Count = Count()
    degraded: Count = Count()
    accounted_s: float = 0.0
    unvouched_s: float = 0.0
    accidents: tuple[Accident, ...] = ()


def accident_of(row: AiredRow) -> AccidentKind | None:
    """What kind of accident a row is, if it is one."""
    if "Did not air" in row.status and not row.evidence:
        return "off_air"
    if "Aired with Content Discrepancy" in row.status:
        return "wrong"
    if not row.planned and row.kind in ("filler", "slate") and row.evidence:
        return "padded"
    return "degraded" if "Technical Difficulty" in row.status else None


def tally(rows: Iterable[AiredRow], from_us: int, until_us: int) -> Tally:
    """Sum up the rows of a channel, in order, within a time; what they have outside of it does not count."""
    found: list[Accident] = []
    accounted_us = unvouched_us = 0
    for row in rows:
        start_us = to_us(row.start)
        end_us = min(until_us, start_us + round(row.duration_s * US))
        start_us = max(from_us, start_us)
        if end_us <= start_us:
            continue
        accounted_us += end_us - start_us
        unvouched_us += end_us - start_us if "Unknown" in row.status else 0
        kind = accident_of(row)
        if kind is not None:
            _add(found, Accident(kind=kind, start_us=start_us, end_us=end_us, title=row.title, reason=row.reason))
    return Tally(
        **{kind: _count(found, kind) for kind in KINDS},
        accounted_s=accounted_us / US,
        unvouched_s=unvouched_us / US,
        accidents=tuple(found),
    )


def _add(found: list[Accident], accident: Accident) -> None:
    last = next((at for at in reversed(range(len(found))) if found[at].kind == accident.kind), None)
    if last is not None and accident.start_us - found[last].end_us <= JOINED_US:
        found[last] = msgspec.structs.replace(found[last], end_us=accident.end_us)
    else:
        found.append(accident)


def _count(found: Iterable[Accident], kind: AccidentKind) -> Count:
    mine = [each for each in found if each.kind == kind]
    return Count(len(mine), sum(each.end_us - each.start_us for each in mine) / US)
