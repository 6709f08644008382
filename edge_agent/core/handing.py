"""What the hub hands over in the session itself: small assets, no more of them on their way than a recall may wait for.

The session is quick to begin, there is no connection to be made; but all that is said in it comes in one order. So it
is for what is small, and only a little of that at a time.
"""

from collections.abc import Sequence

from appliance.core.moment import US
from edge_agent.core.observation import Observation, Policy, Wanted
from edge_agent.core.room import Room
from edge_agent.core.turns import Running, running_of
from edge_agent.core.urgency import deadline_of


class Handing:
    """As far as one plan is concerned: what is on its way, and what may be asked for beside it."""

    def __init__(self, seen: Observation, policy: Policy) -> None:
        self._seen, self._policy = seen, policy
        self._is_limited = seen.allowance.down_bytes_per_s > 0
        self._digests, self._bytes = set(seen.link.given), seen.link.given_bytes
        rates = [rate for rate in (seen.rate_bytes_per_s, seen.link.given_bytes_per_s) if rate is not None]
        least_bytes, most_bytes = policy.give_bytes
        # By what this session carries now, or by what the line has carried: to ask for less than it can would be
        # measured as a slower line, and be asked for less yet.
        wished_bytes = round(max(rates) * policy.give_us / US) if rates else policy.give_unmeasured_bytes
        self.bytes_max = min(max(wished_bytes, least_bytes), most_bytes)

    def may_have(self, wanted: Wanted) -> bool:
        """Whether the session is the way for it: not what failed, what was begun otherwise, what may use but a share of
        the line."""
        is_small = wanted.size_bytes <= self._seen.link.gives_bytes_max and wanted.staged_bytes < 0
        if not is_small or travels_alone(wanted):
            return False
        return not self._is_limited or not speed(self._seen, self._policy, (wanted,))

    def fits_beside(self, missing: Sequence[Wanted]) -> bool:
        """Whether all the small ones before the next large one are so little that nothing need give way to them, nor
        they to anything."""
        left_bytes = self._bytes
        for wanted in missing:
            if not self.may_have(wanted) or left_bytes > self._policy.give_bytes[0]:
                break
            left_bytes += wanted.size_bytes
        return left_bytes <= self._policy.give_bytes[0]

    def beside(self, running: Sequence[Running], named: dict[str, Wanted]) -> list[Running]:
        """What runs, and this with it, in the order of deadlines: for the turn of a large one."""
        given = [running_of(tuple(sorted(self._digests)), named, None)] if self._digests else []
        return sorted([*running, *given], key=lambda each: each.deadline_us)

    def batch(self, missing: Sequence[Wanted], room: Room) -> list[Wanted]:
        """The next of them that may be on their way, and that there is room for."""
        batch: list[Wanted] = []
        for wanted in missing:
            is_full = bool(self._digests) and self._bytes + wanted.size_bytes > self.bytes_max
            if is_full or len(self._digests) >= self._policy.give_files_max or not self.may_have(wanted):
                break
            if room.take(wanted.size_bytes):
                batch.append(wanted)
                self._digests.add(wanted.digest)
                self._bytes += wanted.size_bytes
        return batch

    def behind(self, missing: Sequence[Wanted], room: Room) -> list[Wanted]:
        """Those that follow, for when others have come."""
        behind: list[Wanted] = []
        for wanted in missing:
            if len(behind) >= self._policy.give_behind_max or not self.may_have(wanted):
                break
            if room.take(wanted.size_bytes):
                behind.append(wanted)
        return behind


def travels_alone(wanted: Wanted) -> bool:
    """So that it fails alone, or because it is compared with a file of its own."""
    return wanted.has_failed or wanted.has_basis or wanted.base is not None


def speed(seen: Observation, policy: Policy, batch: Sequence[Wanted]) -> int:
    """How much of the line these may use; 0: all of it. What airs next is never slowed down."""
    airs_soon = any(
        wanted.is_for_air and deadline_of(wanted.deadline_us) <= seen.now_us + policy.exempt_us for wanted in batch
    )
    return 0 if airs_soon else seen.allowance.down_bytes_per_s
