"""Words that must not be kept. Every story, order, tip and submission of a simulation has one that stands nowhere else;
once its record was redacted, and both sides have done what there is to do, it is in no file of either.

What another record says too, as the offer that the hub made of a submission, is not gone before that is.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals

WORD: Final = re.compile(rb"words[0-9a-f]{16}")
PERSONAL: Final = ("item", "offer", "order", "tip", "submission", "answer")
"""Kinds that may be about somebody."""


def new_word(chance: Random) -> str:
    return f"words{chance.randbytes(8).hex()}"


def places_of(folder: HubFolder, streams: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """The records at the hub that somebody may want redacted."""
    journals = HubJournals(folder)
    return [
        (name, *record.header.place)
        for name in streams
        for record in journals.stream(name).records()
        if record.header.kind in PERSONAL and record.body is not None
    ]


def left_of(words: set[bytes], folder: HubFolder, streams: tuple[str, ...], homes: list[Path]) -> Iterator[str]:
    """Files in which redacted words still stand, though no record says them any more."""
    if not words:
        return
    journals = HubJournals(folder)
    said = {
        word
        for name in streams
        for record in journals.stream(name).records()
        for word in WORD.findall(record.body or b"")
    }
    gone = words - said
    for home in (folder.path, *homes):
        for path in _files(home):
            for word in gone & set(WORD.findall(path.read_bytes())):
                yield f"{word.decode()} is left in {path.relative_to(home.parent)}"


def _files(folder: Path) -> Iterator[Path]:
    for inside, _folders, names in os.walk(folder):
        yield from (Path(inside) / name for name in names)
