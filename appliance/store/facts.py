"""What the agent last saw, what is wrong, and the snapshot of it all that screens and programs show.

look(config, now_us)               for anybody who only looks; works with no agent, no database, no disk
without_database(...)              what it says then
snapshot(db, config, now_us)       the same with the database open
set_status, keep_alarms, ...       for the agent
"""

import os
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from typing import Any, Final, TypeVar

import msgspec
from sqlite_utils import Database

from appliance import nights, releases, senders, shut_out
from appliance.config import Config
from appliance.core.alarms import Thresholds, alarms, findings
from appliance.core.errors import Text, WorldError
from appliance.core.health import (
    Agent,
    Alarm,
    Carrying,
    Clock,
    Finding,
    Link,
    LostEntry,
    Machine,
    Media,
    Packaging,
    Queue,
    Snapshot,
    Storage,
    StreamFact,
    Sync,
    Web,
)
from appliance.core.key_term import Key
from appliance.core.moment import US
from appliance.core.outputs import of_outputs
from appliance.core.readiness import Ready, not_ready
from appliance.core.schedule import day_of
from appliance.core.scrub import LATE_US
from appliance.core.upkeep import of_upkeep
from appliance.store import air, alarm_log, catchup
from appliance.store.database import Row, first, reading, reason_of, rows, text_json, text_of
from appliance.store.desk import orders, submissions
from appliance.store.histories import held_count
from appliance.store.journals import cursors, parked_count, unsent
from appliance.store.line_rates import Direction, rate_of
from appliance.store.readiness import readiness_of
from appliance.store.relays import live_facts

SUBMISSIONS_SHOWN: Final = 50
COMING_HOURS: Final = 24
DAY_US: Final = 86_400 * US

Status = Link | Clock | Key | Machine | Media | Agent | Carrying | Packaging | Web
_Fact = TypeVar("_Fact", Link, Clock, Key, Machine, Agent, Carrying, Packaging, Web)
_NO_AGENT: Final = Text("agent 没有运行", "the agent does not run")
_RAISED: Final = "raised:"
"""Before the id of an alarm that only the agent knows of; the others are found anew in every snapshot."""


def look(config: Config, now_us: int, thresholds: Thresholds = Thresholds()) -> Snapshot:  # noqa: B008  # frozen
    """How the box is. Never raises for what the world did: what cannot be read is an alarm of the snapshot."""
    try:
        with reading(config.database) as db:
            return snapshot(db, config, now_us, thresholds)
    except WorldError as error:
        return without_database(config, now_us, error)


def without_database(config: Config, now_us: int, error: WorldError) -> Snapshot:
    """How the box is as far as that can be told; what keeps its database away is an alarm."""
    bare = _bare(config, now_us)
    problem = Finding(
        id="database",
        severity="red",
        text=reason_of(error),
        hint=error.hint or Text("请运行 songshan doctor", "run songshan doctor"),
    )
    found = (problem, *of_outputs(bare.outputs, now_us), *of_upkeep(bare.backup, bare.release, now_us))
    return msgspec.structs.replace(bare, alarms=alarms(found, (), now_us))


def snapshot(
    db: Database,
    config: Config,
    now_us: int,
    thresholds: Thresholds = Thresholds(),  # noqa: B008  # frozen
) -> Snapshot:
    """How the box is, with what is wrong. What is on the air goes by the air's own time, which never goes back."""
    agent, air_us = _agent(db, now_us, thresholds.agent_silent_s), air.now_us(db, config.clock)
    entries = _entries(db, config, air_us)
    seen = msgspec.structs.replace(
        _bare(config, now_us),
        on_air=tuple(air.on_air(db, channel, air_us) for channel in config.channels),
        coming=not_ready([row for row in entries if not row.is_dropped]),
        lost=_lost(entries),
        refused=air.refused(db, day_of(air_us - DAY_US, config.zone)),
        live=live_facts(db, config.channels, air_us),
        link=_link(db, config, agent),
        sync=_sync(db, config),
        storage=_storage(config, db, now_us),
        carrying=carrying(db),
        packaging=_packaging(db),
        clock=_status(db, Clock),
        key=_status(db, Key),
        machine=_status(db, Machine),
        web=web(db),
        agent=agent,
        submissions=submissions(db, SUBMISSIONS_SHOWN),
        orders=orders(db),
    )
    before = _stored_alarms(db)
    found = alarms(findings(seen, thresholds), before, now_us)
    raised = tuple(alarm for alarm in before if alarm.id.startswith(_RAISED))
    return msgspec.structs.replace(seen, alarms=(*raised, *found))


def _packaging(db: Database) -> Packaging:
    """With the name that people know the clip by."""
    seen = _status(db, Packaging)
    row = first(db, "SELECT name FROM assets WHERE digest = ?", (seen.source,)) if seen.source is not None else None
    return msgspec.structs.replace(seen, name=row["name"]) if row is not None else seen


def link(db: Database, config: Config, now_us: int) -> Link:
    """The line to the hub alone, which costs next to nothing: for a page that tells how fresh it is."""
    return _link(db, config, _agent(db, now_us, Thresholds().agent_silent_s))


def carrying(db: Database) -> Carrying:
    """The import from a stick that is under way, or the last one."""
    return _status(db, Carrying)


def web(db: Database) -> Web:
    """Whether the web server is there, as the agent saw it last."""
    return _status(db, Web)


def set_status(db: Database, value: Status, now_us: int) -> None:
    """What the agent sees now of one thing; it replaces what it saw before."""
    name = type(value).__name__.lower()
    db.conn.execute(
        "INSERT OR REPLACE INTO status (name, value, at_us) VALUES (?, ?, ?)",
        (name, msgspec.json.encode(value).decode(), now_us),
    )


def keep_alarms(db: Database, current: tuple[Alarm, ...], now_us: int) -> None:
    """Remember since when what is wrong has been so; what is not in `current` is over."""
    holds = {each.id for each in current}
    _end(db, [alarm for alarm in _stored_alarms(db) if alarm.id not in holds], now_us)
    for alarm in current:
        _store_alarm(db, alarm)


def raise_alarm(db: Database, finding: Finding, now_us: int) -> None:
    """Something that only the agent knows of is wrong, until `clear_alarm`. Raised again it keeps its beginning."""
    identity = _RAISED + finding.id
    known = first(db, "SELECT since_us FROM alarms WHERE id = ?", (identity,))
    since_us = known["since_us"] if known else now_us
    _store_alarm(
        db, Alarm(id=identity, severity=finding.severity, text=finding.text, hint=finding.hint, since_us=since_us)
    )


def clear_alarm(db: Database, finding_id: str, now_us: int) -> None:
    """It is over."""
    if first(db, "SELECT 1 FROM alarms WHERE id = ?", (_RAISED + finding_id,)) is not None:
        _end(db, [alarm for alarm in _stored_alarms(db) if alarm.id == _RAISED + finding_id], now_us)


def clear_alarms_before(db: Database, prefix: str, before_us: int, now_us: int) -> None:
    """Those whose id begins so, and which were raised earlier, are over."""
    over = [each for each in _stored_alarms(db) if each.id.startswith(_RAISED + prefix) and each.since_us < before_us]
    if over:
        _end(db, over, now_us)


@cache
def version() -> str:
    """Of this software."""
    return metadata.version("songshan-edge")


def _bare(config: Config, now_us: int) -> Snapshot:
    """What can be told without the database."""
    return Snapshot(
        site=config.site,
        name=config.name,
        zone=config.zone,
        now_us=now_us,
        version=version(),
        storage=_storage(config, None, now_us),
        outputs=senders.outputs(config, now_us),
        backup=nights.backup_fact(config),
        release=releases.release_fact(config),
        link=Link() if config.hub else Link(state="alone"),
        sync=Sync(spool_waiting=_spool_waiting(config)),
    )


def _storage(config: Config, db: Database | None, now_us: int) -> Storage | None:
    """From the disk itself, so that it is true also when the agent is dead; None when there is no such folder."""
    folder = config.media if config.media.exists() else config.home
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    counts: Row = {}
    if db is not None:
        counts = rows(
            db,
            "SELECT coalesce(sum(size_bytes) FILTER (WHERE state = 'here'), 0) AS media_bytes,"
            " count(*) FILTER (WHERE state = 'here') AS assets_here,"
            " count(*) FILTER (WHERE state = 'wanted') AS assets_wanted,"
            " count(*) FILTER (WHERE state = 'bad') AS assets_bad,"
            " count(*) FILTER (WHERE state = 'here' AND coalesce(verified_at_us, last_used_us) <= ?) AS assets_unread"
            " FROM assets",
            (now_us - config.limits.verify_days * DAY_US - LATE_US,),
        )[0]
    return Storage(
        total_bytes=disk.f_blocks * disk.f_frsize,
        free_bytes=disk.f_bavail * disk.f_frsize,
        reserve_bytes=config.limits.reserve_bytes,
        cache_bytes_max=config.limits.cache_bytes_max,
        catchup_gone=0 if db is None else catchup.gone(db, now_us, config.limits.catchup_days),
        **counts,
    )


def _sync(db: Database, config: Config) -> Sync:
    streams = tuple(
        StreamFact(
            stream=name,
            epoch=cursor.position.epoch,
            seq=cursor.position.seq,
            checkpoint_at_us=cursor.seen_us or None,
            next_by_us=cursor.next_by_us,
        )
        for name, cursor in cursors(db).items()
    )
    return Sync(
        streams=streams,
        down=_queue(db, "down"),
        up=_queue(db, "up"),
        unsent_records=unsent(db, f"{config.site}/report"),
        parked_records=parked_count(db),
        held_records=held_count(db),
        spool_waiting=_spool_waiting(config),
    )


def _queue(db: Database, direction: Direction) -> Queue:
    row = rows(
        db,
        "SELECT count(*) FILTER (WHERE state = 'queued') AS waiting,"
        " count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'failed') AS failed,"
        " coalesce(sum(max(0, size_bytes - done_bytes)) FILTER (WHERE state != 'done'), 0) AS left_bytes,"
        " max(rate_bytes_per_s) FILTER (WHERE state = 'running') AS rate_bytes_per_s"
        " FROM transfers WHERE direction = ?",
        (direction,),
    )[0]
    # One of many small files tells nothing of the line.
    rate = rate_of(db, direction).now_bytes_per_s if row["running"] else None
    return Queue(**{**row, "rate_bytes_per_s": rate or row["rate_bytes_per_s"]})


def _spool_waiting(config: Config) -> int:
    """The spool's own module may not be imported here; its names are not hidden, what is being written is."""
    try:
        return sum(not path.name.startswith(".") for path in (config.spool / "new").iterdir())
    except OSError:
        return 0


def _link(db: Database, config: Config, agent: Agent) -> Link:
    if config.hub is None:
        return Link(state="alone")
    said = _status(db, Link)
    if shut_out.is_shut_out(config):
        return Link(state="shut_out", hub=said.hub, reason=shut_out.WORDS)
    if agent.state == "running" or said.state != "connected":
        return said
    return msgspec.structs.replace(said, state="offline", since_us=agent.at_us, reason=_NO_AGENT)


def _agent(db: Database, now_us: int, silent_s: float) -> Agent:
    said = _status(db, Agent)
    if said.at_us is None:
        return Agent()
    is_running = abs(now_us - said.at_us) <= silent_s * US
    return msgspec.structs.replace(said, state="running" if is_running else "silent")


def _status(db: Database, shape: type[_Fact]) -> _Fact:
    """What the agent last said of one thing, with the moment; all unknown when it never did."""
    row = first(db, "SELECT value, at_us FROM status WHERE name = ?", (shape.__name__.lower(),))
    if row is None:
        return shape()
    return msgspec.structs.replace(msgspec.json.decode(row["value"], type=shape), at_us=row["at_us"])


def _stored_alarms(db: Database) -> tuple[Alarm, ...]:
    found = rows(db, "SELECT * FROM alarms ORDER BY since_us, id")
    return tuple(
        msgspec.convert({**row, "text": text_of(row["text"]), "hint": text_of(row["hint"])}, Alarm) for row in found
    )


def _end(db: Database, over: Sequence[Alarm], now_us: int) -> None:
    db.conn.executemany("DELETE FROM alarms WHERE id = ?", [(alarm.id,) for alarm in over])
    alarm_log.ended(db, over, now_us)


def _store_alarm(db: Database, alarm: Alarm) -> None:
    values: dict[str, Any] = {
        **msgspec.structs.asdict(alarm),
        "text": text_json(alarm.text),
        "hint": text_json(alarm.hint),
    }
    db.conn.execute(
        "INSERT OR REPLACE INTO alarms (id, severity, text, hint, since_us)"
        " VALUES (:id, :severity, :text, :hint, :since_us)",
        values,
    )


def _entries(db: Database, config: Config, air_us: int) -> tuple[Ready, ...]:
    until_us = air_us + COMING_HOURS * 3600 * US
    return readiness_of(db, config, [channel.id for channel in config.channels], air_us, until_us)


def _lost(entries: Iterable[Ready]) -> tuple[LostEntry, ...]:
    return tuple(
        LostEntry(
            channel=row.channel, title=row.title, start_us=row.start_us, lost_s=row.cut_s, is_dropped=row.is_dropped
        )
        for row in entries
        if row.cut_s
    )
