"""A plain box that speaks the protocol and no more: what the contract suite holds against each hub."""

import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core import wire
from appliance.core.errors import HubUnreachable
from appliance.core.events import CheckpointArrived, Event, Greeted, RecordsArrived
from appliance.core.journal import Checkpoint, Position, Record, append, genesis, position_after, sign_checkpoint
from appliance.core.judge import Verdict, judge
from appliance.core.session import Session

TIMEOUT_S = 30.0
US = 1_000_000
E = TypeVar("E", bound=Event)


class Line(Protocol):
    """What `HubLink` and its simulation have in common."""

    def fileno(self) -> int: ...
    def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class HubUnderTest(Protocol):
    """A hub with the sites dengfeng and zhongmu enrolled and approved, seen from the operator's side."""

    @property
    def sign_key(self) -> Ed25519PublicKey: ...
    def connect(self, site: str) -> Line: ...
    def site_key(self, site: str) -> Ed25519PrivateKey: ...
    def append(self, stream: str, kind: str, key: str, body: bytes) -> Record: ...
    def held(self, site: str) -> list[Record]: ...
    def upload(self, site: str, digest: str, content: bytes) -> None: ...
    def let_read(self, site: str, content: bytes) -> str: ...
    def refusals(self) -> int: ...


@dataclass
class Box:
    """One site's box: what it wrote, and what it accepted of the hub."""

    hub: HubUnderTest
    site: str
    accepted: dict[str, list[Record]] = field(default_factory=dict)
    seen_us: dict[str, int] = field(default_factory=dict)

    @property
    def report(self) -> str:
        return wire.stream_of_site(self.site)

    def have(self) -> dict[str, Position]:
        return {stream: position_after(records[-1]) for stream, records in self.accepted.items() if records}

    def head(self) -> Position:
        held = self.hub.held(self.site)
        return position_after(held[-1]) if held else genesis(self.report)

    def written(self, count: int, word: str = "tip") -> list[Record]:
        """Records that follow what the hub holds of us."""
        return chain(self.head(), count, word)

    def signed(self, position: Position, key: Ed25519PrivateKey | None = None) -> Checkpoint:
        at_us = now_us()
        return sign_checkpoint(position, at_us, at_us + 60 * US, key or self.hub.site_key(self.site))

    def connect(self, have: dict[str, Position] | None = None) -> "Talk":
        session = Session.box(self.site, self.have() if have is None else have, self.head(), "contract", now_us())
        talk = Talk(self, self.hub.connect(self.site), session)
        talk.greeting = talk.wait(Greeted)
        return talk


@dataclass
class Talk:
    """One control session, seen from the box. What the hub sends is judged and acknowledged on the way."""

    box: Box
    line: Line
    session: Session
    events: list[Event] = field(default_factory=list)
    greeting: Greeted | None = None

    def wait(self, kind: type[E], holds: Callable[[E], bool] = lambda _event: True) -> E:
        """The next event of a kind; it and all before it are forgotten."""
        return self.until(lambda: self._first(kind, holds))

    def until(self, answer: Callable[[], E | None]) -> E:
        deadline = time.monotonic() + TIMEOUT_S
        while (found := answer()) is None:
            assert time.monotonic() < deadline, f"not in time; came: {self.events}"
            self.pump()
        return found

    def wait_for_head(self, stream: str, record: Record) -> None:
        """Until a record of the hub has been accepted."""
        deadline = time.monotonic() + TIMEOUT_S
        while record not in self.box.accepted.get(stream, []):
            assert time.monotonic() < deadline, f"{stream} did not come; came: {self.events}"
            self.pump()

    def offer(self, records: list[Record], checkpoint: Checkpoint | None) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not self.session.may_send(self.box.report):
            assert time.monotonic() < deadline, "the window stays closed"
            self.pump()
        self.session.offer(self.box.report, records, checkpoint)

    def send(self, records: list[Record]) -> None:
        """Offer records under a good checkpoint."""
        self.offer(records, self.box.signed(position_after(records[-1])))

    def say(self, line: bytes) -> None:
        """Put bytes on the line that no session of ours would."""
        self.pump()
        self.line.write(line)

    def pump(self) -> None:
        if data := self.session.data_to_send():
            self.line.write(data)
        select.select([self.line], [], [], 0.05)
        for event in self.session.receive(self.line.read()):
            self.events.append(event)
            if isinstance(event, RecordsArrived):
                self._judge(event)

    def wait_for_the_end(self) -> None:
        """Until the hub has closed the line."""
        deadline = time.monotonic() + TIMEOUT_S
        try:
            while time.monotonic() < deadline:
                self.pump()
        except HubUnreachable:
            return
        raise AssertionError("the hub kept the line open")

    def close(self) -> None:
        self.line.close()

    def _first(self, kind: type[E], holds: Callable[[E], bool]) -> E | None:
        for number, event in enumerate(self.events):
            if isinstance(event, kind) and holds(event):
                del self.events[: number + 1]
                return event
        return None

    def _judge(self, event: RecordsArrived) -> None:
        accepted = self.box.accepted.setdefault(event.stream, [])
        last = position_after(accepted[-1]) if accepted else genesis(event.stream)
        judgement = judge(
            last, event.records, event.checkpoint, self.box.hub.sign_key, self.box.seen_us.get(last.stream, 0)
        )
        assert judgement.verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE), judgement.reason.en
        accepted += judgement.accepted
        assert event.checkpoint is not None
        self.box.seen_us[event.stream] = event.checkpoint.at_us
        self.session.ack(judgement.position)


def chain(last: Position, count: int, word: str) -> list[Record]:
    """Tips that follow a position."""
    records = list[Record]()
    for number in range(count):
        body = f'{{"id":"t{last.seq + number}","text":"{word} {number}","at":"2026-11-24T06:00:00Z"}}'
        position = position_after(records[-1]) if records else last
        records.append(append(position, "tip", f"t{number}", body.encode(), now_us()))
    return records


def is_sign_of_life(event: CheckpointArrived, box: Box) -> bool:
    """Whether it vouches for exactly what the box has."""
    last = box.have().get(event.stream, genesis(event.stream))
    seen_us = box.seen_us.get(event.stream, 0)
    return judge(last, (), event.checkpoint, box.hub.sign_key, seen_us).verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE)


def now_us() -> int:
    return time.time_ns() // 1000
