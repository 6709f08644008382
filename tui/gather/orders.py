"""What the page of the command desk's orders reads: a page of them, or the one that was opened."""

from appliance.store.desk import order, orders_page
from tui.gather.sounds import sounds_of
from tui.gather.where import Where
from tui.view.orders import Found
from tui.view.sheet import PAGE_ROWS, Asked


def gather(where: Where, asked: Asked) -> Found:
    """Those without an answer first."""
    with where.database() as db:
        if asked.opened is not None:
            one = order(db, asked.opened)
            return Found((one,) if one is not None else ())
        rank, received_us, identity = asked.after.split(" ") if asked.after else ("-1", str(2**62), "")
        return Found(
            orders_page(db, asked.words, (int(rank), int(received_us), identity), PAGE_ROWS, sounds_of(asked.words))
        )
