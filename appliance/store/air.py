"""The air in the database: channels, schedules, fillers, insertions, the ledger. Its clock: air_clock.py.

    ensure_channel, receive_schedule, set_fillers, add_insert, resume    what changes what should play
    recompile                                                            brings the ledger in line with it
    stretches, segment_place, on_air, coming_entries                     for readers

Functions that write are called inside `with transaction(db)`. Moments are microseconds of air time: see `now_us`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

import msgspec
from sqlite_utils import Database

from appliance import slate
from appliance.core import ts
from appliance.core.air import FREEZE_TICKS, URGENT_TICKS, Wants, compile_ledger
from appliance.core.airtime import is_plausible
from appliance.core.errors import Refused, Text
from appliance.core.health import OnAir
from appliance.core.insertion import Break, Placement
from appliance.core.ledger import PRE_ROLL_S, Channel, Stretch, with_slate
from appliance.core.live import LOST
from appliance.core.moment import to_us
from appliance.core.readiness import ComingEntry
from appliance.core.rundown import NOT_CONNECTED, SLATE, Loss, Slot, tick_of, us_of
from appliance.store import live
from appliance.store.air_clock import absences_between as absences_between
from appliance.store.air_clock import clock_mark as clock_mark
from appliance.store.air_clock import keep_clock as keep_clock
from appliance.store.air_clock import now_us as now_us
from appliance.store.assets import segments_of as table_of
from appliance.store.database import Row, first, rows, text_json, text_of
from appliance.store.plans import DAY_US as DAY_US
from appliance.store.plans import assets_of_entries as assets_of_entries
from appliance.store.plans import channel_rundown as channel_rundown
from appliance.store.plans import channel_slots as channel_slots
from appliance.store.plans import prospects
from appliance.store.plans import ready_assets as ready_assets
from appliance.store.plans import receive_schedule as receive_schedule
from appliance.store.plans import receive_template as receive_template
from appliance.store.plans import refused as refused
from appliance.store.plans import schedule_of as schedule_of
from appliance.store.plans import set_fillers as set_fillers
from appliance.store.plans import stock_of as stock_of
from appliance.store.plans import template_of as template_of

HOUR_US: Final = 3600 * 1_000_000


class Named(Protocol):
    """A channel's id and what people call it."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


def ensure_channel(db: Database, channel: str, zone: str, at_us: int) -> bool:
    """Begin a channel's timeline where there is none. False while the clock cannot be right, and nothing is begun.

    Its first media sequence number is the Unix time, so that a channel begun anew after the disk was lost goes on above
    the old one: it needs a number every two seconds at the most.
    """
    if not is_plausible(at_us):
        return _exists(db, channel)
    epoch = tick_of(at_us - PRE_ROLL_S * 1_000_000)
    db.conn.execute(
        "INSERT INTO channels (id, zone, epoch_tick, first_msn, frozen_tick) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET zone = excluded.zone",
        (channel, zone, epoch, at_us // 1_000_000, epoch),
    )
    return True


def add_insert(
    db: Database,
    identity: str,
    channel: str,
    digest: str,
    received_at_us: int,
    at: str | None = None,
    until: str | None = None,
    not_after: str | None = None,
) -> None:
    """Break into a channel. The same insertion come again changes nothing. Raises Refused for an unknown channel."""
    if not _exists(db, channel):
        raise Refused(Text(f"没有频道 {channel}", f"there is no channel {channel}"))
    moments = [to_us(moment) if moment is not None else None for moment in (at, until, not_after)]
    db.conn.execute(
        "INSERT INTO inserts (id, channel, digest, received_at_us, at_us, until_us, not_after_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (identity, channel, digest, received_at_us, *moments),
    )


def resume(db: Database, channel: str) -> None:
    """Let a channel go back to its schedule: every insertion that is on or coming ends."""
    db.conn.execute("UPDATE inserts SET stopped = 1 WHERE channel = ? AND state IN ('waiting', 'placed')", (channel,))


def recompile(db: Database, channel: str, at_us: int, hours: int, urgent_ticks: int = URGENT_TICKS) -> int | None:
    """Bring a channel's ledger in line with all that is known, `hours` ahead. Nothing happens to what is frozen.

    Returns the tick from which on it may have changed; None for a channel that has not begun.
    """
    facts = first(db, "SELECT * FROM channels WHERE id = ?", (channel,))
    if facts is None:
        return None
    state = Channel(facts["epoch_tick"], facts["first_msn"], facts["frozen_tick"])
    now_tick, horizon_us = tick_of(at_us), at_us + hours * HOUR_US
    breaks = _breaks(db, channel)
    coming = channel_slots(db, channel, facts["zone"], at_us, horizon_us)
    wants = Wants(
        slots=coming,
        stock=stock_of(db, channel),
        breaks=breaks,
        live=live.imported(db, channel, coming, at_us),
    )
    committed = rows_between(db, channel, min(now_tick, state.frozen_tick))
    made = compile_ledger(state, committed, wants, now_tick, tick_of(horizon_us), urgent_ticks)
    db.conn.execute(
        "UPDATE channels SET frozen_tick = max(frozen_tick, ?) WHERE id = ?", (now_tick + URGENT_TICKS, channel)
    )
    _replace(db, channel, committed, made.stretches)
    _keep_placements(db, breaks, made.placements)
    live.keep_placed(db, channel, wants.live, made.live)
    return made.boundary_tick


def stretches(db: Database, channel: str, from_tick: int, to_tick: int) -> tuple[Stretch, ...]:
    """What a channel plays between two ticks: the rows that touch that time, and the slate where they end.

    () for a channel that has not begun, and before it began.
    """
    facts = first(db, "SELECT * FROM channels WHERE id = ?", (channel,))
    if facts is None or to_tick <= facts["epoch_tick"]:
        return ()
    known = rows_between(db, channel, from_tick, to_tick)
    state = Channel(facts["epoch_tick"], facts["first_msn"], facts["frozen_tick"])
    found = with_slate(state, known, to_tick)
    return tuple(stretch for stretch in found if stretch.end_tick > from_tick and stretch.start_tick < to_tick)


def segment_place(db: Database, rendition: str, number: int) -> tuple[int, int] | None:
    """Offset and size of a segment in the file of a rendition; None when there is none such."""
    table = _slate_table() if rendition == SLATE else table_of(db, rendition)
    return ts.place(table, number) if table is not None else None


def on_air(db: Database, channel: Named, at_us: int) -> OnAir:
    """What a channel plays now and next."""
    now_tick = tick_of(at_us)
    around = stretches(db, channel.id, now_tick, now_tick + 1)
    until = first(db, "SELECT max(start_tick + frames * 3600) AS tick FROM ledger WHERE channel = ?", (channel.id,))
    if not around:
        return OnAir(channel=channel.id, name=channel.name, reason=Text("频道尚未开播", "the channel has not begun"))
    now = around[0]
    coming = _next_programme(db, channel.id, now, now_tick)
    since_tick, until_tick = _live_times(db, channel.id, now) if now.kind == "live" else (now.start_tick, now.end_tick)
    behind = _behind(db, channel.id, now) if now.kind == "emergency" else now
    newer = _newer(db, channel.id, behind, now_tick)
    return OnAir(
        channel=channel.id,
        name=channel.name,
        title=now.title,
        kind=now.kind,
        planned=now.planned,
        reason=now.reason,
        since_us=us_of(since_tick),
        until_us=us_of(until_tick),
        next_title=coming.title if coming else "",
        next_kind=("live" if coming.reason == NOT_CONNECTED else coming.kind) if coming else "",
        next_at_us=us_of(coming.start_tick) if coming else None,
        plan=behind.plan,
        schedule_version=behind.version,
        next_version=newer.version if newer else None,
        next_version_at_us=us_of(newer.start_tick) if newer else None,
        ledger_until_us=us_of(until["tick"]) if until and until["tick"] is not None else None,
        insert=now.source if now.kind == "emergency" else None,
        **prospects(db, channel.id, at_us),
    )


def _behind(db: Database, channel: str, now: Stretch) -> Stretch:
    """What was on the air before a break-in, as far as that can still be told."""
    found = rows(
        db,
        f"SELECT {', '.join(_COLUMNS)} FROM ledger WHERE channel = ? AND start_tick < ?"  # noqa: S608
        " AND kind != 'emergency' ORDER BY start_tick DESC LIMIT 1",
        (channel, now.start_tick),
    )
    return _stretch(found[0]) if found else now


def _newer(db: Database, channel: str, now: Stretch, now_tick: int) -> Stretch | None:
    """The first stretch of another version of the same day's schedule, where an edit waits for the freeze."""
    found = rows(
        db,
        f"SELECT {', '.join(_COLUMNS)} FROM ledger WHERE channel = ? AND start_tick > ? AND start_tick < ?"  # noqa: S608
        " AND kind != 'emergency' AND date IS ? AND (version IS NOT ? OR plan IS NOT ?) ORDER BY start_tick LIMIT 1",
        (channel, now_tick, now_tick + 8 * FREEZE_TICKS, now.date, now.version, now.plan),
    )
    return _stretch(found[0]) if found and now.date is not None else None


def _next_programme(db: Database, channel: str, now: Stretch, now_tick: int) -> Stretch | None:
    """The first stretch within a day that is neither filler nor slate, nor of the live entry that is on; a live entry
    whose source has not come yet is one. Asked of SQL, since a day may have thousands."""
    found = rows(
        db,
        f"SELECT {', '.join(_COLUMNS)} FROM ledger WHERE channel = ? AND start_tick > ? AND start_tick < ?"  # noqa: S608
        " AND (kind NOT IN ('filler', 'slate') OR reason = ?) AND NOT (date IS ? AND entry_id IS ? AND ?)"
        " ORDER BY start_tick LIMIT 1",
        (
            channel,
            now_tick,
            now_tick + 24 * 3600 * ts.TICKS_PER_S,
            text_json(NOT_CONNECTED),
            now.date,
            now.entry_id,
            now.kind == "live" or now.reason in (NOT_CONNECTED, LOST),
        ),
    )
    return _stretch(found[0]) if found else None


def _live_times(db: Database, channel: str, now: Stretch) -> tuple[int, int]:
    """From when to when a live entry has the air, as far as the ledger says; each of its chunks is a row."""
    found = first(
        db,
        "SELECT min(start_tick) AS since, max(start_tick + frames * 3600) AS until FROM ledger WHERE channel = ?"
        " AND start_tick > ? AND date IS ? AND entry_id IS ?",
        (channel, now.start_tick - 48 * 3600 * ts.TICKS_PER_S, now.date, now.entry_id),
    )
    return (found["since"], found["until"]) if found else (now.start_tick, now.end_tick)


def coming_entries(db: Database, channel: str, at_us: int, until_us: int) -> tuple[ComingEntry, ...]:
    """The entries of the schedules that run or begin in this time, with the moments that they will begin at."""
    facts = first(db, "SELECT zone FROM channels WHERE id = ?", (channel,))
    if facts is None:
        return ()
    found, lost = channel_rundown(db, channel, facts["zone"], at_us, until_us)
    cut_s = {(loss.date, loss.entry.id): loss.lost_frames / ts.FRAMES_PER_S for loss in lost if not loss.is_dropped}
    shown = [
        _coming(channel, slot, cut_s.get((slot.date, slot.entry.id), 0.0))
        for slot in found
        if slot.entry is not None and us_of(slot.end_tick) > at_us and us_of(slot.start_tick) < until_us
    ]
    dropped = [
        _coming(channel, loss, loss.lost_frames / ts.FRAMES_PER_S)
        for loss in lost
        if loss.is_dropped and at_us <= us_of(loss.start_tick) < until_us
    ]
    return tuple(sorted([*shown, *dropped], key=lambda entry: entry.start_us))


def _coming(channel: str, place: Slot | Loss, cut_s: float) -> ComingEntry:
    """An entry that has a time of the channel, or one that has none: it ends where it would have begun."""
    entry = place.entry
    assert entry is not None, "a gap is not asked for"
    return ComingEntry(
        channel=channel,
        date=place.date,
        entry_id=entry.id,
        title=entry.title,
        kind=entry.kind,
        start_us=us_of(place.start_tick),
        end_us=us_of(place.end_tick if isinstance(place, Slot) else place.start_tick),
        asset=entry.asset,
        url=entry.url,
        in_s=entry.in_s,
        out_s=entry.out_s,
        duration_s=entry.duration_s,
        cut_s=cut_s,
        is_dropped=isinstance(place, Loss),
    )


_COLUMNS: Final = (
    "first_msn", "segments", "start_tick", "frames", "rendition", "first_segment", "source", "entry_id", "title",
    "kind", "planned", "reason", "date", "version", "catchup", "plan",
)  # fmt: skip
_PLACES: Final = ", ".join(f":{name}" for name in _COLUMNS)
_INSERT: Final = f"INSERT INTO ledger (channel, {', '.join(_COLUMNS)}) VALUES (:channel, {_PLACES})"  # noqa: S608


@lru_cache(maxsize=1)
def _slate_table() -> bytes:
    return ts.pack_table(ts.index(slate.slate_path().read_bytes()))


def rows_between(db: Database, channel: str, from_tick: int, to_tick: int | None = None) -> list[Stretch]:
    """Rows from the one that plays at `from_tick`, or the last before it, in order; without the slate beyond."""
    found = rows(
        db,
        f"SELECT {', '.join(_COLUMNS)} FROM ledger WHERE channel = :channel AND start_tick < :to_tick"  # noqa: S608
        " AND start_tick >= coalesce((SELECT max(start_tick) FROM ledger WHERE channel = :channel"
        " AND start_tick <= :from_tick), 0) ORDER BY start_tick",
        {"channel": channel, "from_tick": from_tick, "to_tick": to_tick if to_tick is not None else 2**62},
    )
    return [_stretch(row) for row in found]


def _stretch(row: Row) -> Stretch:
    flags = {name: bool(row[name]) for name in ("planned", "catchup")}
    return Stretch(**{**row, **flags, "reason": text_of(row["reason"])})


def _columns(channel: str, stretch: Stretch) -> dict[str, Any]:
    return {**msgspec.structs.asdict(stretch), "channel": channel, "reason": text_json(stretch.reason)}


def _replace(db: Database, channel: str, committed: Sequence[Stretch], made: Sequence[Stretch]) -> None:
    """Make the rows from the first of `made` on be `made`; what is there already is not touched."""
    old = [stretch for stretch in committed if stretch.first_msn >= made[0].first_msn]
    same = 0
    while same < min(len(old), len(made)) and old[same] == made[same]:
        same += 1
    if same < min(len(old), len(made)) and old[same].start_tick == made[same].start_tick:
        before, after = old[same], made[same]
        resized = msgspec.structs.replace(before, frames=after.frames, segments=after.segments)
        if resized == after:
            db.conn.execute(
                "UPDATE ledger SET frames = ?, segments = ? WHERE channel = ? AND first_msn = ?",
                (after.frames, after.segments, channel, after.first_msn),
            )
            same += 1
    db.conn.executemany(
        "DELETE FROM ledger WHERE channel = ? AND first_msn = ?", [(channel, each.first_msn) for each in old[same:]]
    )
    db.conn.executemany(_INSERT, [_columns(channel, stretch) for stretch in made[same:]])


def _breaks(db: Database, channel: str) -> list[Break]:
    found = rows(
        db,
        "SELECT * FROM inserts WHERE channel = ? AND state IN ('waiting', 'placed') ORDER BY received_at_us, id",
        (channel,),
    )
    return [
        Break(
            id=row["id"],
            source=row["digest"],
            at_tick=_tick(row["at_us"]),
            until_tick=_tick(row["until_us"]),
            not_after_tick=_tick(row["not_after_us"]),
            start_tick=row["start_tick"],
            end_tick=row["end_tick"],
            stopped=bool(row["stopped"]),
        )
        for row in found
    ]


def _keep_placements(db: Database, breaks: Sequence[Break], placements: Sequence[Placement]) -> None:
    for placement in placements:
        db.conn.execute(
            "UPDATE inserts SET state = ?, start_tick = ?, end_tick = ? WHERE id = ?",
            (placement.state, placement.start_tick, placement.end_tick, placement.id),
        )


def _tick(moment_us: int | None) -> int | None:
    return None if moment_us is None else tick_of(moment_us)


def _exists(db: Database, channel: str) -> bool:
    return first(db, "SELECT id FROM channels WHERE id = ?", (channel,)) is not None
