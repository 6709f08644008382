"""Who did what and why, and whether the chains under it are whole: the trail for a supervisor. PURE."""

from dataclasses import dataclass
from typing import Final, Literal

from appliance.core.errors import Text
from tui.keys import say
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view.acts import Act, Weight
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Asked, Block, Column, Prose, Sheet, Tab, Table, TableRow

CHAINS: Final = "chains"
PROBLEMS_SHOWN: Final = 50


@dataclass(frozen=True)
class Done:
    """One command and what became of it. `name` is that of the spool, by which it is found anywhere."""

    name: str
    kind: str
    by: str
    via: str
    at_us: int
    outcome: Literal["done", "refused"]
    refusal: Text | None = None
    about: str = ""
    why: str = ""


@dataclass(frozen=True)
class Chain:
    """One stream as it was found."""

    stream: str
    records: int
    place: str
    signed_at_us: int | None
    redacted: int
    problems: int


@dataclass(frozen=True)
class Verdict:
    """What a check of all chains found, or how far it is: `ended_us` None while it runs."""

    began_us: int
    done: int = 0
    total: int = 0
    ended_us: int | None = None
    records: int = 0
    chains: tuple[Chain, ...] = ()
    problems: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Found:
    """A page of the trail, or the chains."""

    trail: tuple[Done, ...] = ()
    verdict: Verdict | None = None


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The trail, the chains, or one command opened."""
    is_known, found = found is not None, found or Found()
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found, now_us, look, asked.opened))
    tabs = (Tab("", look.say("Who did what")), Tab(CHAINS, look.say("Chains")))
    blocks: tuple[Block, ...]
    blocks = _chains(found.verdict, now_us, look) if asked.tab == CHAINS else (_trail(found, is_known, now_us, look),)
    return Sheet(blocks, tabs=tabs, tab=asked.tab)


def kind_of(kind: str, look: Look) -> str:
    """What people call it; a kind of a later version stands as it is."""
    kinds = {
        "submit": look.say("submission sent"),
        "take": look.say("story taken"),
        "untake": look.say("story given back"),
        "answer": look.say("order answered"),
        "insert": look.say("emergency insertion"),
        "resume": look.say("insertion ended"),
        "tip": look.say("citizen's tip"),
        "asrun": look.say("as-run reported"),
        "redact": look.say("words removed"),
        "import": look.say("stick taken in"),
        "retry": look.say("transfer tried again"),
        "reapply": look.say("record applied again"),
        "repackage": look.say("clip packaged again"),
        "newdisk": look.say("new disk taken"),
        "did": look.say("done by hand"),
        "incident": look.say("service ended badly"),
        "?": look.say("not readable"),
    }
    return kinds.get(kind, look.data(kind))


def _trail(found: Found, is_known: bool, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("When"), 11),
        Column(look.say("Who"), 18),
        Column(look.say("What"), 20),
        Column(look.say("About"), 24, from_cells=100),
        Column(look.say("Why"), 0),
    )
    rows = tuple(
        TableRow(
            each.name,
            (
                look.clock(each.at_us, now_us),
                look.data(each.by, "?"),
                kind_of(each.kind, look),
                look.data(each.about, "-"),
                _why(each, look),
            ),
            Level.WARN if each.outcome == "refused" else Level.GOOD,
        )
        for each in found.trail
    )
    following = found.trail[-1].name if len(found.trail) >= PAGE_ROWS else ""
    empty = look.say("nobody did anything yet") if is_known else look.say("unknown")
    return Table(columns, rows, empty, next=following)


def _why(each: Done, look: Look) -> str:
    """The person's reason; where it was refused, that."""
    if each.outcome == "refused":
        refusal = look.of(each.refusal) if each.refusal is not None else ""
        return look.say("refused: {why}").format(why=refusal or "-")
    return look.data(each.why, "-")


def _chains(verdict: Verdict | None, now_us: int, look: Look) -> tuple[Block, ...]:
    title = look.say("Chains")
    about = look.say("Reads every record from the first on, with the keys alone: complete, unforked, signed?")
    if verdict is None:
        return (
            Tile(
                title, look.say("not checked"), Level.NOTE, (Advice(Level.NOTE, about, look.say("Key v checks them.")),)
            ),
        )
    if verdict.ended_us is None:
        share = f"{100 * verdict.done // verdict.total}%" if verdict.total else "0%"
        facts: tuple[Line, ...] = (
            Fact(look.say("Done"), share, look.say("{n} records").format(n=f"{verdict.done:,}")),
            Fact(look.say("Since"), look.clock(verdict.began_us, now_us), look.ago(verdict.began_us, now_us)),
        )
        return (Tile(title, look.say("being checked"), Level.NOTE, facts),)
    level = Level.BAD if verdict.problems else Level.GOOD
    word = look.say("not whole") if verdict.problems else look.say("complete, unforked, signed")
    lines: list[Line] = [
        Fact(look.say("Checked"), look.clock(verdict.ended_us, now_us), look.ago(verdict.ended_us, now_us)),
        Fact(look.say("Record count"), f"{verdict.records:,}"),
    ]
    if verdict.problems:
        hint = look.say(
            "Keep the disk. The hub's operator compares with songshan-hub verify; see the operating guide, audit."
        )
        lines.append(
            Advice(
                Level.BAD,
                look.count("{n} problem", "{n} problems", len(verdict.problems)).format(n=len(verdict.problems)),
                hint,
            )
        )
    told = tuple(look.of(problem) for problem in verdict.problems[:PROBLEMS_SHOWN])
    return (Tile(title, word, level, tuple(lines)), _table_of(verdict, now_us, look), *((Prose(told),) if told else ()))


def _table_of(verdict: Verdict, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("Stream"), 0),
        Column(look.say("Record count"), 12, is_right=True),
        Column(look.say("Stands at"), 12, is_right=True),
        Column(look.say("Signed"), 14, is_right=True),
        Column(look.say("Redacted"), 9, is_right=True),
        Column(look.say("Problems"), 9, is_right=True),
    )
    rows = tuple(
        TableRow(
            each.stream,
            (
                look.data(each.stream),
                f"{each.records:,}",
                each.place,
                look.ago(each.signed_at_us, now_us) if each.signed_at_us is not None else "-",
                f"{each.redacted:,}",
                f"{each.problems:,}",
            ),
            Level.BAD if each.problems else Level.GOOD,
        )
        for each in verdict.chains
    )
    return Table(columns, rows, look.say("no stream yet"), is_searchable=False, opens=False)


def _opened(found: Found, now_us: int, look: Look, key: str) -> tuple[Block, ...]:
    done = next((each for each in found.trail if each.name == key), None)
    if done is None:
        return (Prose((look.say("This is not on this page of the trail any more."),)),)
    doors = {
        "cli": look.say("command line"),
        "tui": look.say("these screens"),
        "web": look.say("page"),
        "drop": look.say("drop folder"),
        "playout": look.say("playout"),
    }
    is_done = done.outcome == "done"
    facts: list[Line] = [
        Fact(look.say("When"), look.day_and_clock(done.at_us), look.ago(done.at_us, now_us)),
        Fact(look.say("Who"), look.data(done.by, "?")),
        Fact(look.say("Through"), doors.get(done.via, look.data(done.via, "?"))),
        Fact(look.say("About"), look.data(done.about, "-")),
        Fact(look.say("Why"), look.data(done.why, "-")),
        Fact(look.say("Name"), done.name),
    ]
    if done.refusal is not None:
        facts.append(Advice(Level.WARN, look.of(done.refusal)))
    word = look.say("done") if is_done else look.say("refused")
    return (Tile(kind_of(done.kind, look), word, Level.GOOD if is_done else Level.WARN, tuple(facts)),)


ACTS: Final = (Act("verify", "v", say("Check the chains"), Weight.LOOK),)
