"""Titles are found by the initials of their pinyin too: on a bare console nobody can type Chinese."""

from functools import partial
from typing import Final

from appliance.store.desk import Sounds, in_no_way
from tui.finding import matches

LETTERS_MIN: Final = 2
"""One letter begins nearly every title."""


def sounds_of(words: str) -> Sounds:
    """For letters alone; what has a figure or a blank in it is meant as it is written."""
    typed = words.strip()
    if len(typed) < LETTERS_MIN or not (typed.isascii() and typed.isalpha()):
        return in_no_way
    return partial(matches, typed)
