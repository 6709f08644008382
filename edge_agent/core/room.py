"""Room on the disk, as far as one plan is concerned: what may still be written, and what has to go for it."""

from collections.abc import Iterator

from appliance.core.cache import let_go, over_quota_bytes
from edge_agent.core.observation import Observation
from edge_agent.core.steps import Remove, Step, TellOfRoom


class Room:
    """What may still be written in this plan, and what has to go so that the first thing without room gets some."""

    def __init__(self, seen: Observation) -> None:
        self._space, self._now_us = seen.space, seen.now_us
        coming = {digest for child in seen.children if child.work in ("fetch", "carry") for digest in child.subjects}
        coming |= seen.link.given
        coming_bytes = sum(
            max(0, wanted.size_bytes - max(0, wanted.staged_bytes)) for wanted in seen.wanted if wanted.digest in coming
        )
        self._left_bytes = seen.space.free_bytes - seen.space.reserve_bytes - coming_bytes
        self._coming_bytes = coming_bytes
        self._evictable_bytes = sum(size_bytes for _digest, size_bytes in seen.space.evictable)
        self._to_free_bytes = 0
        self._lacking_bytes = 0

    def take(self, size_bytes: int) -> bool:
        """Whether there is room for so much more. What has none waits; what is smaller may still go before it."""
        short_bytes = size_bytes - self._left_bytes
        if short_bytes <= 0:
            self._left_bytes -= size_bytes
            self._coming_bytes += size_bytes
            return True
        if short_bytes > self._evictable_bytes:
            self._lacking_bytes = max(self._lacking_bytes, short_bytes - self._evictable_bytes)
        elif not self._to_free_bytes:
            self._to_free_bytes = short_bytes
        return False

    def evictions(self) -> Iterator[Step]:
        """Enough for the first that had no room, for the reserve, and for the quota, which keeps out nothing."""
        space = self._space
        short_bytes = max(
            self._to_free_bytes,
            space.reserve_bytes - space.free_bytes,
            over_quota_bytes(space.cache_bytes + self._coming_bytes, space.cache_bytes_max),
        )
        yield from (Remove(digest) for digest in let_go(space.evictable, short_bytes)[0])

    def words(self) -> Iterator[Step]:
        """Say it when something has no room whatever goes, and when that is over."""
        is_short = self._lacking_bytes > 0 or self._now_us < self._space.full_until_us
        if is_short != self._space.is_told:
            yield TellOfRoom(max(self._lacking_bytes, int(is_short)))
