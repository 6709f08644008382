"""When to try again. The random number is an argument, so that a whole night of retries can be played in a test."""

from typing import Final

import msgspec

from appliance.core.moment import US


class Backoff(msgspec.Struct, frozen=True):
    """The first wait, and the longest."""

    first_us: int
    longest_us: int


LINK: Final = Backoff(1 * US, 60 * US)
"""The hub cannot be reached. After a cut of days a county must not wait long, nor sixteen of them knock at once."""
LOCKED_OUT: Final = Backoff(15 * US, 600 * US)
"""The hub does not accept this site's key: only a person can change that."""
TRANSFER: Final = Backoff(2 * US, 300 * US)
NO_ROOM: Final = Backoff(15 * US, 300 * US)
IMPORT: Final = Backoff(1 * US, 15 * US)
"""A live entry is on the air: every second of it is filler."""
PACKAGING: Final = Backoff(10 * US, 1800 * US)

_DOUBLINGS_MAX: Final = 20


def next_attempt_us(now_us: int, failures: int, jitter: float, backoff: Backoff) -> int:
    """The moment of the next attempt after so many failures in a row, the last of them now.

    Waits double up to the longest. `jitter` in [0, 1) spreads each over its upper half, so that boxes cut off together
    do not come back together.
    """
    assert failures >= 1, "asked after a failure"
    assert 0 <= jitter < 1, "a fraction"
    whole_us = min(backoff.longest_us, backoff.first_us << min(failures - 1, _DOUBLINGS_MAX))
    return now_us + whole_us // 2 + int(whole_us / 2 * jitter)


def is_due(not_before_us: int, now_us: int, backoff: Backoff) -> bool:
    """Whether the wait is over. One that is longer than any wait was noted by a clock that has been set back since."""
    return not_before_us <= now_us or not_before_us > now_us + backoff.longest_us
