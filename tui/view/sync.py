"""The line to the hub: what goes down and up and in which order, how far each stream has come, what is parked. PURE."""

from dataclasses import dataclass, replace
from typing import Final

from appliance.core.errors import Text
from appliance.core.moment import US
from appliance.core.queued import NEVER_US, Queued
from tui.look import Look
from tui.rows import Fact, Level, Tile
from tui.view import tiles
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Asked, Beside, Block, Column, Prose, Sheet, Tab, Table, TableRow

STREAMS: Final = "streams"
PARKED: Final = "parked"


@dataclass(frozen=True)
class ParkedRecord:
    """A record that was received and could not be applied."""

    stream: str
    epoch: int
    seq: int
    kind: str
    about: str
    reason: Text

    @property
    def place(self) -> str:
        return f"{self.stream} {self.epoch} {self.seq}"


@dataclass(frozen=True)
class Found:
    """One side of the page: of the others nothing is read."""

    queue: tuple[Queued, ...] = ()
    total: int | None = None
    parked: tuple[ParkedRecord, ...] = ()


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or the row that was opened."""
    found = found or Found()
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found, now_us, look, asked.opened))
    tabs = (
        Tab("", look.say("Queue")),
        Tab(STREAMS, look.say("Streams")),
        Tab(PARKED, look.say("Parked")),
    )
    blocks: tuple[Block, ...]
    if asked.tab == STREAMS:
        blocks = (_streams(reading, now_us, look),)
    elif asked.tab == PARKED:
        blocks = (_parked(found, look),)
    else:
        blocks = (*_head(reading, look), _queue(found, now_us, look))
    return Sheet(blocks, tabs=tabs, tab=asked.tab)


def _head(reading: Reading | None, look: Look) -> tuple[Block, ...]:
    if reading is None or reading.snapshot is None:
        return ()
    seen, now_us = reading.snapshot, reading.at_us
    sync = tiles.sync(seen, now_us, look)
    # What the table below lists one by one need not be counted above it.
    kept = tuple(line for line in sync.facts if isinstance(line, Fact) and line.label != look.say("Submissions"))
    return (Beside((replace(sync, facts=kept), tiles.link(seen, now_us, look))),)


def _queue(found: Found, now_us: int, look: Look) -> Table:
    columns = (
        Column("", 2),
        Column(look.say("Name"), 0),
        Column(look.say("State"), 10),
        Column(look.say("Done"), 5, is_right=True),
        Column(look.say("Size"), 7, is_right=True),
        Column(look.say("Needed by"), 12, is_right=True),
        Column(look.say("Tries"), 5, is_right=True, from_cells=100),
    )
    rows = tuple(_queued(each, now_us, look) for each in found.queue)
    following = " ".join(map(str, found.queue[-1].place)) if len(found.queue) >= PAGE_ROWS else ""
    return Table(columns, rows, look.say("nothing waits"), total=found.total, next=following)


def _queued(each: Queued, now_us: int, look: Look) -> TableRow:
    arrows = {"down": look.say("dn"), "up": look.say("up")}
    due = look.clock(each.due_us, now_us) if each.due_us < NEVER_US else look.say("any time")
    done = f"{100 * each.done_bytes // each.size_bytes}%" if each.size_bytes else "-"
    return TableRow(
        f"{each.direction} {each.digest}",
        (
            arrows[each.direction],
            look.data(each.name, each.digest[7:19]),
            _state(each, look),
            done,
            look.size(each.size_bytes),
            due,
            str(each.attempts),
        ),
        _level(each, now_us),
    )


def _state(each: Queued, look: Look) -> str:
    words = {"queued": look.say("waiting"), "running": look.say("moving"), "failed": look.say("failed")}
    return words[each.state]


def _level(each: Queued, now_us: int) -> Level:
    if each.state == "failed":
        return Level.WARN
    return Level.WARN if each.due_us < now_us else Level.GOOD


def _streams(reading: Reading | None, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("Stream"), 0),
        Column(look.say("Stands at"), 14, is_right=True),
        Column(look.say("Signed"), 16, is_right=True),
        Column(look.say("Next by"), 14, is_right=True),
    )
    streams = reading.snapshot.sync.streams if reading is not None and reading.snapshot is not None else ()
    rows = tuple(
        TableRow(
            each.stream,
            (
                look.data(each.stream),
                f"{each.epoch}:{each.seq}",
                look.ago(each.checkpoint_at_us, now_us) if each.checkpoint_at_us is not None else "-",
                look.clock(each.next_by_us, now_us) if each.next_by_us is not None else "-",
            ),
            Level.NOTE if each.next_by_us is not None and each.next_by_us < now_us else Level.GOOD,
        )
        for each in streams
    )
    return Table(columns, rows, look.say("no stream yet"), is_searchable=False, opens=False)


def _parked(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Stream"), 16),
        Column(look.say("Stands at"), 9, is_right=True),
        Column(look.say("Kind"), 10),
        Column(look.say("Why"), 0),
    )
    rows = tuple(
        TableRow(each.place, (each.stream, f"{each.epoch}:{each.seq}", each.kind, look.of(each.reason)), Level.WARN)
        for each in found.parked
    )
    following = found.parked[-1].place if len(found.parked) >= PAGE_ROWS else ""
    return Table(columns, rows, look.say("nothing is parked"), next=following, is_searchable=False)


def _opened(found: Found, now_us: int, look: Look, key: str) -> tuple[Block, ...]:
    """All that is known of a transfer or of a parked record; it may be gone since the row was chosen."""
    for each in found.queue:
        if f"{each.direction} {each.digest}" == key:
            return _opened_transfer(each, now_us, look)
    for record in found.parked:
        if record.place == key:
            facts = (
                Fact(look.say("Kind"), record.kind),
                Fact(look.say("About"), look.data(record.about, "-")),
            )
            return (Tile(key, look.say("parked"), Level.WARN, facts), Prose((look.of(record.reason),), look.say("Why")))
    return (Prose((look.say("This is done, or gone."),)),)


def _opened_transfer(each: Queued, now_us: int, look: Look) -> tuple[Block, ...]:
    facts = [
        Fact(look.say("Digest"), each.digest),
        Fact(look.say("Size"), look.size(each.size_bytes)),
        Fact(look.say("Done"), look.size(each.done_bytes)),
        Fact(look.say("Tries"), str(each.attempts)),
    ]
    if each.rate_bytes_per_s and each.state == "running":
        facts.append(Fact(look.say("Rate"), look.rate(each.rate_bytes_per_s)))
    if each.due_us < NEVER_US:
        facts.append(Fact(look.say("Needed by"), look.clock(each.due_us, now_us)))
    if each.not_before_us > now_us:
        wait = look.duration((each.not_before_us - now_us) / US)
        facts.append(Fact(look.say("Next try"), look.say("in {duration}").format(duration=wait)))
    tile = Tile(look.data(each.name, each.digest[7:19]), _state(each, look), _level(each, now_us), tuple(facts))
    why = (Prose((look.of(each.reason),), look.say("Why")),) if each.reason is not None else ()
    return (tile, *why)
