"""What became of what travels and of what was read through, written into stock and queue. Inside a transaction."""

from typing import Final, Literal

import msgspec
from sqlite_utils import Database

from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.moment import US
from appliance.core.stock import Transfer
from appliance.core.ts import FRAMES_PER_S
from appliance.store import assets, desk, needs, work
from edge_agent.core import retry
from edge_agent.core.outcomes import Answered, Arrived, Began, Ceased, Packaged, Result, Spoilt

ASK_AGAIN_US: Final = 2 * US
"""The hub may still be closing a file that rsync has just brought: ask once more before it is sent again."""

_SHORT: Final = Text("嵩山云给的比记录中写的少", "the hub gave less than its record says")


def cease(db: Database, ceased: Ceased, now_us: int, jitter: float) -> None:
    """A transfer has ended. One that failed waits, and so does one that brought less than there should be."""
    before = work.transfer(db, ceased.digest, "up" if ceased.is_upload else "down")
    if before is None:
        return
    done_bytes = before.size_bytes if ceased.is_upload and ceased.result is Result.DONE else ceased.done_bytes
    after = msgspec.structs.replace(before, state="queued", done_bytes=done_bytes, rate_bytes_per_s=None)
    match ceased.result:
        case Result.DONE if done_bytes < before.size_bytes:
            after = _waiting(after, "failed", _SHORT, now_us, jitter, retry.TRANSFER)
        case Result.DONE:
            # Also where it waited for the line: a stick brought it.
            after = msgspec.structs.replace(after, not_before_us=0)
        case Result.STOPPED:
            pass
        case Result.LINE:
            after = _waiting(after, "queued", ceased.reason, now_us, jitter, retry.TRANSFER)
        case Result.NO_ROOM | Result.DISK:
            after = _waiting(after, "failed", ceased.reason, now_us, jitter, retry.NO_ROOM)
        case Result.MISSING if _was_made_here(db, ceased.digest):
            needs.lost(db, ceased.digest, now_us)
            return
        case Result.MISSING if not ceased.is_upload and needs.is_over(db, ceased.digest, now_us):
            assets.forget(db, ceased.digest)
            return
        case _:
            after = _waiting(after, "failed", ceased.reason, now_us, jitter, retry.TRANSFER)
    assets.set_transfer(db, after)


def arrive(db: Database, arrived: Arrived, now_us: int) -> None:
    """A staged file is an asset now."""
    assets.arrived(db, arrived.digest, arrived.size_bytes, now_us)
    if arrived.segments is not None and arrived.frames is not None:
        needs.packed(db, arrived.digest, arrived.frames, arrived.segments)


def spoil(db: Database, spoilt: Spoilt, now_us: int, jitter: float) -> None:
    """What was staged was something else: it comes again, later. What was here and is bad comes again at once."""
    if spoilt.was_here or _was_made_here(db, spoilt.digest):
        needs.lost(db, spoilt.digest, now_us)
        return
    before = work.transfer(db, spoilt.digest, "down")
    if before is not None:
        emptied = msgspec.structs.replace(before, done_bytes=0)
        assets.set_transfer(db, _waiting(emptied, "failed", spoilt.reason, now_us, jitter, retry.TRANSFER))


def keep_packaged(db: Database, packaged: Packaged, now_us: int) -> None:
    """A rendition lies staged: from here on it is an asset that is wanted like others, and needs no line."""
    made, source = packaged.rendition, assets.holding(db, packaged.source)
    if source is None:
        return
    name, duration_s = source.name, made.frames / FRAMES_PER_S
    assets.describe(db, packaged.source, duration_s)
    asset = Asset(packaged.source, source.size_bytes, name, rendition=made, duration_s=duration_s, check=packaged.check)
    if packaged.segments is None:
        needs.made_here(db, asset, now_us)
    else:
        needs.is_in_house_format(db, asset, packaged.segments)


def answer(db: Database, answered: Answered, now_us: int, jitter: float) -> None:
    """The hub looked at an upload: it has it; or it must go up again, from where it is or from the start."""
    before = work.transfer(db, answered.digest, "up")
    if before is None:
        return
    if answered.verdict == "taken":
        after = msgspec.structs.replace(before, state="done", done_bytes=before.size_bytes, attempts=0, reason=None)
    elif answered.verdict == "missing" and before.attempts == 0:
        again_us = now_us + ASK_AGAIN_US
        after = msgspec.structs.replace(before, state="queued", attempts=1, not_before_us=again_us)
    else:
        emptied = msgspec.structs.replace(before, done_bytes=0)
        after = _waiting(emptied, "failed", answered.reason, now_us, jitter, retry.TRANSFER)
    assets.set_transfer(db, after)
    if answered.verdict == "corrupt":
        # The line may have done it, or our own disk: it is read again before others.
        assets.doubt(db, answered.digest)


def is_up(outcome: Began | Ceased | Answered) -> bool:
    """Whether it changes where a submission stands."""
    return isinstance(outcome, Answered) or outcome.is_upload


def stand(db: Database, now_us: int) -> None:
    """Say of each open submission where it stands, by its assets."""
    sending = {each.digest: each for each in work.to_send(db)}
    for submission, item in desk.open_submissions(db):
        mine = [sending[asset.digest] for asset in item.assets if asset.digest in sending]
        state: Literal["waiting", "sending", "sent"] = "waiting"
        if all(each.is_taken for each in mine):
            state = "sent"
        elif any(each.is_taken or each.is_running or each.done_bytes for each in mine):
            state = "sending"
        desk.set_submission(db, submission.id, state, now_us)


def _was_made_here(db: Database, digest: str) -> bool:
    known = assets.holding(db, digest)
    return known is not None and known.why == needs.MADE_HERE


def _waiting(
    before: Transfer,
    state: Literal["queued", "failed"],
    reason: Text,
    now_us: int,
    jitter: float,
    backoff: retry.Backoff,
) -> Transfer:
    attempts = before.attempts + 1
    return msgspec.structs.replace(
        before,
        state=state,
        reason=reason,
        attempts=attempts,
        not_before_us=retry.next_attempt_us(now_us, attempts, jitter, backoff),
    )
