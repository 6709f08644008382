"""Fillers (垫片) for a gap: which ones, in what order, so that they end when the gap does.

    filling(lengths, gap_frames, turn) -> Filling

The bulk of a long gap is played in turn, every filler as often as the others. The last minutes are solved: of all the
ways to play whole fillers one that ends with the gap, or comes closest from above; whose turn comes first is taken
first, and none is repeated oftener than it must. What is then too long loses its end: the longest filler of these
minutes comes last and is cut to the frame. Only where too little of it would be seen the rest is left to the slate.

The same fillers, gap and turn give the same answer on every box. docs/formats.md, section 7.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle, islice
from typing import Final

import msgspec

from appliance.core.ts import FRAMES_PER_S

FILLERS_MAX: Final = 500
"""More are not looked at."""
SOLVED_FRAMES: Final = 5 * 60 * FRAMES_PER_S
"""How much of a gap's end is solved, at the least: so many sums are possible that one of them is right."""
CLOSE_FRAMES: Final = 1
"""Nobody looks on for something closer than this."""
MORE_ROUNDS: Final = 8
"""So much more often than the others a filler may come in the last minutes, if it must."""
PLAYS_MAX: Final = 1024
"""So many plays are weighed against each other; where fillers are very short, less of the gap is solved."""
SHOWN_FRAMES_MIN: Final = 10 * FRAMES_PER_S
"""So much of a filler that is cut is seen at the least, or half of it: one that flashes by helps nobody."""
_REMEMBERED: Final = 4096


class Shown(msgspec.Struct, frozen=True):
    """A filler, by its place in the list, and how many frames of it are seen."""

    number: int
    frames: int


class Filling(msgspec.Struct, frozen=True):
    """What closes a gap: the whole list `rounds` times from the one whose turn it is, then `shown`, then the slate.

    `short_frames` tells how close whole fillers came: 0 where they end with the gap, else how much the last one was cut
    by, or how much the slate has to play.
    """

    rounds: int
    shown: tuple[Shown, ...]
    slate_frames: int
    short_frames: int


def filling(lengths: Sequence[int], gap_frames: int, turn: int) -> Filling:
    """Fill a gap with fillers of these lengths, each a frame at least; `turn` says which begins."""
    return _filling(tuple(lengths), gap_frames, turn % len(lengths) if lengths else 0)


@lru_cache(maxsize=_REMEMBERED)
def _filling(lengths: tuple[int, ...], gap_frames: int, turn: int) -> Filling:
    if not lengths:
        return Filling(0, (), gap_frames, gap_frames)
    one_round = sum(lengths)
    solved_frames = min(SOLVED_FRAMES, one_round * max(1, PLAYS_MAX // len(lengths) // 2))
    rounds = max(0, gap_frames - solved_frames) // one_round
    left = gap_frames - rounds * one_round
    shown: list[Shown] = []
    # One that does not fit at all is passed over; one that would leave too little to solve ends this.
    while (number := _fitting(lengths, left, turn)) is not None and lengths[number] <= left - solved_frames:
        shown.append(Shown(number, lengths[number]))
        left -= lengths[number]
        turn = (number + 1) % len(lengths)
    last, slate_frames, short_frames = _solved(lengths, left, turn)
    return Filling(rounds, (*shown, *last), slate_frames, short_frames)


def _fitting(lengths: Sequence[int], left: int, turn: int) -> int | None:
    return next((number for number in _in_turn(lengths, turn) if lengths[number] <= left), None)


def _in_turn(lengths: Sequence[int], turn: int) -> list[int]:
    return [(turn + step) % len(lengths) for step in range(len(lengths))]


def _solved(lengths: Sequence[int], left: int, turn: int) -> tuple[list[Shown], int, int]:
    """What is shown of the last minutes; then how much of the slate; how close it came."""
    if not left:
        return [], 0, 0
    order = _in_turn(lengths, turn)
    order = [number for number in order if lengths[number] <= left] or order
    sums = _Sums(lengths, left)
    least = len(order) * -(-left // sum(lengths[number] for number in order))
    # Oftener than this the shortest alone would be too long.
    most = len(order) * -(-left // min(lengths[number] for number in order))
    for number in islice(cycle(order), max(least, min(PLAYS_MAX, most, least + len(order) * MORE_ROUNDS))):
        if sums.add(number):
            break
    over = sums.over()
    plays = sums.plays(left + over)
    longest = max(plays, key=lambda number: lengths[number])
    seen = lengths[longest] - over
    if over and seen < min(SHOWN_FRAMES_MIN, lengths[longest] // 2):
        under = sums.under()
        return [Shown(number, lengths[number]) for number in sums.plays(left - under)], under, under
    if over:
        # Of several as long as each other the last one moves least.
        del plays[len(plays) - 1 - plays[::-1].index(longest)]
    shown = [Shown(number, lengths[number]) for number in plays]
    return [*shown, Shown(longest, seen)] if over else shown, 0, over


class _Sums:
    """Which lengths can be made of the first plays, and of which. A set of lengths is the bits of a number."""

    def __init__(self, lengths: Sequence[int], wanted: int) -> None:
        self._lengths, self._wanted = lengths, wanted
        self._mask = (1 << wanted + max(lengths)) - 1
        self._plays: list[int] = []
        self._made = [1]

    def add(self, number: int) -> bool:
        """One play more. Whether the length that is wanted, or one that is as good, can be made now."""
        made = self._made[-1]
        self._plays.append(number)
        self._made.append((made | made << self._lengths[number]) & self._mask)
        return bool(self._made[-1] >> self._wanted & (1 << CLOSE_FRAMES + 1) - 1)

    def over(self) -> int:
        """By how much the next longer one is too long."""
        above = self._made[-1] >> self._wanted
        return (above & -above).bit_length() - 1

    def under(self) -> int:
        """By how much the next shorter one is too short."""
        below = self._made[-1] & (1 << self._wanted + 1) - 1
        return self._wanted + 1 - below.bit_length()

    def plays(self, total: int) -> list[int]:
        """The plays that make a length which can be made, the earliest possible ones, in order."""
        found: list[int] = []
        for before, number in zip(reversed(self._made[:-1]), reversed(self._plays), strict=True):
            if not before >> total & 1:
                found.append(number)
                total -= self._lengths[number]
        return found[::-1]
