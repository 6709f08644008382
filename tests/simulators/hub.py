"""A hub in memory: the real session and the real judge, no disk, no clock, no sshd. A box sees no difference."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core import records, wire
from appliance.core.errors import HubUnreachable, Text
from appliance.core.events import (
    Acked,
    Asked,
    BrokenArrived,
    CheckpointArrived,
    Delivered,
    Event,
    GiveAsked,
    Greeted,
    RecordsArrived,
    StatusArrived,
)
from appliance.core.journal import Checkpoint, Position, Record, append, genesis, position_after, sign_checkpoint
from appliance.core.judge import Verdict, judge
from appliance.core.moment import US, to_us
from appliance.core.session import ProtocolError, Session, batch_of

START_US = 1_795_500_000 * US


class Ticking:
    """A clock that moves on by a second each time that it is read."""

    def __init__(self, start_us: int = START_US) -> None:
        self.at_us = start_us

    def __call__(self) -> int:
        self.at_us += US
        return self.at_us


@dataclass
class SimulatedSite:
    """What the hub holds of one site."""

    sign_key: Ed25519PublicKey
    report: list[Record] = field(default_factory=list)
    seen_us: int = 0
    signed: dict[Position, Checkpoint] = field(default_factory=dict)
    incoming: dict[str, bytes] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    receipts: set[str] = field(default_factory=set)
    readable: set[str] = field(default_factory=set)
    """Digests that the site may read."""


@dataclass
class SimulatedHub:
    """`is_up` False cuts every line and refuses new ones; `refusals` is what it would have logged."""

    now_us: Callable[[], int] = field(default_factory=Ticking)
    key: Ed25519PrivateKey = field(default_factory=lambda: Ed25519PrivateKey.from_private_bytes(b"\x05" * 32))
    streams: dict[str, list[Record]] = field(default_factory=dict)
    sites: dict[str, SimulatedSite] = field(default_factory=dict)
    assets: dict[str, bytes] = field(default_factory=dict)
    refusals: list[tuple[str, Text]] = field(default_factory=list)
    is_up: bool = True
    gives_bytes_max: int = wire.GIVEN_BYTES_MAX

    def enrol(self, site: str, sign_key: Ed25519PublicKey) -> SimulatedSite:
        self.sites[site] = SimulatedSite(sign_key)
        return self.sites[site]

    def append(self, stream: str, kind: str, key: str, body: bytes) -> Record:
        """Write a record of the hub's; whoever is connected gets it at the next read."""
        record = append(self.position(stream), kind, key, body, self.now_us())
        self.streams.setdefault(stream, []).append(record)
        return record

    def let_read(self, site: str, content: bytes) -> str:
        """Put an asset into the pile, for a site to read."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.assets[digest] = content
        self.sites[site].readable.add(digest)
        return digest

    def position(self, stream: str) -> Position:
        written = self.streams.get(stream)
        return position_after(written[-1]) if written else genesis(stream)

    def connect(self, site: str) -> "SimulatedLink":
        """A line as `HubLink.connect` gives one; raises HubUnreachable while the hub is down."""
        if not self.is_up:
            raise HubUnreachable(Text("嵩山云不在线", "the hub is down"))
        return SimulatedLink(self, site)


class SimulatedLink:
    """The box's side of a line; the hub's side answers within `write` and `read`."""

    def __init__(self, hub: SimulatedHub, site: str) -> None:
        self._hub = hub
        self._name = site
        self._site = hub.sites[site]
        heads = {stream: hub.position(stream) for stream in wire.streams_of_hub(site)}
        self._session = Session.hub(
            *(site, "songshan", self._reported(), heads, "simulator", hub.now_us()), gives_bytes_max=hub.gives_bytes_max
        )
        self._sent: dict[str, int] = {}
        self._alive: set[str] = set()
        self._down = b""
        self._is_closed = False
        self._wake = os.eventfd(1, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Always readable: a simulated hub never keeps anybody waiting."""
        return self._wake

    def read(self) -> bytes:
        self._check()
        self._push()
        data = self._session.data_to_send()
        if not data and self._session.is_over:
            raise HubUnreachable(Text("嵩山云结束了会话", "the hub ended the session"))
        return data

    def write(self, data: bytes) -> None:
        self._check()
        try:
            for event in self._session.receive(data):
                self._act_on(event)
        except ProtocolError as error:
            self._hub.refusals.append((self._name, error.problems[0]))

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            os.close(self._wake)

    def _check(self) -> None:
        if self._is_closed or not self._hub.is_up:
            raise HubUnreachable(Text("连接断了", "the line is gone"))

    def _reported(self) -> Position:
        held = self._site.report
        return position_after(held[-1]) if held else genesis(wire.stream_of_site(self._name))

    def _act_on(self, event: Event) -> None:
        match event:
            case Greeted(have=have):
                for stream, position in have.items():
                    written = self._hub.streams.get(stream, [])
                    places = [genesis(stream), *map(position_after, written)]
                    if position in places:
                        self._sent[stream] = places.index(position)
            case Asked(stream, trail):
                self._give_back(stream, trail)
            case RecordsArrived(stream, arrived, checkpoint):
                self._judge(stream, arrived, checkpoint)
            case CheckpointArrived(stream, checkpoint):
                self._judge(stream, (), checkpoint)
            case BrokenArrived(_, reason):
                self._hub.refusals.append((self._name, reason))
            case StatusArrived(status):
                self._site.statuses.append(status)
            case Delivered(digest):
                self._look_at(digest)
            case GiveAsked(digests):
                self._give(digests)
            case Acked():
                pass

    def _judge(self, stream: str, arrived: Sequence[Record], checkpoint: Checkpoint | None) -> None:
        judgement = judge(self._reported(), arrived, checkpoint, self._site.sign_key, self._site.seen_us)
        if judgement.verdict is Verdict.ACCEPTED and checkpoint is not None:
            self._site.report += judgement.accepted
            self._site.signed[judgement.position] = checkpoint
            self._site.seen_us = max(self._site.seen_us, checkpoint.at_us)
            self._answer_submissions()
        if judgement.verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.STALE):
            if arrived:
                self._session.ack(judgement.position)
        elif arrived or judgement.verdict is not Verdict.HELD:
            self._hub.refusals.append((self._name, judgement.reason))
            self._session.refuse(stream, judgement.verdict, judgement.reason)

    def _give_back(self, stream: str, trail: Sequence[Position]) -> None:
        places = [genesis(stream), *map(position_after, self._site.report)]
        since = next(position for position in trail if position in places)
        batch = batch_of(self._site.report[places.index(since) :])
        ends = [number for number in range(len(batch), 0, -1) if position_after(batch[number - 1]) in self._site.signed]
        given = batch[: ends[0]] if ends else ()
        self._session.give_back(since, given, self._site.signed[position_after(given[-1])] if given else None)

    def _give(self, digests: Sequence[str]) -> None:
        for digest in digests:
            content = self._hub.assets.get(digest, b"") if digest in self._site.readable else None
            if content is None or len(content) > self._hub.gives_bytes_max:
                self._session.giving.cannot_give(
                    digest, Text("没有此文件，或未对本站开放", "not here, or not for this site")
                )
            else:
                self._session.giving.give(digest, content)

    def _look_at(self, digest: str) -> None:
        content = self._site.incoming.pop(digest, None)
        if content is None and digest not in self._hub.assets:
            self._session.answer_delivered(digest, "missing", Text("没有此文件", "there is no such file"))
        elif content is not None and f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            self._session.answer_delivered(digest, "corrupt", Text("内容不符", "the content is not what its name says"))
        else:
            self._hub.assets.setdefault(digest, content or b"")
            self._session.answer_delivered(digest, "taken", Text("已收", "taken"))
            self._answer_submissions()

    def _answer_submissions(self) -> None:
        """A receipt for each submission that is complete, and the item goes on offer."""
        for record in self._site.report:
            if record.header.kind != "submission" or record.header.key in self._site.receipts:
                continue
            body = records.decode(record)
            assert isinstance(body, records.Submission)
            if all(asset.digest in self._hub.assets for asset in body.item.assets):
                self._site.receipts.add(body.id)
                receipt = records.Receipt(body.id, body.item.id, "accepted", Text("已收", "accepted"))
                self._hub.append(f"{self._name}/control", "receipt", body.id, records.encode(receipt))
                self._hub.append("all/content", "offer", body.item.id, records.encode(body.item))

    def _push(self) -> None:
        for stream in wire.streams_of_hub(self._name):
            if stream not in self._sent or not self._session.may_send(stream):
                continue
            left = self._hub.streams.get(stream, [])[self._sent[stream] :]
            if left:
                batch = batch_of(left)
                self._sent[stream] += len(batch)
                at_us = to_us(batch[-1].header.at)
                self._session.offer(stream, batch, self._signed(position_after(batch[-1]), at_us))
            elif stream not in self._alive:
                self._session.offer(stream, (), self._signed(self._hub.position(stream), self._hub.now_us()))
            self._alive.add(stream)

    def _signed(self, position: Position, at_us: int) -> Checkpoint:
        return sign_checkpoint(position, at_us, at_us + 600 * US, self._hub.key)
