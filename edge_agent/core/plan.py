"""What to do now: a pure function of what was observed.

    what must vanish or appear      links, recalled assets         in the turn in which it is known
    the air                         compile, log                   before anything that takes long
    live sources                    followed, asked
    what came in                    commands, dropped files
    what arrived                    staged files become assets     also without a line
    what travels                    by deadline; the more urgent takes the place of the less urgent
    what takes time                 packaging, reading again

Nothing is remembered between two plans. What was begun is seen as a child at work, what failed as work that is not due
yet, what was done is no longer asked for; so the plan of a box where all succeeds is soon ().
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from edge_agent.core.observation import Observation, Policy, Work
from edge_agent.core.room import Room
from edge_agent.core.steps import (
    Adopt,
    AdoptAll,
    Arrange,
    Ask,
    Compile,
    Connect,
    Discard,
    DropQuarantined,
    Follow,
    LogAired,
    Package,
    Remove,
    RenewKeys,
    Report,
    Serve,
    Step,
    Stop,
    TakeCommand,
    TakeDrop,
    TakeStock,
    TellOfDrops,
    TellOfMedia,
    Verify,
    Withdraw,
)
from edge_agent.core.travel import travels
from edge_agent.core.unload import unloads
from edge_agent.core.urgency import by_deadline

DISK_WORK: Final[tuple[Work, ...]] = (
    "fetch", "upload", "adopt", "verify", "package", "take", "base", "look", "carry", "renew",
)  # fmt: skip
"""All that a child can be busy with but holding a connection open."""


def plan(seen: Observation, policy: Policy) -> tuple[Step, ...]:
    """The steps to take now, the most urgent first; () when all is done or has to wait."""
    if seen.media != "here":
        return tuple(_without_media(seen, policy))
    seen = msgspec.structs.replace(seen, wanted=tuple(by_deadline(seen.wanted)))
    steps: list[Step] = []
    room, busy = Room(seen), _busy(seen)
    vanish_and_appear = (_vanish(seen, busy), _appear(seen, policy))
    for group in (
        *vanish_and_appear,
        _air(seen, policy),
        _live(seen, policy),
        _came_in(seen, policy, room),
        _connect(seen),
    ):
        steps += islice(group, policy.steps_max)
    steps += _adopt(seen, policy, busy)
    steps += unloads(seen, policy, room, busy)
    steps += travels(seen, policy, room, busy)
    steps += _package(seen, policy, room, busy)
    steps += room.evictions()
    steps += room.words()
    steps += _verify(seen, busy)
    if seen.compiled_us > seen.arranged_us and seen.now_us >= seen.arranged_us + policy.arrange_pause_us:
        steps.append(Arrange())
    if seen.now_us >= _report_us(seen, policy):
        steps.append(Report())
    return tuple(steps)


def _without_media(seen: Observation, policy: Policy) -> Iterator[Step]:
    """The disk of the assets is not mounted: nothing of them is missing, and nothing comes in its place."""
    of_media = [child for child in seen.children if child.work != "renew"]
    if of_media:
        yield from (Stop(child.subjects) for child in of_media)
    elif seen.media == "back":
        yield TakeStock()
        return
    if seen.media == "away":
        yield TellOfMedia()
    yield from _air(seen, policy)
    yield from (TakeCommand(command.key) for command in seen.commands if command.is_due)
    yield from _connect(seen)
    if seen.now_us >= _report_us(seen, policy):
        yield Report()


def _report_us(seen: Observation, policy: Policy) -> int:
    """When to say how the box is: soon after something changed, and now and then."""
    is_news = seen.changed_us >= seen.reported_us
    return seen.reported_us + (policy.report_pause_us if is_news else policy.report_every_us)


def next_look_us(seen: Observation, policy: Policy) -> int:
    """When to look again if nothing wakes us before."""
    moments = [
        seen.now_us + (policy.progress_us if seen.children else policy.look_again_us),
        _report_us(seen, policy),
        seen.compiled_us + policy.compile_every_us,
    ]
    if seen.air_changed:
        moments.append(seen.compiled_us + policy.compile_pause_us)
    if seen.compiled_us > seen.arranged_us:
        moments.append(seen.arranged_us + policy.arrange_pause_us)
    if seen.link.state == "away":
        moments.append(seen.link.next_attempt_us)
    if seen.link.given:
        moments.append(seen.now_us + policy.progress_us)
    if seen.next_moment_us is not None:
        moments.append(seen.next_moment_us)
    return max(seen.now_us, min(moments))


def is_idle(seen: Observation, steps: Iterable[Step]) -> bool:
    """Whether nothing is left that could be done now; what merely recurs does not count."""
    is_waiting = bool(_at_work(seen, *DISK_WORK)) or seen.air_changed or seen.is_settling or not seen.link.is_settled
    is_waiting |= bool(seen.link.given)
    return not is_waiting and all(isinstance(step, Report | Compile | LogAired) for step in steps)


def _vanish(seen: Observation, busy: frozenset[str]) -> Iterator[Step]:
    yield from (Withdraw(digest) for digest in sorted(seen.served - seen.servable))
    yield from (Remove(digest) for digest in seen.recalled)
    yield from (Remove(digest) for digest in seen.live_over)
    wanted = {wanted.digest for wanted in seen.wanted}
    for child in seen.children:
        if child.work in ("fetch", "base", "carry") and wanted.isdisjoint(child.subjects):
            yield Stop(child.subjects)
    yield from (Discard(digest) for digest in seen.unwanted_staged if digest not in busy)
    yield from (DropQuarantined(name) for name in seen.quarantine_over)


def _appear(seen: Observation, policy: Policy) -> Iterator[Step]:
    hidden = sorted(seen.servable - seen.served)[: policy.links_max]
    if hidden:
        yield Serve(tuple(hidden))


def _air(seen: Observation, policy: Policy) -> Iterator[Step]:
    pause_us = policy.compile_pause_us if seen.air_changed else policy.compile_every_us
    if seen.now_us >= seen.compiled_us + pause_us:
        yield Compile()
    if seen.now_us >= seen.aired_us + policy.aired_every_us:
        yield LogAired()


def _live(seen: Observation, policy: Policy) -> Iterator[Step]:
    """Sources are followed while their entries have the air, and asked before that. Nothing waits for this."""
    wanted = {(airing.key, airing.url): airing for airing in seen.airing}
    running = {child.subjects for child in seen.children if child.work == "import"}
    yield from (Stop(subjects) for subjects in sorted(running - wanted.keys()))
    for subjects, airing in wanted.items():
        if subjects not in running and airing.is_due:
            yield Follow(airing.key, airing.url, airing.until_us)
    free = policy.asks_max - _at_work(seen, "ask")
    idle = [url for url in seen.unasked if not _works_on(seen, "ask", url)]
    yield from (Ask(url) for url in idle[: max(0, free)])


def _came_in(seen: Observation, policy: Policy, room: Room) -> Iterator[Step]:
    if seen.drops_to_tell:
        yield TellOfDrops()
    busy = [child.subjects[0] for child in seen.children if child.work in ("take", "look")]
    due = [waiting for waiting in seen.commands if waiting.is_due and waiting.key not in busy]
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
    if seen.must_renew_keys and not _at_work(seen, "renew"):
        yield RenewKeys()


def _adopt(seen: Observation, policy: Policy, busy: frozenset[str]) -> Iterator[Step]:
    """A few small files at once, many together in a process, large ones each in its own."""
    arrived = [
        wanted
        for wanted in seen.wanted
        if wanted.staged_bytes >= wanted.size_bytes and wanted.is_due and wanted.digest not in busy
    ]
    small = [wanted.digest for wanted in arrived if wanted.size_bytes <= policy.small_bytes_max]
    large = [wanted.digest for wanted in arrived if wanted.size_bytes > policy.small_bytes_max]
    free = max(0, policy.readings_max - _at_work(seen, "adopt", "base"))
    if len(small) > policy.adoptions_max and free > 0:
        free -= 1
        yield AdoptAll(tuple(small[: policy.batch_files_max]))
    elif len(small) <= policy.adoptions_max:
        yield from map(Adopt, small)
    yield from map(Adopt, large[:free])


def _package(seen: Observation, policy: Policy, room: Room, busy: frozenset[str]) -> Iterator[Step]:
    free = policy.packagings_max - _at_work(seen, "package")
    for unpackaged in by_deadline(seen.unpackaged):
        if free <= 0:
            return
        if unpackaged.is_due and unpackaged.source not in busy and room.take(unpackaged.size_bytes):
            free -= 1
            yield Package(unpackaged.source)


def _verify(seen: Observation, busy: frozenset[str]) -> Iterator[Step]:
    """One at a time, beside all else: how fast and when is the business of `appliance.core.scrub`."""
    if not _at_work(seen, "verify"):
        unread = [digest for digest in seen.unverified if digest not in busy]
        yield from (Verify(digest, seen.verify_bytes_per_s) for digest in unread[:1])


def _at_work(seen: Observation, *works: Work) -> int:
    return sum(1 for child in seen.children if child.work in works)


def _works_on(seen: Observation, work: Work, subject: str) -> bool:
    return any(child.work == work and subject in child.subjects for child in seen.children)


def _busy(seen: Observation) -> frozenset[str]:
    """What a process writes, or reads for good; and what the hub hands over."""
    works = ("fetch", "carry", "adopt", "verify", "package", "base")
    return seen.link.given.union(digest for child in seen.children if child.work in works for digest in child.subjects)
