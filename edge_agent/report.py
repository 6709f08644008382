"""What recurs: the air ledger and the as-run log brought up to now, and the word on how the box is."""

import os
from typing import Any, Final

import msgspec
import structlog
from sqlite_utils import Database

from appliance.config import Config
from appliance.core import records, wire
from appliance.core.air import ACTED_ON_TICKS, FREEZE_TICKS, URGENT_TICKS, is_in_time
from appliance.core.facts import as_facts
from appliance.core.health import Agent, Clock
from appliance.core.moment import to_text
from appliance.core.rundown import tick_of, us_of
from appliance.core.wire import SMALL_LINE_BYTES_MAX
from appliance.store import air, asrun, facts, histories
from appliance.store.database import transaction
from edge_agent import alarms, endings, health, served
from edge_agent.children import Children
from edge_agent.conversation import Conversation
from edge_agent.desk import say
from edge_agent.line import Line

COMPILE_TRIES_MAX: Final = 4
STATUS_BYTES_MAX: Final = SMALL_LINE_BYTES_MAX - 1024
LISTS: Final = ("submissions", "orders", "coming", "alarms")
"""Cut, the first of them first, when a status would be too long for its line."""

log = structlog.get_logger()


def compile_air(db: Database, config: Config) -> None:
    """Bring each channel's ledger in line with what is known. Each is a transaction: one does not wait for another."""
    for channel in config.channels:
        compile_channel(db, config, channel.id)


def compile_channel(db: Database, config: Config, channel: str) -> None:
    """Compile and commit before anybody acts on what changes.

    Where the box was too slow nothing is committed, and it is tried again with as much more time as that took; in the
    end from the freeze on, which is time enough.
    """
    urgent_ticks = URGENT_TICKS
    for attempt in range(COMPILE_TRIES_MAX):
        is_last = attempt == COMPILE_TRIES_MAX - 1
        try:
            with transaction(db):
                began_us = air.now_us(db, config.clock)
                if not air.ensure_channel(db, channel, config.zone, began_us):
                    return
                boundary = air.recompile(db, channel, began_us, config.limits.ledger_hours, urgent_ticks)
                took_ticks = tick_of(air.now_us(db, config.clock)) - tick_of(began_us)
                if boundary is not None and not is_in_time(boundary, tick_of(began_us) + took_ticks) and not is_last:
                    raise _TooLate
        except _TooLate:
            log.warning("compiled_late", channel=channel, took_ms=took_ticks // 90)
            urgent_ticks = FREEZE_TICKS if attempt == COMPILE_TRIES_MAX - 2 else URGENT_TICKS + 2 * took_ticks
            continue
        if boundary is not None:
            _see_commit(db, config, channel, boundary)
        return


def _see_commit(db: Database, config: Config, channel: str, boundary: int) -> None:
    """A disk may stall within the commit itself: then somebody may have acted on what is another thing now."""
    now_us = air.now_us(db, config.clock)
    late_ticks = tick_of(now_us) + ACTED_ON_TICKS - boundary
    if late_ticks > 0:
        log.error("committed_late", channel=channel, boundary=to_text(us_of(boundary)), late_ms=late_ticks // 90)
        with transaction(db):
            alarms.of_late_commit(db, channel, boundary, late_ticks, now_us)


class _TooLate(Exception):
    """What was compiled could not be committed in time."""


def log_aired(db: Database, config: Config, now_us: int) -> None:
    """Write what has aired, and tell the hub of it, in one transaction for each channel.

    A log that has not begun waits until it is known where this site's stream stands: it goes on from what the hub gives
    back of it.
    """
    known = histories.standing(db, wire.stream_of_site(config.site))
    with transaction(db):
        air.keep_clock(db, config.clock)
    for channel in config.channels:
        if known is not None and not known.is_sure and not asrun.has_begun(db, channel.id):
            continue
        with transaction(db):
            asrun.log_aired(db, channel.id, now_us)
            while (body := asrun.unreported(db, channel.id)) is not None:
                _tell(db, config, body, now_us)


def _tell(db: Database, config: Config, body: records.AsRun, now_us: int) -> None:
    say(db, config, "asrun", body.channel, body, now_us)
    asrun.reported(db, body)


def keep_status(
    db: Database, config: Config, line: Line, conversation: Conversation, children: Children, began_us: int
) -> dict[str, Any]:
    """Note how the box is; what to tell the hub of it."""
    wall_us = config.clock.wall_us()
    with transaction(db):
        now_us = air.keep_clock(db, config.clock)
        ahead_us = conversation.hub_ahead_us
        offset_ms = None if ahead_us is None else round((ahead_us + now_us - wall_us) / 1000, 1)
        clock = Clock(synchronised=health.is_synchronised(), hub_offset_ms=offset_ms)
        agent = Agent(state="running", pid=os.getpid(), started_at_us=began_us, version=facts.version())
        for fact in (line.fact, clock, health.machine(), agent, endings.packaging(children, now_us)):
            facts.set_status(db, fact, now_us)
        served.look(db, config, now_us)
        alarms.of_clock(db, wall_us, now_us)
        alarms.of_absence(db, air.absences_between(db, now_us - alarms.RECENT_US, now_us), now_us)
        alarms.let_pass(db, now_us)
        snapshot = facts.snapshot(db, config, now_us)
        facts.keep_alarms(db, snapshot.alarms, now_us)
    return fitting(as_facts(snapshot))


def fitting(status: dict[str, Any]) -> dict[str, Any]:
    """The status, with its lists cut until it fits into a line of the session."""
    for name in LISTS:
        while len(msgspec.json.encode(status)) > STATUS_BYTES_MAX and status.get(name):
            status = {**status, name: status[name][: len(status[name]) // 2]}
    return status
