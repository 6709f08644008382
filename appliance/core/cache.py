"""What may be let go when room is short, what may not, and why: pins, the order of eviction, the quota.

Pure: the agent says what is used and held, and removes from the front of an order until enough is free.

    pins                 everything that is in use, with every reason
    order_of_eviction    the rest, what was not used for longest first
    quarantine_over      what may go of the bytes that were set aside
    let_go               as much of that order as is needed
    over_quota_bytes     by how much what is held is more than it may be
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec

from appliance.core.errors import Text
from appliance.core.moment import US
from appliance.core.stock import Holding

Why = Literal["air", "insert", "schedule", "template", "filler", "item", "submission", "transfer", "catchup"]
"""Why an asset stays, the most pressing reason first. What is kept for `catchup` alone goes when room is short."""


class Pin(msgspec.Struct, frozen=True):
    """One reason. `name` is what people call what uses it; `place` its channel, item, submission or direction.

    `at_us` is when it next airs, for an item when its time is over; None where that is not known.
    """

    why: Why
    name: str = ""
    place: str = ""
    at_us: int | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were set aside under a name of their own. Those that the disk does not give back are unreadable."""

    name: str
    digest: str
    size_bytes: int
    since_us: int
    is_readable: bool = True


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An asset on disk. `pins`: why it stays; `goes`: as which one it would go, from 1; None while it stays, and where
    nobody asked for the whole order."""

    digest: str
    name: str
    role: str
    size_bytes: int
    state: str
    last_used_us: int
    verified_us: int | None
    airs_us: int | None = None
    pins: tuple[Pin, ...] = ()
    goes: int | None = None


class Loose(msgspec.Struct, frozen=True, kw_only=True):
    """What may go when room is short: the first of it, in the order in which it goes, and how much all of it is."""

    first: tuple[Kept, ...] = ()
    assets: int = 0
    size_bytes: int = 0


QUARANTINE_KEPT_US: Final = 14 * 86_400 * US
QUARANTINE_BYTES_MAX: Final = 64 * 1024**3
"""The largest file that is taken in: it is worth to be compared with."""


def pins(
    found: Iterable[tuple[str, Pin]], renditions: Mapping[str, str], recalled: Collection[str]
) -> dict[str, tuple[Pin, ...]]:
    """Why each digest stays, the most pressing reason first. `renditions`: by source.

    What a channel is to play pins the source and its rendition. What was recalled is pinned by nothing but what the air
    has announced already.
    """
    pinned: dict[str, set[Pin]] = {}
    for digest, pin in found:
        both = (digest, renditions.get(digest, digest)) if pin.why in _PLAYED else (digest,)
        for each in both:
            if pin.why == "air" or each not in recalled:
                pinned.setdefault(each, set()).add(pin)
    return {digest: tuple(sorted(each, key=_pressing)) for digest, each in pinned.items()}


def order_of_eviction(holdings: Iterable[Holding], pinned: Mapping[str, Collection[Pin]]) -> tuple[Holding, ...]:
    """What is on disk and may go, in the order in which it goes: what nothing uses, then what can only be seen again.

    Oldest last use first; of the same age the larger, so that fewer go; then by digest, so that two boxes choose alike.
    """
    loose = (
        (bool(pinned.get(holding.digest)), holding.last_used_us, -holding.size_bytes, holding.digest, holding)
        for holding in holdings
        if holding.state == "here" and all(pin.why == "catchup" for pin in pinned.get(holding.digest, ()))
    )
    return tuple(holding for *_, holding in sorted(loose, key=lambda each: each[:4]))


def quarantine_over(
    held: Iterable[Quarantined], wanted: Collection[str], healed: Collection[str], now_us: int, *, is_short: bool
) -> tuple[str, ...]:
    """The names that may go: what was healed, what is too old, the oldest of what is too much, and all that nothing is
    compared with when room `is_short`. Unreadable files stay their time: they keep bad blocks from being used again.
    """
    gone: list[str] = []
    kept_bytes = 0
    for each in sorted(held, key=lambda each: (-each.since_us, each.name)):
        is_over = each.since_us + QUARANTINE_KEPT_US <= now_us or kept_bytes + each.size_bytes > QUARANTINE_BYTES_MAX
        is_idle = each.digest not in wanted and (is_short or each.digest in healed)
        if is_over or (each.is_readable and is_idle):
            gone.append(each.name)
        else:
            kept_bytes += each.size_bytes
    return tuple(gone)


def let_go(order: Iterable[tuple[str, int]], short_bytes: int) -> tuple[tuple[str, ...], int]:
    """The front of an order, (digest, bytes) each, that frees so much; and by how much all of it is too little."""
    chosen: list[str] = []
    for digest, size_bytes in order:
        if short_bytes <= 0:
            break
        chosen.append(digest)
        short_bytes -= size_bytes
    return tuple(chosen), max(0, short_bytes)


def over_quota_bytes(cache_bytes: int, cache_bytes_max: int) -> int:
    """By how much what is held and coming is more than it may be; 0 for a maximum of 0, which is none."""
    return max(0, cache_bytes - cache_bytes_max) if cache_bytes_max else 0


def words(pin: Pin) -> Text:
    """A reason for people, but for its moment."""
    word = _WORDS[pin.why]
    name = f"《{pin.name}》" if pin.name else "", f" {pin.name!r}" if pin.name else ""
    place = f" {pin.place}" if pin.place else ""
    return Text(f"{word.zh}{place}{name[0]}", f"{word.en}{place}{name[1]}")


_PLAYED: Final = frozenset({"schedule", "template", "filler", "insert"})
_RANK: Final = {why: rank for rank, why in enumerate(get_args(Why))}
_WORDS: Final[dict[Why, Text]] = {
    "air": Text("播出账", "air ledger of"),
    "insert": Text("应急插播", "insertion on"),
    "schedule": Text("节目单", "schedule of"),
    "template": Text("模板", "template of"),
    "filler": Text("垫片", "filler of"),
    "item": Text("稿件", "item"),
    "submission": Text("回传未回执，", "submission without receipt,"),
    "transfer": Text("正在传输", "transfer"),
    "catchup": Text("回看", "seen again,"),
}


def _pressing(pin: Pin) -> tuple[int, int, str, str]:
    return _RANK[pin.why], pin.at_us if pin.at_us is not None else 2**62, pin.place, pin.name
