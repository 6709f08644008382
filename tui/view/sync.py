"""The line to the hub: what goes down and up and in which order, how far each stream has come, what waits. PURE.

Each side of the page is a module: the queue (`tui.view.queue`), the streams and what parts them (`streams`), held and
parked records (`waiting`), the week's bandwidth (`week`).
"""

from dataclasses import dataclass, field, replace
from typing import Final

from appliance.core.command import Command, Reapply, Retry
from appliance.core.errors import OperatorError, Text
from tui.keys import say
from tui.look import Look
from tui.rows import Fact
from tui.view import queue, streams, tiles, waiting, week
from tui.view.acts import Act, Case, Weight
from tui.view.queue import Queue
from tui.view.reading import Reading
from tui.view.sheet import Asked, Beside, Block, Sheet, Spark, Tab
from tui.view.streams import STREAMS
from tui.view.waiting import HELD, PARKED, Waiting
from tui.view.week import TIMETABLE, Week


@dataclass(frozen=True)
class Found:
    """One side of the page: of the others nothing is read."""

    queue: Queue = field(default_factory=Queue)
    waiting: tuple[Waiting, ...] = ()
    week: Week = field(default_factory=Week)


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or the row that was opened."""
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found or Found(), reading, now_us, look, asked))
    tabs = (
        Tab("", look.say("Queue")),
        Tab(STREAMS, look.say("Streams")),
        Tab(HELD, look.say("Held")),
        Tab(PARKED, look.say("Parked")),
        Tab(TIMETABLE, look.say("Timetable")),
    )
    blocks: tuple[Block, ...]
    if asked.tab == STREAMS:
        blocks = streams.blocks(reading, now_us, look)
    elif asked.tab in (HELD, PARKED):
        blocks = waiting.blocks(found.waiting if found else None, asked.tab, look)
    elif asked.tab == TIMETABLE:
        blocks = week.blocks(found.week, now_us, look) if found else ()
    else:
        blocks = (*_head(found, reading, look), queue.table(found.queue if found else None, reading, now_us, look))
    return Sheet(blocks, tabs=tabs, tab=asked.tab)


def _head(found: Found | None, reading: Reading | None, look: Look) -> tuple[Block, ...]:
    if found is None or reading is None or reading.snapshot is None:
        return ()
    seen, now_us = reading.snapshot, reading.at_us
    sync = tiles.sync(seen, now_us, look)
    # What the table below lists one by one need not be counted above it.
    kept = tuple(line for line in sync.facts if isinstance(line, Fact) and line.label != look.say("Submissions"))
    both = Beside((replace(sync, facts=kept), tiles.link(seen, now_us, look)))
    pace = found.queue.pace
    if pace is None or not any(pace.carried):
        return (both,)
    rate = look.say("the line carries {rate}").format(rate=look.rate(pace.bytes_per_s)) if pace.bytes_per_s else ""
    return (both, Spark(look.say("Down, 24 h"), pace.carried, rate))


def _opened(found: Found, reading: Reading | None, now_us: int, look: Look, asked: Asked) -> tuple[Block, ...]:
    assert asked.opened is not None
    if asked.tab == STREAMS:
        return streams.opened(asked.opened, reading, now_us, look)
    if asked.tab in (HELD, PARKED):
        return waiting.opened(found.waiting, asked.tab, asked.opened, look)
    return queue.opened(found.queue, asked.opened, now_us, look)


def _queue_of(case: Case) -> Queue:
    return case.found.queue if isinstance(case.found, Found) else Queue()


def _why_not_again(case: Case) -> Text | None:
    if case.asked.tab == PARKED:
        return None
    each = _queue_of(case).at(case.row)
    if case.asked.tab or each is None:
        return Text("请先选一个传输或搁置的记录", "choose a transfer or a parked record first")
    if each.state == "running":
        return Text("正在传输", "it is moving")
    if each.state != "failed" and each.not_before_us <= case.reading.at_us:
        return Text("在排队，无需重试：线路空出即传", "it waits for its turn on the line, not for another try")
    return None


def _again(case: Case) -> Command:
    if case.asked.tab == PARKED:
        stream, epoch, seq = waiting.place_of(case.row)
        return Reapply(stream=stream, epoch=epoch, seq=seq, **case.asked_by)
    each = _queue_of(case).at(case.row)
    if each is None:
        raise OperatorError(Text("传输已完成或已取消", "this is done, or gone"))
    return Retry(digest=each.digest, direction=each.direction, **case.asked_by)


def _what_again(case: Case) -> tuple[str, ...]:
    look = case.look
    if case.asked.tab == PARKED:
        return (
            look.say("The record is applied again: {place}").format(place=case.row),
            look.say("Where that still cannot be, it stays parked and the reason is shown."),
        )
    each = _queue_of(case).at(case.row)
    name = look.data(each.name, each.digest[7:19]) if each is not None else case.row
    return (
        look.say("Tried again at once, from where it broke off: {name}").format(name=name),
        look.say("What is needed sooner still goes first."),
    )


def _all_again(case: Case) -> Command:
    return Reapply(**case.asked_by) if case.asked.tab == PARKED else Retry(**case.asked_by)


def _what_all_again(case: Case) -> tuple[str, ...]:
    if case.asked.tab == PARKED:
        return (case.look.say("All parked records are applied again, the oldest first."),)
    return (case.look.say("All transfers that failed or wait for another try are tried at once."),)


def _why_not_all(case: Case) -> Text | None:
    if case.asked.tab in ("", PARKED):
        return None
    return Text("请先转到队列或搁置", "go to the queue or to what is parked first")


ACTS: Final = (
    Act(
        "again", "t", say("Try again"), Weight.BOX, _again, preview=_what_again, refusal=_why_not_again, needs_row=True
    ),
    Act("all_again", "a", say("Try all again"), Weight.BOX, _all_again, preview=_what_all_again, refusal=_why_not_all),
)
