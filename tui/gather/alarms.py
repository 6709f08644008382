"""What the page of the alarms reads: what is over, a page at a time. What is wrong now every page knows."""

from appliance.store.alarm_log import history
from tui.gather.where import Where
from tui.view.alarms import HISTORY, Found
from tui.view.sheet import PAGE_ROWS, Asked


def gather(where: Where, asked: Asked) -> Found:
    """The history, where that is the side that is asked for."""
    if asked.tab != HISTORY:
        return Found()
    ended_us, _blank, identity = asked.after.partition(" ")
    place = (int(ended_us), identity) if asked.after else (2**62, "")
    with where.database() as db:
        return Found(history(db, asked.words, place, PAGE_ROWS))
