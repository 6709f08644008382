"""What the page of the as-run reads: a page of what aired before a moment, the day's accidents, those of a week."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from appliance.config import Config
from appliance.core.accidents import Accident, tally
from appliance.core.moment import US, to_us
from appliance.core.schedule import day_bounds_us, day_of
from appliance.store import air, aired, asrun, clips
from tui.gather.where import Where
from tui.view.asrun import ACCIDENT_DAYS, ACCIDENTS_SIDE, Found, moment_asked
from tui.view.sheet import PAGE_ROWS, Asked

DAY_US = 86_400 * US


def gather(where: Where, asked: Asked) -> Found:
    """The side that is asked for; the other sides cost nothing."""
    config = where.box
    channels = tuple((each.id, each.name) for each in config.channels)
    if not channels:
        return Found()
    bare = Found(channels, asked.tab or channels[0][0])
    with where.database() as db:
        now_us = air.now_us(db, config.clock)
        if asked.tab == ACCIDENTS_SIDE:
            begin = int(asked.after or 0)
            found = _accidents(db, [channel for channel, _name in channels], now_us)
            following = str(begin + PAGE_ROWS) if len(found) > begin + PAGE_ROWS else ""
            return replace(bare, channel="", accidents=found[begin : begin + PAGE_ROWS], next=following)
        if asked.opened is not None:
            kept = aired.row_of(db, bare.channel, int(asked.opened)) if asked.opened.isdecimal() else None
            if kept is None:
                return bare
            called = clips.names(db, [kept.row.asset] if kept.row.asset is not None else [])
            return replace(bare, opened=kept.row, hash=kept.hash, names=called)
        return _channel(db, config, bare, asked, now_us)


def _channel(db: Database, config: Config, bare: Found, asked: Asked, now_us: int) -> Found:
    moment_us = moment_asked(asked.words, now_us, ZoneInfo(config.zone))
    words = asked.words if moment_us is None else ""
    before = int(asked.after) if asked.after else None
    # What began in the second that was named ran at it.
    until_us = moment_us + US if moment_us is not None else now_us
    rows = aired.aired_before(db, bare.channel, until_us, words, before, PAGE_ROWS)
    day = day_of(to_us(rows[0].start) if rows else until_us, config.zone)
    begin_us, end_us = day_bounds_us(day, config.zone)
    return replace(
        bare,
        rows=rows,
        names=clips.names(db, [row.asset for row in rows if row.asset is not None and not row.title]),
        next=str(rows[-1].seq) if len(rows) >= PAGE_ROWS else "",
        day=day,
        tally=tally(asrun.aired(db, bare.channel, begin_us, end_us), begin_us, end_us),
        from_us=moment_us,
    )


def _accidents(db: Database, channels: list[str], now_us: int) -> tuple[tuple[str, Accident], ...]:
    since_us = now_us - ACCIDENT_DAYS * DAY_US
    found = [
        (channel, each)
        for channel in channels
        for each in tally(aired.not_as_planned(db, channel, since_us, now_us), since_us, now_us).accidents
    ]
    return tuple(sorted(found, key=lambda pair: (-pair[1].start_us, pair[0])))
