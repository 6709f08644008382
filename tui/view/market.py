"""The supermarket and what became of what was taken from it, what the hub published here, what this site sent. PURE.

The sides of the page are lists of stories; the last one, of what was sent up, is `tui.view.sent`.
"""

import html
import re
from dataclasses import dataclass
from typing import Final

from appliance.core.command import Command, Take, Untake
from appliance.core.errors import Text
from appliance.core.health import SubmissionFact
from appliance.core.item import SECTION_NAMES, SECTIONS, Item
from appliance.core.market import Part, Side, Stage, Story
from appliance.core.moment import to_us
from tui.finding import matches
from tui.keys import say
from tui.look import Look
from tui.rows import Fact, Level, Line, Tile
from tui.view import sent
from tui.view.acts import Act, Case, Weight
from tui.view.parts import parts_tile
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Asked, Block, Column, Prose, Sheet, Tab, Table, TableRow

TAKEN: Final = "taken"
PUBLISHED: Final = "published"
SENT: Final = "sent"
SIDES: Final[dict[str, Side]] = {"": "offered", TAKEN: "taken", PUBLISHED: "sent"}
"""What the database calls each side of stories."""
PARAGRAPHS_MAX: Final = 200
LEVELS: Final[dict[Stage, Level]] = {"arriving": Level.NOTE, "later": Level.NOTE}


@dataclass(frozen=True)
class Found:
    """One side of the page. `item` and `parts` are of the story, or the submission, that is opened."""

    stories: tuple[Story, ...] = ()
    total: int | None = None
    item: Item | None = None
    parts: tuple[Part, ...] = ()
    sent: tuple[SubmissionFact, ...] = ()


def searched(words: str) -> tuple[str, str]:
    """The section that is named by the first word, in either language or by its initials, and what else is sought."""
    first, _, rest = words.strip().partition(" ")
    for section in SECTIONS:
        name = SECTION_NAMES[section]
        is_named = first.casefold() in (section, name.zh, name.en.casefold())
        if first and (is_named or (first.isascii() and matches(first, name.zh))):
            return section, rest.strip()
    return "", words.strip()


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or what was opened."""
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None and asked.tab == SENT:
        return Sheet(sent.opened(found.sent if found else (), found.parts if found else (), now_us, look, asked.opened))
    if asked.opened is not None:
        return Sheet(_opened(found or Found(), now_us, look, asked.opened))
    tabs = (
        Tab("", look.say("Supermarket")),
        Tab(TAKEN, look.say("Taken")),
        Tab(PUBLISHED, look.say("Published here")),
        Tab(SENT, look.say("Sent up")),
    )
    if asked.tab == SENT:
        return Sheet((sent.table(found.sent if found else None, now_us, look),), tabs=tabs, tab=SENT)
    return Sheet((_table(found, now_us, look, asked.tab),), tabs=tabs, tab=asked.tab)


def _table(found: Found | None, now_us: int, look: Look, side: str) -> Table:
    columns = (
        Column(look.say("Section"), 8),
        Column(look.say("Title"), 0),
        Column(look.say("State"), 10),
        Column(look.say("Size"), 6, is_right=True),
        Column(look.say("Published"), 11, is_right=True),
        Column(look.say("From"), 14, from_cells=100),
    )
    stories = found.stories if found is not None else ()
    rows = tuple(
        TableRow(
            each.id,
            (
                section_name(each.section, look),
                look.data(each.title, each.id),
                _state(each, now_us, look),
                look.size(each.size_bytes) if each.assets else "-",
                look.clock(each.shown_at_us, now_us),
                look.data(each.origin),
            ),
            _level(each, now_us),
        )
        for each in stories
    )
    empty = {
        "": look.say("the supermarket offers nothing"),
        TAKEN: look.say("nothing was taken"),
        PUBLISHED: look.say("the hub published nothing here"),
    }
    following = stories[-1].place if len(stories) >= PAGE_ROWS else ""
    return Table(
        columns,
        rows,
        look.say("unknown") if found is None else empty[side],
        total=found.total if found is not None else None,
        next=following,
    )


def section_name(section: str, look: Look) -> str:
    """As the app calls it."""
    name = SECTION_NAMES.get(section)
    return look.of(name) if name is not None else look.data(section)


def _state(each: Story, now_us: int, look: Look) -> str:
    stage = each.stage(now_us)
    if stage == "arriving" and each.size_bytes:
        done = f"{100 * each.here_bytes // each.size_bytes}%"
        return (
            look.say("{n} failed").format(n=each.failed) if each.failed else look.say("{done} here").format(done=done)
        )
    words: dict[Stage, str] = {
        "offered": look.say("on offer"),
        "arriving": look.say("arriving"),
        "later": look.say("later"),
        "shown": look.say("published"),
        "over": look.say("over"),
    }
    return words[stage]


def _level(each: Story, now_us: int) -> Level:
    stage = each.stage(now_us)
    if each.failed and stage == "arriving":
        return Level.WARN
    return LEVELS.get(stage, Level.GOOD)


def _opened(found: Found, now_us: int, look: Look, key: str) -> tuple[Block, ...]:
    """The story to be read: who signed it off, its times, its text, its files."""
    each = next((story for story in found.stories if story.id == key), None)
    if each is None or found.item is None:
        return (Prose((look.say("It was recalled, or is gone."),)),)
    item = found.item
    origin = look.say("the hub") if item.origin == "hub" else look.data(item.origin)
    facts: list[Line] = [
        Fact(look.say("Section"), section_name(item.section, look), look.say("from {origin}").format(origin=origin)),
        Fact(look.say("Published"), look.day_and_clock(each.shown_at_us)),
    ]
    if each.until_us is not None:
        facts.append(Fact(look.say("Until"), look.day_and_clock(each.until_us)))
    final = next((sign for sign in reversed(item.sign_offs) if sign.step == "final"), None)
    if final is not None:
        at = look.clock(to_us(final.at), now_us)
        facts.append(Fact(look.say("Signed off"), look.data(final.by, "-"), at))
    facts.append(Fact(look.say("Number"), each.id))
    title = Tile(look.data(each.title, each.id), _state(each, now_us, look), _level(each, now_us), tuple(facts))
    files = (parts_tile(found.parts, look),) if found.parts else ()
    return (title, *files, Prose(paragraphs(item, look), look.say("Text")))


def paragraphs(item: Item, look: Look) -> tuple[str, ...]:
    """Summary and body as text: no mark-up of a story reaches a terminal."""
    body = re.sub(r"(?i)<(br|/p|/div|/li|/h[1-6])[^>]*>", "\n", item.body_html)
    plain = html.unescape(re.sub(r"<[^>]*>", "", body))
    lines = [item.summary, *plain.splitlines()]
    found = tuple(shown for line in lines if line.strip() and (shown := look.data(line, "")))
    return found[:PARAGRAPHS_MAX] or (look.say("No text."),)


def _of(case: Case) -> Story | None:
    found = case.found if isinstance(case.found, Found) else Found()
    return next((each for each in found.stories if each.id == case.row), None)


def _why_not_taken(case: Case) -> Text | None:
    each = _of(case)
    if case.asked.tab == SENT or each is None:
        return Text("请先在新闻超市选一篇稿件", "choose a story of the supermarket first")
    if each.is_taken:
        return Text("已经选用", "it is taken already")
    return (
        Text("嵩山云已下发给本站，无需选用", "the hub published it here; it need not be taken")
        if each.is_sent
        else None
    )


def _what_is_taken(case: Case) -> tuple[str, ...]:
    look, each = case.look, _of(case)
    if each is None:
        return ()
    said = [look.say("Published here once all of it has come: {title}").format(title=look.data(each.title, each.id))]
    if each.publish_at_us is not None and each.publish_at_us > case.reading.at_us:
        clock = look.clock(each.publish_at_us, case.reading.at_us)
        said.append(look.say("Not before {clock}, as the hub wants it.").format(clock=clock))
    said.append(look.say("{size} come over the line.").format(size=look.size(each.size_bytes - each.here_bytes)))
    disk = case.reading.snapshot.storage if case.reading.snapshot is not None else None
    if disk is not None and each.size_bytes > disk.free_bytes - disk.reserve_bytes:
        said.append(look.say("The disk is short of room: what is used least goes first."))
    return tuple(said)


def _why_not_given_back(case: Case) -> Text | None:
    each = _of(case)
    if case.asked.tab == SENT or each is None or not each.is_taken:
        return Text("没有选用这篇稿件", "this story was not taken")
    return None


def _what_is_given_back(case: Case) -> tuple[str, ...]:
    look, each = case.look, _of(case)
    title = look.data(each.title, each.id) if each is not None else case.row
    return (
        look.say("Not shown here any more: {title}").format(title=title),
        look.say("Its files stay until room is needed; it can be taken again."),
    )


def _take(case: Case) -> Command:
    return Take(item=case.row, **case.asked_by)


def _untake(case: Case) -> Command:
    return Untake(item=case.row, **case.asked_by)


ACTS: Final = (
    Act(
        "take", "t", say("Take"), Weight.BOX, _take, preview=_what_is_taken, refusal=_why_not_taken, undo=_untake,
        needs_row=True,
    ),
    Act(
        "untake", "b", say("Give back"), Weight.BOX, _untake, preview=_what_is_given_back, refusal=_why_not_given_back,
        undo=_take, needs_row=True,
    ),
)  # fmt: skip
