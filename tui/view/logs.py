"""What the parts of the box say: the newest first, by part, by how bad it is, by words. PURE."""

from dataclasses import dataclass
from typing import Final

from appliance.core.log_line import LogLine
from tui.keys import say
from tui.look import Look
from tui.rows import Fact, Level, Tile
from tui.view.reading import Reading
from tui.view.sheet import Asked, Column, Prose, Sheet, Tab, Table, TableRow

WARNINGS: Final = "warnings"
MACHINE: Final = "machine"
SIDES: Final = (
    ("", say("All parts")),
    (WARNINGS, say("Warnings")),
    ("agent", say("Agent")),
    ("web", say("Web")),
    ("playout", say("Senders")),
    (MACHINE, say("Machine")),
)
"""Key and title; `machine` is what the rest of the machine warns of, which only a journal knows."""
LEVELS: Final = {"error": Level.WARN, "warning": Level.NOTE, "info": Level.GOOD}
"""A line of a log asks for nobody: what needs a person is an alarm."""


@dataclass(frozen=True)
class Found:
    """`source` is where the lines are from: the journal, files, or nothing at all."""

    source: str = ""
    lines: tuple[LogLine, ...] = ()
    next: str = ""


def sheet(found: Found | None, _reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or the line that was opened."""
    tabs = tuple(Tab(key, look.say(title)) for key, title in SIDES)
    if found is None:
        return Sheet(tabs=tabs, tab=asked.tab)
    if asked.opened is not None:
        return Sheet(_opened(found, look, asked.opened))
    if not found.source:
        nowhere = look.say("There is no journal of systemd on this machine, and no log file in the box's folder.")
        return Sheet((Prose((nowhere, look.say("The parts then tell on the terminal they were started at."))),))
    return Sheet((_lines(found, look),), tabs=tabs, tab=asked.tab)


def _lines(found: Found, look: Look) -> Table:
    # A part's own file says no times.
    times = Column(look.say("Time"), 14) if found.source == "journal" else Column("", 1)
    columns = (times, Column(look.say("Part"), 12), Column(look.say("Line"), 0))
    rows = tuple(
        TableRow(
            line.key,
            (_when(line, look), look.data(line.unit), look.data(line.text, "-")),
            LEVELS[line.level],
        )
        for line in found.lines
    )
    return Table(columns, rows, look.say("no line like that"), next=found.next)


def _when(line: LogLine, look: Look) -> str:
    return look.second(line.at_us) if line.at_us is not None else "-"


def _opened(found: Found, look: Look, key: str) -> tuple[Tile | Prose, ...]:
    """The whole line; it may be gone from what is kept since it was chosen."""
    line = next((each for each in found.lines if each.key == key), None)
    if line is None:
        return (Prose((look.say("This line is not among those that were read any more."),)),)
    words = {"error": look.say("error"), "warning": look.say("warning"), "info": look.say("in order")}
    facts = (Fact(look.say("Time"), _when(line, look)), Fact(look.say("Part"), look.data(line.unit)))
    return (
        Tile(look.say("Line"), words[line.level], LEVELS[line.level], facts),
        Prose((look.data(line.text, "-"),)),
    )
