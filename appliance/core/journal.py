"""Journals (流水): records in a hash chain, and heads under a signature, to the byte.

A stream has exactly one writer. A record is two lines, header and body, kept and hashed as the exact bytes received.
The header names the hash of the header before it and the hash of its body, so a body can be removed (redacted) and
the chain still verifies. A checkpoint is the writer's signature on where the stream stands. docs/formats.md, section 1.
"""

import base64
import binascii
import functools
import hashlib
import itertools
import re
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.moment import to_text, to_us
from appliance.core.signed import as_text, from_text, is_signed

HEADER_BYTES_MAX: Final = 4 * 1024
BODY_BYTES_MAX: Final = 1024 * 1024
PAYLOAD_BYTES_MAX: Final = 4 * 1024
NESTING_MAX: Final = 64
"""Arrays and objects within each other. A bound of our own, for a parser's depends on who calls it and from where."""
SIGNED_PREFIX: Final = b"songshan-checkpoint-v1\n"
NO_HEAD: Final = "0" * 64
SITE_ID: Final = re.compile(r"(?!(?:all|hub)(?:/|\Z))[a-z][a-z0-9-]{1,31}")
STREAM: Final = re.compile(rf"all/(?:control|content)|{SITE_ID.pattern}/(?:control|content|report)")

Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Epoch = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Broken(Refused):
    """Bytes that are no record or no checkpoint, or a body that is not the one its header names."""


class Position(msgspec.Struct, frozen=True):
    """How far a stream goes: the last record's epoch, sequence and hash.

    Sequence 0 is the place before the first record of an epoch.
    """

    stream: str
    epoch: Epoch
    seq: Sequence
    head: Hex

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and sequence; within one history, later is greater."""
        return self.epoch, self.seq


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line of a record. Keys beyond these are kept in the bytes and ignored.

    `again` is the hash of the record that this one stands for, which its writer wrote in a history that was given up.
    """

    v: Literal[1]
    stream: str
    epoch: Epoch
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    prev: Hex
    kind: Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_-]{0,31}\Z")]
    key: Annotated[str, msgspec.Meta(max_length=200)]
    at: str
    body_sha256: Hex
    body_size_bytes: Annotated[int, msgspec.Meta(ge=2, le=BODY_BYTES_MAX)]
    again: Hex | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and sequence."""
        return self.epoch, self.seq


class Record(msgspec.Struct, frozen=True):
    """Made only by `parse_record` and `append`. `body` is None when it was redacted; `hash` is that of the header."""

    header_bytes: bytes
    body: bytes | None
    header: Header
    hash: str

    @property
    def origin(self) -> str:
        """The hash of the record that this is, or that it stands for: however often it was issued again, the same."""
        return self.header.again or self.hash


class Checkpoint(msgspec.Struct, frozen=True):
    """Where the writer says its stream stands. Made by `parse_checkpoint`; the signature is the judge's business."""

    payload: bytes
    signature: bytes
    position: Position
    at_us: int
    next_by_us: int


def genesis(stream: str) -> Position:
    """Before the first record of a stream."""
    return Position(check_stream(stream), 1, 0, NO_HEAD)


def next_epoch(position: Position) -> Position:
    """The same place, a new epoch begun: its first record has sequence 1 and is chained to the last epoch's head."""
    return Position(position.stream, position.epoch + 1, 0, position.head)


def append(last: Position, kind: str, key: str, body: bytes, at_us: int, again: str | None = None) -> Record:
    """The record that follows `last`; Broken when `body` is no JSON object, has a raw newline or is too large.

    `again` names the lost record whose place it takes.
    """
    header = Header(
        v=1,
        stream=last.stream,
        epoch=last.epoch,
        seq=last.seq + 1,
        prev=last.head,
        kind=kind,
        key=key,
        at=to_text(at_us),
        body_sha256=hashlib.sha256(body).hexdigest(),
        body_size_bytes=len(body),
        again=again,
    )
    record = parse_record(msgspec.json.encode(header), body)
    assert record.body is not None, "a record is written with its body"
    return record


def position_after(record: Record) -> Position:
    """Where its stream stands once the record is accepted."""
    return Position(record.header.stream, record.header.epoch, record.header.seq, record.hash)


def parse_record(header_bytes: bytes, body: bytes | None) -> Record:
    """Read a record from its two lines, without their newlines; `body` None or empty means redacted.

    Raises Broken when a line is too long, is no JSON object or has a raw newline, when a field of the header is missing
    or out of range, and when the body is not the one that the header names. The chain is the judge's business.
    """
    if len(header_bytes) > HEADER_BYTES_MAX:
        raise _broken(f"记录头超过 {HEADER_BYTES_MAX} 字节", f"a header of more than {HEADER_BYTES_MAX} bytes")
    header = _decode(header_bytes, _HEADERS)
    _stream(header.stream)
    _moment(header.at)
    if body:
        _check_body(header, body)
    return Record(header_bytes, body or None, header, hashlib.sha256(header_bytes).hexdigest())


def body_of_line(line: bytes) -> bytes | None:
    """The body that a line of a file holds; None where it is empty, or blanks that were written over it."""
    return line if line.strip(b" ") else None


class _Payload(msgspec.Struct, frozen=True):
    v: Literal[1]
    stream: str
    epoch: Epoch
    seq: Sequence
    head: Hex
    at: str
    next_by: str


def sign_checkpoint(position: Position, at_us: int, next_by_us: int, key: Ed25519PrivateKey) -> Checkpoint:
    """The writer's word that its stream stands at `position`; the next word is due by `next_by_us`.

    For a place behind the head `at_us` must be the time of the record there: to sign an old place at a later time is to
    say that the writer went back.
    """
    payload = msgspec.json.encode(
        _Payload(1, position.stream, position.epoch, position.seq, position.head, to_text(at_us), to_text(next_by_us))
    )
    return parse_checkpoint(payload, key.sign(SIGNED_PREFIX + payload))


def parse_checkpoint(payload: bytes, signature: bytes) -> Checkpoint:
    """Read a checkpoint; raise Broken when it has not the shape of one. The signature is not checked here."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise _broken(f"检查点超过 {PAYLOAD_BYTES_MAX} 字节", f"a checkpoint of more than {PAYLOAD_BYTES_MAX} bytes")
    said = _decode(payload, _PAYLOADS)
    position = Position(_stream(said.stream), said.epoch, said.seq, said.head)
    return Checkpoint(payload, signature, position, _moment(said.at), _moment(said.next_by))


def checkpoint_text(checkpoint: Checkpoint) -> tuple[str, str]:
    """Payload and signature in base64, as sessions and files carry them."""
    return as_text(checkpoint.payload, checkpoint.signature)


def parse_checkpoint_text(payload: str, signature: str) -> Checkpoint:
    """The inverse of `checkpoint_text`; raises Broken."""
    try:
        decoded = from_text(payload, signature)
    except ValueError as error:
        raise _broken("检查点不是 base64", "a checkpoint that is not base64") from error
    return parse_checkpoint(*decoded)


def is_signed_by(checkpoint: Checkpoint, key: Ed25519PublicKey) -> bool:
    """Whether the holder of `key` made this checkpoint."""
    return is_signed(SIGNED_PREFIX, checkpoint.payload, checkpoint.signature, key)


def public_key_text(key: Ed25519PublicKey) -> str:
    """The 32 bytes of a key in base64."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def parse_public_key(text: str) -> Ed25519PublicKey:
    """The inverse of `public_key_text`; raises OperatorError."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise OperatorError(Text("不是 Ed25519 公钥", "not an Ed25519 public key")) from error


def check_stream(stream: str) -> str:
    """The name itself; OperatorError when no stream can be called so."""
    if not STREAM.fullmatch(stream):
        raise OperatorError(Text(f"没有这样的流：{stream[:80]!r}", f"no such stream: {stream[:80]!r}"))
    return stream


_Shape = TypeVar("_Shape")
_HEADERS: Final = msgspec.json.Decoder(Header)
_PAYLOADS: Final = msgspec.json.Decoder(_Payload)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKETS: Final = re.compile(rb"[\[\]{}]")


def _decode(line: bytes, decoder: msgspec.json.Decoder[_Shape]) -> _Shape:
    try:
        line.decode()
        if b"\n" in line:
            raise ValueError("a raw newline")
        read = decoder.decode(line)
        if _nesting(line) > NESTING_MAX:
            raise ValueError(f"nested deeper than {NESTING_MAX}")
    except (ValueError, RecursionError) as error:
        raise _broken(f"格式不对：{error}", f"malformed: {error}") from error
    return read


def _nesting(line: bytes) -> int:
    """How deep the arrays and objects of a JSON text lie in each other, or a greater number that is still small."""
    # Most lines have few brackets, also within strings: to count them is ten times quicker than to look closer.
    brackets = line.count(b"{") + line.count(b"[")
    if brackets <= NESTING_MAX:
        return brackets
    steps = (1 if bracket in b"{[" else -1 for bracket in _BRACKETS.findall(_STRINGS.sub(b"", line)))
    return max(itertools.accumulate(steps), default=0)


def _check_body(header: Header, body: bytes) -> None:
    if len(body) > BODY_BYTES_MAX or len(body) != header.body_size_bytes:
        raise _broken(
            f"记录体 {len(body)} 字节，记录头写 {header.body_size_bytes}，上限 {BODY_BYTES_MAX}",
            f"a body of {len(body)} bytes where the header says {header.body_size_bytes}, at most {BODY_BYTES_MAX}",
        )
    if hashlib.sha256(body).hexdigest() != header.body_sha256:
        raise _broken("记录体与记录头的指纹不符", "a body that is not the one its header names")
    _decode(body, _OBJECTS)


@functools.lru_cache(maxsize=256)
def _stream(name: str) -> str:
    try:
        return check_stream(name)
    except OperatorError as error:
        raise Broken(*error.problems) from error


def _moment(text: str) -> int:
    try:
        return to_us(text)
    except OperatorError as error:
        raise Broken(*error.problems) from error


def _broken(zh: str, en: str) -> Broken:
    return Broken(Text(zh, en))
