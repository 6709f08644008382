"""The way back into one history with the hub, from the box's end: `appliance.core.history` decides, this acts.

    our own stream       the hub stands where we never were: ask for what it holds, take it back, issue again what we
                         had in its place
    a stream of the hub  the hub asks: give it back what it signed (that it may give a branch up: edge_agent/keeping.py)

Each step is one transaction, and each question gets one batch. So the line may break anywhere, and the next session
goes on. Meanwhile what destroys is held, and the air does not notice.
"""

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance.core import freeze, wire
from appliance.core.errors import Text
from appliance.core.events import Asked, Returned
from appliance.core.health import Finding
from appliance.core.journal import Checkpoint, Position, is_signed_by, position_after, sign_checkpoint
from appliance.core.judge import Verdict, judge
from appliance.core.moment import to_us
from appliance.core.session import Session
from appliance.store import facts, histories, hub_keys, journals
from appliance.store.database import transaction

EVIDENCE_BATCHES_MAX = 16
"""Of a lost branch so much is shown to the hub; all of it is kept here."""
HUB_KEY = "hub-key"

log = structlog.get_logger()


class Recovery:
    """For one run of the agent. `machine` is what the hub tells this machine from another by."""

    def __init__(self, site: str, db: Database, key: Ed25519PrivateKey, apply: journals.Apply, machine: str) -> None:
        self._db, self._key, self._apply, self._machine = db, key, apply, machine
        self._own = wire.stream_of_site(site)
        self._of_hub = wire.streams_of_hub(site)
        self._hub_has: Position | None = None
        self.newer: dict[str, Checkpoint] = {}
        """By stream of the hub: a place beyond what we have that it vouched for in this session."""
        self.rewound: set[str] = set()
        """Streams of the hub that it is taking back from us, or should."""

    def sign_with(self, key: Ed25519PrivateKey) -> None:
        """Another key from now on."""
        self._key = key

    def begin(self) -> None:
        """A new session: what the one before had found out is found out again."""
        self._hub_has = None
        self.newer.clear()
        self.rewound.clear()

    def meet(self, session: Session, has: Position, now_us: int) -> Position | None:
        """Where to go on with our own stream, behind `has`, the place where the hub stands in it.

        None where we never stood there: then the hub is asked for what it holds, and what we may lose is shown to it.
        """
        self._hub_has = has
        if histories.holds(self._db, has):
            return self.settle(has, now_us)
        histories.doubt(self._db, self._own)
        log.warning("own_stream_elsewhere", hub_epoch=has.epoch, hub_seq=has.seq)
        self._raise(_own_alarm(self._own), now_us)
        session.ask(histories.trail(self._db, self._own))
        self._show_what_may_be_lost(session)
        return None

    def hear_by_stick(self, has: Position, now_us: int) -> None:
        """The hub's signed word on how far it has our stream: as good as a greeting where we once stood there.

        Where we did not, only a session can mend it.
        """
        if histories.holds(self._db, has):
            journals.acknowledged(self._db, self._own, *has.place)
            self.settle(has, now_us)

    def take_back(self, session: Session, back: Returned, now_us: int) -> Position | Text | None:
        """Take in what the hub gave back of our own stream; where to go on, as `meet` says, or why that cannot be."""
        assert self._hub_has is not None, "what is given back was asked for"
        has = self._hub_has
        if back.checkpoint is None:
            return self.settle(has, now_us) if histories.holds(self._db, has) else _UNSIGNED
        ours = self._key.public_key()
        if not is_signed_by(back.checkpoint, ours):
            lost = histories.stand_behind(self._db, has, now_us)
            log.warning("stood_behind_former_key", epoch=has.epoch, seq=has.seq, lost=lost)
            return self.settle(journals.cursor(self._db, self._own).position, now_us)
        judgement = judge(back.since, back.records, back.checkpoint, ours)
        if judgement.verdict is not Verdict.ACCEPTED or not histories.holds(self._db, back.since):
            return judgement.reason
        lost = histories.take_back(self._db, back.since, judgement, back.checkpoint, self._apply, now_us)
        log.info("records_taken_back", stream=self._own, count=len(judgement.accepted), lost=lost)
        if histories.holds(self._db, has):
            return self.settle(has, now_us)
        session.ask((judgement.position,))
        return None

    def give_back(self, session: Session, asked: Asked, now_us: int) -> None:
        """The hub came back from an older copy: one batch of what it signed."""
        if asked.stream not in self.rewound:
            self.notice(asked.stream, now_us)
        since, given, signed = histories.returned(self._db, asked.trail)
        log.info("records_given_back", stream=asked.stream, count=len(given))
        session.give_back(since, given, signed)

    def notice(self, stream: str, now_us: int) -> None:
        """The hub stands behind what it once signed, or elsewhere: nothing is destroyed until that is mended."""
        self.rewound.add(stream)
        log.warning("hub_rewound", stream=stream)
        self._raise(_rewound_alarm(stream), now_us)

    def look_at_key(self, first: str, signs: str, now_us: int) -> None:
        """A hub that signs with a key which it had changed came back from before that; nothing of it is believed."""
        *former, trusted = hub_keys.keys(self._db, first)
        if signs in former:
            log.error("hub_key_former")
            self._raise(_former_key_alarm(), now_us)
        elif former and signs == trusted:
            with transaction(self._db):
                facts.clear_alarm(self._db, HUB_KEY, now_us)

    def agreed(self, stream: str) -> None:
        """Something of this stream was accepted: it is one history again."""
        self.rewound.discard(stream)

    def heard_ahead(self, stream: str, signed: Checkpoint) -> None:
        """The hub vouches for a place beyond what we have."""
        self.newer[stream] = signed

    def hold(self, signed: Checkpoint | None, *, now_us: int, hub_now_us: int | None) -> journals.Hold:
        """What is not to be done of what this checkpoint covers."""
        fresh = freeze.is_fresh(signed.next_by_us if signed else None, now_us, hub_now_us)
        return lambda record: freeze.why_held(record.header.kind, fresh=fresh, rewound=bool(self.rewound))

    def release(self, now_us: int, hub_now_us: int | None) -> None:
        """Do what was held, where a fresh signature covers it."""
        if self.rewound or not histories.held_count(self._db):
            return
        for stream in self._of_hub:
            if freeze.is_fresh(journals.cursor(self._db, stream).next_by_us, now_us, hub_now_us):
                done = journals.release(self._db, stream, self._apply)
                log.info("held_records_done", stream=stream, count=done)

    def settle(self, position: Position, now_us: int) -> Position:
        """Box and hub stand in one history at `position`: say what waited for that."""
        known = histories.standing(self._db, self._own)
        if known is None or not known.is_sure or known.machine != self._machine:
            again = histories.settle(self._db, self._own, self._machine, now_us)
            log.info("own_stream_settled", issued_again=again)
        return position

    def _show_what_may_be_lost(self, session: Session) -> None:
        """What the hub never acknowledged is evidence, should its branch win."""
        after = journals.cursor(self._db, self._own).acked
        for _batch in range(EVIDENCE_BATCHES_MAX):
            batch = wire.batch_of(journals.read_from(self._db, self._own, after))
            if not batch:
                return
            at_us = to_us(batch[-1].header.at)
            session.show(batch, sign_checkpoint(position_after(batch[-1]), at_us, at_us, self._key))
            after = batch[-1].header.place

    def _raise(self, finding: Finding, now_us: int) -> None:
        with transaction(self._db):
            facts.raise_alarm(self._db, finding, now_us)


_UNSIGNED = Text(
    "嵩山云持有的本站流水不能凭签名取回", "what the hub holds of this site cannot be taken back under a signature"
)


def _own_alarm(stream: str) -> Finding:
    return Finding(
        id=f"stream:{stream}",
        severity="amber",
        text=Text(
            "本站流水与嵩山云所存不一致（恢复过旧盘或换过机器），正在自动取回",
            "the hub holds another history of this site (an old disk, or another machine); it is being taken back",
        ),
        hint=Text("无需操作；不丢失任何记录", "nothing to do; no record is lost"),
    )


def _rewound_alarm(stream: str) -> Finding:
    return Finding(
        id=f"stream:{stream}",
        severity="amber",
        text=Text(
            f"嵩山云从较早的备份恢复（{stream}），本机正把它的流水还给它；撤稿暂缓",
            f"the hub came back from an older copy ({stream}); this box gives it back its records, recalls wait",
        ),
        hint=Text("无需操作；播出不受影响", "nothing to do; the air goes on"),
    )


def stopped_alarm(stream: str, verdict: Verdict, reason: Text) -> Finding:
    """Nothing of a stream is read any more, or taken from us, in this session."""
    return Finding(
        id=f"stream:{stream}",
        severity="red",
        text=Text(
            f"流 {stream} 停止同步（{verdict.value}）：{reason.zh}",
            f"stream {stream} is not synchronised any more ({verdict.value}): {reason.en}",
        ),
        hint=Text("播出不受影响；请联系嵩山云运维", "the air goes on; tell the hub's operator"),
    )


def _former_key_alarm() -> Finding:
    """The hub signs with a key that this box has seen it change."""
    return Finding(
        id=HUB_KEY,
        severity="red",
        text=Text(
            "嵩山云用已作废的签名密钥签名（从更换之前的备份恢复，或有人冒充）；本机不接收它的任何内容",
            "the hub signs with a key that it had changed: a copy from before that, or somebody else; nothing is taken",
        ),
        hint=Text(
            "播出不受影响；请嵩山云运维把较新副本的 keys/ 文件夹放回",
            "the air goes on; have the hub's operator bring back the folder keys/ of the newer copy",
        ),
    )
