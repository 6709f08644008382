"""The programme guide of a channel, out of its air ledger: what airs is told, and what may be seen again (回看).

    programmes      rows -> programmes: parts joined, what only joins programmes left out
    now_and_next    what is on, and what follows
    can_be_seen     whether a programme may be seen again now
    seen_again      the segments of its list

A programme is called by its channel and the media sequence number that it begins with: `dengfeng-1-1795500175`. That
number never changes its meaning.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import Final, Literal

import msgspec

from appliance.core.ledger import Segment, Stretch, segments_of
from appliance.core.moment import US
from appliance.core.rundown import NOT_CONNECTED, SLATE, us_of

QUIET_KINDS: Final = frozenset({"filler", "ad", "promo", "slate", "test", "emergency"})
"""Not told as programmes of their own: a reader looks for programmes, not for what joins or interrupts them."""
BREAK_US_MAX: Final = 30 * 60 * US
"""What goes on after a longer break is told as another programme."""
DAY_US: Final = 86_400 * US

Rights = Mapping[tuple[str | None, str | None], bool]
"""(date, entry) -> whether it may be seen again, as the newest schedule says; else what was said when it aired."""

NO_RIGHTS: Final[Rights] = {}


class Programme(msgspec.Struct, frozen=True):
    """One line of the guide; `kind` is `programme`, `live` or `filler`, which has no title.

    `first_msn` is the number of its first segment; `renditions` are what it is made of; `catchup` its right to be seen
    again.
    """

    title: str
    kind: Literal["programme", "live", "filler"]
    start_us: int
    end_us: int
    first_msn: int = 0
    date: str | None = None
    entry_id: str | None = None
    renditions: frozenset[str] = frozenset()
    catchup: bool = True


def programmes(stretches: Iterable[Stretch], rights: Rights = NO_RIGHTS) -> tuple[Programme, ...]:
    """Join the parts of one programme over what interrupts it, and all that lies between two into one quiet line."""
    found: list[Programme] = []
    last: Stretch | None = None
    """The last stretch of the last programme."""
    for is_quiet, group in groupby(stretches, _is_quiet):
        if is_quiet:
            quiet = tuple(group)
            found.append(Programme("", "filler", us_of(quiet[0].start_tick), us_of(quiet[-1].end_tick)))
            continue
        for stretch in group:
            if last is not None and _goes_on(last, stretch):
                if found[-1].kind == "filler":
                    found.pop()
                found[-1] = _longer(found[-1], stretch, rights)
            else:
                found.append(_begun(stretch, rights))
            last = stretch
    return tuple(found)


def _is_quiet(stretch: Stretch) -> bool:
    """A live entry has filler in the ledger until its source comes, and is told all the same."""
    return stretch.kind in QUIET_KINDS and not _is_awaited(stretch)


def _is_awaited(stretch: Stretch) -> bool:
    return stretch.reason == NOT_CONNECTED


def now_and_next(guide: Iterable[Programme], now_us: int) -> tuple[Programme | None, Programme | None]:
    """What is on, a quiet line too, and the first programme after it."""
    current: Programme | None = None
    for programme in guide:
        if programme.start_us <= now_us < programme.end_us:
            current = programme
        elif programme.start_us > now_us and programme.kind != "filler":
            return current, programme
    return current, None


def can_be_seen(programme: Programme, now_us: int, days: int, here: Collection[str]) -> bool:
    """Whether it has ended, within so many days, may be seen again, and all that it is made of is here.

    `here`: renditions on disk and not recalled.
    """
    if programme.kind == "filler" or not programme.catchup:
        return False
    in_time = now_us - days * DAY_US < programme.end_us <= now_us
    return in_time and all(each in here for each in programme.renditions)


def seen_again(
    stretches: Iterable[Stretch], programme: Programme, here: Collection[str], rights: Rights
) -> list[Segment]:
    """The segments of a programme as they were on the air, with what came between its parts.

    Left out is a break-in, for what was urgent then is not now, and what may not be shown again or is gone.
    """
    shown = (each for each in stretches if _within(each, programme) and _is_shown(each, here, rights))
    return [segment for stretch in shown for segment in segments_of(stretch)]


def may_be_seen(stretch: Stretch, rights: Rights) -> bool:
    """Whether a stretch may be seen again by its right alone."""
    return stretch.kind != "emergency" and rights.get((stretch.date, stretch.entry_id), stretch.catchup)


def event_id(channel: str, programme: Programme) -> str:
    """What a programme that has begun is called."""
    return f"{channel}-{programme.first_msn}"


def _is_shown(stretch: Stretch, here: Collection[str], rights: Rights) -> bool:
    is_here = stretch.rendition == SLATE or stretch.rendition in here
    return is_here and may_be_seen(stretch, rights)


def _within(stretch: Stretch, programme: Programme) -> bool:
    return us_of(stretch.start_tick) >= programme.start_us and us_of(stretch.end_tick) <= programme.end_us


def _goes_on(last: Stretch, stretch: Stretch) -> bool:
    """Whether a stretch is a further part of what `last` was a part of."""
    gap_us = us_of(stretch.start_tick) - us_of(last.end_tick)
    same_entry = (last.date, last.entry_id, last.title) == (stretch.date, stretch.entry_id, stretch.title)
    if gap_us == 0 and same_entry:
        return True
    if not 0 <= gap_us <= BREAK_US_MAX:
        return False
    if stretch.kind == last.kind == "live":
        return same_entry
    same_film = last.source is not None and (last.source, last.title) == (stretch.source, stretch.title)
    return same_film and stretch.first_segment >= last.first_segment + last.segments


def _begun(stretch: Stretch, rights: Rights) -> Programme:
    return Programme(
        title=stretch.title,
        kind="live" if stretch.kind == "live" or _is_awaited(stretch) else "programme",
        start_us=us_of(stretch.start_tick),
        end_us=us_of(stretch.end_tick),
        first_msn=stretch.first_msn,
        date=stretch.date,
        entry_id=stretch.entry_id,
        renditions=frozenset() if _is_awaited(stretch) else frozenset({stretch.rendition}),
        catchup=not _is_awaited(stretch) and may_be_seen(stretch, rights),
    )


def _longer(programme: Programme, stretch: Stretch, rights: Rights) -> Programme:
    if _is_awaited(stretch):
        return msgspec.structs.replace(programme, end_us=us_of(stretch.end_tick))
    return msgspec.structs.replace(
        programme,
        end_us=us_of(stretch.end_tick),
        renditions=programme.renditions | {stretch.rendition},
        catchup=(programme.catchup or not programme.renditions) and may_be_seen(stretch, rights),
    )
