"""The plans in the database: schedules, templates, fillers, what is ready to air; and the rundown that they give.

    receive_schedule, receive_template, set_fillers     what came in
    channel_slots, stock_of, prospects                  what it adds up to

Functions that write are called inside `with transaction(db)`.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlite_utils import Database

from appliance.core import records, ts
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.health import RefusedPlan
from appliance.core.rundown import Day, Loss, Packed, Plan, Slot, Stock, rundown, tick_of
from appliance.core.schedule import Schedule, day_bounds_us, day_of, parse_schedule
from appliance.core.template import Template, assets_of, parse_template, schedule_on
from appliance.store.database import first, rows, text_of

DAY_US: Final = 86_400 * 1_000_000
REFUSED_SHOWN_MAX: Final = 20


def receive_schedule(db: Database, body: records.Schedule, zone: str, channels: Collection[str], at_us: int) -> None:
    """Keep a schedule that came in. Raises OperatorError with all problems, and then the last good one goes on."""
    document = bytes(body.document)
    schedule = parse_schedule(document, zone, channels)
    if (schedule.channel, schedule.date, schedule.version) != (body.channel, body.date, body.version):
        raise Refused(Text("节目单与其记录不符", "the schedule is not the one that its record names"))
    db.conn.execute(
        "INSERT OR REPLACE INTO schedules (channel, date, version, document, received_at_us) VALUES (?, ?, ?, ?, ?)",
        (schedule.channel, schedule.date, schedule.version, document, at_us),
    )


def assets_of_entries(db: Database, channel: str, date: str) -> dict[str, str]:
    """The assets of a day's schedule in its newest version, by the id of the entry that names them."""
    row = first(
        db,
        "SELECT document FROM schedules WHERE channel = ? AND date = ? ORDER BY version DESC LIMIT 1",
        (channel, date),
    )
    entries = msgspec.json.decode(row["document"])["entries"] if row else ()
    return {entry["id"]: entry["asset"] for entry in entries if entry.get("asset")}


def receive_template(db: Database, body: records.Template, channels: Collection[str], at_us: int) -> None:
    """Keep what a channel plays on days without a schedule. Raises OperatorError with all problems, and then the last
    good one goes on."""
    document = bytes(body.document)
    template = parse_template(document, channels)
    if (template.channel, template.version) != (body.channel, body.version):
        raise Refused(Text("模板与其记录不符", "the template is not the one that its record names"))
    digests = msgspec.json.encode(assets_of(template)).decode()
    db.conn.execute(
        "INSERT OR REPLACE INTO templates (channel, version, document, assets, received_at_us) VALUES (?, ?, ?, ?, ?)",
        (template.channel, template.version, document, digests, at_us),
    )


def set_fillers(db: Database, channel: str, digests: Sequence[str]) -> None:
    """The fillers of a channel, all of them."""
    db.conn.execute("DELETE FROM fillers WHERE channel = ?", (channel,))
    db.conn.executemany(
        "INSERT INTO fillers (channel, digest, ordinal) VALUES (?, ?, ?)",
        [(channel, digest, ordinal) for ordinal, digest in enumerate(dict.fromkeys(digests))],
    )


def channel_slots(db: Database, channel: str, zone: str, from_us: int, to_us: int) -> tuple[Slot, ...]:
    """The rundown of the broadcast days from the one before `from_us` to that of `to_us`."""
    return channel_rundown(db, channel, zone, from_us, to_us)[0]


def channel_rundown(
    db: Database, channel: str, zone: str, from_us: int, to_us: int
) -> tuple[tuple[Slot, ...], tuple[Loss, ...]]:
    """The same, and what hard starts cut or drop in these days."""
    days = []
    moment = from_us - DAY_US
    template = template_of(db, channel)
    while moment <= to_us:
        date = day_of(moment, zone)
        begin_us, end_us = day_bounds_us(date, zone)
        days.append(Day(date, tick_of(begin_us), tick_of(end_us), *_plan_of(db, channel, date, zone, template)))
        moment = end_us
    lengths = {row["source"]: row["frames"] for row in rows(db, _LENGTHS, (ts.FRAMES_PER_S, ts.HOUSE_PROFILE))}
    return rundown(days, lengths)


def schedule_of(db: Database, channel: str, date: str, zone: str) -> Schedule | None:
    """The newest schedule of a day that this version of the software takes; None when there is none."""
    for row in rows(db, _SCHEDULES, (channel, date)):
        # A rule that was added since it was received must not stop the air: the one before it is the last good one.
        with suppress(OperatorError):
            return _parsed(bytes(row["document"]), zone, channel)
    return None


def template_of(db: Database, channel: str) -> Template | None:
    """The newest template of a channel that this version of the software takes; None when there is none."""
    for row in rows(db, _TEMPLATES, (channel,)):
        with suppress(OperatorError):
            return _parsed_template(bytes(row["document"]), channel)
    return None


def _plan_of(
    db: Database, channel: str, date: str, zone: str, template: Template | None
) -> tuple[Schedule | None, Plan]:
    """What counts on a day: its schedule, that of its weekday, the default programme, nothing."""
    own = schedule_of(db, channel, date, zone)
    if own is not None:
        return own, "schedule"
    of_weekday = _on_day(template, date, zone) if template is not None else None
    if of_weekday is not None:
        return of_weekday, "template"
    return None, "default" if template is not None and template.default else ""


def refused(db: Database, since: str) -> tuple[RefusedPlan, ...]:
    """Schedules of days from `since` on, and templates, that came and could not be taken, and that nothing newer has
    replaced."""
    found = rows(
        db,
        "SELECT kind, body, reason FROM journal WHERE state = 'parked' AND kind IN ('schedule', 'template')"
        " AND body IS NOT NULL ORDER BY stream, epoch, seq LIMIT ?",
        (REFUSED_SHOWN_MAX,),
    )
    told = []
    for row in found:
        try:
            named = msgspec.json.decode(row["body"], type=_Named)
        except msgspec.DecodeError:
            continue
        table, where = ("schedules", " AND date = ?") if row["kind"] == "schedule" else ("templates", "")
        values = (named.channel, named.date) if where else (named.channel,)
        kept = first(db, f"SELECT max(version) AS version FROM {table} WHERE channel = ?{where}", values)  # noqa: S608
        stands = kept["version"] if kept is not None else None
        if (stands or 0) < named.version and (not where or named.date >= since):
            reason = text_of(row["reason"]) or Text("", "")
            told.append(RefusedPlan(named.channel, named.date, named.version, reason, stands))
    return tuple(told)


class _Named(msgspec.Struct):
    """What the body of a plan says of itself, whatever else is wrong with it."""

    channel: str
    version: int
    date: str = ""


def stock_of(db: Database, channel: str) -> Stock:
    """What a channel can play now."""
    template = template_of(db, channel)
    fillers = [row["digest"] for row in rows(db, _FILLERS, (channel,))]
    return Stock(ready_assets(db), fillers, template.default if template is not None else ())


def ready_assets(db: Database) -> dict[str, Packed]:
    """What can air: assets whose rendition is on disk, verified, not recalled and not red, by their own digest."""
    return {
        row["source"]: Packed(row["digest"], row["frames"]) for row in rows(db, READY, {"profile": ts.HOUSE_PROFILE})
    }


def prospects(db: Database, channel: str, at_us: int) -> dict[str, Any]:
    """Who plans the next day, and how many fillers there are and can air: fields of
    `appliance.core.health.OnAir`."""
    facts = first(db, "SELECT zone FROM channels WHERE id = ?", (channel,))
    assert facts is not None, "a channel that is on the air has begun"
    end_us = day_bounds_us(day_of(at_us, facts["zone"]), facts["zone"])[1]
    date = day_of(end_us, facts["zone"])
    coming = channel_slots(db, channel, facts["zone"], end_us, end_us)
    plans = (slot.plan for slot in coming if slot.date == date and (slot.version is not None or slot.plan == "default"))
    fillers = [row["digest"] for row in rows(db, _FILLERS, (channel,))]
    ready = ready_assets(db)
    return {
        "next_day": date,
        "next_day_at_us": end_us,
        "next_day_plan": next(plans, ""),
        "fillers": len(fillers),
        "fillers_ready": sum(digest in ready for digest in fillers),
    }


_SCHEDULES: Final = "SELECT document FROM schedules WHERE channel = ? AND date = ? ORDER BY version DESC LIMIT 3"
_TEMPLATES: Final = "SELECT document FROM templates WHERE channel = ? ORDER BY version DESC LIMIT 3"
_FILLERS: Final = "SELECT digest FROM fillers WHERE channel = ? ORDER BY ordinal"
READY: Final = """
    SELECT renditions.source, renditions.digest, renditions.frames, severity FROM renditions
    LEFT JOIN assets ON assets.digest = renditions.digest
    WHERE profile = :profile AND renditions.state = 'here' AND segments IS NOT NULL AND renditions.frames > 0
        AND coalesce(assets.state, 'here') = 'here'
        AND coalesce(severity, '') != 'red'
        AND renditions.source NOT IN (SELECT target FROM tombstones)
        AND renditions.digest NOT IN (SELECT target FROM tombstones)
        AND NOT EXISTS (SELECT 1 FROM status WHERE name = 'media' AND value ->> 'is_away')
"""
"""What can air: source, rendition, frames, the worst finding. Of a `profile`."""
_LENGTHS: Final = """
    SELECT assets.digest AS source, cast(round(duration_s * ?) AS INTEGER) AS frames FROM assets
    WHERE duration_s > 0 AND digest NOT IN (SELECT source FROM renditions WHERE frames > 0)
    UNION ALL SELECT source, frames FROM renditions WHERE profile = ? AND frames > 0
"""


@lru_cache(maxsize=64)
def _parsed(document: bytes, zone: str, channel: str) -> Schedule:
    return parse_schedule(document, zone, (channel,))


@lru_cache(maxsize=16)
def _parsed_template(document: bytes, channel: str) -> Template:
    return parse_template(document, (channel,))


@lru_cache(maxsize=64)
def _on_day(template: Template, date: str, zone: str) -> Schedule | None:
    return schedule_on(template, date, zone)
