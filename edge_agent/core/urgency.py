"""In which order things are done: what is due first comes first, of what is due together the smaller."""

from collections.abc import Iterable
from typing import TypeVar

from edge_agent.core.observation import Outgoing, Unpackaged, Wanted

Dated = TypeVar("Dated", Wanted, Outgoing, Unpackaged)
NEVER_US = 2**62


def by_deadline(entries: Iterable[Dated]) -> list[Dated]:
    """What has no deadline comes last."""
    return sorted(entries, key=lambda entry: (deadline_of(entry.deadline_us), entry.size_bytes))


def deadline_of(deadline_us: int | None) -> int:
    """A deadline that can be compared."""
    return NEVER_US if deadline_us is None else deadline_us
