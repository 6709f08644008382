"""The letters that wait to leave: one message on one way out, kept on the disk until it is delivered. Pure.

A way out that cannot be reached rests, longer each time; a letter that is refused rests by itself, and the others of
its way go on. A letter is given up after `GIVE_UP_S`, and the oldest goes where too many wait; both are counted.
"""

from typing import Final, Literal

import msgspec

from appliance.core.moment import US
from provisioning.fleet.core.telling import Known, Message

Way = Literal["mail", "webhook"]
PAUSE_S: Final = 30.0
PAUSE_S_MAX: Final = 3600.0
GIVE_UP_S: Final = 3 * 86_400.0
"""Longer than a weekend with the relay away; what is older is no news."""
LETTERS_MAX: Final = 200
"""Of one way; with one message in five minutes most of a day."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way. `to`: the recipients that have not got it yet, of mail."""

    message: Message
    way: Way
    to: tuple[str, ...] = ()
    tries: int = 0
    next_us: int = 0


class WayOut(msgspec.Struct, frozen=True, kw_only=True):
    """How a way out does. `failing_since_us`: None while it works."""

    way: Way
    failing_since_us: int | None = None
    reason: str = ""
    tries: int = 0
    next_us: int = 0
    sent: int = 0
    lost: int = 0


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """All that the watch must not forget, in one file and so in one piece: what is known, told, and not delivered.

    `away_from_us`, `looked_us`: since when counties may be held to be away, and the last look that was kept.
    """

    v: int = 1
    known: Known = Known()
    letters: tuple[Letter, ...] = ()
    ways: tuple[WayOut, ...] = ()
    away_from_us: int = 0
    looked_us: int = 0
    has_lost_line: bool = False

    def way(self, way: Way) -> WayOut:
        return next((each for each in self.ways if each.way == way), WayOut(way=way))


def posted(book: Book, message: Message, ways: dict[Way, tuple[str, ...]]) -> Book:
    """With the message on each way out, behind those that wait; the oldest of a way goes where there are too many."""
    for way, to in ways.items():
        letters = [*book.letters, Letter(message=message, way=way, to=to)]
        mine = [each for each in letters if each.way == way]
        over = mine[: max(0, len(mine) - LETTERS_MAX)]
        book = _replace(book, [each for each in letters if each not in over])
        if over:
            book = _way(book, msgspec.structs.replace(book.way(way), lost=book.way(way).lost + len(over)))
    return book


def settled(book: Book, ways: dict[Way, tuple[str, ...]], now_us: int) -> Book:
    """Without what is too old, and without ways out that there are no more; nothing is put off beyond the longest
    pause, whatever the clock did."""
    latest_us = now_us + round(PAUSE_S_MAX * US)
    old = [each for each in book.letters if now_us - each.message.at_us > GIVE_UP_S * US]
    kept = [
        msgspec.structs.replace(each, next_us=min(each.next_us, latest_us))
        for each in book.letters
        if each not in old and each.way in ways
    ]
    there = [
        msgspec.structs.replace(
            each, next_us=min(each.next_us, latest_us), lost=each.lost + sum(one.way == each.way for one in old)
        )
        for each in (book.way(way) for way in ways)
    ]
    return msgspec.structs.replace(book, letters=tuple(kept), ways=tuple(there))


def due(book: Book, now_us: int, passed: frozenset[Way] = frozenset()) -> Letter | None:
    """The oldest letter that may be tried now; none of a way that rests or was passed over."""
    for letter in book.letters:
        rests = book.way(letter.way).next_us > now_us or letter.way in passed
        if not rests and letter.next_us <= now_us:
            return letter
    return None


def delivered(book: Book, letter: Letter) -> Book:
    """It has arrived."""
    way = book.way(letter.way)
    works = msgspec.structs.replace(way, failing_since_us=None, reason="", tries=0, next_us=0, sent=way.sent + 1)
    return _way(_replace(book, [each for each in book.letters if each != letter]), works)


def refused(book: Book, letter: Letter, reason: str, now_us: int, left: tuple[str, ...]) -> Book:
    """The other side does not want this one, or these recipients of it; it rests, and the others go on."""
    tries = letter.tries + 1
    later = msgspec.structs.replace(letter, to=left, tries=tries, next_us=now_us + pause_us(tries))
    way = book.way(letter.way)
    since_us = way.failing_since_us if way.failing_since_us is not None else now_us
    failing = msgspec.structs.replace(way, failing_since_us=since_us, reason=reason)
    return _way(_replace(book, [later if each == letter else each for each in book.letters]), failing)


def unreached(book: Book, letter: Letter, reason: str, now_us: int) -> Book:
    """The way out cannot be reached: all of its letters wait."""
    way = book.way(letter.way)
    since_us = way.failing_since_us if way.failing_since_us is not None else now_us
    tries = way.tries + 1
    rests = msgspec.structs.replace(
        way, failing_since_us=since_us, reason=reason, tries=tries, next_us=now_us + pause_us(tries)
    )
    return _way(book, rests)


def pause_us(tries: int) -> int:
    """30 s, 1 min, 2 min … an hour."""
    return int(min(PAUSE_S_MAX, PAUSE_S * 2.0 ** min(tries - 1, 12))) * US


def _replace(book: Book, letters: list[Letter]) -> Book:
    return msgspec.structs.replace(book, letters=tuple(letters))


def _way(book: Book, changed: WayOut) -> Book:
    return msgspec.structs.replace(book, ways=(*(each for each in book.ways if each.way != changed.way), changed))
