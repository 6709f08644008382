"""Histories that part, at the hub: its own streams taken back from the boxes that read them, and what was given up.

Beside a stream lies `forks/`. Each branch that lost its place is there as NUMBER.records, the exact bytes, and
NUMBER.json, what it is. It is never read as a part of the stream, and never goes. `appliance.core.history` says what
is done when.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import msgspec

from appliance.core import journal, moment
from appliance.core.errors import Refused, Text
from appliance.core.history import Way, way_of
from appliance.core.journal import Checkpoint, Position, Record, append, next_epoch, position_after
from appliance.core.judge import Verdict, judge
from appliance.core.wire import batch_of
from provisioning.hub import keys, vouching
from provisioning.hub.journals import HubJournals
from provisioning.hub.stream import Place, Stream

FORKS_MAX = 1000
"""So many branches are kept beside one stream; a peer that makes more of them is refused."""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """NUMBER.json. `first` and `last` are places, EPOCH:SEQUENCE; `checkpoint`: what its writer signed, if known.

    `what`: `lost`, the writer gave it up; `shown`, a site showed it, or a box brought it, when it had lost.
    """

    what: Literal["lost", "shown"]
    at: str
    first: str
    last: str
    head: str
    checkpoint: tuple[str, str] | None = None
    is_issued_again: bool = False


@dataclass(frozen=True)
class Taken:
    """What became of a batch that was given back: `way`, and up to where the stream now agrees with the reader's."""

    way: Way
    agreed: Place | None


def take_back(journals: HubJournals, name: str, since: Position, given: Sequence[Record], signed: Checkpoint) -> Taken:
    """Take in a batch of a stream of the hub's that a box gives back. Refused when the hub did not sign it."""
    key, end = keys.signer_of(journals.folder, signed)
    judgement = judge(since, given, signed, journal.parse_public_key(key))
    if judgement.verdict is not Verdict.ACCEPTED:
        raise Refused(judgement.reason)
    stream = journals.stream(name)
    with journals.writing(name):
        tail = stream.tail()
        place = stream.find(since)
        if end is not None and stream.find(end) is not None:
            return _hold_against(journals, stream, place, given, signed)
        if place is None:
            # The reader is already on a branch that we stand against.
            _stand(journals, stream, given, signed)
            return Taken(Way.STAND, None)
        place, rest = _common(stream, place, given)
        parts = bool(rest) and place != tail.place
        way = way_of(parts, bool(rest), tail.place.position.epoch, signed.position.epoch, readers_follow=True)
        if way is Way.GIVE_WAY:
            _set_aside(journals, stream, place)
        if way in (Way.APPEND, Way.GIVE_WAY):
            place = _extend(journals, stream, place, rest)
        if way is Way.STAND:
            _stand(journals, stream, rest, signed)
        return Taken(way, place)


def _hold_against(
    journals: HubJournals, stream: Stream, place: Place | None, given: Sequence[Record], signed: Checkpoint
) -> Taken:
    """A former key signed it, and all that it signed while it counted is here: anything else may be a thief's.

    It is kept as evidence for a person; the box comes over where a newer epoch lets it. Refused where there is none.
    """
    agreed, rest = _common(stream, place, given) if place is not None else (None, given)
    if not rest:
        return Taken(Way.KNOWN, agreed)
    _keep_branch(stream, rest, "shown", signed, journals.folder.now_us())
    if stream.position().epoch <= signed.position.epoch:
        raise Refused(
            Text("作废的签名密钥签过而本机没有的记录", "records that a former key signed and that are not here")
        )
    return Taken(Way.STAND, agreed)


def issue_again(journals: HubJournals, name: str) -> int:
    """Issue again, in a new epoch, what was given up of a stream of the hub's; how many records. Each once."""
    stream = journals.stream(name)
    issued = 0
    with journals.writing(name):
        for path, branch in _branches(stream):
            if branch.what == "lost" and not branch.is_issued_again:
                epoch = int(branch.last.partition(":")[0])
                issued += _issue(journals, stream, _read(path), max(epoch, stream.position().epoch))
                _write_branch(path, msgspec.structs.replace(branch, is_issued_again=True))
    return issued


def count(stream: Stream) -> int:
    """How many branches there are: it changes when what readers knew of the stream may not hold any more."""
    return sum(1 for _each in stream.forks.glob("[0-9]*.json"))


def give_back(stream: Stream, trail: Sequence[Position]) -> tuple[Position, Sequence[Record], Checkpoint | None]:
    """What to give back to the writer who asked: behind the newest of these places that was his, as much as fits into
    a batch and ends under a signature of his. No records: there is nothing more.
    """
    start = stream.find_newest(trail) or stream.start()
    marks = vouching.marks(stream.folder)
    batch = batch_of([record for record, _place in stream.page(start)])
    for number in range(len(batch), 0, -1):
        signed = marks.get(position_after(batch[number - 1]))
        if signed is not None:
            return start.position, batch[:number], signed
    return start.position, (), None


def has_kept(stream: Stream, position: Position) -> bool:
    """Whether a place is in a branch that was kept as evidence."""
    return any(position_after(record) == position for path, _branch in _branches(stream) for record in _read(path))


def keep_shown(stream: Stream, shown: Sequence[Record], signed: Checkpoint, now_us: int) -> None:
    """Keep a branch of a site's own stream that lost. The caller has checked its signature, and holds the lock."""
    if stream.find(signed.position) is None:
        _keep_branch(stream, shown, "shown", signed, now_us)


def _common(stream: Stream, place: Place, given: Sequence[Record]) -> tuple[Place, Sequence[Record]]:
    """How far both are the same, and what is given beyond that."""
    ours = iter(stream.following(place))
    for number, record in enumerate(given):
        found = next(ours, None)
        if found is None or found[0].hash != record.hash:
            return place, given[number:]
        place = found[1]
    return place, ()


def _set_aside(journals: HubJournals, stream: Stream, place: Place) -> None:
    """Give up what lies behind a place. It is on disk as evidence before the stream ends at the place."""
    lost = [record for record, _place in stream.following(place)]
    _keep_branch(stream, lost, "lost", None, journals.folder.now_us())
    stream.cut(place)
    journals.sign(stream.name, place)


def _extend(journals: HubJournals, stream: Stream, place: Place, records: Sequence[Record]) -> Place:
    for epoch, group in groupby(records, key=lambda record: record.header.epoch):
        start = place if place.position.epoch == epoch else Place(place.position, 0)
        place = stream.append(start, tuple(group))
    journals.sign(stream.name, place)
    return place


def _stand(journals: HubJournals, stream: Stream, theirs: Sequence[Record], signed: Checkpoint) -> None:
    """Ours is the newer epoch: what a reader has beyond is kept, and issued again in ours. No record is lost."""
    _keep_branch(stream, theirs, "shown", signed, journals.folder.now_us())
    _issue(journals, stream, theirs, signed.position.epoch)


def _issue(journals: HubJournals, stream: Stream, lost: Iterable[Record], above_epoch: int) -> int:
    """Write records anew behind the head, in an epoch above the given one; what is there already is passed over."""
    known = {each for record in stream.records() for each in (record.hash, record.header.again)}
    issued = 0
    for record in lost:
        origin = record.header.again or record.hash
        if record.body is None or origin in known:
            continue
        place = stream.tail().place
        last = place.position
        if last.epoch <= above_epoch:
            stream.end(place)
            last, place = next_epoch(last), Place(last, 0)
        header = record.header
        again = append(last, header.kind, header.key, record.body, journals.folder.now_us(), origin)
        journals.sign(stream.name, stream.append(place, [again]))
        issued += 1
    return issued


def _keep_branch(
    stream: Stream,
    records: Sequence[Record],
    what: Literal["lost", "shown"],
    signed: Checkpoint | None,
    now_us: int,
) -> None:
    if not records:
        return
    last = position_after(records[-1])
    known = _branches(stream)
    if any(branch.head == last.head and branch.what == what for _path, branch in known):
        return
    if len(known) >= FORKS_MAX:
        raise Refused(Text("分叉过多", "too many branches"))
    first = records[0].header
    branch = Branch(
        what=what,
        at=moment.to_text(now_us),
        first=f"{first.epoch}:{first.seq}",
        last=f"{last.epoch}:{last.seq}",
        head=last.head,
        checkpoint=journal.checkpoint_text(signed) if signed else None,
    )
    from appliance.durable import make_folder, write_atomically

    path = stream.forks / f"{len(known) + 1}.json"
    make_folder(stream.forks)
    data = b"".join(record.header_bytes + b"\n" + (record.body or b"") + b"\n" for record in records)
    write_atomically(path.with_suffix(".records"), data)
    _write_branch(path, branch)


def _write_branch(path: Path, branch: Branch) -> None:
    from appliance.durable import write_atomically

    write_atomically(path, msgspec.json.format(msgspec.json.encode(branch)))


def _branches(stream: Stream) -> list[tuple[Path, Branch]]:
    paths = sorted(stream.forks.glob("[0-9]*.json"), key=lambda path: int(path.stem))
    return [(path, msgspec.json.decode(path.read_bytes(), type=Branch)) for path in paths]


def _read(path: Path) -> list[Record]:
    lines = path.with_suffix(".records").read_bytes().split(b"\n")
    pairs = zip(lines[:-1:2], lines[1::2], strict=False)
    return [journal.parse_record(header, journal.body_of_line(body)) for header, body in pairs]
