"""What arrived of a stream of the hub, by whatever way: judged, kept, applied. There is no other way in."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlite_utils import Database

from appliance.core.history import may_leave
from appliance.core.journal import Checkpoint, Record, position_after
from appliance.core.judge import Judgement, Verdict, judge
from appliance.store import histories, journals

Holding = Callable[[Checkpoint | None], journals.Hold]
"""What is not to be done yet of what a checkpoint covers."""
NOTHING_HELD: Final[Holding] = lambda _signed: journals.at_once  # noqa: E731  # a constant that is a function

log = structlog.get_logger()


def receive(
    db: Database,
    apply: journals.Apply,
    key: Ed25519PublicKey,
    stream: str,
    records: Sequence[Record],
    checkpoint: Checkpoint | None,
    holding: Holding = NOTHING_HELD,
    newer: Checkpoint | None = None,
) -> Judgement:
    """Judge it against what is here. What is accepted is durable and applied, once, when this returns.

    A branch that the hub gave up is left for one of a newer epoch; `newer` is a checkpoint beyond what is here whose
    signature was found to be good, for a batch whose own does not reach that epoch.

    Any other verdict has changed nothing; what to say of it is the caller's business. Raises WorldError for the disk.
    """
    cursor = journals.cursor(db, stream)
    last = cursor.position
    judgement = judge(last, records, checkpoint, key, cursor.seen_us)
    if judgement.verdict is Verdict.ACCEPTED:
        _keep(db, apply, judgement, checkpoint, holding)
    elif _parts(db, judgement, records) and (may_leave(last, newer) or may_leave(last, checkpoint)):
        return _come_over(db, apply, key, records, checkpoint, holding) or judgement
    return judgement


def _parts(db: Database, judgement: Judgement, records: Sequence[Record]) -> bool:
    """Whether this is another history than ours; also where it lies behind our head, since our branch is the longer."""
    if judgement.verdict in (Verdict.REWOUND, Verdict.STALE) and records:
        return not histories.holds(db, position_after(records[-1]))
    return judgement.verdict is Verdict.FORKED


def _come_over(
    db: Database,
    apply: journals.Apply,
    key: Ed25519PublicKey,
    records: Sequence[Record],
    checkpoint: Checkpoint | None,
    holding: Holding,
) -> Judgement | None:
    """Follow records that lead from an earlier place of ours into what the writer now stands by; None: they do not."""
    if not records:
        return None
    since = histories.behind(db, records[0])
    if since is None:
        return None
    judgement = judge(since, records, checkpoint, key)
    if judgement.verdict is not Verdict.ACCEPTED:
        return None
    parked = histories.come_over(db, since, judgement, checkpoint, apply, holding(checkpoint))
    log.warning("came_over", stream=since.stream, count=len(judgement.accepted))
    _tell(parked)
    return judgement


def _keep(
    db: Database, apply: journals.Apply, judgement: Judgement, checkpoint: Checkpoint | None, holding: Holding
) -> None:
    is_covering = checkpoint is not None and checkpoint.position == judgement.position
    signed = checkpoint if is_covering else None
    if judgement.accepted:
        parked = journals.accept(db, judgement, signed, apply, holding(signed))
        log.info("records_kept", stream=judgement.position.stream, count=len(judgement.accepted))
        _tell(parked)
    elif signed is not None:
        journals.keep_checkpoint(db, signed)


def _tell(parked: tuple[journals.Waiting, ...]) -> None:
    for each in parked:
        log.warning("record_parked", stream=each.stream, seq=each.seq, kind=each.kind, reason=each.reason.en)
