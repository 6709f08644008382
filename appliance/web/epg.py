"""The programme guide of a channel, out of its air ledger: what airs is what is told."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, Protocol

from appliance.core.rundown import us_of
from appliance.core.ts import TICKS_PER_FRAME

QUIET_KINDS: Final = frozenset({"filler", "ad", "promo", "slate", "test"})
"""Not told as programmes of their own: a reader looks for programmes, not for what joins them."""


class Stretch(Protocol):
    """What of a ledger row is told."""

    @property
    def start_tick(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def entry_id(self) -> str | None: ...
    @property
    def title(self) -> str: ...
    @property
    def kind(self) -> str: ...


class Programme(NamedTuple):
    """One line of the guide; `kind` is `programme`, `live` or `filler`, which has no title."""

    title: str
    kind: Literal["programme", "live", "filler"]
    start_us: int
    end_us: int


def programmes(stretches: Iterable[Stretch]) -> tuple[Programme, ...]:
    """Join the stretches of one entry, and all that lies between two programmes into one quiet line."""
    found: list[Programme] = []
    last_key: object = None
    for stretch in stretches:
        quiet = stretch.kind in QUIET_KINDS
        key = None if quiet else (stretch.entry_id, stretch.title)
        start_us = us_of(stretch.start_tick)
        end_us = us_of(stretch.start_tick + stretch.frames * TICKS_PER_FRAME)
        if found and key == last_key and found[-1].end_us == start_us:
            found[-1] = found[-1]._replace(end_us=end_us)
        elif quiet:
            found.append(Programme("", "filler", start_us, end_us))
        else:
            kind: Literal["programme", "live"] = "live" if stretch.kind == "live" else "programme"
            found.append(Programme(stretch.title, kind, start_us, end_us))
        last_key = key
    return tuple(found)


def now_and_next(guide: Iterable[Programme], now_us: int) -> tuple[Programme | None, Programme | None]:
    """What is on, a quiet line too, and the first programme after it."""
    current: Programme | None = None
    for programme in guide:
        if programme.start_us <= now_us < programme.end_us:
            current = programme
        elif programme.start_us > now_us and programme.kind != "filler":
            return current, programme
    return current, None
