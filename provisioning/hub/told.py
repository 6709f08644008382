"""What one stream adds up to, and how far it was read: a fold that can be kept, so that nobody reads a year again.

`told` beside a stream's records is such a fold as a file. It is derived: one that is not whole, that other software
wrote, or whose place is none of the stream is passed over, and everything read anew. docs/formats.md, section 4.
"""

import hashlib
from collections.abc import Set
from typing import Final

import msgspec

from appliance.core import moment, records
from appliance.core.asset import Asset
from appliance.core.item import Item
from appliance.core.journal import Position, Record
from appliance.store.facts import version
from provisioning.hub.beginnings import begins, snapshot_records
from provisioning.hub.stream import Place, Stream

FOLD_VERSION: Final = 5
"""One higher whenever `fold` or a shape below makes something else of the same records."""
KEPT_EVERY: Final = 4096
"""New records after which the fold is kept again; so many are read at each start, some 50 milliseconds."""
PASSED_OVER: Final = frozenset({"asrun", "tip"})
"""Most of what a site reports, and nothing follows from it here."""
_DIGEST_BYTES: Final = 32


class Answered(msgspec.Struct, frozen=True):
    """An answer to an order, as it stands in a report."""

    order: str
    answer: str
    by: str
    at: str
    note: str


class Told(msgspec.Struct):
    """All that still counts of what a stream said; what aired and what citizens wrote is not here."""

    items: dict[str, Item] = {}
    offers: dict[str, Item] = {}
    gone: set[tuple[str, str]] = set()
    """Kind and id of items and offers whose last version lost its words: none of before stands in its place."""
    recalls: dict[str, str] = {}
    """Item ids and digests, and when."""
    takes: dict[str, bool] = {}
    """Items that the site took: False once it gave one back."""
    aired: dict[str, tuple[Asset, ...]] = {}
    """By schedule, template, filler or insertion: the assets that it names."""
    over: dict[str, str] = {}
    """By schedule or insertion: the day that it is for, or the moment after which it does not begin any more."""
    schedules: dict[tuple[str, str], int] = {}
    """By channel and day: the newest version sent."""
    templates: dict[str, int] = {}
    """By channel: the newest version sent of what plays on days without a schedule."""
    submissions: dict[str, records.Submission] = {}
    receipts: set[str] = set()
    """Submissions that were answered."""
    orders: dict[str, tuple[str, records.Order]] = {}
    """With the moment of writing."""
    answers: list[Answered] = []
    redactions: set[tuple[str, int, int, str]] = set()
    """Stream, epoch, sequence and `origin` of bodies that must go, as this stream says; "": whatever has the place."""
    sought: set[str] = set()
    """Origins of records that were looked for, from the first record on."""
    named: dict[str, set[tuple[int, int]]] = {}
    """By origin that was sought: the places where it stands."""
    blank: set[tuple[int, int]] = set()
    """Epoch and sequence of its records that had no body when they were read."""


def fold(told: Told, record: Record) -> None:
    """Take in one record; what cannot be read has no effect."""
    if record.body is None:
        told.blank.add(record.header.place)
    if record.origin in told.sought:
        told.named.setdefault(record.origin, set()).add(record.header.place)
    if record.header.kind in ("item", "offer"):
        _replace(told, record.header.kind, record.header.key, is_gone=record.body is None)
    if record.body is None or record.header.kind in PASSED_OVER:
        return
    try:
        body = records.decode(record)
    except (records.UnknownKind, records.BadBody):
        return
    match body:
        case Item() if record.header.kind == "offer":
            told.offers[body.id] = body
        case Item():
            told.items[body.id] = body
        case records.Redact():
            told.redactions.add((body.stream, body.epoch, body.seq, body.hash))
        case records.Recall():
            told.recalls[body.target] = body.at
        case records.Take() | records.Untake():
            told.takes[body.item] = isinstance(body, records.Take)
        case records.Schedule():
            told.aired[f"{body.channel} {body.date}"] = body.assets
            told.schedules[body.channel, body.date] = body.version
            told.over[f"{body.channel} {body.date}"] = f"{body.date}T00:00:00Z"
        case records.Insert():
            told.aired[f"{body.channel} insert {body.id}"] = (body.asset,)
            told.over[f"{body.channel} insert {body.id}"] = max(body.until or "", body.not_after, key=_later)
        case records.Template():
            told.aired[f"{body.channel} template"] = body.assets
            told.templates[body.channel] = body.version
        case records.Filler():
            told.aired[f"{body.channel} filler"] = body.assets
        case records.Submission():
            told.submissions.setdefault(body.id, body)
        case records.Receipt():
            told.receipts.add(body.submission)
        case records.Order():
            told.orders[body.id] = (record.header.at, body)
        case records.Answer():
            told.answers.append(Answered(body.order, body.answer, body.by, body.at, body.note))
        case _:
            pass


def _replace(told: Told, kind: str, item: str, *, is_gone: bool) -> None:
    """A version of an item takes the place of the one before, or with nothing in its place where it was redacted."""
    if not is_gone:
        told.gone.discard((kind, item))
        return
    told.gone.add((kind, item))
    (told.items if kind == "item" else told.offers).pop(item, None)


def absorb(told: Told, later: Told) -> None:
    """Add what came after."""
    for kind, item in later.gone:
        _replace(told, kind, item, is_gone=True)
    told.gone -= {*(("item", item) for item in later.items), *(("offer", item) for item in later.offers)}
    told.items.update(later.items)
    told.offers.update(later.offers)
    told.recalls.update(later.recalls)
    told.takes.update(later.takes)
    told.aired.update(later.aired)
    told.schedules.update(later.schedules)
    told.templates.update(later.templates)
    told.over.update(later.over)
    for name, submission in later.submissions.items():
        told.submissions.setdefault(name, submission)
    told.receipts |= later.receipts
    told.orders.update(later.orders)
    told.answers += later.answers
    told.redactions |= later.redactions
    for origin, places in later.named.items():
        told.named.setdefault(origin, set()).update(places)
    told.blank |= later.blank


class _Kept(msgspec.Struct, array_like=True):
    made_by: str
    position: Position
    offset: int
    told: Told


def load(stream: Stream) -> tuple[Told, Place]:
    """The fold as it was kept, and up to where; an empty one at the start when there is none that is right."""
    try:
        data = (stream.folder / "told").read_bytes()
        if hashlib.sha256(data[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
            raise ValueError("not whole")
        kept = msgspec.msgpack.decode(data[_DIGEST_BYTES:], type=_Kept)
    except (FileNotFoundError, ValueError):
        return fresh(stream)
    place = Place(kept.position, kept.offset)
    is_ours = kept.made_by == _maker() and kept.position.stream == stream.name
    return (kept.told, place) if is_ours and stream.holds(place) else fresh(stream)


def fresh(stream: Stream, sought: Set[str] = frozenset()) -> tuple[Told, Place]:
    """What is known before anything was read: nothing, or what the snapshot says that the stream begins with.

    Records of the origins `sought` are found as they come.
    """
    told, first = Told(sought=set(sought)), begins(stream.folder)
    if first is not None:
        for record in snapshot_records(stream.folder, first.digest):
            fold(told, record)
    return told, stream.start()


def keep(stream: Stream, told: Told, place: Place) -> None:
    """Put a fold beside its stream."""
    from appliance.durable import write_atomically

    data = msgspec.msgpack.encode(_Kept(_maker(), place.position, place.offset, told))
    write_atomically(stream.folder / "told", hashlib.sha256(data).digest() + data)


def forget(stream: Stream) -> None:
    """Throw a kept fold away: it holds what may not be kept."""
    (stream.folder / "told").unlink(missing_ok=True)


def _later(text: str) -> int:
    return moment.to_us(text) if text else 0


def _maker() -> str:
    """Newer software may know kinds that the one before passed over."""
    return f"{version()} {FOLD_VERSION}"
