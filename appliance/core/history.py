"""When writer and reader of a stream do not stand in one history: what each has to do. Pure.

A stream has one writer, and whoever reads it keeps it. Three things can have happened when the two meet and the reader
stands where the writer never was:

    the writer is behind     it came back from an older copy: it takes back from the reader what it signed itself
    the histories part       it came back, and then wrote on: it takes the reader's branch back as the truth; what it
                             wrote after the parting is kept as evidence and issued again, once, in a new epoch
    the reader is astray     it followed a branch that was given up: it comes over to the writer's newer epoch, and
                             keeps what it had as evidence

The writer asks, with a trail of places where it was; the reader gives back what follows the newest that it knows, each
batch under a signature of the writer's that the reader kept. Nothing is taken back that the writer did not sign. So a
county is its hub's backup, and the hub the county's. docs/adr/0014-histories-that-part.md
"""

import enum
from collections.abc import Mapping
from typing import Final

from appliance.core.journal import Checkpoint, Position
from appliance.core.wire import TRAIL_MAX

EPOCHS_TRAILED: Final = 4
"""The newest epochs are trailed densely; of the older ones their ends alone."""


class Way(enum.Enum):
    """What a writer does with records of its own that a reader gives back."""

    KNOWN = "known"
    """It has them all."""
    APPEND = "append"
    """It is behind: they follow its head."""
    GIVE_WAY = "give way"
    """The histories part, and the reader's is the truth: what the writer has beyond is lost there, and issued again."""
    STAND = "stand"
    """The histories part, and the writer's is the newer epoch: what the reader has beyond is issued again in it."""


def way_of(parts: bool, has_more: bool, own_epoch: int, their_epoch: int, *, readers_follow: bool) -> Way:
    """What to do with a batch that was given back and whose signature is good.

    `parts`: the writer has other records where the reader has some. `has_more`: the reader has some that the writer has
    not. `readers_follow`: there are many readers, who come over to a newer epoch; a single one is never asked to, since
    what it holds is all that counts.
    """
    if not parts:
        return Way.APPEND if has_more else Way.KNOWN
    if readers_follow and own_epoch > their_epoch:
        return Way.STAND
    return Way.GIVE_WAY


def may_leave(last: Position, signed: Checkpoint | None) -> bool:
    """Whether a reader may leave the branch that ends in `last`: only for one that the writer signed in a newer epoch.

    `signed` is a checkpoint whose signature was found to be good.
    """
    return signed is not None and signed.position.epoch > last.epoch


def trail_of(ends: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """Places (epoch, sequence) to be named in a trail, the newest first; `ends` is the last sequence of each epoch.

    Steps double, so that the place where two histories part is found, in one question, at the cost of at most as many
    known records again as were new. The genesis is not among them.
    """
    found: list[tuple[int, int]] = []
    for number, epoch in enumerate(sorted(ends, reverse=True)):
        last = ends[epoch]
        steps = [0, *(1 << power for power in range(54))] if number < EPOCHS_TRAILED else [0]
        found += [(epoch, last - step) for step in steps if step < last]
    return tuple(found[: TRAIL_MAX - 1])
