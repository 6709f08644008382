"""The nightly backup goes to the hub as an upload like others, and behind all of them: nobody waits for it.

What is remembered of it is forgotten with the run of the agent; rsync then finds that all of it is there already.
"""

from typing import Final

import structlog

from appliance import handing
from appliance.config import Config
from appliance.core.moment import US
from edge_agent.core import retry
from edge_agent.core.observation import Outgoing
from edge_agent.core.outcomes import Answered, Ceased, Result
from edge_agent.memory import Memory

LOOK_EVERY_US: Final = 30 * US

log = structlog.get_logger()


def outgoing(
    config: Config, memory: Memory, told: set[str], now_us: int, *, keeps_backups: int
) -> tuple[Outgoing, ...]:
    """The one that travels, else the newest that waits; () for a hub that keeps none."""
    if not keeps_backups:
        return ()
    if not memory.backups_looked_us or not 0 <= now_us - memory.backups_looked_us < LOOK_EVERY_US:
        memory.backups_looked_us, memory.backups = now_us, handing.waiting(config)
    if not memory.backups:
        return ()
    one = next((each for each in memory.backups if each.digest == memory.backup_begun), memory.backups[0])
    memory.backup_begun = one.digest
    return (
        Outgoing(
            one.digest,
            one.size_bytes,
            is_there=memory.backup_there == one.digest,
            is_told=one.digest in told,
            has_failed=one.digest in memory.failures,
            is_due=memory.is_due(one.digest, now_us),
        ),
    )


def note(outcome: Ceased | Answered, config: Config, memory: Memory, now_us: int, jitter: float) -> None:
    """What became of it; nothing where the outcome is about something else."""
    digest = outcome.digest
    if digest not in {each.digest for each in memory.backups}:
        return
    match outcome:
        case Ceased(result=Result.DONE):
            memory.backup_there = digest
        case Ceased(result=Result.STOPPED):
            pass
        case Answered(verdict="taken"):
            handing.is_kept(config, digest)
            _forget(memory)
            log.info("backup_at_hub", digest=digest)
        case Answered(verdict="refused"):
            log.warning("backup_refused", digest=digest, reason=outcome.reason.en)
            handing.is_refused(config, digest)
            _forget(memory)
        case _:
            # The line broke, or the hub has it not as it should be: rsync finds what is missing.
            memory.backup_there = ""
            memory.failed(digest, now_us, jitter, retry.TRANSFER)


def _forget(memory: Memory) -> None:
    memory.failures.pop(memory.backup_begun, None)
    memory.backups, memory.backups_looked_us = (), 0
    memory.backup_begun = memory.backup_there = ""
