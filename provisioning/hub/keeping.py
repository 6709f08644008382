"""What arrived of a site's report, by whatever way: judged, kept, acted on. There is no other way in."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core import records
from appliance.core.journal import Checkpoint, Record
from appliance.core.judge import Judgement, Verdict, judge
from provisioning.hub.intake import Intake
from provisioning.hub.refusals import log_refusal
from provisioning.hub.stream import Stream


def receive(
    intake: Intake, key: Ed25519PublicKey, arrived: Sequence[Record], checkpoint: Checkpoint | None
) -> Judgement:
    """Judge it against what the hub has. What is accepted is durable when this returns, and true is what must be true
    before the box hears so; any other verdict has changed nothing.

    Two ways in may bring the same at once, a session and a stick: what counts is found out under the hub's lock.
    """
    report = intake.journals.stream(f"{intake.site}/report")
    judgement = _judge(report, key, arrived, checkpoint)
    if judgement.verdict is not Verdict.ACCEPTED or checkpoint is None:
        return judgement
    intake.before_accepting(_bodies(intake, judgement.accepted))
    with intake.folder.locked():
        judgement = _judge(report, key, arrived, checkpoint)
        if judgement.verdict is Verdict.ACCEPTED:
            report.accept(judgement.accepted, checkpoint)
    intake.settle()
    return judgement


def _judge(
    report: Stream, key: Ed25519PublicKey, arrived: Sequence[Record], checkpoint: Checkpoint | None
) -> Judgement:
    covered = report.covered()
    return judge(report.position(), arrived, checkpoint, key, covered.checkpoint.at_us if covered else 0)


def _bodies(intake: Intake, accepted: Sequence[Record]) -> tuple[records.Body, ...]:
    """What they say, as far as it can be understood; the rest is kept all the same."""
    bodies = []
    for record in accepted:
        if record.body is None:
            continue
        try:
            bodies.append(records.decode(record))
        except (records.UnknownKind, records.BadBody) as error:
            header = record.header
            name = f"{header.stream} {header.epoch}:{header.seq} {header.kind}"
            log_refusal(intake.folder, intake.site, "record", name, error.problems[0])
    return tuple(bodies)
