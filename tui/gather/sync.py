"""What the page of the line to the hub reads: one side of it, a page at a time; the other sides cost nothing."""

from typing import Final

from appliance.config import Config
from appliance.core.line_rate import SLOT_US
from appliance.core.moment import US
from appliance.core.timetable import Allowance
from appliance.store.journals import parked
from appliance.store.line_rates import carried_since, rate_of
from appliance.store.queue import queue_count, queue_page, queued
from appliance.store.reasons import reasons_of
from appliance.store.waiting import held
from tui.gather.where import Where
from tui.view.queue import Pace, Queue
from tui.view.sheet import PAGE_ROWS, Asked
from tui.view.streams import STREAMS
from tui.view.sync import Found
from tui.view.waiting import HELD, PARKED, Waiting
from tui.view.week import TIMETABLE, Week

SPARK_SLOTS: Final = 144
"""Ten minutes each: a day."""


def gather(where: Where, asked: Asked) -> Found:
    """The side that is asked for, or the row of it that was opened."""
    if asked.tab == STREAMS:
        return Found()
    if asked.tab == TIMETABLE:
        return Found(week=_week(where.box, where.now_us))
    return _waiting(where, asked) if asked.tab in (PARKED, HELD) else _queue(where, asked)


def _queue(where: Where, asked: Asked) -> Found:
    with where.database() as db:
        if asked.opened is not None:
            direction, _, digest = asked.opened.partition(" ")
            transfer = queued(db, digest, direction)
            return Found(Queue((transfer,) if transfer else (), why=reasons_of(db, digest)))
        after = asked.after.split(" ")
        following = (int(after[0]), after[1], after[2]) if asked.after else (-1, "", "")
        since_us = (where.now_us // SLOT_US - SPARK_SLOTS + 1) * SLOT_US
        carried = carried_since(db, "down", since_us)
        pace = Pace(
            rate_of(db, "down").now_bytes_per_s,
            where.box.allowances(where.now_us),
            tuple(carried.get(since_us + number * SLOT_US, 0) * US / SLOT_US for number in range(SPARK_SLOTS)),
            rate_of(db, "up").now_bytes_per_s,
        )
        page, is_front = queue_page(db, asked.words, following, PAGE_ROWS), not (asked.after or asked.words)
        return Found(Queue(page, queue_count(db), is_front, pace))


def _waiting(where: Where, asked: Asked) -> Found:
    place = asked.opened if asked.opened is not None else asked.after
    stream, epoch, seq = (*place.split(" "), "0", "0")[:3]
    with where.database() as db:
        # One that was opened is the first behind the place before it, as long as it waits.
        after = (stream, int(epoch), int(seq) - (asked.opened is not None))
        limit = PAGE_ROWS if asked.opened is None else 1
        found = (parked if asked.tab == PARKED else held)(db, limit, after)
    return Found(
        waiting=tuple(Waiting(each.stream, each.epoch, each.seq, each.kind, each.key, each.reason) for each in found)
    )


def _week(config: Config, now_us: int) -> Week:
    each_way = config.limits.fetch_bytes_per_s
    return Week(config.timetable, Allowance(each_way, each_way), config.allowances(now_us))
