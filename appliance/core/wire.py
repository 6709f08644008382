"""The lines that hub and box say to each other: one JSON object each, its first key `t`. docs/formats.md, section 3.

hello               both, first and once           records, checkpoint   the writer of a stream
snapshot            the hub, before what it vouches for
ack, refuse         the reader of a stream         status, delivered     the box
delivered_answer    the hub                        ping, pong, bye       both
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.journal import Epoch, Hex, Position, Sequence
from appliance.core.judge import Verdict

VERSION: Final = 1
LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of a `records` line: a record of the greatest size, escaped, with room to spare."""
SMALL_LINE_BYTES_MAX: Final = 64 * 1024
"""Of every other line."""
RECORDS_PER_BATCH: Final = 256
BATCH_BYTES: Final = 128 * 1024
"""Headers and bodies of one batch; a larger record goes alone. Small, so that a recall need not wait for more."""

DeliveryVerdict = Literal["taken", "missing", "corrupt", "refused"]


class Head(msgspec.Struct, frozen=True):
    """A position where the stream's name stands beside it."""

    epoch: Epoch
    seq: Sequence
    head: Hex


class BoxHello(msgspec.Struct, frozen=True, tag_field="t", tag="hello"):
    """`have`: how far it has the hub's streams; `offer`: how far its own goes."""

    v: Literal[1]
    site: str
    software: str
    time: str
    have: dict[str, Head]
    offer: Head


class HubHello(msgspec.Struct, frozen=True, tag_field="t", tag="hello"):
    """`have`: how far it has the site's stream; `streams`: how far its own go."""

    v: Literal[1]
    hub: str
    time: str
    have: dict[str, Head]
    streams: dict[str, Head]
    software: str = ""


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
    seq: Sequence
    head: Hex


class Refuse(msgspec.Struct, frozen=True, tag_field="t", tag="refuse"):
    """Nothing more is read of this stream in this session."""

    stream: str
    verdict: Verdict
    reason: Text


class Status(msgspec.Struct, frozen=True, tag_field="t", tag="status"):
    """How the box is; the newest is all that counts."""

    status: dict[str, Any]


class Deliver(msgspec.Struct, frozen=True, tag_field="t", tag="delivered"):
    """An asset lies complete in the site's `incoming`."""

    digest: str


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
    | Status | Deliver | DeliveredAnswer | Ping | PongLine | Bye
)  # fmt: skip
FROM_BOX: Final = msgspec.json.Decoder(
    BoxHello | Records | CheckpointLine | Ack | Refuse | Status | Deliver | Ping | PongLine | Bye
)
FROM_HUB: Final = msgspec.json.Decoder(
    HubHello | Records | CheckpointLine | Snapshot | Ack | Refuse | DeliveredAnswer | Ping | PongLine | Bye
)


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
