"""The judge: what has arrived of a stream, told from what was last accepted. It changes nothing."""

import enum
import itertools
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core.errors import Text
from appliance.core.journal import Checkpoint, Position, Record, is_signed_by, position_after


class Verdict(enum.Enum):
    """What the judge finds."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    STALE = "stale"
    """An old signed head, come again."""
    REWOUND = "rewound"
    """The writer now signs a head behind one it signed before: it came back from a backup."""
    FORKED = "forked"
    """The writer signed two histories: its disk was cloned, or restored and written on."""
    BROKEN = "broken"
    HELD = "held"
    """In order so far, but no checkpoint covers it yet."""


class Judgement(msgspec.Struct, frozen=True):
    """`accepted` are the new records to apply, in order; `position` is where the stream then stands for the reader."""

    verdict: Verdict
    accepted: tuple[Record, ...]
    position: Position
    reason: Text


def judge(
    last: Position,
    records: Sequence[Record],
    checkpoint: Checkpoint | None,
    key: Ed25519PublicKey,
    seen_us: int = 0,
) -> Judgement:
    """Say what has arrived. Nothing is accepted that no valid checkpoint covers.

    `seen_us` is the `at` of the newest checkpoint accepted of this stream: only a head signed after it can tell that
    the writer went back. A fork is found only on signed evidence, so that nobody but the writer can have it fenced.
    Records already known may come again before the new ones. With verdict ACCEPTED a tail may be left that the
    checkpoint does not cover yet; with any other verdict `accepted` is empty and `position` is `last`.
    """
    flaw = _flaw(last, records) or (_flaw_of(checkpoint, last.stream, records, key) if checkpoint else None)
    if flaw:
        return Judgement(Verdict.BROKEN, (), last, flaw)
    covered = _covered(records, checkpoint)
    if _parts_from(last, covered) or (checkpoint and _contradicts(last, checkpoint.position)):
        return Judgement(Verdict.FORKED, (), last, _FORK)
    if _parts_from(last, records):
        return Judgement(Verdict.BROKEN, (), last, _UNVOUCHED)
    accepted = _after(last, covered)
    if accepted:
        return Judgement(Verdict.ACCEPTED, accepted, position_after(accepted[-1]), _received(accepted, records))
    return _nothing_new(last, records, checkpoint, seen_us)


_KNOWN: Final = Text("都已接收过", "all of it is known already")
_FRESH: Final = Text("没有新记录", "no new records")
_STALE: Final = Text("旧的检查点又来了一次", "an old checkpoint, come again")
_REWOUND: Final = Text(
    "写者退回到更早的位置，像是恢复过备份", "the writer went back behind what it had signed, as from a backup"
)
_UNCOVERED: Final = Text("尚无检查点担保", "no checkpoint covers it yet")
_FORK: Final = Text("写者签署了两段不同的历史", "the writer signed two different histories")
_UNVOUCHED: Final = Text(
    "与已接收的记录不衔接，且没有检查点担保", "does not follow what was accepted, and no checkpoint vouches for it"
)


def _flaw(last: Position, records: Sequence[Record]) -> Text | None:
    """What is wrong with the records themselves: a foreign stream, a leap, a link that does not hold."""
    for record in records:
        if record.header.stream != last.stream:
            return Text(f"属于另一条流 {record.header.stream}", f"belongs to another stream, {record.header.stream}")
    for before, record in itertools.pairwise(records):
        if record.header.place not in _places_after(before.header.place):
            return _leap(before.header.place, record)
        if record.header.prev != before.hash:
            return Text(
                f"记录 {_name(record)} 的前一哈希不符",
                f"record {_name(record)} does not carry the hash of the one before it",
            )
    new = _after(last, records)
    if new and new[0].header.place not in _places_after(last.place):
        return _leap(last.place, new[0])
    return None


def _flaw_of(checkpoint: Checkpoint, stream: str, records: Sequence[Record], key: Ed25519PublicKey) -> Text | None:
    signed = checkpoint.position
    if signed.stream != stream:
        return Text(f"检查点属于另一条流 {signed.stream}", f"the checkpoint is of another stream, {signed.stream}")
    if not is_signed_by(checkpoint, key):
        return Text("检查点的签名不对", "the checkpoint's signature is wrong")
    for record in records:
        if record.header.place == signed.place and record.hash != signed.head:
            return Text(
                f"记录 {_name(record)} 不是写者所签的那一条", f"record {_name(record)} is not the one that was signed"
            )
    return None


def _covered(records: Sequence[Record], checkpoint: Checkpoint | None) -> Sequence[Record]:
    """The records up to the one that the checkpoint names; () when it names none of them."""
    for number, record in enumerate(records, start=1):
        if checkpoint and position_after(record) == checkpoint.position:
            return records[:number]
    return ()


def _after(last: Position, records: Sequence[Record]) -> tuple[Record, ...]:
    return tuple(record for record in records if record.header.place > last.place)


def _parts_from(last: Position, records: Sequence[Record]) -> bool:
    """Whether the records tell another history than the one that ends in `last`."""
    if any(record.header.place == last.place and record.hash != last.head for record in records):
        return True
    new = _after(last, records)
    return bool(new) and new[0].header.prev != last.head


def _contradicts(last: Position, signed: Position) -> bool:
    return signed.place == last.place and signed.head != last.head


def _nothing_new(last: Position, records: Sequence[Record], checkpoint: Checkpoint | None, seen_us: int) -> Judgement:
    """The verdict where no record is both new and covered."""
    waiting = bool(_after(last, records))
    if checkpoint and checkpoint.position.place < last.place and checkpoint.at_us > seen_us:
        return Judgement(Verdict.REWOUND, (), last, _REWOUND)
    if waiting or (checkpoint and checkpoint.position.place > last.place):
        return Judgement(Verdict.HELD, (), last, _UNCOVERED)
    if checkpoint and checkpoint.position.place < last.place:
        return Judgement(Verdict.STALE, (), last, _STALE)
    if checkpoint and not records and checkpoint.at_us > seen_us:
        return Judgement(Verdict.ACCEPTED, (), last, _FRESH)
    return Judgement(Verdict.DUPLICATE, (), last, _KNOWN)


def _places_after(place: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the next record can be: next in the same epoch, or first of the next."""
    epoch, seq = place
    return (epoch, seq + 1), (epoch + 1, 1)


def _name(record: Record) -> str:
    return f"{record.header.epoch}:{record.header.seq}"


def _leap(place: tuple[int, int], record: Record) -> Text:
    due = f"{place[0]}:{place[1] + 1}"
    return Text(f"序号不连续：应为 {due}，来的是 {_name(record)}", f"record {due} is due, {_name(record)} came")


def _received(accepted: Sequence[Record], records: Sequence[Record]) -> Text:
    left = len(records) - records.index(accepted[-1]) - 1
    return Text(f"接收 {len(accepted)} 条，{left} 条尚无担保", f"{len(accepted)} accepted, {left} not covered yet")
