"""What was typed against our own words: English, Chinese, or the initials of their pinyin (`tb` finds 同步). PURE.

The initial of a character follows from its place in GB 2312, whose first 3,755 are in the order of their pinyin; for
the few of our words that are read otherwise than they are placed there, the other reading counts as well.
"""

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_FIRST: Final = (
    ("a", 0xB0A1),
    ("b", 0xB0C5),
    ("c", 0xB2C1),
    ("d", 0xB4EE),
    ("e", 0xB6EA),
    ("f", 0xB7A2),
    ("g", 0xB8C1),
    ("h", 0xB9FE),
    ("j", 0xBBF7),
    ("k", 0xBFA6),
    ("l", 0xC0AC),
    ("m", 0xC2E8),
    ("n", 0xC4C3),
    ("o", 0xC5B6),
    ("p", 0xC5BE),
    ("q", 0xC6DA),
    ("r", 0xC8BB),
    ("s", 0xC8F6),
    ("t", 0xCBFA),
    ("w", 0xCDDA),
    ("x", 0xCEF4),
    ("y", 0xD1B9),
    ("z", 0xD4D1),
)
"""The first character of each initial; those in a row of one initial end where the next begins."""

_LAST: Final = 0xD7F9
_ALSO: Final = {
    "重": "c",
    "调": "t",
    "行": "h",
    "校": "j",
    "率": "s",
    "传": "z",
    "系": "j",
    "会": "k",
    "降": "x",
    "载": "z",
}
"""Characters of our words with a second reading."""


def matches(words: str, *texts: str) -> bool:
    """Whether one of our texts holds what was typed, or its initials begin so; nothing typed is in everything."""
    sought = words.strip().casefold()
    return not sought or any(sought in text.casefold() or _starts(sought, text) for text in texts)


def rank(words: str, *texts: str) -> int:
    """How well: 0 for a text that begins so, 1 for initials from the first character on, 2 for anything else."""
    sought = words.strip().casefold()
    if any(text.casefold().startswith(sought) for text in texts):
        return 0
    return 1 if any(_begins(sought, initials(text)) for text in texts) else 2


def initials(text: str) -> tuple[frozenset[str], ...]:
    """For each Chinese character or Latin word the letters that it may be asked by."""
    found: list[frozenset[str]] = []
    is_inside = False
    for character in text.casefold():
        if character.isascii():
            if character.isalnum() and not is_inside:
                found.append(frozenset(character))
            is_inside = character.isalnum()
            continue
        is_inside = False
        if letter := initial(character):
            found.append(frozenset({letter, _ALSO.get(character, letter)}))
    return tuple(found)


@lru_cache(maxsize=8192)
def initial(character: str) -> str:
    """The letter with which the pinyin of a common Chinese character begins; "" for any other character."""
    try:
        code = int.from_bytes(character.encode("gb2312"), "big")
    except UnicodeEncodeError:
        return ""
    if not _FIRST[0][1] <= code <= _LAST:
        return ""
    return _FIRST[bisect_right([first for _letter, first in _FIRST], code) - 1][0]


def _starts(sought: str, text: str) -> bool:
    known = initials(text)
    return any(_begins(sought, known[at:]) for at in range(len(known)))


def _begins(sought: str, known: Iterable[frozenset[str]]) -> bool:
    letters = tuple(known)
    return len(sought) <= len(letters) and all(letter in letters[at] for at, letter in enumerate(sought))
