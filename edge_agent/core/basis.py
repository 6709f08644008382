"""Which file on this box a coming asset is probably much like, so that only the difference has to travel."""

from collections.abc import Iterable
from typing import Final

import msgspec

SIZE_BYTES_MIN: Final = 1024 * 1024
"""What is smaller has come before both ends have compared it: it travels together with others instead."""
RATIO_MAX: Final = 2.0
"""A file of twice the size is another film, whatever it is called: to compare them would only warm the processors."""


class Candidate(msgspec.Struct, frozen=True):
    """A file that is here. `is_own`: the asset itself, gone bad; `is_replaced`: a record put the asset in its place."""

    digest: str
    size_bytes: int
    is_own: bool = False
    is_replaced: bool = False


def basis_of(size_bytes: int, candidates: Iterable[Candidate]) -> str | None:
    """The digest of the best of them for an asset of this size; None where the asset had better come whole.

    The asset's own bad bytes first, then what it replaces, then what is called the same; of those the nearest in size,
    then by digest. The order between the first three is that of what may differ: a block, a version, a film.
    """
    if size_bytes < SIZE_BYTES_MIN:
        return None
    alike = [
        candidate
        for candidate in candidates
        if candidate.size_bytes * RATIO_MAX >= size_bytes and candidate.size_bytes <= size_bytes * RATIO_MAX
    ]
    best = min(
        alike,
        key=lambda each: (not each.is_own, not each.is_replaced, abs(each.size_bytes - size_bytes), each.digest),
        default=None,
    )
    return None if best is None else best.digest
