"""Checks a stream as a stranger would: from its bytes and the public keys alone, record by record, in constant memory.

It trusts no table and no software that wrote the bytes: what follows on what, which body belongs to which header, and
who signed the end is worked out anew. `songshan audit verify` and `songshan-hub verify` both feed it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core.asrun import NO_HASH
from appliance.core.errors import Text
from appliance.core.journal import (
    NO_HEAD,
    Broken,
    Checkpoint,
    Position,
    Record,
    genesis,
    is_signed_by,
    parse_record,
    position_after,
)
from appliance.core.moment import to_us
from appliance.core.records import BadBody, Redact, Seen, UnknownKind, decode
from appliance.core.snapshot import Gauge, Statement
from appliance.core.snapshot import is_signed_by as is_signed_by_writer

PROBLEMS_MAX: Final = 1000
"""Told one by one; of more only how many."""

Place = tuple[str, int, int]
"""Stream, epoch and sequence."""
Missing = tuple[str, int, int, str]
"""Stream, epoch, sequence and `origin` of a record without its body."""


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one stream. `unsigned` records lie behind the newest checkpoint, the first written then."""

    stream: str
    records: int
    epoch: int
    seq: int
    head: str
    signed_at_us: int | None
    unsigned: int
    unsigned_since_us: int | None
    redacted: int
    snapshots: int
    set_aside: int
    """Records of a branch of history that was given up, kept as evidence; what they said was said again."""
    problems: tuple[Text, ...]


class Auditor:
    """Of one stream. Feed it all records in order, then `finish`.

    Where records were left out because a signed snapshot stands for them, `leap`.
    """

    def __init__(self, stream: str, keys: Sequence[Ed25519PublicKey], checkpoint: Checkpoint | None) -> None:
        self._stream, self._keys, self._checkpoint = stream, keys, checkpoint
        self._last = genesis(stream)
        self._is_signed = checkpoint is not None and checkpoint.position == self._last
        self._unsigned = 0
        self._unsigned_since_us: int | None = None
        self.records = 0
        """How many came."""
        self._problems: list[Text] = []
        self._more = 0
        self._is_ended = False
        self._leapt: Position | None = None
        self.snapshots = 0
        """How many stand for what is not here any more."""
        self.set_aside = 0
        self._aired: dict[str, tuple[int, str] | None] = {}
        self._is_whole = True
        self.missing: list[Missing] = []
        """Bodies that are not there; each needs a record that redacted it."""

    def feed(self, header_bytes: bytes, body: bytes | None) -> Record | None:
        """Take the next record; None when it is none. What is wrong with it is kept for `finish`."""
        self.records += 1
        try:
            record = parse_record(header_bytes, body)
        except Broken as broken:
            why = broken.problems[0]
            name = f"{self._last.epoch}:{self._last.seq + 1}"
            self._complain(Text(f"{name} 不是记录：{why.zh}", f"{name} is no record: {why.en}"))
            # The header may be whole: then the chain goes on behind it and the next record is not blamed as well.
            self._last = _behind_broken(self._last, header_bytes)
            return None
        self._follow(record)
        return record

    def feed_part(self, header_bytes: bytes, body: bytes | None, gauge: Gauge) -> Record | None:
        """Take the next record of a snapshot: it follows on nothing, the statement vouches for it."""
        self.records += 1
        try:
            record = parse_record(header_bytes, body)
        except Broken as broken:
            why = broken.problems[0]
            self._complain(Text(f"快照中有坏记录：{why.zh}", f"a snapshot holds no record: {why.en}"))
            return None
        gauge.add(record)
        if record.body is None:
            self.missing.append((record.header.stream, *record.header.place, record.origin))
        return record

    def leap(self, statement: Statement, gauge: Gauge) -> None:
        """Here the stream goes on behind a snapshot, whose records `gauge` has seen."""
        place = statement.position
        name = f"{place.epoch}:{place.seq}"
        if place.stream != self._stream or not any(is_signed_by_writer(statement, key) for key in self._keys):
            self._complain(Text(f"快照 {name} 的签名不对", f"the signature of the snapshot at {name} is wrong"))
        if not gauge.fits(statement):
            self._complain(Text(f"快照 {name} 与声明不符", f"the snapshot at {name} is not what was signed"))
        self._last, self._is_whole = place, False
        self._leapt = place
        self._aired = dict.fromkeys(self._aired)
        self.snapshots += 1
        self._is_signed |= self._checkpoint is not None and self._checkpoint.position == place

    def complain(self, problem: Text) -> None:
        """Something is wrong that whoever reads the records sees: a column that says otherwise, a file that ends."""
        self._complain(problem)

    @property
    def aired(self) -> dict[str, tuple[int, str]]:
        """By channel: the last as-run row that was reported, and its hash."""
        return {channel: last for channel, last in self._aired.items() if last is not None}

    def finish(self) -> Audited:
        """The end of the stream is here."""
        if not self._is_ended:
            self._check_end()
        self._is_ended = True
        more = (
            ()
            if not self._more
            else (Text(f"{self._stream}：另有 {self._more} 处", f"{self._stream}: {self._more} more"),)
        )
        return Audited(
            stream=self._stream,
            records=self.records,
            epoch=self._last.epoch,
            seq=self._last.seq,
            head=self._last.head,
            signed_at_us=self._checkpoint.at_us if self._checkpoint is not None else None,
            unsigned=self._unsigned,
            unsigned_since_us=self._unsigned_since_us,
            redacted=len(self.missing),
            snapshots=self.snapshots,
            set_aside=self.set_aside,
            problems=(*self._problems, *more),
        )

    def _follow(self, record: Record) -> None:
        header, last = record.header, self._last
        name = f"{header.epoch}:{header.seq}"
        if header.stream != self._stream:
            self._complain(Text(f"{name} 属于流 {header.stream}", f"{name} is of the stream {header.stream}"))
        elif header.place not in ((last.epoch, last.seq + 1), (last.epoch + 1, 1)):
            due = f"{last.epoch}:{last.seq + 1}"
            self._complain(Text(f"应为 {due}，来的是 {name}", f"{due} is due, {name} came"))
        elif header.prev != last.head:
            self._complain(Text(f"{name} 不接前一条", f"{name} does not follow the one before it"))
        self._last = position_after(record)
        if record.body is None:
            self.missing.append((header.stream, *header.place, record.origin))
        self._note_signature(self._last, header.at)
        if header.kind == "asrun" and record.body is not None:
            self._check_aired(name, record.body, is_again=header.again is not None)
        elif header.kind == "asrun":
            self._aired[header.key] = None

    def _note_signature(self, position: Position, at: str) -> None:
        if self._checkpoint is None or position.place > self._checkpoint.position.place:
            self._unsigned += 1
            self._unsigned_since_us = self._unsigned_since_us or to_us(at)
        elif position == self._checkpoint.position:
            self._is_signed = True

    def _check_aired(self, name: str, body: bytes, *, is_again: bool) -> None:
        """The as-run rows have a chain of their own; what a third-party engine reported has none.

        A record that was issued again tells what another branch of history did: there the chain goes on from it.
        """
        try:
            said = msgspec.json.decode(body)
            rows = [row for row in said["rows"] if "prev" in row]
            for row in rows:
                if is_again:
                    self._aired[str(said["channel"])] = None
                self._check_row(name, str(said["channel"]), row)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            self._complain(Text(f"{name} 播出日志格式不对：{error!r}", f"{name} holds a malformed as-run: {error!r}"))

    def _check_row(self, name: str, channel: str, row: dict[str, Any]) -> None:
        # Behind rows that were redacted, or left out by a snapshot, the chain begins anew.
        seq, head = self._aired.get(channel, (0, NO_HASH) if self._is_whole else None) or (row["seq"] - 1, row["prev"])
        document = msgspec.json.encode({key: value for key, value in row.items() if key != "hash"})
        if (row["seq"], row["prev"]) != (seq + 1, head):
            self._complain(
                Text(
                    f"{name}：{channel} 播出日志应为第 {seq + 1} 行，来的是第 {row['seq']} 行",
                    f"{name}: as-run row {seq + 1} of {channel} is due, {row['seq']} came",
                )
            )
        if hashlib.sha256(document).hexdigest() != row["hash"]:
            self._complain(
                Text(
                    f"{name}：{channel} 播出日志第 {row['seq']} 行与指纹不符",
                    f"{name}: as-run row {row['seq']} of {channel} is not what its hash says",
                )
            )
        self._aired[channel] = (row["seq"], row["hash"])

    def _check_end(self) -> None:
        if self._leapt is not None and self._leapt == self._last:
            # The snapshot's own signature is on the head; an older checkpoint of the place leapt from is none of it.
            return
        if self._checkpoint is None:
            if self.records:
                self._complain(Text("没有检查点", "there is no checkpoint"))
            return
        signed = self._checkpoint.position
        if signed.stream != self._stream:
            self._complain(Text("检查点属于另一条流", "the checkpoint is of another stream"))
        if not any(is_signed_by(self._checkpoint, key) for key in self._keys):
            self._complain(Text("检查点签名不对", "the checkpoint's signature is wrong"))
        if not self._is_signed and signed.head != NO_HEAD:
            name = f"{signed.epoch}:{signed.seq}"
            self._complain(Text(f"没有所签的记录 {name}", f"the record that was signed, {name}, is not there"))

    def _complain(self, problem: Text) -> None:
        if len(self._problems) < PROBLEMS_MAX:
            self._problems.append(Text(f"{self._stream}：{problem.zh}", f"{self._stream}: {problem.en}"))
        else:
            self._more += 1


class Redactions:
    """What records of kind `redact` removed, against what is not there, over all streams that an audit reads."""

    def __init__(self) -> None:
        self.removed: set[Missing] = set()
        """With "" for the origin where it is whatever record has the place."""
        self.seen: dict[Place, str] = {}
        """Heads of the hub's streams that the site says it was shown, by stream, epoch and sequence."""

    def note(self, record: Record) -> None:
        """Take in a record; a `redact` only where it has a say."""
        if record.header.kind not in ("redact", "seen") or record.body is None:
            return
        with suppress(UnknownKind, BadBody):
            match decode(record):
                case Redact(stream=stream, epoch=epoch, seq=seq, hash=origin):
                    self.removed.add((stream, epoch, seq, origin))
                case Seen(heads=heads):
                    self.seen.update({(name, at.epoch, at.seq): at.head for name, at in heads.items()})

    def unaccounted(self, missing: Iterable[Missing]) -> tuple[Text, ...]:
        """Bodies that nobody redacted on record."""
        removed = {(stream, origin) for stream, _epoch, _seq, origin in self.removed}
        return tuple(
            Text(
                f"{stream}：{epoch}:{seq} 的正文不在，也没有抹除记录",
                f"{stream}: the body of {epoch}:{seq} is gone, and no record redacted it",
            )
            for stream, epoch, seq, origin in missing
            if (stream, origin) not in removed and (stream, epoch, seq, "") not in self.removed
        )


def _behind_broken(last: Position, header_bytes: bytes) -> Position:
    """Where the stream stands behind what could not be read."""
    try:
        return position_after(parse_record(header_bytes, None))
    except Broken:
        return Position(last.stream, last.epoch, last.seq + 1, hashlib.sha256(header_bytes).hexdigest())
