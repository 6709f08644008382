"""What to do now: a pure function of what was observed.

    what must vanish or appear      links, recalled assets         in the turn in which it is known
    the air                         compile, log                   before anything that takes long
    what came in                    commands, dropped files
    what arrived                    staged files become assets     also without a line
    what travels                    by deadline; the more urgent takes the place of the less urgent
    what takes time                 packaging, reading again

Nothing is remembered between two plans. What was begun is seen as a child at work, what failed as work that is not due
yet, what was done is no longer asked for; so the plan of a box where all succeeds is soon ().
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from appliance.core.cache import let_go, over_quota_bytes
from edge_agent.core.observation import Observation, Outgoing, Policy, Unpackaged, Wanted, Work
from edge_agent.core.steps import (
    Adopt,
    Base,
    Compile,
    Connect,
    Deliver,
    Discard,
    DropQuarantined,
    Fetch,
    LogAired,
    Package,
    Remove,
    Report,
    Serve,
    Step,
    Stop,
    TakeCommand,
    TakeDrop,
    TellOfDrops,
    TellOfRoom,
    Upload,
    Verify,
    Withdraw,
)


def plan(seen: Observation, policy: Policy) -> tuple[Step, ...]:
    """The steps to take now, the most urgent first; () when all is done or has to wait."""
    steps: list[Step] = []
    room = _Room(seen)
    for group in (_vanish(seen), _appear(seen), _air(seen, policy), _came_in(seen, policy, room), _connect(seen)):
        steps += islice(group, policy.steps_max)
    steps += _adopt(seen, policy)
    steps += _fetch(seen, policy, room)
    steps += _upload(seen, policy)
    steps += _package(seen, policy, room)
    steps += room.evictions()
    steps += room.words()
    steps += _verify(seen)
    if seen.now_us >= seen.reported_us + policy.report_every_us:
        steps.append(Report())
    return tuple(steps)


def next_look_us(seen: Observation, policy: Policy) -> int:
    """When to look again if nothing wakes us before."""
    moments = [
        seen.now_us + (policy.progress_us if seen.children else policy.look_again_us),
        seen.reported_us + policy.report_every_us,
        seen.compiled_us + policy.compile_every_us,
    ]
    if seen.air_changed:
        moments.append(seen.compiled_us + policy.compile_pause_us)
    if seen.link.state == "away":
        moments.append(seen.link.next_attempt_us)
    if seen.next_moment_us is not None:
        moments.append(seen.next_moment_us)
    return max(seen.now_us, min(moments))


def is_idle(seen: Observation, steps: Iterable[Step]) -> bool:
    """Whether nothing is left that could be done now; what merely recurs does not count."""
    is_waiting = bool(seen.children) or seen.air_changed or seen.is_settling or not seen.link.is_settled
    return not is_waiting and all(isinstance(step, Report | Compile | LogAired) for step in steps)


def _vanish(seen: Observation) -> Iterator[Step]:
    yield from (Withdraw(digest) for digest in sorted(seen.served - seen.servable))
    yield from (Remove(digest) for digest in seen.recalled)
    wanted = {wanted.digest for wanted in seen.wanted}
    for child in seen.children:
        if child.work in ("fetch", "base") and wanted.isdisjoint(child.subjects):
            yield Stop(child.subjects)
    yield from (Discard(digest) for digest in seen.unwanted_staged if not _is_busy(seen, digest))
    yield from (DropQuarantined(name) for name in seen.quarantine_over)


def _appear(seen: Observation) -> Iterator[Step]:
    yield from (Serve(digest) for digest in sorted(seen.servable - seen.served))


def _air(seen: Observation, policy: Policy) -> Iterator[Step]:
    pause_us = policy.compile_pause_us if seen.air_changed else policy.compile_every_us
    if seen.now_us >= seen.compiled_us + pause_us:
        yield Compile()
    if seen.now_us >= seen.aired_us + policy.aired_every_us:
        yield LogAired()


def _came_in(seen: Observation, policy: Policy, room: "_Room") -> Iterator[Step]:
    if seen.drops_to_tell:
        yield TellOfDrops()
    due = [waiting for waiting in seen.commands if waiting.is_due and not _works_on(seen, "take", waiting.key)]
    yield from (TakeCommand(command.key) for command in due)
    free = policy.readings_max - _at_work(seen, "adopt", "take")
    for drop in seen.drops:
        if free <= 0:
            return
        if drop.is_due and not _works_on(seen, "take", drop.key) and room.take(drop.size_bytes):
            free -= 1
            yield TakeDrop(drop.key)


def _connect(seen: Observation) -> Iterator[Step]:
    if seen.link.state == "away" and seen.now_us >= seen.link.next_attempt_us:
        yield Connect()


def _adopt(seen: Observation, policy: Policy) -> Iterator[Step]:
    arrived = [
        wanted
        for wanted in _by_deadline(seen.wanted)
        if wanted.staged_bytes >= wanted.size_bytes and wanted.is_due and not _is_busy(seen, wanted.digest)
    ]
    small = [wanted for wanted in arrived if wanted.size_bytes <= policy.small_bytes_max]
    large = [wanted for wanted in arrived if wanted.size_bytes > policy.small_bytes_max]
    free = max(0, policy.readings_max - _at_work(seen, "adopt", "base"))
    yield from (Adopt(wanted.digest) for wanted in (*small[: policy.adoptions_max], *large[:free]))


def _fetch(seen: Observation, policy: Policy, room: "_Room") -> Iterator[Step]:
    """Fill the free places by deadline. Where there is none, make one for what is much more urgent."""
    if seen.link.state != "connected":
        return
    missing = [
        wanted
        for wanted in _by_deadline(seen.wanted)
        if wanted.staged_bytes < wanted.size_bytes and wanted.is_due and not _is_busy(seen, wanted.digest)
    ]
    running = sorted(
        (child for child in seen.children if child.work == "fetch"), key=lambda child: _deadline(child.deadline_us)
    )
    free = policy.fetches_max - len(running)
    while missing and (free > 0 or (running and _outranks(missing[0], running[-1].deadline_us, policy))):
        batch = _batch(missing, policy, room)
        if not batch:
            return
        if free > 0:
            free -= 1
        else:
            yield Stop(running.pop().subjects)
        missing = [wanted for wanted in missing if wanted not in batch]
        first = batch[0]
        if first.base is not None and first.has_basis == (first.staged_bytes >= 0):
            # At the beginning; and after a cut, when what has come would else be all that is compared.
            yield Base(first.digest, first.base)
        else:
            digests = tuple(wanted.digest for wanted in batch)
            yield Fetch(digests, _speed(seen, policy, batch), first.has_basis and first.staged_bytes < 0)


def _batch(missing: list[Wanted], policy: Policy, room: "_Room") -> list[Wanted]:
    """The first that there is room for; with it, when it is small, the small ones that follow."""
    batch: list[Wanted] = []
    size_bytes = 0
    for wanted in missing:
        left_bytes = _left_bytes(wanted)
        is_full = size_bytes + left_bytes > policy.batch_bytes_max or len(batch) == policy.batch_files_max
        if batch and (is_full or _travels_alone(wanted) or _travels_alone(batch[0])):
            break
        if room.take(left_bytes):
            batch.append(wanted)
            size_bytes += left_bytes
    return batch


def _left_bytes(wanted: Wanted) -> int:
    """What still has to be written. Where a cut makes a basis be laid anew, it is that as well."""
    basis_bytes = 2 * wanted.size_bytes if wanted.has_basis and wanted.staged_bytes >= 0 else 0
    return wanted.size_bytes - max(0, wanted.staged_bytes) + basis_bytes


def _travels_alone(wanted: Wanted) -> bool:
    """So that it fails alone, or because it is compared with a file of its own."""
    return wanted.has_failed or wanted.has_basis or wanted.base is not None


def _upload(seen: Observation, policy: Policy) -> Iterator[Step]:
    if seen.link.state != "connected":
        return
    ready = [outgoing for outgoing in seen.outgoing if outgoing.is_there and not outgoing.is_told and outgoing.is_due]
    yield from (Deliver(outgoing.digest) for outgoing in ready[: seen.link.may_deliver])
    free = policy.uploads_max - _at_work(seen, "upload")
    waiting = (
        outgoing
        for outgoing in _by_deadline(seen.outgoing)
        if not outgoing.is_there and outgoing.is_due and not _works_on(seen, "upload", outgoing.digest)
    )
    for outgoing in islice(waiting, max(0, free)):
        yield Upload(outgoing.digest, policy.bytes_per_s)


def _package(seen: Observation, policy: Policy, room: "_Room") -> Iterator[Step]:
    free = policy.packagings_max - _at_work(seen, "package")
    for unpackaged in _by_deadline(seen.unpackaged):
        if free <= 0:
            return
        if unpackaged.is_due and not _is_busy(seen, unpackaged.source) and room.take(unpackaged.size_bytes):
            free -= 1
            yield Package(unpackaged.source)


def _verify(seen: Observation) -> Iterator[Step]:
    """One at a time, beside all else: how fast and when is the business of `appliance.core.scrub`."""
    if not _at_work(seen, "verify"):
        unread = [digest for digest in seen.unverified if not _is_busy(seen, digest)]
        yield from (Verify(digest, seen.verify_bytes_per_s) for digest in unread[:1])


class _Room:
    """What may still be written in this plan, and what has to go so that the first thing without room gets some."""

    def __init__(self, seen: Observation) -> None:
        self._space, self._now_us = seen.space, seen.now_us
        coming_bytes = sum(
            max(0, wanted.size_bytes - max(0, wanted.staged_bytes))
            for wanted in seen.wanted
            if _works_on(seen, "fetch", wanted.digest)
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


def _speed(seen: Observation, policy: Policy, batch: list[Wanted]) -> int:
    """What airs next is never slowed down."""
    airs_soon = any(
        wanted.is_for_air and _deadline(wanted.deadline_us) <= seen.now_us + policy.exempt_us for wanted in batch
    )
    return 0 if airs_soon else policy.bytes_per_s


def _outranks(wanted: Wanted, running_us: int | None, policy: Policy) -> bool:
    return _deadline(wanted.deadline_us) + policy.preempt_us < _deadline(running_us)


Dated = TypeVar("Dated", Wanted, Outgoing, Unpackaged)


def _by_deadline(entries: Iterable[Dated]) -> list[Dated]:
    return sorted(entries, key=lambda entry: (_deadline(entry.deadline_us), entry.size_bytes))


def _deadline(deadline_us: int | None) -> int:
    return 2**62 if deadline_us is None else deadline_us


def _at_work(seen: Observation, *works: Work) -> int:
    return sum(1 for child in seen.children if child.work in works)


def _works_on(seen: Observation, work: Work, subject: str) -> bool:
    return any(child.work == work and subject in child.subjects for child in seen.children)


def _is_busy(seen: Observation, digest: str) -> bool:
    """Whether a process writes it, or reads it for good."""
    reads = ("fetch", "adopt", "verify", "package", "base")
    return any(child.work in reads and digest in child.subjects for child in seen.children)
