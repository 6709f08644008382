"""What lies in the spool and is not done yet: given while the agent is away, it waits and is not lost. PURE."""

from dataclasses import dataclass

from appliance.core.errors import Text
from tui.look import Look
from tui.rows import Advice, Fact, Level, Tile
from tui.view.audit import kind_of
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Asked, Block, Column, Prose, Sheet, Table, TableRow


@dataclass(frozen=True)
class Waiting:
    """A command as it lies in the spool; `fault` says why it cannot be read as one."""

    name: str
    kind: str
    by: str
    at_us: int
    about: str
    why: str
    fault: Text | None = None


@dataclass(frozen=True)
class Found:
    """A page of them, and how many there are from here on."""

    waiting: tuple[Waiting, ...] = ()
    count: int = 0


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The list, or one command opened."""
    found = found or Found()
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found, now_us, look, asked.opened))
    columns = (
        Column(look.say("When"), 11),
        Column(look.say("Who"), 18),
        Column(look.say("What"), 20),
        Column(look.say("About"), 0),
        Column(look.say("Why"), 30, from_cells=100),
    )
    rows = tuple(_row(each, now_us, look) for each in found.waiting if _is_sought(each, asked.words, look))
    following = found.waiting[-1].name if len(found.waiting) >= PAGE_ROWS else ""
    empty = look.say("nothing waits: every command is done, see the page of the audit")
    return Sheet((*_head(found, reading, look), Table(columns, rows, empty, next=following)))


def _head(found: Found, reading: Reading | None, look: Look) -> tuple[Block, ...]:
    """Who will do them, and what to do where nobody does."""
    if reading is None or not found.waiting:
        return ()
    if reading.agent_runs:
        return (Prose((look.say("The agent runs and takes them in this order."),)),)
    if reading.is_unread:
        return (
            Prose((look.say("Whether the agent runs is not known. Nothing is lost: it takes them in this order."),)),
        )
    advice = Advice(
        Level.NOTE,
        look.say("The agent does not run. Nothing is lost: they are done when it is back."),
        look.say("systemctl start songshan-agent, or see the page of the checks"),
    )
    return (Tile(look.say("Agent"), look.say("does not run"), Level.NOTE, (advice,)),)


def _row(each: Waiting, now_us: int, look: Look) -> TableRow:
    return TableRow(
        each.name,
        (
            look.clock(each.at_us, now_us),
            look.data(each.by),
            kind_of(each.kind, look),
            look.data(each.about, "-"),
            look.data(each.why, ""),
        ),
        Level.WARN if each.fault is not None else Level.GOOD,
    )


def _is_sought(each: Waiting, words: str, look: Look) -> bool:
    text = " ".join((each.by, each.kind, kind_of(each.kind, look), each.about, each.why))
    return words.casefold() in text.casefold()


def _opened(found: Found, now_us: int, look: Look, key: str) -> tuple[Block, ...]:
    each = next((each for each in found.waiting if each.name == key), None)
    if each is None:
        ended = (look.say("This is done, or gone."), look.say("What came of it stands on the page of the audit."))
        return (Prose(ended),)
    facts = (
        Fact(look.say("Who"), look.data(each.by)),
        Fact(look.say("When"), look.clock(each.at_us, now_us), look.ago(each.at_us, now_us)),
        Fact(look.say("About"), look.data(each.about, "-")),
        Fact(look.say("Why"), look.data(each.why, "-")),
        Fact(look.say("Name"), each.name),
    )
    tile = Tile(kind_of(each.kind, look), look.say("waiting"), Level.NOTE, facts)
    if each.fault is None:
        return (tile,)
    fault = Prose((look.of(each.fault),), look.say("It will be refused"))
    return (tile, fault)
