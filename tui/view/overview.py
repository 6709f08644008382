"""The overview: in five seconds, are we on the air, what is wrong, what to do. PURE.

The order of importance on the overview: are we on the air, what is wrong and what to do, then sync and link, then
storage and time. A box whose agent is dead or whose database cannot be read is a reading like any other.
"""

from dataclasses import replace
from typing import Final

from tui.look import Look
from tui.rows import Advice, Level, Tile
from tui.view import tiles
from tui.view.reading import Reading
from tui.view.sheet import Asked, Beside, Sheet

ROWS: Final = ((("air", "alarms"), 10), (("sync", "link"), 7), (("storage", "time"), 6))
"""The tiles as they are laid out, and what part of the height each row has."""


def sheet(_found: None, reading: Reading | None, look: Look, _asked: Asked) -> Sheet:
    """The six tiles, two in a row; the alarms can be scrolled."""
    shown = overview(reading, look)
    shown["alarms"] = replace(shown["alarms"], scrolls=True)
    return Sheet(tuple(Beside(tuple(shown[name] for name in names), share) for names, share in ROWS))


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
    if reading.is_unread:
        return dark | {"alarms": alarms} | lit
    return {
        "air": tiles.air(snapshot, now_us, look),
        "alarms": alarms,
        "sync": tiles.sync(snapshot, now_us, look),
        "link": tiles.link(snapshot, now_us, look),
        **lit,
    }


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
    count, worst = tiles.wrong(reading)
    if not found:
        return Tile(look.say("Alarms"), look.say("none"), worst)
    words = {
        Level.NOTE: look.say("{n} to know"),
        Level.WARN: look.say("{n}: act today"),
        Level.BAD: look.say("{n}: act now"),
    }
    return Tile(look.say("Alarms"), words[worst].format(n=count), worst, tuple(found))
