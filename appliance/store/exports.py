"""The days of a channel out of the database, as other engines and the library need them."""

from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from appliance.core.exports.day import Day, Line, Played, key_of, lines, played
from appliance.core.ledger import KIND_NAMES
from appliance.core.library import SLATE_NAME, entry_name, file_name, named
from appliance.core.local_time import time_of_day
from appliance.core.rundown import SLATE, Piece, Slot, pieces, tick_of, us_of
from appliance.core.schedule import day_bounds_us
from appliance.core.ts import FRAMES_PER_SEGMENT, HOUSE_PROFILE
from appliance.store import air
from appliance.store.database import first, rows


def day_of_channel(db: Database, channel: str, name: str, zone: str, date: str, root: str = "") -> Day:
    """A day of a channel, closed to its end. Paths are those in the library, behind `root`. Raises OperatorError for
    what is no date."""
    begin, end = (tick_of(bound_us) for bound_us in day_bounds_us(date, zone))
    found, paths = _played(db, channel, zone, date)
    whole = {key: f"{root}{path}" for key, path in paths.items()}
    made: tuple[Line, ...] = tuple(lines(found, whole))
    return Day(
        channel=channel,
        name=name,
        date=date,
        zone=zone,
        begin_tick=begin,
        end_tick=end,
        lines=made,
        files_frames=_frames(db, whole),
    )


def library_of_day(db: Database, channel: str, zone: str, date: str) -> dict[str, str]:
    """Path in the library and digest of each file that a day plays; the slate, which is no asset, left out: as lines a
    day of it is forty thousand.
    """
    found, paths = _played(db, channel, zone, date)
    return {paths[key_of(each)]: each.rendition for each in found if each.rendition != SLATE}


def _played(db: Database, channel: str, zone: str, date: str) -> tuple[list[Played], dict[tuple[str | None, str], str]]:
    """What a day plays, and the path of each file in the library."""
    begin_us, end_us = day_bounds_us(date, zone)
    begin, end = tick_of(begin_us), tick_of(end_us)
    slots = tuple(slot for slot in _slots(db, channel, zone, begin_us, end_us) if slot.start_tick < end)
    found = played(air.stretches(db, channel, begin, end), _beyond(db, channel, slots, begin), begin, end)
    return found, _paths(db, found, slots, channel, zone, date)


def recalled(db: Database) -> frozenset[str]:
    """Assets that may lie under no name any more, with their renditions."""
    found = rows(
        db,
        "SELECT target AS digest FROM tombstones WHERE target LIKE 'sha256:%' UNION"
        " SELECT digest FROM renditions WHERE digest IS NOT NULL AND source IN (SELECT target FROM tombstones)",
    )
    return frozenset(row["digest"] for row in found)


def _slots(db: Database, channel: str, zone: str, begin_us: int, end_us: int) -> tuple[Slot, ...]:
    # The day before counts: what runs over midnight is its.
    return air.channel_slots(db, channel, zone, begin_us, end_us - 1)


def _beyond(db: Database, channel: str, slots: tuple[Slot, ...], begin: int) -> Iterator[Piece]:
    """What the rundown lays behind the ledger's end."""
    row = first(db, "SELECT max(start_tick + frames * 3600) AS tick FROM ledger WHERE channel = ?", (channel,))
    tick = max(begin, row["tick"] if row and row["tick"] is not None else begin)
    stock = air.stock_of(db, channel)
    for slot in slots:
        if slot.end_tick > tick:
            yield from pieces(slot, stock, tick)


def _paths(
    db: Database, found: list[Played], slots: tuple[Slot, ...], channel: str, zone: str, date: str
) -> dict[tuple[str | None, str], str]:
    """The file of each entry and rendition, in the library's folder of the day."""
    entries = [slot for slot in slots if slot.entry is not None and slot.date == date]
    places = {
        f"{date}/{slot.entry.id}": (number, slot.start_tick)
        for number, slot in enumerate(entries, 1)
        if slot.entry is not None
    }
    local = ZoneInfo(zone)
    names: dict[tuple[str | None, str], str] = {}
    called = _called(db, found)
    for each in found:
        entry, rendition = key = key_of(each)
        if rendition == SLATE or key in names:
            continue
        if entry in places:
            number, start_tick = places[entry]
            names[key] = entry_name(number, len(entries), time_of_day(us_of(start_tick), local), each.title)
        else:
            what = KIND_NAMES[each.kind].zh
            names[key] = file_name(what, rendition, each.title or called.get(each.source or "", ""))
    files = named((name, key[1]) for key, name in names.items())
    paths = {key: f"{date}/{channel}/{files[name, key[1]]}" for key, name in names.items()}
    return {**paths, **{key_of(each): SLATE_NAME for each in found if each.rendition == SLATE}}


def _called(db: Database, found: list[Played]) -> dict[str, str]:
    """What people call assets that have no title on the air."""
    sources = {each.source for each in found if each.source is not None and not each.title}
    known = ((source, first(db, "SELECT name FROM assets WHERE digest = ?", (source,))) for source in sorted(sources))
    return {source: row["name"].rpartition(".")[0] or row["name"] for source, row in known if row is not None}


def _frames(db: Database, paths: Mapping[tuple[str | None, str], str]) -> dict[str, int]:
    frames = {
        row["digest"]: row["frames"]
        for row in rows(
            db,
            "SELECT digest, frames FROM renditions WHERE profile = ? AND digest IS NOT NULL AND frames > 0",
            (HOUSE_PROFILE,),
        )
    }
    frames[SLATE] = FRAMES_PER_SEGMENT
    return {path: frames.get(rendition, 0) for (_entry, rendition), path in paths.items()}
