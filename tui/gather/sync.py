"""What the page of the line to the hub reads: the queue and what is parked, a page at a time."""

from appliance.store.journals import parked
from appliance.store.queue import queue_count, queue_page
from tui.gather.where import Where
from tui.view.sheet import PAGE_ROWS, Asked
from tui.view.sync import PARKED, STREAMS, Found, ParkedRecord


def gather(where: Where, asked: Asked) -> Found:
    """The side of the page that is asked for; the other sides cost nothing."""
    if asked.tab == STREAMS:
        return Found()
    after = asked.after.split(" ")
    with where.database() as db:
        if asked.tab == PARKED:
            place = (after[0], int(after[1]), int(after[2])) if asked.after else ("", 0, 0)
            return Found(
                parked=tuple(
                    ParkedRecord(each.stream, each.epoch, each.seq, each.kind, each.key, each.reason)
                    for each in parked(db, PAGE_ROWS, place)
                )
            )
        following = (int(after[0]), after[1], after[2]) if asked.after else (-1, "", "")
        return Found(queue_page(db, asked.words, following, PAGE_ROWS), queue_count(db))
