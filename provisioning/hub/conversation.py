"""The hub's end of a control session, without a line and without waiting: bytes in, bytes out, one turn at a time.

    receive   judge the box's records, keep them, acknowledge; begin to hash what it delivered
    turn      hash a step further; offer what the box has not acknowledged yet, the urgent stream first; then give a few
              of the small assets that it asked for

Nothing here decides on its own what a record is worth: `judge` does, `Intake` acts on what was accepted. What carries
the bytes is control.py, or a simulated line.
"""

from collections import deque
from typing import Final

from appliance.core import journal
from appliance.core.errors import Text
from appliance.core.events import (
    Acked,
    Asked,
    BrokenArrived,
    CheckpointArrived,
    Delivered,
    Event,
    EvidenceArrived,
    GiveAsked,
    Greeted,
    RecordsArrived,
    RefusedBy,
    Returned,
    StatusArrived,
)
from appliance.core.judge import Verdict
from appliance.core.key_term import standing
from appliance.core.session import ProtocolError, Session, batch_of
from appliance.core.wire import BATCH_BYTES, GIVEN_BYTES_MAX
from provisioning.hub.acknowledged import WRITTEN_EVERY_US, note
from provisioning.hub.backups_sent import KEPT, is_last, keep_sent
from provisioning.hub.beginnings import snapshot_records
from provisioning.hub.folder import HubFolder
from provisioning.hub.giving import Giving
from provisioning.hub.intake import Checking, FileAnswer, Intake
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.keeping import receive
from provisioning.hub.key_terms import term_of_site
from provisioning.hub.leftovers import sweep_site
from provisioning.hub.recovery import Recovery
from provisioning.hub.refusals import log_refusal
from provisioning.hub.rekeying import key_of, keys_of
from provisioning.hub.sites import site_of
from provisioning.hub.snapshots import Sending, records, snapshot_for
from provisioning.hub.status import write_status
from provisioning.hub.stream import Place
from provisioning.hub.way_over import WAY_OVER, WayOver, way_over


class Conversation:
    """One control session with one site. The time is the folder's. `gives_bytes_max`: what is larger, rsync brings."""

    def __init__(self, folder: HubFolder, site: str, gives_bytes_max: int = GIVEN_BYTES_MAX) -> None:
        self.folder, self.site = folder, site
        self.journals = HubJournals(folder)
        known = site_of(folder, site)
        assert known.sign_key is not None, "an approved site has handed in its keys"
        self.sign_key = self.counts = journal.parse_public_key(known.sign_key)
        self.key = term_of_site(folder.settings(), known)
        self.is_key_good = standing(self.key, folder.now_us()) == "good"
        self.report = self.journals.stream(f"{site}/report")
        self.report.make_durable()
        self.intake = Intake(folder, site, self.journals)
        self.session = Session.hub(
            site,
            folder.settings().id,
            self.report.position(),
            self.journals.positions(site),
            "songshan-hub",
            folder.now_us(),
            self.journals.signs(),
            gives_bytes_max,
            self.key,
            folder.settings().backups_kept,
        )
        self.giving = Giving(folder.site(site), self.session, gives_bytes_max)
        self.signs = self.journals.signs()
        self.way: WayOver | None = None
        """How the box comes over to the key that signs now, where it trusts a former one."""
        self.recovery = Recovery(folder, site, self.journals, self.intake, self.session)
        self.places: dict[str, Place] = {}
        self.snapshots: dict[str, Sending] = {}
        self.acked: dict[str, journal.Position] = {}
        self.noted_us = 0
        self.signed_us: dict[str, int] = {}
        self.checking: deque[Checking] = deque()
        self.backups: set[str] = set()
        """Digests of deliveries that are backups."""
        self.greeted = False

    @property
    def is_over(self) -> bool:
        """One of the two has ended it; `data_to_send` still has the last words."""
        return self.session.is_over

    @property
    def is_busy(self) -> bool:
        """There is something to do at once; else only when bytes come or a journal grows."""
        return self.has_work(may_give=True)

    def has_work(self, *, may_give: bool) -> bool:
        """The same, where the line may be too full to give anything."""
        return bool(self.checking) or (may_give and self.giving.is_busy)

    def receive(self, data: bytes) -> None:
        """Act on what the box says. Raises nothing for a peer's nonsense: that ends the session."""
        try:
            for event in self.session.receive(data):
                self._act_on(event)
        except ProtocolError as error:
            asked = data[:200].decode(errors="replace")
            log_refusal(self.folder, self.site, "session", asked, error.problems[0])

    def turn(self, *, may_give: bool = True, may_be_news: bool = True) -> None:
        """Do one step of what takes long, and say what there is to say. `may_be_news`: somebody may have written to a
        journal or spoken since the last turn."""
        if not may_be_news:
            self._check_files()
            if may_give:
                self.giving.step()
            return
        if self.greeted and (self.recovery.is_outdated() or self.journals.signs() != self.signs or self._came_due()):
            self.session.bye(_CHANGED)
            return
        self._check_files()
        self._push()
        if may_give:
            self.giving.step()
        self._note_acked(WRITTEN_EVERY_US)

    def data_to_send(self) -> bytes:
        """What has to go to the box; each byte is given out once."""
        return self.session.data_to_send()

    def bye(self, reason: Text) -> None:
        """End it, and say why."""
        self.session.bye(reason)

    def _act_on(self, event: Event) -> None:
        if self.session.is_void(event):
            return
        match event:
            case Acked(position):
                self.acked[position.stream] = position
            case Greeted(have=have, machine=machine, hub_key=trusts):
                self.acked = dict(have)
                self._note_acked(0, trusts)
                self._begin(have, machine, trusts)
            case RecordsArrived(stream, arrived, checkpoint):
                self._judge(stream, arrived, checkpoint)
            case CheckpointArrived(stream, checkpoint):
                self._judge(stream, (), checkpoint)
            case BrokenArrived(stream, reason):
                log_refusal(self.folder, self.site, "record", stream, reason)
            case RefusedBy(stream, verdict, reason):
                log_refusal(self.folder, self.site, "record", f"{stream} refused by the box: {verdict.value}", reason)
            case Asked():
                self.recovery.give_back(event)
            case Returned(stream):
                self._found(stream, self.recovery.take_back(event))
            case EvidenceArrived():
                self.recovery.keep_evidence(event, self.sign_key)
            case GiveAsked(digests):
                self.giving.ask(digests)
            case StatusArrived(status):
                write_status(self.folder.site(self.site), status, self.folder.now_us())
            case Delivered(digest, is_backup):
                if is_backup:
                    self.backups.add(digest)
                self._look_at_file(digest)
            case _:
                pass

    def _begin(self, have: dict[str, journal.Position], machine: str, trusts: str) -> None:
        """Find where the box stands in each of the hub's streams. One that stands elsewhere is asked what it holds."""
        self.greeted = True
        sweep_site(self.folder, self.site)
        self.recovery.greet(machine, self.folder.now_us())
        if trusts in ("", self.signs):
            self._find_places(have)
        else:
            self._lead_over(have[WAY_OVER], trusts)
        self.intake.set_right()
        self.intake.settle()
        self.recovery.want()

    def _find_places(self, have: dict[str, journal.Position]) -> None:
        for stream, position in have.items():
            kept = self.journals.stream(stream)
            snapshot = snapshot_for(kept, position)
            if snapshot is not None:
                self.places[stream] = snapshot.place
                self.snapshots[stream] = Sending(records(kept, snapshot))
                self.session.offer_snapshot(stream, snapshot.statement)
            else:
                self._found(stream, self.recovery.meet(stream, position))

    def _lead_over(self, position: journal.Position, trusts: str) -> None:
        """The box trusts another key: it gets what that one left behind for it, and nothing else."""
        self.way = way_over(self.folder, trusts)
        if self.way is None:
            log_refusal(self.folder, self.site, "session", f"the box trusts {trusts}", _UNKNOWN_KEY)
            return
        self.recovery.vouch = self.way.newest
        kept = self.journals.stream(WAY_OVER)
        if self.way.begins is not None and position.place < self.way.begins.position.place:
            self.places[WAY_OVER] = kept.start()
            self.snapshots[WAY_OVER] = Sending(snapshot_records(kept.folder, self.way.begins.digest))
            self.session.offer_snapshot(WAY_OVER, self.way.begins)
        else:
            self._found(WAY_OVER, self.recovery.meet(WAY_OVER, position))

    def _found(self, stream: str, place: Place | None) -> None:
        if place is not None:
            self.places[stream] = place

    def _judge(self, stream: str, arrived: tuple[journal.Record, ...], checkpoint: journal.Checkpoint | None) -> None:
        if keys_of(site_of(self.folder, self.site))[0] != self.counts:
            # The box has changed its keys: what was on its way under the former one it says again under the new one.
            self.session.bye(_CHANGED)
            return
        self.sign_key = key_of(self.folder, self.site, checkpoint)
        judgement = receive(self.intake, self.sign_key, arrived, checkpoint)
        match judgement.verdict:
            case Verdict.ACCEPTED | Verdict.DUPLICATE | Verdict.STALE:
                if arrived:
                    self.session.ack(judgement.position)
            case Verdict.HELD if not arrived:
                # A sign of life from ahead of what we have: its records are still on their way.
                return
            case verdict:
                log_refusal(self.folder, self.site, "record", f"{stream}: {verdict.value}", judgement.reason)
                self.session.refuse(stream, verdict, judgement.reason)

    def _came_due(self) -> bool:
        """Whether the box should change its keys now, and did not hear so in the greeting."""
        return self.is_key_good and standing(self.key, self.folder.now_us()) != "good"

    def _look_at_file(self, digest: str) -> None:
        if digest in self.backups and is_last(self.folder, self.site, digest):
            self.backups.discard(digest)
            self.session.answer_delivered(digest, "taken", KEPT)
            return
        begun = self.intake.begin(digest)
        if isinstance(begun, Checking):
            self.checking.append(begun)
        else:
            self._answer_file(begun)

    def _check_files(self) -> None:
        """Hash one step of the first file that waits."""
        if self.checking:
            answer = self.checking[0].step()
            if answer is not None:
                self.checking.popleft()
                self._answer_file(answer)

    def _answer_file(self, answer: FileAnswer) -> None:
        if answer.digest in self.backups:
            self.backups.discard(answer.digest)
            if answer.verdict == "taken":
                answer = keep_sent(self.folder, self.site, answer)
            if answer.verdict in ("corrupt", "refused"):
                log_refusal(self.folder, self.site, "backup", answer.digest, answer.reason)
            self.session.answer_delivered(answer.digest, answer.verdict, answer.reason)
            return
        if answer.verdict in ("corrupt", "refused"):
            log_refusal(self.folder, self.site, "upload", answer.digest, answer.reason)
        self.session.answer_delivered(answer.digest, answer.verdict, answer.reason)
        if answer.verdict == "taken":
            self.recovery.adopt(answer.digest)
            self.intake.settle()

    def _push(self) -> None:
        """Offer each stream's next batch under a checkpoint of its own; a sign of life where there is nothing new."""
        at_us = self.folder.now_us()
        for stream in streams_of(self.site):
            if stream not in self.places or not self.session.may_send(stream):
                continue
            if stream in self.snapshots:
                self._push_snapshot(stream)
                continue
            kept = self.journals.stream(stream)
            page = kept.page(self.places[stream], bytes_max=BATCH_BYTES)
            if page:
                kept.make_durable()
            if self.way is not None:
                self._push_over(self.way, page)
                continue
            batch = batch_of([record for record, _place in page])
            if batch:
                self.places[stream] = page[len(batch) - 1][1]
                self.session.offer(stream, batch, self._checkpoint_on(stream, batch[-1], at_us))
            else:
                self._sign_of_life(stream, at_us)

    def _push_over(self, way: WayOver, page: list[tuple[journal.Record, Place]]) -> None:
        """The next batch that ends where the former key signed; behind the change of the key there is none."""
        batch, signed = way.cut(batch_of([record for record, _place in page]))
        if signed is not None:
            self.places[WAY_OVER] = page[len(batch) - 1][1]
            self.session.offer(WAY_OVER, batch, signed)

    def _note_acked(self, every_us: int, trusts: str = "") -> None:
        """Remember what the box has, now and then: to know less than is true only keeps more."""
        now_us = self.folder.now_us()
        if self.acked and not 0 <= now_us - self.noted_us < every_us:
            note(self.folder, self.site, self.acked.values(), trusts)
            self.acked, self.noted_us = {}, now_us

    def _push_snapshot(self, stream: str) -> None:
        """The next records of a snapshot; behind the last the stream goes on as ever."""
        batch = self.snapshots[stream].next_batch()
        if batch:
            self.session.offer(stream, batch, None)
        else:
            del self.snapshots[stream]

    def _checkpoint_on(self, stream: str, record: journal.Record, at_us: int) -> journal.Checkpoint:
        """The stream's own checkpoint where the batch ends at its head, else one for the place where it ends."""
        newest = self.journals.fresh_checkpoint(stream, at_us)
        if newest.position == journal.position_after(record):
            self.signed_us[stream] = newest.at_us
            return newest
        return self.journals.checkpoint_at(record, at_us)

    def _sign_of_life(self, stream: str, at_us: int) -> None:
        checkpoint = self.journals.fresh_checkpoint(stream, at_us)
        if checkpoint.at_us > self.signed_us.get(stream, 0) and checkpoint.position == self.places[stream].position:
            self.signed_us[stream] = checkpoint.at_us
            self.session.offer(stream, (), checkpoint)


_UNKNOWN_KEY: Final = Text(
    "节点信任的签名公钥不是本机的；若本机从备份恢复，请放回较新副本的 keys/",
    "no key of this hub: if it came back from a backup, bring back the folder keys/ of the newer copy",
)
_CHANGED: Final = Text("流水或登记已变，请重新问候", "the journals or the standing of this site changed: greet anew")
