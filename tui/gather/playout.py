"""What the page of the channels reads: of one channel its coming day, or the clips that can air, a page at a time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlite_utils import Database

from appliance.core.accidents import tally
from appliance.core.clip_facts import AirClip
from appliance.core.moment import US
from appliance.core.readiness import Ready, describe
from appliance.core.schedule import day_bounds_us, day_of
from appliance.core.ts import FRAMES_PER_S
from appliance.store import air, clips
from appliance.store.aired import not_as_planned
from appliance.store.readiness import readiness_of
from tui.finding import matches
from tui.gather.where import Where
from tui.view.playout import AHEAD_US, CLIPS, Found, find, in_order, stretches_of
from tui.view.sheet import PAGE_ROWS, Asked

LIKE_MAX: Final = 50
"""So many clips are offered in place of one that cannot air."""


def gather(where: Where, asked: Asked) -> Found:
    """The side that is asked for; the other sides cost nothing."""
    config = where.box
    channels = tuple((each.id, each.name) for each in config.channels)
    bare = Found(channels, asked.tab or (channels[0][0] if channels else ""), where.now_us)
    if not channels:
        return bare
    with where.database() as db:
        if asked.tab == CLIPS:
            name, _tab, digest = asked.after.partition("\t")
            shown = clips.clips_that_air(db, asked.words, (name, digest), PAGE_ROWS)
            return replace(bare, channel=channels[0][0], clips=shown, next=_following(shown))
        now_us = air.now_us(db, config.clock)
        rows = readiness_of(db, config, [bare.channel], now_us, now_us + AHEAD_US)
        if asked.opened is not None:
            return replace(_opened(db, find(rows, asked.opened)), channels=channels, channel=bare.channel, at_us=now_us)
        return _channel(db, bare, rows, asked, (now_us, config.zone))


def _channel(db: Database, bare: Found, rows: Sequence[Ready], asked: Asked, at: tuple[int, str]) -> Found:
    now_us, zone = at
    kept = [row for row in in_order(rows, now_us) if _is_asked_for(row, asked.words)]
    begin = int(asked.after or 0)
    end = begin + PAGE_ROWS
    since_us = day_bounds_us(day_of(now_us, zone), zone)[0]
    return replace(
        bare,
        at_us=now_us,
        entries=tuple(kept[begin:end]),
        next=str(end) if end < len(kept) else "",
        counts=tuple(Counter(row.state for row in rows if not row.is_dropped).items()),
        stretches=stretches_of(rows, now_us),
        tally=tally(not_as_planned(db, bare.channel, since_us, now_us), since_us, now_us),
        insertions=clips.insertions(db, bare.channel, now_us),
        clips=clips.clips_that_air(db, limit=PAGE_ROWS),
    )


def _opened(db: Database, row: Ready | None) -> Found:
    """The entry, what is known of its clip, and what could air in its place."""
    if row is None:
        return Found()
    known = clips.clip_of(db, row.asset) if row.asset is not None else None
    frames = round((row.end_us - row.start_us) / US * FRAMES_PER_S)
    like = tuple(each for each in clips.clips_like(db, frames, LIKE_MAX + 1) if each.digest != row.asset)
    return Found(opened=row, clip=known, like=like[:LIKE_MAX])


def _is_asked_for(row: Ready, words: str) -> bool:
    if not words:
        return True
    said = describe(row)
    return matches(words, row.title, row.entry_id, said.zh, said.en)


def _following(shown: Sequence[AirClip]) -> str:
    return "\t".join(shown[-1].place) if len(shown) >= PAGE_ROWS else ""
