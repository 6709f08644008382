"""What the channels play: now, next, what of the coming day is ready, what went wrong today; and clips that can air.

A side for each channel, one for the clips. What is not ready stands first: it is what the day is about. PURE.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from appliance.core.accidents import KIND_NAMES as ACCIDENTS
from appliance.core.accidents import KINDS, Tally
from appliance.core.clip_facts import AirClip, ClipFacts, Insertion
from appliance.core.health import LiveFact, OnAir, OutputFact, Snapshot
from appliance.core.moment import US
from appliance.core.readiness import Ready
from tui.look import Look
from tui.rows import Fact, Heading, Level, Line, Tile
from tui.view import tiles
from tui.view.entry import entry_blocks
from tui.view.readiness import clip_length, kind_word, length, level_of, standing
from tui.view.reading import Reading
from tui.view.sheet import (
    Asked,
    Beside,
    Block,
    Column,
    Prose,
    Sheet,
    Stretch,
    Tab,
    Table,
    TableRow,
    Timeline,
)

CLIPS: Final = "/clips"
"""The side of the clips; no channel is called so."""
AHEAD_US: Final = 24 * 3600 * US


@dataclass(frozen=True)
class Found:
    """One side of the page. `channels` are ids and names; `entries` one page of them, those that are not ready first.

    `at_us` is the time of the air. `clip` and `like` are there where an entry is open: what is known of its clip, and
    what could air in its place.
    """

    channels: tuple[tuple[str, str], ...] = ()
    channel: str = ""
    at_us: int = 0
    entries: tuple[Ready, ...] = ()
    total: int = 0
    next: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    """How many entries are ready, ready_by, late_by, cannot."""
    stretches: tuple[Stretch, ...] = ()
    tally: Tally | None = None
    insertions: tuple[Insertion, ...] = ()
    clips: tuple[AirClip, ...] = ()
    opened: Ready | None = None
    clip: ClipFacts | None = None
    like: tuple[AirClip, ...] = ()


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or the entry that was opened."""
    if found is None:
        return Sheet()
    if asked.opened is not None and asked.tab != CLIPS:
        return Sheet(entry_blocks(found.opened, found.clip, _live(found, reading), found.at_us, look))
    if not found.channels:
        return Sheet((Prose((look.say("No channel is set up in appliance.toml."),)),))
    named = tuple(Tab(channel, look.data(name, channel)) for channel, name in found.channels)
    tabs = (*named, Tab(CLIPS, look.say("Clips that can air")))
    if asked.tab == CLIPS:
        return Sheet((_clips(found, look),), tabs=tabs, tab=CLIPS)
    snapshot = reading.snapshot if reading is not None else None
    blocks: list[Block] = []
    if snapshot is not None:
        blocks.append(Beside((_now(found, snapshot, look), _today(found, snapshot, look))))
    return Sheet((*blocks, _timeline(found, look), _entries(found, look)), tabs=tabs, tab=found.channel)


def _live(found: Found, reading: Reading | None) -> LiveFact | None:
    """What the box knows of the source of the entry that is open, where it is live and near."""
    snapshot, row = reading.snapshot if reading is not None else None, found.opened
    if snapshot is None or row is None:
        return None
    alike = (each for each in snapshot.live if (each.channel, each.entry_id) == (row.channel, row.entry_id))
    return next(alike, None)


def in_order(rows: Sequence[Ready], at_us: int) -> list[Ready]:
    """Those that will be missing first, then all others; each by its start."""
    return sorted(rows, key=lambda row: (level_of(row, at_us) < Level.WARN, row.start_us, row.entry_id))


def key_of(row: Ready) -> str:
    """An id is the only one of its day; the next day has another entry that is called so."""
    return f"{row.date} {row.entry_id}"


def find(rows: Sequence[Ready], key: str) -> Ready | None:
    """The entry of this key, also where its time has moved since."""
    return next((row for row in rows if key_of(row) == key), None)


def stretches_of(rows: Sequence[Ready], at_us: int) -> tuple[Stretch, ...]:
    """The entries as parts of a timeline; neighbours that stand alike are one."""
    found: list[Stretch] = []
    for row in sorted((row for row in rows if not row.is_dropped), key=lambda row: row.start_us):
        level = level_of(row, at_us)
        if found and found[-1].level == level and found[-1].to_us == row.start_us:
            found[-1] = replace(found[-1], to_us=row.end_us)
        else:
            found.append(Stretch(row.start_us, row.end_us, level))
    return tuple(found)


def _now(found: Found, snapshot: Snapshot, look: Look) -> Tile:
    """As the overview says it of this channel, and what breaks in or will."""
    channel = next((each for each in snapshot.on_air if each.channel == found.channel), None)
    if channel is None:
        return Tile(look.say("On air"), look.say("unknown"), Level.NOTE)
    # The overview leaves out what follows where there are many channels; here there is one.
    alone = msgspec.structs.replace(snapshot, on_air=(channel,))
    head, *lines = tiles.channel_lines(channel, alone, found.at_us, look)
    assert isinstance(head, Heading)
    lines += _tomorrow(channel, snapshot, look)
    lines += [_insertion(each, found.at_us, look) for each in found.insertions]
    return Tile(look.say("On air"), head.word, head.level, tuple(lines))


def _tomorrow(channel: OnAir, snapshot: Snapshot, look: Look) -> list[Line]:
    """Who plans the day that comes."""
    if not channel.next_day:
        return []
    words = {
        "schedule": look.say("schedule is here"),
        "template": look.say("by the template"),
        "default": look.say("default programme only"),
    }
    level = tiles.level_of(snapshot, f"schedule:{channel.channel}")
    planned = words.get(channel.next_day_plan, look.say("nobody has planned it"))
    return [Fact(look.say("Next day"), planned, channel.next_day[5:], level or None)]


def _insertion(each: Insertion, at_us: int, look: Look) -> Fact:
    name = look.data(each.name, each.digest[7:19])
    begins = look.clock(each.at_us, at_us) if each.at_us is not None else look.say("at once")
    ends = look.say("to {clock}").format(clock=look.clock(each.until_us, at_us)) if each.until_us is not None else ""
    return Fact(look.say("Insertion"), name, f"{begins} {ends}".strip(), Level.WARN, is_title=True)


def _today(found: Found, snapshot: Snapshot, look: Look) -> Tile:
    """The accidents of the day, the fillers, the output to the modulator."""
    lines: list[Line] = []
    tally = found.tally or Tally()
    for kind in KINDS:
        count = getattr(tally, kind)
        times = look.count("{n} time", "{n} times", count.count).format(n=count.count)
        lasted = length(count.duration_s) if count.count else ""
        lines.append(Fact(look.of(ACCIDENTS[kind]), times, lasted, Level.WARN if count.count else None))
    channel = next((each for each in snapshot.on_air if each.channel == found.channel), None)
    if channel is not None:
        ready = look.say("{n} of {all} ready").format(n=channel.fillers_ready, all=channel.fillers)
        wrong = tiles.level_of(snapshot, f"fillers:{found.channel}")
        lines.append(Fact(look.say("Fillers"), ready, level=wrong or None))
    for output in snapshot.outputs:
        if output.channel == found.channel:
            lines += _output(output, snapshot, look)
    counted = sum(getattr(tally, kind).count for kind in KINDS)
    word = look.say("no accident") if not counted else look.say("accidents")
    return Tile(look.say("Today"), word, Level.WARN if counted else Level.GOOD, tuple(lines))


def _output(output: OutputFact, snapshot: Snapshot, look: Look) -> list[Line]:
    """Who sends to the modulator, and what the probe hears."""
    about = ("output", "output-network", "output-slate", "output-rate", "output-standby", "output-probe")
    level = tiles.level_of(snapshot, *(f"{each}:{output.channel}" for each in about))
    senders = {"main": look.say("main sends"), "standby": look.say("standby sends"), None: look.say("nobody sends")}
    standby = {
        "none": look.say("no standby"),
        "ready": look.say("standby ready"),
        "gone": look.say("standby gone"),
    }
    lines: list[Line] = [
        Fact(look.say("Output"), senders[output.sender], standby[output.standby], level or None),
    ]
    if output.fault is not None:
        lines.append(Fact(look.say("Probe"), look.of(output.fault), level=level or Level.WARN))
    elif output.is_probed:
        errors = output.continuity_errors or 0
        lines.append(Fact(look.say("Probe"), look.count("{n} error", "{n} errors", errors).format(n=errors)))
    else:
        lines.append(Fact(look.say("Probe"), look.say("nobody listens")))
    return lines


def _timeline(found: Found, look: Look) -> Timeline:
    counts = dict(found.counts)
    missing = counts.get("cannot", 0) + counts.get("late_by", 0)
    words = [look.say("{n} ready").format(n=counts.get("ready", 0))]
    if counts.get("ready_by"):
        words.append(look.say("{n} on the way").format(n=counts["ready_by"]))
    if missing:
        words.append(look.say("{n} will be missing").format(n=missing))
    title = look.say("Readiness of 24 h: {counts}").format(counts=look.say(", ").join(words))
    return Timeline(title, found.at_us, found.at_us + AHEAD_US, found.stretches)


def _entries(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Start"), 14),
        Column(look.say("Programme"), 0),
        Column(look.say("Readiness"), 30),
        Column(look.say("Kind"), 8, from_cells=100),
        Column(look.say("Length"), 10, is_right=True, from_cells=100),
    )
    rows = tuple(
        TableRow(
            key_of(row),
            (
                look.second(row.start_us),
                look.data(row.title, row.entry_id),
                standing(row, found.at_us, look),
                kind_word(row.kind, look),
                length((row.end_us - row.start_us) / US),
            ),
            level_of(row, found.at_us),
        )
        for row in found.entries
    )
    return Table(columns, rows, look.say("nothing is scheduled"), next=found.next)


def _clips(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Name"), 0),
        Column(look.say("Length"), 10, is_right=True),
        Column(look.say("Technical check"), 16),
    )
    words = {"amber": look.say("to be looked at"), "info": look.say("notes"), None: look.say("in order")}
    rows = tuple(
        TableRow(
            each.digest,
            (look.data(each.name, each.digest[7:19]), clip_length(each), words[each.severity]),
            Level.NOTE if each.severity == "amber" else Level.GOOD,
        )
        for each in found.clips
    )
    return Table(columns, rows, look.say("no clip can air"), next=found.next, opens=False)
