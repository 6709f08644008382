"""What the screens say: a reading of the box becomes tiles, in words, levels and figures. PURE.

    overview(reading, look) -> the six tiles
    header, footer, help_page

The order of importance on the overview: are we on the air, what is wrong and what to do, then sync and link, then
storage and time. A box whose agent is dead or whose database cannot be read is a reading like any other.
"""

from dataclasses import dataclass
from typing import Final

from appliance.core.errors import Text
from appliance.core.health import Snapshot
from tui import tiles
from tui.keys import KEYS
from tui.look import Look
from tui.rows import Advice, Fact, Level, Row, Span, Tile, blank_filled, body_rows, spread

TILES: Final = ("air", "alarms", "sync", "link", "storage", "time")
"""The tiles in the order in which they are laid out, two in a row."""


@dataclass(frozen=True)
class Reading:
    """What could be found out about the box at one moment, also when that is little.

    `problems` and `hint` say what kept the rest away, and what to do about that.
    """

    at_us: int
    snapshot: Snapshot | None = None
    problems: tuple[Text, ...] = ()
    hint: Text | None = None


def overview(reading: Reading | None, look: Look) -> dict[str, Tile]:
    """The six tiles, by name. None is the moment before the first reading."""
    dark = {name: tiles.unknown(title, look) for name, title in _titles(look).items()}
    if reading is None:
        return dark
    alarms = _alarms(reading, look)
    snapshot, now_us = reading.snapshot, reading.at_us
    if snapshot is None:
        return dark | {"alarms": alarms}
    lit = {"storage": tiles.storage(snapshot, now_us, look), "time": tiles.time(snapshot, now_us, look)}
    if tiles.level_of(snapshot, "database"):
        # What stands in the database is not known; empty is not the same as nothing.
        return dark | {"alarms": alarms} | lit
    return {
        "air": tiles.air(snapshot, now_us, look),
        "alarms": alarms,
        "sync": tiles.sync(snapshot, now_us, look),
        "link": tiles.link(snapshot, now_us, look),
        **lit,
    }


def last_skip(tile: Tile, cells: int, lines: int, look: Look) -> int:
    """How far a tile may be scrolled: its last line is then the last one shown."""
    return max(0, len(body_rows(tile, cells, look)) - (lines - 1))


def _titles(look: Look) -> dict[str, str]:
    return {
        "air": look.say("On air"),
        "alarms": look.say("Alarms"),
        "sync": look.say("Sync"),
        "link": look.say("Link"),
        "storage": look.say("Storage"),
        "time": look.say("Time"),
    }


def _alarms(reading: Reading, look: Look) -> Tile:
    """What is wrong, the worst and then the newest first, each with what to do."""
    hint = look.of(reading.hint) if reading.hint is not None else ""
    found: list[Advice] = [
        Advice(Level.BAD, look.of(problem), hint if problem is reading.problems[-1] else "")
        for problem in reading.problems
    ]
    alarms = reading.snapshot.alarms if reading.snapshot is not None else ()
    for alarm in sorted(alarms, key=lambda alarm: (-tiles.SEVERITIES[alarm.severity], -alarm.since_us)):
        age = look.ago(alarm.since_us, reading.at_us)
        found.append(Advice(tiles.SEVERITIES[alarm.severity], look.of(alarm.text), look.of(alarm.hint), age))
    worst = max((advice.level for advice in found), default=Level.GOOD)
    if not found:
        return Tile(look.say("Alarms"), look.say("none"), worst)
    words = {
        Level.NOTE: look.say("{n} to know"),
        Level.WARN: look.say("{n}: act today"),
        Level.BAD: look.say("{n}: act now"),
    }
    count = sum(1 for advice in found if advice.level == worst)
    return Tile(look.say("Alarms"), words[worst].format(n=count), worst, tuple(found))


def header(reading: Reading | None, cells: int, look: Look) -> Row:
    """Who we are at the left; link, the worst alarm, the time and the version at the right."""
    snapshot = reading.snapshot if reading is not None else None
    left = [Span(" " + look.say("Songshan Edge"), "key")]
    if reading is None:
        return blank_filled([*left, Span("  " + look.say("looking"), "bar")], cells, look)
    if snapshot is not None:
        name = look.data(snapshot.name, "")
        left.append(Span(f"  {name} {snapshot.site}" if name else f"  {snapshot.site}", "bar"))
    right: list[Span] = []
    if snapshot is not None:
        link = tiles.link(snapshot, reading.at_us, look)
        right = [Span(f" {link.word} {link.level.letter}", link.level.style)]
    right.append(Span(f"  {look.clock(reading.at_us, reading.at_us)} ", "bar"))
    if snapshot is not None:
        right.append(Span(f" {look.data(snapshot.version)} ", "bar"))
    return spread(left, right, cells, look)


def footer(cells: int, look: Look) -> Row:
    """The keys, at most six."""
    spans: list[Span] = []
    for key in KEYS:
        if key.in_footer and not (look.plain and key.action == "language"):
            spans += [Span(f" {key.shown} ", "key"), Span(look.say(key.message) + " ", "bar")]
    return blank_filled(spans, cells, look)


def help_page(look: Look) -> Tile:
    """What the keys, the letters and the tiles mean."""
    keys = [Fact(key.all_shown, look.say(key.message)) for key in KEYS]
    letters = [
        Fact("G", look.say("in order"), level=Level.GOOD),
        Fact("I", look.say("in order, and good to know: offline is normal, work waits"), level=Level.NOTE),
        Fact("A", look.say("act today"), level=Level.WARN),
        Fact("R", look.say("act now: on the air, or soon not, or data in danger"), level=Level.BAD),
    ]
    parts = [
        Fact(look.say("On air"), look.say("what plays, until when, and what will be missing")),
        Fact(look.say("Alarms"), look.say("what is wrong, and under it what to do")),
        Fact(look.say("Sync"), look.say("what waits to go down and up; it waits as long as it must")),
        Fact(look.say("Link"), look.say("the line to the hub; without it everything here goes on")),
        Fact(look.say("Storage"), look.say("the disk of the media; a reserve of it stays free")),
        Fact(look.say("Time"), look.say("the channel follows this clock")),
    ]
    return Tile(look.say("Help"), "", Level.GOOD, (*keys, *letters, *parts))
