"""Records that wait, for somebody who looks through them: parked ones for an upgrade or a person, held ones for a fresh
signature of the hub. A person may have parked ones applied again.
"""

from typing import Final

from sqlite_utils import Database

from appliance.core.errors import Refused, Text
from appliance.store import journals
from appliance.store.journals import Apply, Waiting

TRIED_MAX: Final = 256
"""Records that are tried in one transaction: the agent does nothing else meanwhile."""


def held(db: Database, limit: int, after: tuple[str, int, int] = ("", 0, 0)) -> tuple[Waiting, ...]:
    """What waits for a fresh signature, oldest first; `after` a stream, epoch and sequence."""
    return journals.waiting(db, "held", limit, after)


def parked_at(db: Database, stream: str, epoch: int, seq: int) -> Waiting | None:
    """A parked record by its place; None when it is not parked any more."""
    found = journals.parked(db, 1, (stream, epoch, seq - 1))
    return next((each for each in found if (each.stream, each.epoch, each.seq) == (stream, epoch, seq)), None)


def reapply(db: Database, stream: str, epoch: int, seq: int, apply: Apply) -> int:
    """Apply one parked record again, or the oldest where `stream` is ""; how many could be. In a transaction.

    Refused with the reason of the first when none could be, and when nothing is parked there.
    """
    one = parked_at(db, stream, epoch, seq) if stream else None
    tried = (() if one is None else (one,)) if stream else journals.parked(db, TRIED_MAX)
    if not tried:
        raise Refused(Text("没有搁置的记录，或已执行", "nothing is parked there, or it was applied since"))
    done = sum(journals.try_again(db, each.stream, (each.epoch, each.seq), apply) for each in tried)
    if not done:
        left = parked_at(db, tried[0].stream, tried[0].epoch, tried[0].seq)
        raise Refused((left or tried[0]).reason)
    return done
