"""What arrived of a stream of the hub, by whatever way: judged, kept, applied. There is no other way in."""

from collections.abc import Sequence

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlite_utils import Database

from appliance.core.journal import Checkpoint, Record
from appliance.core.judge import Judgement, Verdict, judge
from appliance.store import journals

log = structlog.get_logger()


def receive(
    db: Database,
    apply: journals.Apply,
    key: Ed25519PublicKey,
    stream: str,
    records: Sequence[Record],
    checkpoint: Checkpoint | None,
) -> Judgement:
    """Judge it against what is here. What is accepted is durable and applied, once, when this returns.

    Any other verdict has changed nothing; what to say of it is the caller's business. Raises WorldError for the disk.
    """
    cursor = journals.cursor(db, stream)
    judgement = judge(cursor.position, records, checkpoint, key, cursor.seen_us)
    if judgement.verdict is Verdict.ACCEPTED:
        _keep(db, apply, judgement, checkpoint)
    return judgement


def _keep(db: Database, apply: journals.Apply, judgement: Judgement, checkpoint: Checkpoint | None) -> None:
    is_covering = checkpoint is not None and checkpoint.position == judgement.position
    signed = checkpoint if is_covering else None
    if judgement.accepted:
        parked = journals.accept(db, judgement, signed, apply)
        log.info("records_kept", stream=judgement.position.stream, count=len(judgement.accepted))
        for each in parked:
            log.warning("record_parked", stream=each.stream, seq=each.seq, kind=each.kind, reason=each.reason.en)
    elif signed is not None:
        journals.keep_checkpoint(db, signed)
