"""What is copied from the stick of an import now: with or without a line, one process, the most urgent first."""

from collections.abc import Collection, Iterator

from edge_agent.core.observation import Observation, Policy
from edge_agent.core.room import Room
from edge_agent.core.steps import Carry, Step, Stop


def unloads(seen: Observation, policy: Policy, room: Room, busy: Collection[str]) -> Iterator[Step]:
    """A fetch of what lies on the stick gives way. `busy`: digests that a process works on.

    What is wanted has been put in order by its deadline.
    """
    lying = [each for each in seen.wanted if each.is_on_stick and each.staged_bytes < each.size_bytes]
    for child in seen.children:
        if child.work == "fetch" and any(wanted.digest in child.subjects for wanted in lying):
            yield Stop(child.subjects)
    if any(child.work == "carry" for child in seen.children):
        return
    batch: list[str] = []
    size_bytes = 0
    for wanted in lying:
        size_bytes += wanted.size_bytes
        if batch and (size_bytes > policy.batch_bytes_max or len(batch) == policy.batch_files_max):
            break
        if wanted.digest not in busy and room.take(wanted.size_bytes - max(0, wanted.staged_bytes)):
            batch.append(wanted.digest)
    if batch:
        yield Carry(tuple(batch))
