"""The queue of transfers: what goes down and up, the most urgent first, and when it will be here. PURE."""

from dataclasses import dataclass

from appliance.core.moment import US
from appliance.core.queued import NEVER_US, Queued
from appliance.core.readiness import Stock, arrivals_us
from appliance.core.stock import Transfer
from tui.look import Look
from tui.rows import Fact, Level, Tile
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Block, Column, Prose, Table, TableRow
from tui.view.week import Allowed


@dataclass(frozen=True)
class Pace:
    """How fast the line is and may be, each way. `carried`: bytes a second that came down, for each ten minutes."""

    bytes_per_s: float | None = None
    allowed: Allowed = ()
    carried: tuple[float, ...] = ()
    up_bytes_per_s: float | None = None


@dataclass(frozen=True)
class Queue:
    """Some of the queue. `is_front`: these are the first of it. `why`: reasons of the transfer that is opened."""

    rows: tuple[Queued, ...] = ()
    total: int | None = None
    is_front: bool = True
    pace: Pace | None = None
    why: tuple[tuple[str, int], ...] = ()

    def at(self, key: str) -> Queued | None:
        """That of a row."""
        return next((each for each in self.rows if key_of(each) == key), None)


def key_of(each: Queued) -> str:
    """What its row is called."""
    return f"{each.direction} {each.digest}"


def table(queue: Queue | None, reading: Reading | None, now_us: int, look: Look) -> Table:
    """A row for each, with the forecast of those at the front; None where nobody could look."""
    columns = (
        Column("", 2),
        Column(look.say("Name"), 0),
        Column(look.say("State"), 8),
        Column(look.say("Done"), 4, is_right=True),
        Column(look.say("Size"), 6, is_right=True),
        Column(look.say("Needed by"), 11, is_right=True),
        Column(look.say("Arrives"), 11, is_right=True),
        Column(look.say("Tries"), 5, is_right=True, from_cells=100),
    )
    if queue is None:
        return Table(columns, (), look.say("unknown"))
    here_us = _forecast(queue, reading, now_us)
    rows = tuple(_queued(each, here_us.get(key_of(each)), now_us, look) for each in queue.rows)
    following = " ".join(map(str, queue.rows[-1].place)) if len(queue.rows) >= PAGE_ROWS else ""
    return Table(columns, rows, look.say("nothing waits"), total=queue.total, next=following)


def _forecast(queue: Queue, reading: Reading | None, now_us: int) -> dict[str, int]:
    """When each will be here, or at the hub, as readiness reckons it; {} while offline. By the key of its row."""
    snapshot, pace = reading.snapshot if reading is not None else None, queue.pace
    if snapshot is None or snapshot.link.state != "connected" or pace is None or not queue.is_front:
        return {}
    down = [(since_us, each.down_bytes_per_s) for since_us, each in pace.allowed]
    up = [(since_us, each.up_bytes_per_s) for since_us, each in pace.allowed]
    return {
        **_arrivals(queue, "down", pace.bytes_per_s, down, now_us),
        **_arrivals(queue, "up", pace.up_bytes_per_s, up, now_us),
    }


def _arrivals(
    queue: Queue, direction: str, rate: float | None, allowed: list[tuple[int, int]], now_us: int
) -> dict[str, int]:
    """One way: the two do not hold each other up."""
    if rate is None:
        return {}
    going = {each.digest: each for each in queue.rows if each.direction == direction}
    transfers = [
        Transfer(
            digest=each.digest,
            direction="down",
            size_bytes=each.size_bytes,
            done_bytes=each.done_bytes,
            deadline_us=each.due_us if each.due_us < NEVER_US else None,
            not_before_us=each.not_before_us,
        )
        for each in going.values()
    ]
    found = arrivals_us(Stock(now_us=now_us, transfers=transfers, rate_bytes_per_s=rate, allowed=allowed))
    return {key_of(going[digest]): each.at_us for digest, each in found.items() if each.at_us is not None}


def _queued(each: Queued, here_us: int | None, now_us: int, look: Look) -> TableRow:
    arrows = {"down": look.say("dn"), "up": look.say("up")}
    due = look.clock(each.due_us, now_us) if each.due_us < NEVER_US else look.say("any time")
    done = f"{100 * each.done_bytes // each.size_bytes}%" if each.size_bytes else "-"
    is_late = here_us is not None and here_us > each.due_us
    return TableRow(
        key_of(each),
        (
            arrows[each.direction],
            look.data(each.name, each.digest[7:19]),
            _state(each, look),
            done,
            look.size(each.size_bytes),
            due,
            look.clock(here_us, now_us) if here_us is not None else "-",
            str(each.attempts),
        ),
        Level.WARN if is_late else _level(each, now_us),
    )


def _state(each: Queued, look: Look) -> str:
    words = {"queued": look.say("waiting"), "running": look.say("moving"), "failed": look.say("failed")}
    return words[each.state]


def _level(each: Queued, now_us: int) -> Level:
    if each.state == "failed":
        return Level.WARN
    return Level.WARN if each.due_us < now_us else Level.GOOD


def opened(queue: Queue, key: str, now_us: int, look: Look) -> tuple[Block, ...]:
    """All that is known of a transfer; it may be done since the row was chosen."""
    each = queue.at(key)
    if each is None:
        return (Prose((look.say("This is done, or gone."),)),)
    facts = [
        Fact(look.say("Size"), look.size(each.size_bytes)),
        Fact(look.say("Done"), look.size(each.done_bytes)),
        Fact(look.say("Tries"), str(each.attempts)),
    ]
    if each.rate_bytes_per_s and each.state == "running":
        facts.append(Fact(look.say("Rate"), look.rate(each.rate_bytes_per_s)))
    if each.not_before_us > now_us:
        wait = look.duration((each.not_before_us - now_us) / US)
        facts.append(Fact(look.say("Next try"), look.say("in {duration}").format(duration=wait)))
    for number, (reason, due_us) in enumerate(queue.why):
        by = look.say("needed by {clock}").format(clock=look.clock(due_us, now_us)) if due_us > 0 else ""
        facts.append(Fact(look.say("Needed for") if number == 0 else "", _needed_for(reason, look), by))
    tile = Tile(look.data(each.name, each.digest[7:19]), _state(each, look), _level(each, now_us), tuple(facts))
    failed = (Prose((look.of(each.reason),), look.say("Why")),) if each.reason is not None else ()
    return (tile, *failed, Prose((each.digest,), look.say("Digest")))


def _needed_for(reason: str, look: Look) -> str:
    kind, _, about = reason.partition(":")
    words = {
        "air": look.say("schedule"),
        "template": look.say("template"),
        "filler": look.say("filler"),
        "insert": look.say("insertion"),
        "item": look.say("published story"),
        "taken": look.say("story that was taken"),
        "lost": look.say("was here and went bad"),
        "made": look.say("brought to house format"),
    }
    return f"{words.get(kind, kind)} {look.data(about, '')}".rstrip()
