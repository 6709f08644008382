"""The control session as the box holds it: what the hub says is judged and kept, what this site says is sent.

    listen    read the line; judge, apply and acknowledge what came - at once, a recall does not wait for the next turn
    speak     offer the next records of our own stream; send all that is queued

A record is acknowledged when it is committed together with what it does, so
the line may break anywhere. The hub's own word on how far it has our stream decides from where we go on.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance.config import Config
from appliance.core import wire
from appliance.core.errors import HubUnreachable, Text, WorldError
from appliance.core.events import (
    Acked,
    Asked,
    AssetGiven,
    AssetNotGiven,
    BrokenArrived,
    CheckpointArrived,
    DeliveredAnswered,
    Event,
    Greeted,
    PeerSaidBye,
    Pong,
    RecordsArrived,
    RefusedBy,
    Returned,
    SnapshotArrived,
    Wanted,
)
from appliance.core.journal import Broken, Checkpoint, Position, Record, parse_public_key
from appliance.core.judge import Verdict
from appliance.core.moment import US
from appliance.core.session import DELIVERIES_MAX, ProtocolError, Session, batch_of
from appliance.core.snapshot import Statement
from appliance.store import facts, hub_keys, journals, needs
from appliance.store.database import transaction
from edge_agent.arriving import Snapshots
from edge_agent.core.observation import Link
from edge_agent.core.outcomes import Answered, Ceased, Outcome, Reached, Result
from edge_agent.given import Given
from edge_agent.keeping import receive
from edge_agent.line import Line
from edge_agent.own_keys import OwnKeys
from edge_agent.own_stream import OwnStream
from edge_agent.pulse import Pulse
from edge_agent.recovery import Recovery
from edge_agent.stream_alarms import StreamAlarms

CHECKPOINT_EVERY_US: Final = 60 * US
"""Our own stream is signed anew this often while the hub listens, also when there is nothing to say."""

log = structlog.get_logger()


class Conversation:
    """One box's side of it, over all sessions of one run of the agent."""

    def __init__(
        self,
        config: Config,
        db: Database,
        key: Ed25519PrivateKey,
        line: Line,
        apply: journals.Apply,
        machine: str = "",
    ) -> None:
        self._site, self._db, self._line = config.site, db, line
        self._apply = apply
        self._own = wire.stream_of_site(config.site)
        self._first_key = config.hub.sign_key if config.hub else ""
        self._machine = machine
        self.recovery = Recovery(config.site, db, key, apply, machine)
        self._alarms = StreamAlarms(db, (self._own, *wire.streams_of_hub(config.site)))
        self.own = OwnStream(db, self._own, key)
        self._keys = OwnKeys(config.sign_key, key, self.own, self.recovery)
        self.told: set[str] = set()
        """Digests whose delivery was told in this session."""
        self.given = Given()
        """Small assets that the hub was asked for."""
        self.news = 0
        """Grows with all that is heard but assets that were asked for, and with the end of a session."""
        self._gives_bytes_max = 0
        self.keeps_backups = 0
        """How many backups of this box the hub keeps; 0 while nobody has said."""
        self.hub_ahead_us: int | None = None
        """How far the hub's clock was ahead of ours when it greeted."""
        self._snapshots = Snapshots(db, config.database, apply)
        self._begin(None)

    def _begin(self, session: Session | None, now_us: int = 0) -> None:
        """Nothing is known of a session that has just begun, or of one that is over."""
        self._session = session
        self._pulse = Pulse(now_us)
        self._is_greeted = False
        self._sent: tuple[int, int] | None = None
        self.own.signed_us = 0
        self._is_leaving = False
        self.told.clear()
        self.given.begin()
        self._gives_bytes_max = 0
        self._snapshots.forget()
        self.recovery.begin()

    def state(self) -> Link:
        """As the plan sees it."""
        match self._line.state:
            case "alone":
                return Link("alone")
            case "away":
                return Link("away", self._line.next_attempt_us)
        if self._session is None or not self._is_greeted:
            return Link("dialling", is_settled=False)
        may_deliver = DELIVERIES_MAX if self._session.may_deliver() else 0
        return Link(
            "connected",
            may_deliver=may_deliver,
            is_settled=self._pulse.is_quiet,
            gives_bytes_max=self._gives_bytes_max,
            given=self.given.digests,
            given_bytes=self.given.asked_bytes,
            given_bytes_per_s=self.given.rate_bytes_per_s,
        )

    @property
    def must_renew_keys(self) -> bool:
        """The hub can be reached, and has said that it is time to change the keys of this box."""
        return self._keys.must_change(is_greeted=self._is_greeted)

    def listen(self, now_us: int, jitter: float) -> list[Outcome]:
        """Read what there is, and act on it. Returns what somebody else has to note."""
        try:
            if self._line.pick_up():
                self._greet_first(now_us)
            if self._session is None:
                return []
            data = self._line.read()
            if data:
                self._pulse.heard(now_us)
            outcomes = [outcome for event in self._session.receive(data) for outcome in self._hear(event, now_us)]
            self.given.listened(now_us)
            if self.given.ask_for_more_of(self._session, now_us):
                self._pulse.stir()
            self._line.write(self._session.data_to_send())
            self._pulse.check(now_us, is_greeted=self._is_greeted)
            if self.given.is_stalled(now_us):
                raise HubUnreachable(Text("嵩山云不给所要的媒资", "the hub does not give what it is asked for"))
        except WorldError as error:
            self._hang_up(error, now_us, jitter)
            return []
        return outcomes

    def speak(self, now_us: int, jitter: float, *, settle: bool) -> None:
        """Send what is to be said. `settle`: also ask until the hub has nothing more to say."""
        if self._session is None:
            return
        try:
            if self._is_greeted and not self._session.is_over:
                self._push(now_us)
                if settle and not self._pulse.is_quiet:
                    self._pulse.ask(self._session, now_us)
            self._line.write(self._session.data_to_send())
            if self._session.is_over:
                raise HubUnreachable(Text("会话已结束", "the session is over"))
        except WorldError as error:
            self._hang_up(error, now_us, jitter)

    def report(self, status: dict[str, object] | None, now_us: int) -> None:
        """Tell the hub how the box is, if it listens; None: only ask whether it does."""
        if self._session is not None and self._is_greeted and not self._session.is_over:
            if status is not None:
                self._session.send_status(status)
            self._pulse.ask(self._session, now_us)

    def deliver(self, digest: str, *, is_backup: bool = False) -> None:
        """Tell the hub that an upload, or a backup, is complete."""
        if self._session is not None and self._session.may_deliver() and digest not in self.told:
            self._session.delivered(digest, is_backup=is_backup)
            self.told.add(digest)
            self._pulse.stir()

    def ask_for(self, digests: Sequence[str], sizes_bytes: Sequence[int], now_us: int) -> None:
        """Have the hub hand over small assets."""
        if self._session is not None and self.given.ask_of(self._session, digests, sizes_bytes, now_us):
            self._pulse.stir()

    def take_up_keys(self) -> None:
        """The keys were changed: what is said from now on is said under them."""
        self._keys.changed()
        if self._session is not None:
            self._session.bye(Text("密钥已更换", "the keys were changed"))
        self._line.dial_now()

    def close(self) -> None:
        """Say goodbye."""
        if self._session is not None:
            self._session.bye(Text("agent 结束", "the agent ends"))
            # Should the line be gone, the hub notices by itself.
            with suppress(WorldError):
                self._line.write(self._session.data_to_send())
        self._line.close()

    def _greet_first(self, now_us: int) -> None:
        self._keys.look()
        have = {stream: journals.cursor(self._db, stream).position for stream in wire.streams_of_hub(self._site)}
        offer = journals.cursor(self._db, self._own).position
        software, trusts = f"songshan-edge {facts.version()}", hub_keys.trusted(self._db, self._first_key)
        self._begin(Session.box(self._site, have, offer, software, now_us, self._machine, trusts), now_us)

    def _hear(self, event: Event, now_us: int) -> list[Outcome]:
        assert self._session is not None
        if self._is_leaving or self._session.is_void(event):
            return []
        if not isinstance(event, Pong):
            self._pulse.stir()
        self.news += not isinstance(event, Pong | AssetGiven)
        match event:
            case Greeted():
                self._greet(event, now_us)
                return [Reached()]
            case SnapshotArrived(stream, statement):
                self._expect(stream, statement, now_us)
            case RecordsArrived(stream, records, checkpoint) if checkpoint is None and self._snapshots.is_expected(
                stream
            ):
                self._take_part(stream, records, now_us)
            case RecordsArrived(stream, records, checkpoint):
                self._receive(stream, records, checkpoint, now_us)
            case CheckpointArrived(stream, checkpoint):
                self._receive(stream, (), checkpoint, now_us)
            case BrokenArrived(stream, reason):
                self._alarms.raise_(stream, Verdict.BROKEN, reason, now_us)
            case Asked(stream):
                self._alarms.may_have.add(stream)
                self.recovery.give_back(self._session, event, now_us)
            case Returned():
                self._taken_back(self.recovery.take_back(self._session, event, now_us), now_us)
            case Wanted(digests):
                with transaction(self._db):
                    needs.give_back(self._db, digests, now_us)
            case AssetGiven(digest, content):
                self.given.comes(digest, content, now_us)
            case AssetNotGiven(digest, reason, is_wrong):
                self.given.moves_on(digest, now_us)
                return [Ceased(digest, False, Result.FAILED if is_wrong else Result.MISSING, reason)]
            case Acked(position):
                self._sent = position.place
                journals.acknowledged(self._db, self._own, *position.place)
            case RefusedBy(stream, verdict, reason):
                self._alarms.raise_(stream, verdict, reason, now_us)
            case DeliveredAnswered(digest, verdict, reason):
                if verdict != "taken":
                    self.told.discard(digest)
                return [Answered(digest, verdict, reason)]
            case Pong(n):
                took_us = self._pulse.answered(n, now_us)
                if took_us is not None:
                    self._line.measured(took_us)
            case PeerSaidBye(reason):
                raise HubUnreachable(reason)
            case _:
                raise AssertionError(f"a hub does not say {event}")
        return []

    def _greet(self, greeted: Greeted, now_us: int) -> None:
        """Find where the hub stands in our stream. Where that is no place of ours, we say nothing new until it is."""
        assert self._session is not None
        self._is_greeted = True
        self._gives_bytes_max, self.keeps_backups = greeted.gives_bytes_max, greeted.keeps_backups
        self._line.greeted(greeted.peer, now_us)
        self.hub_ahead_us = greeted.time_us - now_us
        self._keys.greeted(greeted.key, greeted.time_us)
        with transaction(self._db):
            facts.set_status(self._db, greeted.key, now_us)
        self.recovery.look_at_key(self._first_key, greeted.hub_key, now_us)
        for stream, head in greeted.heads.items():
            if head.place < journals.cursor(self._db, stream).position.place:
                self._alarms.may_have.add(stream)
                self.recovery.notice(stream, now_us)
        self._alarms.may_have.add(self._own)
        self._taken_back(self.recovery.meet(self._session, greeted.have[self._own], now_us), now_us)

    def _taken_back(self, found: Position | Text | None, now_us: int) -> None:
        """Go on behind the place where the hub stands; None: that is not known yet."""
        if isinstance(found, Position):
            self._sent = found.place
            journals.acknowledged(self._db, self._own, *found.place)
            self._alarms.clear(self._own, now_us)
        elif found is not None:
            self._alarms.raise_(self._own, Verdict.FORKED, found, now_us)

    def _hub_now_us(self, now_us: int) -> int | None:
        """The time by the hub's clock, as it was in its greeting and has run since by ours; None before that."""
        return now_us + self.hub_ahead_us if self._is_greeted and self.hub_ahead_us is not None else None

    def _expect(self, stream: str, statement: Statement, now_us: int) -> None:
        """A snapshot is announced: what comes of the stream now waits until it is all there."""
        assert self._session is not None
        key = hub_keys.trusted(self._db, self._first_key)
        verdict, reason = self._snapshots.expect(stream, statement, parse_public_key(key))
        if verdict is Verdict.ACCEPTED:
            self._take_part(stream, (), now_us)
        else:
            self._alarms.raise_(stream, verdict, reason, now_us)
            self._session.refuse(stream, verdict, reason)

    def _take_part(self, stream: str, records: tuple[Record, ...], now_us: int) -> None:
        """More of a snapshot. It has no time by which the next is due: what destroys waits for a checkpoint."""
        assert self._session is not None
        hold = self.recovery.hold(None, now_us=now_us, hub_now_us=self._hub_now_us(now_us))
        try:
            if self._snapshots.take(stream, records, hold):
                log.info("snapshot_taken", stream=stream)
                self._alarms.clear(stream, now_us)
        except Broken as broken:
            self._alarms.raise_(stream, Verdict.BROKEN, broken.problems[0], now_us)
            self._session.refuse(stream, Verdict.BROKEN, broken.problems[0])
            return
        if records:
            self._session.ack(journals.cursor(self._db, stream).position)

    def _receive(self, stream: str, records: tuple[Record, ...], checkpoint: Checkpoint | None, now_us: int) -> None:
        """Judge, keep and apply, then answer. What goes wrong on the disk is not answered: the line is given up."""
        assert self._session is not None
        key = hub_keys.trusted(self._db, self._first_key)
        hold = partial(self.recovery.hold, now_us=now_us, hub_now_us=self._hub_now_us(now_us))
        newer = self.recovery.newer.get(stream)
        judgement = receive(self._db, self._apply, parse_public_key(key), stream, records, checkpoint, hold, newer)
        match judgement.verdict:
            case Verdict.ACCEPTED:
                self._agreed(stream, now_us)
            case Verdict.DUPLICATE | Verdict.STALE:
                pass
            case Verdict.HELD if not records and checkpoint is not None:
                self.recovery.heard_ahead(stream, checkpoint)
                return
            case Verdict.REWOUND | Verdict.FORKED if not records:
                # It is for the hub to ask for what it lacks; nothing of it is taken until then.
                self._alarms.may_have.add(stream)
                self.recovery.notice(stream, now_us)
                return
            case verdict:
                self._alarms.raise_(stream, verdict, judgement.reason, now_us)
                self._session.refuse(stream, verdict, judgement.reason)
                return
        if records:
            self._session.ack(judgement.position)
        if hub_keys.trusted(self._db, self._first_key) != key:
            # What else is under way is signed by the key that went; the next greeting says which one counts now.
            log.warning("hub_key_followed", stream=stream)
            self._is_leaving = True
            self._session.bye(Text("嵩山云的签名公钥已更换", "the hub's signing key was changed"))

    def _agreed(self, stream: str, now_us: int) -> None:
        """Something of this stream was accepted: it is one history again, and what was held may be done now."""
        self.recovery.agreed(stream)
        self.recovery.release(now_us, self._hub_now_us(now_us))
        self._alarms.clear(stream, now_us)

    def _push(self, now_us: int) -> None:
        """Offer the next batch of our own stream; a signature alone from time to time."""
        assert self._session is not None
        if self._sent is None or not self._session.may_send(self._own):
            return
        batch = batch_of(journals.read_from(self._db, self._own, self._sent))
        own = journals.cursor(self._db, self._own).position
        if batch:
            self._session.offer(self._own, batch, self.own.sign_at(batch[-1], own, now_us))
            self._pulse.stir()
        elif own.seq and now_us >= self.own.signed_us + CHECKPOINT_EVERY_US:
            self._session.offer(self._own, (), self.own.sign_head(own, now_us))

    def _hang_up(self, error: WorldError, now_us: int, jitter: float) -> None:
        """The session is over. A peer that broke the protocol is told so."""
        if isinstance(error, ProtocolError) and self._session is not None:
            with suppress(WorldError):
                self._line.write(self._session.data_to_send())
        self._keys.lost(error)
        self._line.lost(error, now_us, jitter)
        self.news += 1
        self._begin(None)
