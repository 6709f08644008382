"""What travels now, by deadline: which transfers begin, which give way, what goes together in one.

What is small is handed over in the session where the hub does that: no connection is made for it, and it is here after
one round trip. It has its turn by its deadline like all else.
"""

from collections.abc import Collection, Iterator
from typing import TypeVar

import msgspec

from edge_agent.core.handing import Handing, speed, travels_alone
from edge_agent.core.observation import Observation, Outgoing, Policy, Wanted
from edge_agent.core.room import Room
from edge_agent.core.steps import AskFor, Base, Deliver, Fetch, Share, Step, Stop, Upload
from edge_agent.core.turns import Running, gives_way, holding_up, is_in_time, running_of
from edge_agent.core.urgency import NEVER_US, by_deadline, deadline_of

SHARED = ("hub",)
"""What the connection that transfers share is about."""

Travelling = TypeVar("Travelling", Wanted, Outgoing)


def travels(seen: Observation, policy: Policy, room: Room, busy: Collection[str]) -> Iterator[Step]:
    """Fetches, uploads and what they share; nothing while the hub is away. `busy`: digests that a process works on.

    What is wanted has been put in order by its deadline.
    """
    if seen.link.state != "connected":
        return
    out_of_time = tuple(_out_of_time(seen, policy))
    if out_of_time:
        yield from out_of_time
        return
    steps = [*_fetches(seen, policy, room, busy), *_uploads(seen, policy)]
    yield from _share(seen, policy, steps)
    yield from steps


def _fetches(seen: Observation, policy: Policy, room: Room, busy: Collection[str]) -> Iterator[Step]:
    """Earliest deadline first. What is later runs beside it as long as that makes nothing late, and gives way else."""
    named = {wanted.digest: wanted for wanted in seen.wanted}
    missing = [
        wanted
        for wanted in seen.wanted
        if wanted.staged_bytes < wanted.size_bytes
        and wanted.is_due
        and not wanted.is_on_stick
        and wanted.digest not in busy
    ]
    running = sorted(
        (running_of(child.subjects, named, child.deadline_us) for child in seen.children if child.work == "fetch"),
        key=lambda each: each.deadline_us,
    )
    stopped_us = NEVER_US
    for each in holding_up(running, seen):
        running.remove(each)
        stopped_us = min(stopped_us, each.deadline_us)
        yield Stop(each.subjects)
    handing = Handing(seen, policy)
    # What is stopped now is there to begin again in the next turn: nothing that is due after it may take its place.
    while missing and deadline_of(missing[0].deadline_us) <= stopped_us:
        is_handed = handing.may_have(missing[0])
        giving_way: tuple[Running, ...] | None = ()
        if not is_handed or not handing.fits_beside(missing):
            others = running if is_handed else handing.beside(running, named)
            giving_way = gives_way(missing, others, seen, _places(seen, policy, missing[0]))
        if giving_way is None:
            return
        batch = handing.batch(missing, room) if is_handed else _batch(missing, seen, policy, room)
        behind = handing.behind(missing[len(batch) :], room) if is_handed else []
        if not batch and not behind:
            return
        for each in giving_way:
            # What the hub was asked for in the session comes anyway; it is little.
            if each in running:
                running.remove(each)
                stopped_us = min(stopped_us, each.deadline_us)
                yield Stop(each.subjects)
        missing = _without(missing, batch)
        if is_handed:
            yield _ask_for(batch, behind, handing.bytes_max)
            if behind:
                return
            continue
        yield _fetch(seen, policy, batch)
        running.append(running_of(tuple(wanted.digest for wanted in batch), named, batch[0].deadline_us))
        running.sort(key=lambda each: each.deadline_us)


def _fetch(seen: Observation, policy: Policy, batch: list[Wanted]) -> Step:
    first = batch[0]
    if first.base is not None and first.has_basis == (first.staged_bytes >= 0):
        # At the beginning; and after a cut, when what has come would else be all that is compared.
        return Base(first.digest, first.base)
    digests = tuple(wanted.digest for wanted in batch)
    return Fetch(digests, speed(seen, policy, batch), first.has_basis and first.staged_bytes < 0)


def _ask_for(batch: list[Wanted], behind: list[Wanted], bytes_max: int) -> AskFor:
    digests, sizes_bytes = tuple(each.digest for each in batch), tuple(each.size_bytes for each in batch)
    following = tuple((each.digest, each.size_bytes) for each in behind)
    return AskFor(digests, sizes_bytes, following, bytes_max if following else 0)


def _batch(missing: list[Wanted], seen: Observation, policy: Policy, room: Room) -> list[Wanted]:
    """The first that there is room for; with it, when it is small and not pressed, the small ones that follow."""
    batch: list[Wanted] = []
    size_bytes = 0
    for wanted in missing:
        left_bytes = _left_bytes(wanted)
        is_full = size_bytes + left_bytes > policy.batch_bytes_max or len(batch) == policy.batch_files_max
        if batch and (is_full or travels_alone(wanted) or travels_alone(batch[0])):
            break
        if batch and not is_in_time(batch[0], size_bytes + left_bytes, seen):
            break
        if room.take(left_bytes):
            batch.append(wanted)
            size_bytes += left_bytes
    return batch


def _left_bytes(wanted: Wanted) -> int:
    """What still has to be written. Where a cut makes a basis be laid anew, it is that as well."""
    basis_bytes = 2 * wanted.size_bytes if wanted.has_basis and wanted.staged_bytes >= 0 else 0
    return wanted.size_bytes - max(0, wanted.staged_bytes) + basis_bytes


def _uploads(seen: Observation, policy: Policy) -> Iterator[Step]:
    ready = [outgoing for outgoing in seen.outgoing if outgoing.is_there and not outgoing.is_told and outgoing.is_due]
    yield from (Deliver(outgoing.digest) for outgoing in ready[: seen.link.may_deliver])
    running = [child for child in seen.children if child.work == "upload"]
    sending = {digest for child in running for digest in child.subjects}
    waiting = [
        outgoing
        for outgoing in by_deadline(seen.outgoing)
        if not outgoing.is_there and outgoing.is_due and outgoing.digest not in sending
    ]
    free = (1 if seen.allowance.up_bytes_per_s else policy.uploads_max) - len(running)
    while waiting and free > 0:
        batch = _bundle(waiting, policy)
        waiting = _without(waiting, batch)
        free -= 1
        yield Upload(tuple(outgoing.digest for outgoing in batch), seen.allowance.up_bytes_per_s)


def _bundle(waiting: list[Outgoing], policy: Policy) -> list[Outgoing]:
    """The first; with it, when it is small, the small ones that follow."""
    bundle = [waiting[0]]
    size_bytes = waiting[0].size_bytes
    for outgoing in waiting[1 : policy.batch_files_max]:
        size_bytes += outgoing.size_bytes
        if size_bytes > policy.batch_bytes_max or outgoing.has_failed or bundle[0].has_failed:
            break
        bundle.append(outgoing)
    return bundle


def _share(seen: Observation, policy: Policy, steps: list[Step]) -> Iterator[Step]:
    """One connection for many batches while there are some; a single transfer is as quick on one of its own."""
    is_open = any(child.work == "share" for child in seen.children)
    if not is_open and len(seen.wanted) + len(seen.outgoing) < policy.sharing_files_min:
        return
    beginning = {digest for step in steps if isinstance(step, Fetch | Upload) for digest in step.digests}
    running = {digest for child in seen.children if child.work in ("fetch", "upload") for digest in child.subjects}
    if not is_open and not beginning and not running:
        return
    handing = Handing(seen, policy)
    to_come = [
        wanted.digest
        for wanted in seen.wanted
        if _is_small(wanted, policy) and wanted.staged_bytes < 0 and not handing.may_have(wanted)
    ]
    to_go = [each.digest for each in seen.outgoing if _is_small(each, policy) and not each.is_there]
    waiting = {*to_come, *to_go} - beginning - running
    if is_open and not beginning and not running and not waiting:
        yield Stop(SHARED)
    elif not is_open and len(waiting) >= policy.sharing_files_min:
        yield Share()


def _is_small(entry: Wanted | Outgoing, policy: Policy) -> bool:
    return entry.size_bytes <= policy.small_bytes_max


def _out_of_time(seen: Observation, policy: Policy) -> Iterator[Step]:
    """Transfers that were begun when another share of the line was theirs: they begin again, from where they are.

    Whether the timetable has gone on, or what they carry airs soon now.
    """
    wanted = {each.digest: each for each in seen.wanted}
    for child in seen.children:
        carried = [wanted[digest] for digest in child.subjects if digest in wanted]
        if child.work == "upload":
            bytes_per_s = seen.allowance.up_bytes_per_s
        elif child.work == "fetch" and carried:
            bytes_per_s = speed(seen, policy, carried)
        else:
            continue
        if child.bytes_per_s != bytes_per_s:
            yield Stop(child.subjects)


def _places(seen: Observation, policy: Policy, first: Wanted) -> Policy:
    """What is held back travels one at a time: two would use twice of what they may."""
    is_held_back = speed(seen, policy, [first]) > 0
    return msgspec.structs.replace(policy, fetches_max=1) if is_held_back else policy


def _without(entries: list[Travelling], taken: list[Travelling]) -> list[Travelling]:
    digests = {each.digest for each in taken}
    return [entry for entry in entries if entry.digest not in digests]
