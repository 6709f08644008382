"""The way back into one history with a site, from the hub's end: `appliance.core.history` decides, `forks` acts.

a stream of ours   the box stands where it never was: ask, take back what we signed ourselves; what we wrote
                   meanwhile is issued again in a new epoch. A box on a branch that was given up is led over
the site's stream  the box asks: give it back what it signed; keep what it shows of a branch that lost
assets             what our own records name and we lost is asked of the box
machines           two that stand for one site are fenced, until a person chooses
"""

from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core import wire
from appliance.core.asset import hex_of
from appliance.core.errors import Refused, Text
from appliance.core.events import Asked, EvidenceArrived, Returned
from appliance.core.history import Way, trail_of
from appliance.core.journal import Checkpoint, Position, genesis, is_signed_by, position_after
from appliance.core.judge import Verdict, judge
from appliance.core.machine import Machines, heard, may_write, parted
from appliance.core.session import Session
from provisioning.hub import forks
from provisioning.hub.folder import HubFolder
from provisioning.hub.intake import Intake
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.library import Facts, Library, digests_of
from provisioning.hub.links import assets_for
from provisioning.hub.machines import machines_of, note, why_fenced
from provisioning.hub.refusals import log_refusal
from provisioning.hub.stream import Place, Stream

_ELSEWHERE: Final = Text("节点所持位置不在本流中", "the box stands where this stream never was")


class Recovery:
    """For one session."""

    def __init__(self, folder: HubFolder, site: str, journals: HubJournals, intake: Intake, session: Session) -> None:
        self.folder, self.site, self.journals, self.intake, self.session = folder, site, journals, intake, session
        self.report = journals.stream(wire.stream_of_site(site))
        self._have: dict[str, Position] = {}
        self._parting: dict[str, Place] = {}
        self._machine, self._before = "", machines_of(folder, site).current
        self._wanted: dict[str, Facts] = {}
        self._seen = self._state()
        self.vouch: Callable[[str], Checkpoint] = lambda name: journals.fresh_checkpoint(name, folder.now_us())
        """What shows the box where a stream stands, under a key that it trusts."""

    def greet(self, machine: str, at_us: int) -> None:
        """Note which machine speaks. One that may not write is told so; it may read all the same."""
        self._machine = machine
        self._tell(note(self.folder, self.site, lambda known: heard(known, machine, at_us)))
        self._seen = self._state()

    def is_outdated(self) -> bool:
        """Whether another session, or a person, has changed what this one has found out: it has to begin anew."""
        return self._state() != self._seen

    def meet(self, stream: str, position: Position) -> Place | None:
        """Where to go on with a stream of ours; None where the box stands elsewhere: then it is asked what it holds."""
        kept = self.journals.stream(stream)
        place = kept.find(position)
        if place is not None:
            forks.issue_again(self.journals, stream)
            self._seen = self._state()
            return place
        log_refusal(self.folder, self.site, "session", f"{stream} {position.epoch}:{position.seq}", _ELSEWHERE)
        self._have[stream] = position
        self.session.ask(_trail(kept))
        return None

    def take_back(self, back: Returned) -> Place | None:
        """Take in a batch and ask for the next. With the last one: where to go on; None: nowhere, or not yet."""
        kept = self.journals.stream(back.stream)
        if back.checkpoint is not None:
            try:
                taken = forks.take_back(self.journals, back.stream, back.since, back.records, back.checkpoint)
            except Refused as refused:
                log_refusal(self.folder, self.site, "record", back.stream, refused.problems[0])
                return None
            if taken.way is Way.STAND and taken.agreed is not None:
                self._parting.setdefault(back.stream, taken.agreed)
            self.session.ask((position_after(back.records[-1]),))
            self._seen = self._state()
            return None
        forks.issue_again(self.journals, back.stream)
        self._seen = self._state()
        self._set_right()
        place = self._parting.get(back.stream) or kept.find(self._have[back.stream])
        if place is None:
            log_refusal(self.folder, self.site, "session", back.stream, _ELSEWHERE)
        # Ahead of the records: it shows the box the newer epoch that lets it leave the branch it is on.
        self.session.offer(back.stream, (), self.vouch(back.stream))
        return place

    def give_back(self, asked: Asked) -> None:
        """The site's own records, to a box that lost them; unless a person has to say first which box is the site's."""
        if self.report.find_newest(asked.trail[:1]) is None:
            at_us = self.folder.now_us()
            known = note(self.folder, self.site, lambda known: parted(known, self._machine, self._before, at_us))
            self._seen = self._state()
            if not may_write(known, self._machine):
                self._tell(known)
                return
        since, given, signed = forks.give_back(self.report, asked.trail)
        self.session.give_back(since, given, signed)

    def keep_evidence(self, shown: EvidenceArrived, key: Ed25519PublicKey) -> None:
        """A branch that lost, under the site's own signature."""
        first = shown.records[0].header
        before = Position(shown.stream, first.epoch, first.seq - 1, first.prev)
        judgement = judge(before, shown.records, shown.checkpoint, key)
        if judgement.verdict is not Verdict.ACCEPTED or not is_signed_by(shown.checkpoint, key):
            log_refusal(self.folder, self.site, "record", f"{shown.stream} evidence", judgement.reason)
            return
        try:
            with self.folder.locked():
                forks.keep_shown(self.report, judgement.accepted, shown.checkpoint, self.folder.now_us())
        except Refused as refused:
            log_refusal(self.folder, self.site, "record", f"{shown.stream} evidence", refused.problems[0])
        self._seen = self._state()

    def want(self) -> None:
        """Ask for assets that records to this site name and that are not in the pile."""
        library = Library(self.folder)
        named = {
            digest: Facts(asset)
            for asset in assets_for(self.intake.catalogue, self.site, self.folder.now_us())
            for digest in digests_of((asset,))
            if not library.holds(digest)
        }
        self._wanted |= named
        missing = sorted(named)[: wire.WANT_MAX]
        if missing:
            self.session.want(missing)

    def adopt(self, digest: str) -> None:
        """A file has come up and is right: one that we had lost goes back into the pile."""
        facts = self._wanted.pop(digest, None)
        uploaded = self.folder.site(self.site).uploaded / hex_of(digest)
        if facts is None or not uploaded.is_file():
            return
        library = Library(self.folder)
        library.adopt(uploaded, digest)
        uploaded.unlink()
        if facts.asset.rendition is not None and library.facts(facts.asset.digest) is None:
            library.keep_facts(facts)
        library.let_read(self.site, (facts.asset,))

    def _set_right(self) -> None:
        self.intake.look_again()
        self.intake.set_right()
        self.want()

    def _tell(self, known: Machines) -> None:
        if may_write(known, self._machine):
            return
        reason = why_fenced(known, self._machine, self.site)
        log_refusal(self.folder, self.site, "session", f"machine {self._machine}", reason)
        self.session.refuse(self.report.name, Verdict.FORKED, reason)

    def _state(self) -> tuple[object, ...]:
        """What must not change behind the back of a session: which branches there are, and who may write."""
        known = machines_of(self.folder, self.site)
        branches = (forks.count(self.journals.stream(name)) for name in streams_of(self.site))
        return known.fenced, known.shut_out, *branches


def _trail(kept: Stream) -> Sequence[Position]:
    """Where a stream of ours was, newest first, ever more thinly; ends at its genesis."""
    found = [kept.position()]
    for epoch, seq in trail_of(kept.ends()):
        place = kept.before(epoch, seq + 1)
        if place is not None:
            found.append(place.position)
    return tuple(dict.fromkeys([*found, genesis(kept.name)]))
