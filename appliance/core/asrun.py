"""As-run (播出日志): what really aired, row by row in a hash chain, from the air ledger. docs/formats.md, section 7.

Every stretch that has ended is one row, so every frame of a channel's life is accounted for. Status words are those of
BXF (SMPTE ST 2021, AsRunStatusType).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.ledger import LEDGER_ENDED, Stretch
from appliance.core.moment import to_text
from appliance.core.rundown import us_of
from appliance.core.ts import FRAMES_PER_S

NO_HASH: Final = "0" * 64

Status = Literal[
    "Aired Without Discrepancy",
    "Technical Difficulty",
    "Did not air",
    "Aired with Duration Discrepancy",
    "Joined in Progress",
    "Inserted by Operator",
    "Missing Content",
]
Planned = Mapping[tuple[str, int, str], tuple[int, int]]
"""(date, version, entry) -> first segment and frames that the entry would play of its asset."""


class AiredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `start` is RFC 3339 UTC; `from_s` is where in the asset it began; `prev` the hash of the row before."""

    channel: str
    seq: int
    prev: str
    start: str
    duration_s: float
    kind: str
    planned: bool
    title: str
    entry: str | None
    date: str | None
    version: int | None
    asset: str | None
    rendition: str
    from_s: float
    first_msn: int
    last_msn: int
    status: tuple[Status, ...]
    reason: Text | None
    evidence: Literal["ledger"] = "ledger"


class Logged(msgspec.Struct, frozen=True):
    """A row as it is kept: the exact bytes of its JSON, and their SHA-256."""

    row: AiredRow
    document: bytes
    hash: str


def logged(channel: str, ended: Iterable[Stretch], seq: int, prev: str, planned: Planned) -> Iterator[Logged]:
    """Rows for stretches that have ended, in order, chained to the row numbered `seq` (0 for none) with hash `prev`."""
    for stretch in ended:
        seq += 1
        row = AiredRow(
            channel=channel,
            seq=seq,
            prev=prev,
            start=to_text(us_of(stretch.start_tick)),
            duration_s=stretch.frames / FRAMES_PER_S,
            kind=stretch.kind,
            planned=stretch.planned,
            title=stretch.title,
            entry=stretch.entry_id,
            date=stretch.date,
            version=stretch.version,
            asset=stretch.source,
            rendition=stretch.rendition,
            from_s=stretch.first_segment * 2.0,
            first_msn=stretch.first_msn,
            last_msn=stretch.next_msn - 1,
            status=status_of(stretch, planned),
            reason=stretch.reason,
        )
        document = msgspec.json.encode(row)
        prev = hashlib.sha256(document).hexdigest()
        yield Logged(row, document, prev)


def status_of(stretch: Stretch, planned: Planned) -> tuple[Status, ...]:
    """How what aired compares with what was planned."""
    if stretch.kind == "emergency":
        return ("Inserted by Operator",)
    if not stretch.planned:
        if stretch.reason == LEDGER_ENDED:
            return ("Technical Difficulty",)
        return ("Did not air", "Missing Content") if stretch.entry_id else ("Missing Content",)
    key = (stretch.date or "", stretch.version or 0, stretch.entry_id or "")
    first, frames = planned.get(key, (stretch.first_segment, stretch.frames))
    found: list[Status] = []
    if stretch.first_segment > first:
        found.append("Joined in Progress")
    if stretch.frames < frames and stretch.kind not in ("filler", "slate"):
        found.append("Aired with Duration Discrepancy")
    return tuple(found) or ("Aired Without Discrepancy",)


def first_break(documents: Iterable[tuple[bytes, str]]) -> int | None:
    """Check a chain from its first row on: documents with their hashes. The number of the first bad row, or None."""
    prev = NO_HASH
    for seq, (document, hash_) in enumerate(documents, 1):
        try:
            row = msgspec.json.decode(document, type=AiredRow)
        except msgspec.DecodeError:
            return seq
        if (row.seq, row.prev, hashlib.sha256(document).hexdigest()) != (seq, prev, hash_):
            return seq
        prev = hash_
    return None
