"""The control session between box and hub: bytes in, events out; calls in, bytes out. It knows no socket and no clock.

Each end owns a Session, feeds it what it reads, and writes what `data_to_send` returns. The writer of a stream offers
one batch at a time and waits for its acknowledgement, so nothing piles up on either side; the streams go in the order
of their urgency: control, content, report. The reader judges each batch (`appliance.core.judge`), commits what was
accepted, and only then calls `ack`; what it cannot accept it refuses, which closes that stream until the next session.
A writer that finds its reader where it never was asks for what the reader holds, a batch for each question. Small
assets that the box asks for are handed over here too: what is one line long is not worth a connection of its own.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from appliance.core import wire
from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Text
from appliance.core.events import (
    Acked,
    Asked,
    AssetNotGiven,
    BrokenArrived,
    CheckpointArrived,
    Delivered,
    DeliveredAnswered,
    Event,
    EvidenceArrived,
    GiveAsked,
    PeerSaidBye,
    Pong,
    RecordsArrived,
    RefusedBy,
    Returned,
    SnapshotArrived,
    StatusArrived,
    Wanted,
)
from appliance.core.giving import Giving
from appliance.core.greeting import Heads, box_hello, check_stream, hub_hello, understood
from appliance.core.journal import (
    Broken,
    Checkpoint,
    Position,
    Record,
    checkpoint_text,
    parse_checkpoint_text,
)
from appliance.core.judge import Verdict
from appliance.core.key_term import Key
from appliance.core.snapshot import Statement, parse_statement_text, statement_text
from appliance.core.wire import DELIVERIES_MAX as DELIVERIES_MAX
from appliance.core.wire import UNREAD_MAX
from appliance.core.wire import ProtocolError as ProtocolError
from appliance.core.wire import batch_of as batch_of


class Session:
    """One end of one connection. Made by `Session.box` or `Session.hub`; the hello is queued at once."""

    def __init__(self, site: str, hello: wire.BoxHello | wire.HubHello) -> None:
        at_hub = isinstance(hello, wire.HubHello)
        self._site = site
        self._writes: Sequence[str] = wire.streams_of_hub(site)
        self._reads: Sequence[str] = (wire.stream_of_site(site),)
        if not at_hub:
            self._writes, self._reads = self._reads, self._writes
        self._decoder = wire.FROM_BOX if at_hub else wire.FROM_HUB
        self._incoming = bytearray()
        self._searched = 0
        self._small: deque[bytes] = deque()
        self._batches: dict[str, bytes] = {}
        self._status = b""
        self._greeted = False
        self._over: Text | None = None
        self._unacked: set[str] = set()
        self._unjudged: set[str] = set()
        self._closed: set[str] = set()
        self._deliveries: set[str] = set()
        self._asked: set[str] = set()
        self._owing: set[str] = set()
        self.giving = Giving(self._say)
        """Small assets: asked for and given in this session."""
        self._say(hello)

    @classmethod
    def box(
        cls, site: str, have: Heads, offer: Position, software: str, time_us: int, machine: str = "", trusts: str = ""
    ) -> "Session":
        """The box's end: `have` of the hub's streams (genesis where left out), `offer` is the head of its own."""
        return cls(site, box_hello(site, have, offer, software, time_us, machine, trusts))

    @classmethod
    def hub(
        cls,
        site: str,
        hub_id: str,
        have: Position,
        streams: Heads,
        software: str,
        time_us: int,
        signs: str = "",
        gives_bytes_max: int = 0,
        key: Key = Key(),  # noqa: B008  # frozen
        keeps_backups: int = 0,
    ) -> "Session":
        """The hub's end: `have` of the site's own stream, `streams` are the heads of the hub's four."""
        return cls(
            site, hub_hello(site, hub_id, have, streams, software, time_us, signs, gives_bytes_max, key, keeps_backups)
        )

    @property
    def is_over(self) -> bool:
        """Whether either side said bye; what is queued may still be sent."""
        return self._over is not None

    def receive(self, data: bytes) -> list[Event]:
        """Take what was read from the peer; return what it means, in order.

        Raises ProtocolError on the first thing that is not allowed. What came before it in the same data is lost too;
        that does no harm, for nothing is acknowledged that was not handled.
        """
        if self._over is not None:
            return []
        self._incoming += data
        events: list[Event] = []
        try:
            while self._over is None and (meant := self._next()) is not None:
                events += meant
        except (Broken, OperatorError, ValueError, RecursionError) as error:
            text = error.problems[0] if isinstance(error, Broken | OperatorError) else wire.malformed(error)
            self._end(text)
            raise ProtocolError(text) from error
        return events

    def data_to_send(self) -> bytes:
        """All that is queued, the most urgent first; b"" when nothing is. It must be sent whole and in this order."""
        batches = [self._batches[stream] for stream in self._writes if stream in self._batches]
        data = b"".join([*self._small, *batches, *self.giving.to_send, self._status])
        self._small.clear()
        self._batches.clear()
        self.giving.to_send.clear()
        self._status = b""
        return data

    def may_send(self, stream: str) -> bool:
        """Whether a batch may be offered: greeted, the one before answered, the stream not refused."""
        blocked = stream in self._unacked or stream in self._closed
        return self._greeted and self._over is None and stream in self._writes and not blocked

    def offer(self, stream: str, records: Sequence[Record], checkpoint: Checkpoint | None) -> None:
        """Queue one batch, cut by `batch_of`, with a checkpoint on its last record; no records: a sign of life."""
        assert self.may_send(stream), "one batch at a time"
        text = checkpoint_text(checkpoint) if checkpoint else None
        if not records:
            assert text is not None, "a sign of life is a checkpoint"
            self._say(wire.CheckpointLine(stream, text))
            return
        self._unacked.add(stream)
        self._batches[stream] = wire.encoded(wire.Records(stream, wire.pairs_of(records), text))

    def offer_snapshot(self, stream: str, statement: Statement) -> None:
        """Say that a snapshot follows; then offer its records in batches without a checkpoint."""
        assert self.may_send(stream), "one thing at a time"
        self._say(wire.Snapshot(stream, statement_text(statement)))

    def ack(self, position: Position) -> None:
        """Answer a batch: all up to `position` is durable here."""
        self._unjudged.remove(position.stream)
        self._say(wire.Ack(position.stream, position.epoch, position.seq, position.head))

    def refuse(self, stream: str, verdict: Verdict, reason: Text) -> None:
        """Answer a batch or a checkpoint: no more of this stream is read in this session."""
        assert stream in self._reads, "only what the peer writes can be refused"
        self._unjudged.discard(stream)
        self._owing.discard(stream)
        self._closed.add(stream)
        self._say(wire.Refuse(stream, verdict, reason))

    def is_void(self, event: Event) -> bool:
        """Whether an event is not to be acted on: it came in one breath with what made us refuse its stream."""
        arrived = RecordsArrived | CheckpointArrived | SnapshotArrived | Asked
        return isinstance(event, arrived) and event.stream in self._closed

    def is_asking(self, stream: str) -> bool:
        """Whether a question is under way."""
        return stream in self._asked

    def ask(self, trail: Sequence[Position]) -> None:
        """Ask the reader of a stream of ours for what it holds behind the newest of these places that it has."""
        stream = trail[0].stream
        assert stream in self._writes and stream not in self._asked, "one question at a time, of a stream of ours"
        self._asked.add(stream)
        self._say(wire.Ask(stream, tuple(wire.head_of(position) for position in trail)))

    def give_back(self, since: Position, records: Sequence[Record], checkpoint: Checkpoint | None) -> None:
        """Answer `Asked`: records that follow `since`, with the writer's signature on the last of them; or none."""
        assert bool(records) == (checkpoint is not None), "records are given back with their signature"
        self._owing.remove(since.stream)
        text = checkpoint_text(checkpoint) if checkpoint else None
        self._say(wire.ReturnedLine(since.stream, wire.head_of(since), wire.pairs_of(records), text))

    def show(self, records: Sequence[Record], checkpoint: Checkpoint) -> None:
        """Hand over, as evidence, signed records of our own that lost their place."""
        stream = checkpoint.position.stream
        self._say(wire.EvidenceLine(stream, wire.pairs_of(records), checkpoint_text(checkpoint)))

    def want(self, digests: Sequence[str]) -> None:
        """Say which assets the hub has lost."""
        assert len(digests) <= wire.WANT_MAX, "what is wanted is bounded"
        self._say(wire.Want(tuple(digests)))

    def send_status(self, status: dict[str, Any]) -> None:
        """Say how the box is; replaces one that has not left yet."""
        self._status = wire.encoded(wire.Status(status))
        assert len(self._status) <= wire.SMALL_LINE_BYTES_MAX, "a status is a small line"

    def may_deliver(self) -> bool:
        """Whether one more delivery may wait for its answer."""
        return self._greeted and self._over is None and len(self._deliveries) < DELIVERIES_MAX

    def delivered(self, digest: str, *, is_backup: bool = False) -> None:
        """Say that an asset, or a backup, lies complete in `incoming`."""
        assert self.may_deliver(), "deliveries that wait are bounded"
        self._deliveries.add(digest)
        self._say(wire.Deliver(digest, is_backup))

    def answer_delivered(self, digest: str, verdict: wire.DeliveryVerdict, reason: Text) -> None:
        """Say what was found there."""
        self._deliveries.remove(digest)
        self._say(wire.DeliveredAnswer(digest, verdict, reason))

    def ping(self, n: int) -> None:
        """Ask for a sign of life."""
        self._say(wire.Ping(n))

    def bye(self, reason: Text) -> None:
        """Say the last word."""
        if self._over is None:
            self._end(reason)

    def _next(self) -> Sequence[Event] | None:
        """What the next line, or the asset behind the last one, means; None until all of it is here."""
        if self.giving.is_coming:
            given = self.giving.take(self._incoming)
            return None if given is None else [given]
        line = self._next_line()
        return None if line is None else self._understand(line)

    def _next_line(self) -> bytes | None:
        end = self._incoming.find(b"\n", self._searched)
        self._searched = len(self._incoming) if end < 0 else 0
        if max(end, self._searched) > wire.LINE_BYTES_MAX:
            raise ValueError("an over-long line")
        if end < 0:
            return None
        line = bytes(self._incoming[:end])
        del self._incoming[: end + 1]
        return line

    def _understand(self, data: bytes) -> Sequence[Event]:
        line = self._decoder.decode(data)
        if len(data) > wire.SMALL_LINE_BYTES_MAX and not isinstance(line, wire.LONG_LINES):
            raise ValueError("an over-long line")
        if self._greeted == isinstance(line, wire.BoxHello | wire.HubHello) and not isinstance(line, wire.Bye):
            raise ValueError("a hello comes first, and once")
        match line:
            case wire.BoxHello() | wire.HubHello():
                greeted = understood(line, self._site, self._writes, self._reads)
                self._greeted = True
                return [greeted]
            case wire.Records() | wire.CheckpointLine():
                return self._arrived(line)
            case wire.Snapshot():
                return self._announced(line)
            case wire.Ack():
                return [self._acked(line)]
            case wire.Refuse():
                self._check_stream(line.stream, self._writes)
                self._unacked.discard(line.stream)
                self._asked.discard(line.stream)
                self._closed.add(line.stream)
                return [RefusedBy(line.stream, line.verdict, line.reason)]
            case wire.Ask():
                return self._asked_for(line)
            case wire.ReturnedLine():
                return [self._given_back(line)]
            case wire.EvidenceLine():
                self._check_stream(line.stream, self._reads)
                signed = parse_checkpoint_text(*line.checkpoint)
                return [EvidenceArrived(line.stream, wire.parsed(line.records), signed)]
            case wire.Want():
                return [Wanted(tuple(parse_digest(digest) for digest in line.digests))]
            case wire.Give():
                self.giving.is_asked(line.digests, in_order=line.in_order)
                return [GiveAsked(line.digests)]
            case wire.Given():
                self.giving.expect(line)
                return ()
            case wire.NotGiven():
                self.giving.settle(line.digest)
                return [AssetNotGiven(line.digest, line.reason)]
            case wire.Status():
                return [StatusArrived(line.status)]
            case wire.Deliver():
                return [self._delivery(line)]
            case wire.DeliveredAnswer():
                if line.digest not in self._deliveries:
                    raise ValueError("an answer that nobody asked for")
                self._deliveries.remove(line.digest)
                return [DeliveredAnswered(line.digest, line.verdict, line.reason)]
            case wire.Ping():
                return self._answer_ping(line.n)
            case wire.PongLine():
                return [Pong(line.n)]
            case wire.Bye():
                self._over = line.reason
                return [PeerSaidBye(line.reason)]
        raise AssertionError("every line that can be decoded is understood")

    def _arrived(self, line: wire.Records | wire.CheckpointLine) -> Sequence[Event]:
        stream = line.stream
        self._check_stream(stream, self._reads)
        if stream in self._unjudged:
            raise ValueError("a second batch before the first was answered")
        if stream in self._closed:
            return ()
        try:
            checkpoint = parse_checkpoint_text(*line.checkpoint) if line.checkpoint else None
            if isinstance(line, wire.CheckpointLine):
                assert checkpoint is not None, "a checkpoint line has one"
                return [CheckpointArrived(stream, checkpoint)]
            records = wire.parsed(line.records)
        except Broken as broken:
            reason = broken.problems[0]
            self.refuse(stream, Verdict.BROKEN, reason)
            return [BrokenArrived(stream, reason)]
        self._unjudged.add(stream)
        return [RecordsArrived(stream, records, checkpoint)]

    def _announced(self, line: wire.Snapshot) -> Sequence[Event]:
        self._check_stream(line.stream, self._reads)
        if line.stream in self._unjudged:
            raise ValueError("a snapshot before the batch was answered")
        if line.stream in self._closed:
            return ()
        return [SnapshotArrived(line.stream, parse_statement_text(*line.statement))]

    def _asked_for(self, line: wire.Ask) -> Sequence[Event]:
        self._check_stream(line.stream, self._reads)
        if line.stream in self._owing:
            raise ValueError("a second question before the first was answered")
        if line.stream in self._closed:
            return ()
        self._owing.add(line.stream)
        return [Asked(line.stream, tuple(wire.position_of(line.stream, head) for head in line.trail))]

    def _given_back(self, line: wire.ReturnedLine) -> Returned:
        self._check_stream(line.stream, self._writes)
        if line.stream not in self._asked:
            raise ValueError("an answer that nobody asked for")
        if bool(line.records) != (line.checkpoint is not None):
            raise ValueError("records are given back with their signature")
        self._asked.remove(line.stream)
        checkpoint = parse_checkpoint_text(*line.checkpoint) if line.checkpoint else None
        return Returned(line.stream, wire.position_of(line.stream, line.since), wire.parsed(line.records), checkpoint)

    def _acked(self, line: wire.Ack) -> Acked:
        self._check_stream(line.stream, self._writes)
        if line.stream not in self._unacked and line.stream not in self._closed:
            raise ValueError("an acknowledgement of nothing")
        self._unacked.discard(line.stream)
        return Acked(Position(line.stream, line.epoch, line.seq, line.head))

    def _delivery(self, line: wire.Deliver) -> Delivered:
        digest = line.digest
        if parse_digest(digest) != digest:
            raise ValueError("a digest without sha256: before it")
        self._deliveries.add(digest)
        if len(self._deliveries) > DELIVERIES_MAX:
            raise ValueError("more deliveries than may wait")
        return Delivered(digest, line.is_backup)

    def _answer_ping(self, n: int) -> Sequence[Event]:
        if len(self._small) >= UNREAD_MAX:
            raise ValueError("a peer that asks and does not read")
        self._say(wire.PongLine(n))
        return ()

    def _check_stream(self, stream: str, allowed: Sequence[str]) -> None:
        check_stream(self._site, stream, allowed)

    def _say(self, line: wire.Line) -> None:
        self._small.append(wire.encoded(line))

    def _end(self, reason: Text) -> None:
        self._batches.clear()
        self.giving.to_send.clear()
        self._status = b""
        self._small.append(wire.encoded(wire.Bye(reason)))
        self._over = reason
