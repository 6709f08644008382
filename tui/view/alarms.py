"""What is wrong now, since when, and what to do; and what was wrong, from when to when. PURE."""

from dataclasses import dataclass
from typing import Final

from appliance.core.ended import Ended
from appliance.core.health import Alarm
from appliance.core.moment import US
from tui.look import Look
from tui.rows import Advice, Fact, Level, Tile
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Asked, Block, Column, Prose, Sheet, Tab, Table, TableRow
from tui.view.tiles import SEVERITIES

HISTORY: Final = "history"


@dataclass(frozen=True)
class Found:
    """What is over, the newest first; of what is wrong now nothing is read."""

    ended: tuple[Ended, ...] = ()


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """What is wrong, or the history, or one of it that was opened."""
    if asked.opened is not None:
        return Sheet(_opened(found or Found(), look, asked.opened))
    tabs = (Tab("", look.say("Active")), Tab(HISTORY, look.say("History")))
    block: Block = _history(found, look) if asked.tab == HISTORY else _active(reading, look)
    return Sheet((block,), tabs=tabs, tab=asked.tab)


def _active(reading: Reading | None, look: Look) -> Tile:
    """Each with its age and what to do about it, the worst first; without a configuration what is wrong with that."""
    title = look.say("Alarms")
    if reading is None:
        return Tile(title, look.say("unknown"), Level.NOTE)
    if reading.snapshot is None:
        last = len(reading.problems) - 1
        hint = look.of(reading.hint) if reading.hint is not None else ""
        unread = (
            Advice(Level.BAD, look.of(text), hint if at == last else "") for at, text in enumerate(reading.problems)
        )
        return Tile(title, look.say("unknown"), Level.BAD, tuple(unread), scrolls=True)
    alarms = sorted(reading.snapshot.alarms, key=lambda alarm: (-SEVERITIES[alarm.severity], alarm.since_us))
    lines = tuple(_advice(alarm, reading.at_us, look) for alarm in alarms)
    worst = max((line.level for line in lines), default=Level.GOOD)
    word = look.count("{n} alarm", "{n} alarms", len(lines)).format(n=len(lines)) if lines else look.say("none")
    return Tile(title, word, worst, lines, scrolls=True)


def _advice(alarm: Alarm, at_us: int, look: Look) -> Advice:
    since = look.say("since {clock}, {duration}").format(
        clock=look.clock(alarm.since_us, at_us), duration=look.duration((at_us - alarm.since_us) / US)
    )
    hint = look.say("{since}. {hint}").format(since=since, hint=look.of(alarm.hint))
    return Advice(SEVERITIES[alarm.severity], look.of(alarm.text), hint)


def _history(found: Found | None, look: Look) -> Table:
    columns = (
        Column(look.say("Began"), 14),
        Column(look.say("Lasted"), 12, is_right=True),
        Column(look.say("Severity"), 8),
        Column(look.say("What was wrong"), 0),
        Column(look.say("Times"), 6, is_right=True, from_cells=100),
    )
    ended = found.ended if found is not None else ()
    rows = tuple(
        TableRow(
            _key(each),
            (
                look.second(each.since_us),
                look.duration((each.ended_us - each.since_us) / US),
                severity_word(each, look),
                _said(each, look),
                str(each.times),
            ),
        )
        for each in ended
    )
    last = ended[-1].place if len(ended) >= PAGE_ROWS else None
    following = f"{last[0]} {last[1]}" if last is not None else ""
    empty = look.say("nothing was wrong, as far back as is kept") if found is not None else look.say("unknown")
    return Table(columns, rows, empty, next=following)


def _key(each: Ended) -> str:
    return f"{each.since_us} {each.id}"


def severity_word(each: Ended, look: Look) -> str:
    """The colour that it had; a time without an agent had none."""
    words = {"red": look.say("red"), "amber": look.say("amber"), "info": look.say("note"), None: "-"}
    return words[each.severity]


def _said(each: Ended, look: Look) -> str:
    if each.text is not None:
        return look.of(each.text)
    return look.say("the machine was off") if each.kind == "off" else look.say("the machine ran without the agent")


def _opened(found: Found, look: Look, key: str) -> tuple[Block, ...]:
    """All that is kept of one; it may be gone since the row was chosen."""
    each = next((each for each in found.ended if _key(each) == key), None)
    if each is None:
        return (Prose((look.say("This is not kept any more."),)),)
    facts = (
        Fact(look.say("Began"), look.second(each.since_us)),
        Fact(look.say("Ended"), look.second(each.ended_us)),
        Fact(look.say("Lasted"), look.duration((each.ended_us - each.since_us) / US)),
        Fact(look.say("Times"), look.count("{n} time", "{n} times", each.times).format(n=each.times)),
        Fact(look.say("Name"), each.id),
    )
    told = (_said(each, look), look.of(each.hint)) if each.hint is not None else (_said(each, look),)
    return (
        Tile(look.say("Over"), severity_word(each, look), Level.GOOD, facts),
        Prose(told, look.say("What was wrong")),
    )
