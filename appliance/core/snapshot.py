"""Snapshots: what of a stream still counts at a place, under the writer's signature, so that nobody need read the rest.

A snapshot is the records still in force, as their exact bytes, and a statement that the writer signed: up to where, how
many, and a digest of their headers. A header names its body's hash, so bodies are vouched for too, and one that is
redacted later changes nothing. docs/formats.md, section 1; ADR 16.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core.errors import OperatorError, Text
from appliance.core.item import Item
from appliance.core.journal import Broken, Epoch, Hex, Position, Record, Sequence, genesis
from appliance.core.judge import Verdict
from appliance.core.moment import US, to_text, to_us
from appliance.core.records import BadBody, Filler, Insert, Recall, Redact, Resume, Schedule, UnknownKind, decode
from appliance.core.signed import as_text, from_text, is_signed

SIGNED_PREFIX: Final = b"songshan-snapshot-v1\n"
PAYLOAD_BYTES_MAX: Final = 4 * 1024
SIZE_BYTES_MAX: Final = 1024**3
RECORDS_MAX: Final = 2_000_000
DAY_US: Final = 86_400 * US


class _Payload(msgspec.Struct, frozen=True):
    v: Literal[1]
    stream: str
    epoch: Epoch
    seq: Sequence
    head: Hex
    digest: Hex
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=SIZE_BYTES_MAX)]
    records: Annotated[int, msgspec.Meta(ge=0, le=RECORDS_MAX)]
    at: str


class Statement(msgspec.Struct, frozen=True):
    """The writer's word on a snapshot. Made by `parse_statement`; the signature is checked by `is_signed_by`.

    `digest` is the SHA-256 of all header lines, each with its LF; `size_bytes` is that of headers and bodies with LFs.
    """

    payload: bytes
    signature: bytes
    position: Position
    digest: str
    size_bytes: int
    records: int
    at_us: int


def sign_statement(
    position: Position, digest: str, size_bytes: int, records: int, at_us: int, key: Ed25519PrivateKey
) -> Statement:
    """Vouch for a snapshot of the stream at a position."""
    place = (position.stream, position.epoch, position.seq, position.head)
    payload = msgspec.json.encode(_Payload(1, *place, digest, size_bytes, records, to_text(at_us)))
    return parse_statement(payload, key.sign(SIGNED_PREFIX + payload))


def parse_statement(payload: bytes, signature: bytes) -> Statement:
    """Read a statement; raises Broken when it has not the shape of one."""
    try:
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"more than {PAYLOAD_BYTES_MAX} bytes")
        said = msgspec.json.decode(payload, type=_Payload)
        position = msgspec.structs.replace(genesis(said.stream), epoch=said.epoch, seq=said.seq, head=said.head)
        at_us = to_us(said.at)
    except (ValueError, RecursionError) as error:
        raise Broken(Text(f"不是快照声明：{error}", f"no statement of a snapshot: {error}")) from error
    return Statement(payload, signature, position, said.digest, said.size_bytes, said.records, at_us)


def statement_text(statement: Statement) -> tuple[str, str]:
    """Payload and signature in base64."""
    return as_text(statement.payload, statement.signature)


def parse_statement_text(payload: str, signature: str) -> Statement:
    """The inverse of `statement_text`; raises Broken."""
    try:
        decoded = from_text(payload, signature)
    except ValueError as error:
        raise Broken(Text("快照声明不是 base64", "a statement that is not base64")) from error
    return parse_statement(*decoded)


def is_signed_by(statement: Statement, key: Ed25519PublicKey) -> bool:
    """Whether the holder of `key` made this statement. The prefix keeps it apart from a checkpoint."""
    return is_signed(SIGNED_PREFIX, statement.payload, statement.signature, key)


class Gauge:
    """Digest, size and number of records as they come, to be held against a statement."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size_bytes = self.records = 0
        self._place = (0, 0)
        self._is_in_order = True

    def add(self, record: Record) -> None:
        """One record more. A redacted body counts with the size that it had."""
        self._hash.update(record.header_bytes + b"\n")
        self.size_bytes += len(record.header_bytes) + record.header.body_size_bytes + 2
        self.records += 1
        self._is_in_order &= record.header.place > self._place
        self._place = record.header.place

    @property
    def digest(self) -> str:
        """Of what came so far."""
        return self._hash.hexdigest()

    def fits(self, statement: Statement) -> bool:
        """Whether what came is what the statement vouches for: all of it, in order, and none from beyond its place."""
        return (
            self._is_in_order
            and self._place <= statement.position.place
            and (self.digest, self.size_bytes, self.records)
            == (statement.digest, statement.size_bytes, statement.records)
        )


def judge_snapshot(last: Position, statement: Statement, key: Ed25519PublicKey) -> tuple[Verdict, Text]:
    """Whether a reader who stands at `last` may take the snapshot, before any record of it has come.

    What then comes must fit the statement (`Gauge`), else it is broken. A reader never goes back to one.
    """
    if statement.position.stream != last.stream:
        return Verdict.BROKEN, Text("快照属于另一条流", "a snapshot of another stream")
    if not is_signed_by(statement, key):
        return Verdict.BROKEN, Text("快照的签名不对", "the snapshot's signature is wrong")
    if statement.position == last:
        return Verdict.DUPLICATE, Text("已在快照处", "it is known already")
    if statement.position.place <= last.place:
        return Verdict.STALE, Text("快照在已有位置之前", "the snapshot is behind what is here")
    return Verdict.ACCEPTED, Text("接收快照", "a snapshot is taken")


class InForce:
    """Which records of a stream still count: feed all of them in order, then ask `places`.

    Of what is replaced by its key the last; recalls and redactions for ever, since what they took away may still come;
    what this version does not know or cannot read as it is. What time has passed over is left out: schedules of days
    before yesterday, insertions that may not air any more, what was recalled, what was redacted.
    """

    def __init__(self, now_us: int, recalled: dict[str, str]) -> None:
        self._now_us, self._recalled = now_us, recalled
        self._kept: dict[tuple[str, ...], tuple[int, int]] = {}
        self._inserts: dict[str, dict[str, tuple[int, int]]] = {}

    def feed(self, record: Record) -> None:
        """Take in the next record."""
        header, place = record.header, record.header.place
        if record.body is None:
            # Nor does what an item said before come back in its place.
            if header.kind in ("item", "offer"):
                self._kept.pop((header.kind, header.key), None)
            return
        try:
            body = decode(record)
        except (UnknownKind, BadBody):
            self._kept["?", str(place)] = place
            return
        match body:
            case Item():
                self._keep_item((header.kind, body.id), body, place)
            case Redact():
                self._kept[header.kind, body.stream, body.hash or str((body.epoch, body.seq))] = place
            case Recall(target=target):
                self._kept[header.kind, target] = place
            case Schedule(channel=channel, date=date):
                if not self._is_past(date):
                    self._kept[header.kind, channel, date] = place
            case Filler(channel=channel):
                self._kept[header.kind, channel] = place
            case Insert():
                ends_us = max(to_us(body.not_after), to_us(body.until or body.not_after))
                if ends_us >= self._now_us - DAY_US:
                    self._inserts.setdefault(body.channel, {})[body.id] = place
            case Resume(channel=channel):
                self._inserts.pop(channel, None)
                if to_us(header.at) >= self._now_us - DAY_US:
                    self._kept[header.kind, channel] = place
            case _:
                self._kept[header.kind, header.key] = place

    def places(self) -> set[tuple[int, int]]:
        """Epoch and sequence of each."""
        return {*self._kept.values(), *(place for each in self._inserts.values() for place in each.values())}

    def _is_past(self, date: str) -> bool:
        """Whether a broadcast day was over before yesterday began, in whatever zone."""
        try:
            return to_us(f"{date}T00:00:00Z") < self._now_us - 3 * DAY_US
        except OperatorError:
            return False

    def _keep_item(self, key: tuple[str, str], item: Item, place: tuple[int, int]) -> None:
        recalled_at = self._recalled.get(item.id)
        if recalled_at is not None and to_us(item.created_at) <= to_us(recalled_at):
            self._kept.pop(key, None)
        else:
            self._kept[key] = place


def gauge_of(records: Iterable[Record]) -> Gauge:
    """Digest, size and number of these."""
    gauge = Gauge()
    for record in records:
        gauge.add(record)
    return gauge
