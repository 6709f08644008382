"""An import from a stick, as far as it has come: what to look at next, and what was found. Pure.

    the label and the hub's note    whose stick it is
    the streams, the urgent first   pages, each judged and applied before the next ones are asked for
    the assets                      which of those that are wanted lie there whole

What lies there is copied like a fetch, as a step of the plan. Killed, the whole of it begins again and passes over what
is known: nothing of this is kept.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

import msgspec

from appliance.core.carry import Note
from appliance.core.errors import Text

FOUND_MAX: Final = 200
"""Assets that are looked for in one go."""


class Journey(msgspec.Struct, frozen=True):
    """`name` is that of the command, `path` where the stick is mounted. `streams` are still to be read.

    `asked` were looked for, `here` are whole on the stick, `failed` could not be copied or were not what they are
    called. `loaded_at` is when the hub wrote the stick, and `left_assets` how many it had no room for.
    """

    name: str
    path: str
    streams: tuple[str, ...]
    began_us: int
    is_labelled: bool = False
    loaded_at: str | None = None
    left_assets: int = 0
    asked: frozenset[str] = frozenset()
    here: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    records: int = 0
    copied_assets: int = 0
    copied_bytes: int = 0
    problems: tuple[Text, ...] = ()
    next_part: int = 0
    """Of a snapshot that is being read; 0 where none is."""
    is_over: bool = False
    """Nothing more can be had from this stick: it is gone, or none of ours."""


class Answer(msgspec.Struct, frozen=True):
    """What a process found that looked at the stick, as far as it was asked for. `problem` is there unless `done`."""

    verdict: Literal["done", "refused", "full", "failed"]
    problem: Text | None = None
    hint: Text | None = None
    note: Note | None = None
    pages: tuple[str, ...] = ()
    head: tuple[str, str] | None = None
    statement: tuple[str, str] | None = None
    """Of a snapshot that reaches further than what is here."""
    is_last: bool = True
    digests: tuple[str, ...] = ()


def next_look(
    journey: Journey, places: Mapping[str, tuple[int, int]], wanted: Sequence[tuple[str, int]]
) -> tuple[str, ...] | None:
    """The words of the next process that looks at the stick; None when all was looked at.

    `places` is how far each stream has come here, `wanted` the assets that lack, with their sizes.
    """
    if journey.is_over:
        return None
    if not journey.is_labelled:
        return ("label",)
    if journey.streams and journey.next_part:
        return "part", journey.streams[0], str(journey.next_part)
    if journey.streams:
        epoch, seq = places[journey.streams[0]]
        return "pages", journey.streams[0], str(epoch), str(seq)
    unasked = [f"{digest}={size_bytes}" for digest, size_bytes in wanted if digest not in journey.asked]
    return ("find", *unasked[:FOUND_MAX]) if unasked else None


def to_copy(journey: Journey | None, wanted: Collection[str]) -> frozenset[str]:
    """Of what lacks here, what the stick has and did not fail."""
    if journey is None or journey.is_over:
        return frozenset()
    return (journey.here - journey.failed).intersection(wanted)


def without_stream(journey: Journey, problem: Text | None = None) -> Journey:
    """The first stream is done with, or given up with a reason."""
    problems = (*journey.problems, problem) if problem is not None else journey.problems
    return msgspec.structs.replace(journey, streams=journey.streams[1:], next_part=0, problems=problems)


def with_found(journey: Journey, asked: Collection[str], here: Collection[str]) -> Journey:
    """So many were looked for, and these are there."""
    return msgspec.structs.replace(journey, asked=journey.asked.union(asked), here=journey.here.union(here))


def with_copied(journey: Journey, digest: str, size_bytes: int) -> Journey:
    """An asset was copied; it has still to be hashed."""
    return msgspec.structs.replace(
        journey, copied_assets=journey.copied_assets + 1, copied_bytes=journey.copied_bytes + size_bytes
    )


def with_failed(journey: Journey, digest: str, problem: Text) -> Journey:
    """An asset of the stick cannot be had from it."""
    if digest not in journey.here or digest in journey.failed:
        return journey
    return msgspec.structs.replace(journey, failed=journey.failed | {digest}, problems=(*journey.problems, problem))
