"""What recurs: the air ledger and the as-run log brought up to now, and the word on how the box is."""

import os
from typing import Any, Final

import msgspec
from sqlite_utils import Database

from appliance.config import Config
from appliance.core import records, wire
from appliance.core.facts import as_facts
from appliance.core.health import Agent, Clock
from appliance.core.wire import SMALL_LINE_BYTES_MAX
from appliance.store import air, asrun, facts, histories
from appliance.store.database import transaction
from edge_agent import alarms, health
from edge_agent.conversation import Conversation
from edge_agent.desk import say
from edge_agent.line import Line

STATUS_BYTES_MAX: Final = SMALL_LINE_BYTES_MAX - 1024
LISTS: Final = ("submissions", "orders", "coming", "alarms")
"""Cut, the first of them first, when a status would be too long for its line."""


def compile_air(db: Database, config: Config, now_us: int) -> None:
    """Bring each channel's ledger in line with what is known. Each is a transaction: one does not wait for another."""
    for channel in config.channels:
        with transaction(db):
            if air.ensure_channel(db, channel.id, config.zone, now_us):
                air.recompile(db, channel.id, now_us, config.limits.ledger_hours)


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


def keep_status(db: Database, config: Config, line: Line, conversation: Conversation, began_us: int) -> dict[str, Any]:
    """Note how the box is; what to tell the hub of it."""
    wall_us = config.clock.wall_us()
    with transaction(db):
        now_us = air.keep_clock(db, config.clock)
        ahead_us = conversation.hub_ahead_us
        offset_ms = None if ahead_us is None else round((ahead_us + now_us - wall_us) / 1000, 1)
        clock = Clock(synchronised=health.is_synchronised(), hub_offset_ms=offset_ms)
        agent = Agent(state="running", pid=os.getpid(), started_at_us=began_us, version=facts.version())
        for fact in (line.fact, clock, health.machine(), agent):
            facts.set_status(db, fact, now_us)
        alarms.of_clock(db, wall_us, now_us)
        snapshot = facts.snapshot(db, config, now_us)
        facts.keep_alarms(db, snapshot.alarms)
    return fitting(as_facts(snapshot))


def fitting(status: dict[str, Any]) -> dict[str, Any]:
    """The status, with its lists cut until it fits into a line of the session."""
    for name in LISTS:
        while len(msgspec.json.encode(status)) > STATUS_BYTES_MAX and status.get(name):
            status = {**status, name: status[name][: len(status[name]) // 2]}
    return status
