"""The lines that hub and box say to each other: one JSON object each, its first key `t`. docs/formats.md, section 3.

hello               both, first and once           records, checkpoint   the writer of a stream
snapshot            the hub, before what it vouches for
ack, refuse         the reader of a stream         status, delivered     the box
delivered_answer    the hub                        ping, pong, bye       both
ask, evidence       the writer of a stream, which finds its reader elsewhere
returned            the reader, in answer to ask   want                  the hub, which lost assets
give                the box, which lacks assets    given, not_given      the hub; behind `given` come the bytes
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from appliance.core.errors import Text, WorldError
from appliance.core.journal import Epoch, Hex, Position, Record, parse_record
from appliance.core.journal import Sequence as Seq
from appliance.core.judge import Verdict

VERSION: Final = 1
LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of a `records` line: a record of the greatest size, escaped, with room to spare."""
SMALL_LINE_BYTES_MAX: Final = 64 * 1024
"""Of every other line."""
RECORDS_PER_BATCH: Final = 256
BATCH_BYTES: Final = 128 * 1024
"""Headers and bodies of one batch; a larger record goes alone. Small, so that a recall need not wait for more."""

TRAIL_MAX: Final = 128
"""Places that one `ask` may name: twice the logarithm of the longest stream there can be."""
WANT_MAX: Final = 256
"""Assets that one `want` may name."""
GIVEN_BYTES_MAX: Final = 32 * 1024
"""The largest asset that is handed over in the session itself. A larger one is worth a connection of its own, and no
recall waits behind it."""
GIVE_MAX: Final = 512
"""Assets that one `give` may name, so that it is a small line."""
OWED_MAX: Final = 1024
"""Assets that were asked for and not answered yet."""

DELIVERIES_MAX: Final = 64
"""How many deliveries may wait for their answer."""
UNREAD_MAX: Final = 1024
"""How many small lines may wait to be sent while the peer asks for more."""

KeyText = Annotated[str, msgspec.Meta(pattern=r"\A(?:[A-Za-z0-9+/]{43}=)?\Z")]
"""A public key in base64, or "": not said."""

DeliveryVerdict = Literal["taken", "missing", "corrupt", "refused"]


class ProtocolError(WorldError):
    """The peer said what the protocol does not allow. A `bye` is queued: send what is left, then close the line."""


class Head(msgspec.Struct, frozen=True):
    """A position where the stream's name stands beside it."""

    epoch: Epoch
    seq: Seq
    head: Hex


class KeyTimes(msgspec.Struct, frozen=True):
    """Of the keys of a box, by the hub's clock: in force since, to be changed from, good until, to be changed until."""

    since: str
    renew_from: str
    until: str
    grace_until: str


class BoxHello(msgspec.Struct, frozen=True, tag_field="t", tag="hello"):
    """`have`: how far it has the hub's streams; `offer`: how far its own goes.

    `machine` tells one machine from another (`appliance.core.machine`); a box that does not say passes for the same.
    `trusts` is the signing key of the hub's by which it judges; one that does not say is taken to have the newest.
    """

    v: Literal[1]
    site: str
    software: str
    time: str
    have: dict[str, Head]
    offer: Head
    machine: Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{64})?\Z")] = ""
    trusts: KeyText = ""


class HubHello(msgspec.Struct, frozen=True, tag_field="t", tag="hello"):
    """`have`: how far it has the site's stream; `streams`: how far its own go; `signs`: the key that it signs with.

    `gives_bytes_max`: assets up to this size may be asked for with `give`; a hub that does not say gives none.
    `key`: of the site's keys; null: they never run out. `keeps_backups`: how many sealed backups of the box it keeps;
    a hub that does not say keeps none.
    """

    v: Literal[1]
    hub: str
    time: str
    have: dict[str, Head]
    streams: dict[str, Head]
    software: str = ""
    signs: KeyText = ""
    gives_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 0
    key: KeyTimes | None = None
    keeps_backups: Annotated[int, msgspec.Meta(ge=0)] = 0


class Records(msgspec.Struct, frozen=True, tag_field="t", tag="records"):
    """Header and body as the text that their bytes are; null where the body was redacted."""

    stream: str
    records: Annotated[tuple[tuple[str, str | None], ...], msgspec.Meta(min_length=1, max_length=RECORDS_PER_BATCH)]
    checkpoint: tuple[str, str] | None = None


class CheckpointLine(msgspec.Struct, frozen=True, tag_field="t", tag="checkpoint"):
    """A sign of life while there is nothing to write."""

    stream: str
    checkpoint: tuple[str, str]


class Snapshot(msgspec.Struct, frozen=True, tag_field="t", tag="snapshot"):
    """The reader is far behind: what follows of this stream, without checkpoints, is what this vouches for."""

    stream: str
    statement: tuple[str, str]


class Ack(msgspec.Struct, frozen=True, tag_field="t", tag="ack"):
    """All up to here is durable at the reader."""

    stream: str
    epoch: Epoch
    seq: Seq
    head: Hex


class Refuse(msgspec.Struct, frozen=True, tag_field="t", tag="refuse"):
    """Nothing more is read of this stream in this session."""

    stream: str
    verdict: Verdict
    reason: Text


class Ask(msgspec.Struct, frozen=True, tag_field="t", tag="ask"):
    """The reader stands where I, the writer, never was. `trail`: where I was, newest first; give me what follows."""

    stream: str
    trail: Annotated[tuple[Head, ...], msgspec.Meta(min_length=1, max_length=TRAIL_MAX)]


class ReturnedLine(msgspec.Struct, frozen=True, tag_field="t", tag="returned"):
    """What the reader holds of the stream behind `since`, a place of the trail, with the writer's own signature.

    No records: it holds nothing more that the writer signed.
    """

    stream: str
    since: Head
    records: Annotated[tuple[tuple[str, str | None], ...], msgspec.Meta(max_length=RECORDS_PER_BATCH)] = ()
    checkpoint: tuple[str, str] | None = None


class EvidenceLine(msgspec.Struct, frozen=True, tag_field="t", tag="evidence"):
    """Signed records of the writer that lost their place to what the reader holds: to be kept, never applied."""

    stream: str
    records: Annotated[tuple[tuple[str, str | None], ...], msgspec.Meta(min_length=1, max_length=RECORDS_PER_BATCH)]
    checkpoint: tuple[str, str]


class Want(msgspec.Struct, frozen=True, tag_field="t", tag="want"):
    """Assets that the hub's own records name and that it has lost: to be uploaded by whoever holds them."""

    digests: Annotated[tuple[str, ...], msgspec.Meta(max_length=WANT_MAX)]


class Give(msgspec.Struct, frozen=True, tag_field="t", tag="give"):
    """Small assets that the box lacks: to be handed over in this session.

    `in_order`: as they were asked for, and then their digests need not be said again. A hub that does not know it says
    them, in whatever order.
    """

    digests: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=GIVE_MAX)]
    in_order: bool = False


class Given(msgspec.Struct, frozen=True, tag_field="t", tag="given", omit_defaults=True):
    """Behind this line come so many bytes as they are, and an LF. No digest: the first of those that are owed."""

    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=GIVEN_BYTES_MAX)]
    digest: str = ""


class NotGiven(msgspec.Struct, frozen=True, tag_field="t", tag="not_given"):
    """It is not there, not for this site, or too large for the session."""

    digest: str
    reason: Text


class Status(msgspec.Struct, frozen=True, tag_field="t", tag="status"):
    """How the box is; the newest is all that counts."""

    status: dict[str, Any]


class Deliver(msgspec.Struct, frozen=True, tag_field="t", tag="delivered"):
    """An asset lies complete in the site's `incoming`. `is_backup`: it is a sealed backup of the box, to be kept aside;
    a box says so to a hub alone that keeps them."""

    digest: str
    is_backup: bool = False


class DeliveredAnswer(msgspec.Struct, frozen=True, tag_field="t", tag="delivered_answer"):
    """What the hub found there."""

    digest: str
    verdict: DeliveryVerdict
    reason: Text


class Ping(msgspec.Struct, frozen=True, tag_field="t", tag="ping"):
    """To be answered with the same number."""

    n: int


class PongLine(msgspec.Struct, frozen=True, tag_field="t", tag="pong"):
    """The answer."""

    n: int


class Bye(msgspec.Struct, frozen=True, tag_field="t", tag="bye"):
    """The last line."""

    reason: Text


Line = (
    BoxHello | HubHello | Records | CheckpointLine | Snapshot | Ack | Refuse
    | Ask | ReturnedLine | EvidenceLine | Want | Give | Given | NotGiven | Status | Deliver | DeliveredAnswer
    | Ping | PongLine | Bye
)  # fmt: skip
LONG_LINES: Final = Records | ReturnedLine | EvidenceLine
FROM_BOX: Final = msgspec.json.Decoder(
    BoxHello | Records | CheckpointLine | Ack | Refuse | Ask | ReturnedLine | EvidenceLine | Give
    | Status | Deliver | Ping | PongLine | Bye
)  # fmt: skip
FROM_HUB: Final = msgspec.json.Decoder(
    HubHello | Records | CheckpointLine | Snapshot | Ack | Refuse | Ask | ReturnedLine | EvidenceLine | Want
    | Given | NotGiven | DeliveredAnswer | Ping | PongLine | Bye
)  # fmt: skip


def streams_of_hub(site: str) -> tuple[str, ...]:
    """What the hub writes for a site, the most urgent first."""
    return "all/control", f"{site}/control", "all/content", f"{site}/content"


def stream_of_site(site: str) -> str:
    """What a site writes."""
    return f"{site}/report"


def head_of(position: Position) -> Head:
    """A position without the name of its stream."""
    return Head(position.epoch, position.seq, position.head)


def position_of(stream: str, head: Head) -> Position:
    """The inverse of `head_of`."""
    return Position(stream, head.epoch, head.seq, head.head)


def batch_of(records: Sequence[Record]) -> Sequence[Record]:
    """The longest beginning of `records` that may be offered at once: all of them, or cut; never () for some."""
    size_bytes = 0
    for number, record in enumerate(records):
        size_bytes += len(record.header_bytes) + len(record.body or b"")
        if number == RECORDS_PER_BATCH or (number > 0 and size_bytes > BATCH_BYTES):
            return records[:number]
    return records


def pairs_of(records: Sequence[Record]) -> tuple[tuple[str, str | None], ...]:
    """One batch as its line carries it."""
    assert len(batch_of(records)) == len(records), "a batch is bounded"
    return tuple((record.header_bytes.decode(), record.body.decode() if record.body else None) for record in records)


def parsed(pairs: Sequence[tuple[str, str | None]]) -> tuple[Record, ...]:
    """The inverse of `pairs_of`; raises Broken for what is no record."""
    return tuple(parse_record(header.encode(), None if body is None else body.encode()) for header, body in pairs)


def encoded(line: Line) -> bytes:
    """A line as it is sent."""
    return msgspec.json.encode(line) + b"\n"


def no_business(site: str, stream: str) -> Text:
    """What is said to a peer who names a stream that is not one of these."""
    shown = repr(stream[:80])
    return Text(f"{site} 与流 {shown} 无关", f"{site} has no business with stream {shown}")


def malformed(error: Exception) -> Text:
    """What is said to a peer who does not keep to this."""
    return Text(f"协议错误：{error}", f"protocol error: {error}")
