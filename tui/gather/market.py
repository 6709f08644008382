"""What the page of supermarket and submissions reads: one side of it, a page at a time, or what was opened."""

from appliance.store import market
from appliance.store.desk import submission, submissions_page
from tui.gather.sounds import sounds_of
from tui.gather.where import Where
from tui.view.market import SENT, SIDES, Found, searched
from tui.view.sheet import PAGE_ROWS, Asked


def gather(where: Where, asked: Asked) -> Found:
    """The side that is asked for; of a story or a submission all that is known."""
    with where.database() as db:
        if asked.tab == SENT:
            if asked.opened is not None:
                one = submission(db, asked.opened)
                parts = market.parts(db, one[1].assets, "up") if one is not None and one[1] is not None else ()
                return Found(sent=(one[0],) if one is not None else (), parts=parts)
            at_us, _, identity = asked.after.partition(" ")
            after = (int(at_us), identity) if asked.after else (2**62, "")
            return Found(sent=submissions_page(db, asked.words, after, PAGE_ROWS, sounds_of(asked.words)))
        if asked.opened is not None:
            read = market.story(db, asked.opened)
            return Found(stories=(read[0],), item=read[1], parts=read[2]) if read is not None else Found()
        section, words = searched(asked.words)
        side = SIDES[asked.tab]
        return Found(
            stories=market.stories(db, side, section, words, asked.after, PAGE_ROWS, sounds_of(words)),
            total=market.count(db, side),
        )
