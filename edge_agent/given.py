"""Small assets that the hub hands over in the session: asked for as the plan says, and taken in some together.

    next     to be asked for as others come, so that the line is never idle: as the last plan says, and planned anew
    asked    named to the hub, and not answered in this session yet
    came     here, hashed, in memory: until there are some, or nothing more is on its way

Nothing of it is lost that counts: what a killed agent had in memory is still wanted, and asked for again.
"""

import errno
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlite_utils import Database

from appliance import files, together
from appliance.config import Config
from appliance.core.errors import DiskFull, SongshanError
from appliance.core.moment import US
from appliance.core.session import Session
from appliance.store import work
from edge_agent.core.observation import Child, Work
from edge_agent.core.outcomes import Arrived, Ceased, Outcome, Result

FILES_TOGETHER: Final = 1024
BYTES_TOGETHER: Final = 4 * 1024 * 1024
TOGETHER_US: Final = US // 2
"""So long the first of them waits for others, at the most."""
STALLED_US: Final = 120 * US
"""One of the largest takes half a minute on the slowest line that anybody would call one."""
RATED_US: Final = US // 5
"""So long what comes is counted for the rate at which it comes now,"""
LISTENED_EVERY_US: Final = US // 20
"""without a longer pause between two looks: what came while we did something else says nothing about the line."""
RATES_KEPT: Final = 5
METERED_BYTES_MIN: Final = 64 * 1024
"""With less on its way it is not the line that is measured, but the round trip."""
ASKED_AGAIN_BELOW: Final = 0.75
"""Of what may be on its way: with less, more is asked for."""
WRITERS: Final[tuple[Work, ...]] = ("fetch", "carry", "base", "take", "package")
"""Children that may have left much unwritten: to wait for the whole disk would be to wait for them."""
DISK_FAULTS: Final = files.BROKEN | {errno.EROFS}


class Given:
    """What of it is under way in one run of the agent."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._came: dict[str, bytes] = {}
        self._came_bytes = 0
        self._since_us = 0
        self._moved_us = 0
        self._carried_bytes = 0
        self._asked_bytes = 0
        self._next: deque[tuple[str, int]] = deque()
        self._bytes_max = 0
        self._listened_us = self._rated_us = self._rated_bytes = 0
        self._rates: deque[float] = deque(maxlen=RATES_KEPT)

    def begin(self) -> None:
        """Another session: what the last one was asked for does not come any more."""
        self._asked.clear()
        self._asked_bytes = 0
        self._next.clear()
        self._rates.clear()

    @property
    def digests(self) -> frozenset[str]:
        """All that is under way."""
        return frozenset((*self._asked, *self._came))

    @property
    def asked_bytes(self) -> int:
        """On its way."""
        return self._asked_bytes

    @property
    def is_under_way(self) -> bool:
        """Whether the hub still owes some."""
        return bool(self._asked)

    @property
    def rate_bytes_per_s(self) -> float | None:
        """How fast it came lately while the line was never idle for our sake; None: not known yet."""
        return max(self._rates, default=None)

    def listened(self, now_us: int) -> None:
        """All that was there to be read has been."""
        if not self._asked or now_us > self._listened_us + LISTENED_EVERY_US:
            self._rated_us, self._rated_bytes = now_us, 0
        elif now_us >= self._rated_us + RATED_US:
            self._rates.append(self._rated_bytes * US / (now_us - self._rated_us))
            self._rated_us, self._rated_bytes = now_us, 0
        self._listened_us = now_us

    def ask(self, digests: Sequence[str], sizes_bytes: Sequence[int], now_us: int) -> None:
        """The hub was asked for these."""
        if not self._asked:
            self._moved_us = now_us
        self._asked.update(zip(digests, sizes_bytes, strict=True))
        self._asked_bytes += sum(sizes_bytes)

    def ask_of(self, session: Session, digests: Sequence[str], sizes_bytes: Sequence[int], now_us: int) -> bool:
        """Ask the hub for these in a session; False where it does not let so many wait."""
        if session.is_over or len(digests) > session.giving.left():
            return False
        session.giving.ask_for(digests)
        self.ask(digests, sizes_bytes, now_us)
        return True

    def ask_for_more_of(self, session: Session, now_us: int) -> bool:
        """As some have come the next are asked for, as was planned; whether any were."""
        more = self.next_to_ask(session.giving.left())
        return bool(more) and self.ask_of(
            session, [each for each, _size in more], [size for _each, size in more], now_us
        )

    def go_on_with(self, behind: Sequence[tuple[str, int]], bytes_max: int) -> None:
        """Ask for these, digest and size, in this order, as long as no more than so many bytes are on their way."""
        self._next, self._bytes_max = deque(behind), bytes_max

    def next_to_ask(self, files_max: int) -> tuple[tuple[str, int], ...]:
        """What may be asked for now; a good part at a time, and not each as the one before it comes."""
        bytes_, found = self._asked_bytes, list[tuple[str, int]]()
        if bytes_ <= self._bytes_max * ASKED_AGAIN_BELOW:
            while (
                self._next and len(found) < files_max and (bytes_ + self._next[0][1] <= self._bytes_max or not bytes_)
            ):
                found.append(self._next.popleft())
                bytes_ += found[-1][1]
        return tuple(found)

    def comes(self, digest: str, content: bytes, now_us: int) -> None:
        """It came, and is what its digest says."""
        self.moves_on(digest, now_us)
        if not self._came:
            self._since_us = now_us
        self._came[digest] = content
        self._rated_bytes += len(content)
        self._came_bytes += len(content)
        self._carried_bytes += len(content)

    def moves_on(self, digest: str, now_us: int) -> None:
        """The hub has answered, if only that it does not give it."""
        self._asked_bytes -= self._asked.pop(digest, 0)
        self._moved_us = now_us

    def is_stalled(self, now_us: int) -> bool:
        """Whether the hub speaks, and does not answer what it was asked for."""
        return bool(self._asked) and now_us >= self._moved_us + STALLED_US

    def is_due(self, now_us: int) -> bool:
        """Whether what came is to be taken in now."""
        is_enough = len(self._came) >= FILES_TOGETHER or self._came_bytes >= BYTES_TOGETHER
        return bool(self._came) and (
            is_enough or not (self._asked or self._next) or now_us >= self._since_us + TOGETHER_US
        )

    def take(self) -> Mapping[str, bytes]:
        """What came; it is the caller's now."""
        came, self._came, self._came_bytes = self._came, {}, 0
        return came

    def metered(self) -> tuple[bool, int]:
        """For the meter: whether enough is on its way to measure the line, and what came since the last look."""
        carried_bytes, self._carried_bytes = self._carried_bytes, 0
        return self.asked_bytes >= METERED_BYTES_MIN, carried_bytes


def take_in(given: Given, config: Config, db: Database, children: Iterable[Child], now_us: int) -> Sequence[Outcome]:
    """Make assets of what came, as far as it is still wanted; what became of each."""
    if not given.is_due(now_us):
        return ()
    came = given.take()
    if not files.media_are_there(config):
        return ()
    wanted = work.coming_among(db, came)
    content = {digest: came[digest] for digest in came if digest in wanted}
    # A rendition is read through for its table, like one that rsync brought.
    staged = {digest: content.pop(digest) for digest in work.renditions_among(db, content)}
    if len(content) > together.ONE_BY_ONE_MAX and any(child.work in WRITERS for child in children):
        staged |= content
        content = {}
    try:
        together.stage_contents(config, staged)
        together.adopt_contents(config, content)
    except SongshanError as error:
        return [_ceased(digest, error) for digest in (*staged, *content)]
    return [Arrived(digest, len(each)) for digest, each in content.items()]


def _ceased(digest: str, error: SongshanError) -> Ceased:
    """As of a transfer that the disk did not take."""
    is_disk = isinstance(error.__cause__, OSError) and error.__cause__.errno in DISK_FAULTS
    result = Result.NO_ROOM if isinstance(error, DiskFull) else Result.DISK if is_disk else Result.FAILED
    return Ceased(digest, False, result, error.problems[0])
