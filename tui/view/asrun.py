"""What aired: from any moment back, the accidents, and what vouches for each row. PURE.

A side for each channel, one for the accidents of a week. Behind `/` stands a time or a word: see `moment_asked`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final

from appliance.core.accidents import KIND_NAMES as ACCIDENTS
from appliance.core.accidents import KINDS, Accident, Tally, accident_of
from appliance.core.asrun import AiredRow
from appliance.core.moment import US, to_us
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view.readiness import kind_word, length
from tui.view.reading import Reading
from tui.view.sheet import Asked, Beside, Column, Prose, Sheet, Tab, Table, TableRow

ACCIDENTS_SIDE: Final = "/accidents"
"""No channel is called so."""
ACCIDENT_DAYS: Final = 7
_DATE: Final = re.compile(r"(\d\d)-(\d\d)")
_TIME: Final = re.compile(r"(-{0,7})(?:(\d\d)-?(\d\d) ?)?(\d\d):?(\d\d)(?::?(\d\d))?")


@dataclass(frozen=True)
class Found:
    """One side of the page. `rows` are the newest first, from the moment that was asked for back; `tally` is of the
    broadcast day of the first of them. `accidents` are of all channels, each with its channel's id."""

    channels: tuple[tuple[str, str], ...] = ()
    channel: str = ""
    rows: tuple[AiredRow, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Of files, by the digest of the asset: what no schedule gave a title to."""
    next: str = ""
    day: str = ""
    tally: Tally | None = None
    from_us: int | None = None
    accidents: tuple[tuple[str, Accident], ...] = ()
    opened: AiredRow | None = None
    hash: str = ""
    """Of the row that is open, as the next one names it."""


def moment_asked(words: str, now_us: int, zone: tzinfo) -> int | None:
    """The moment that words name; None where they are words.

    `1903`, `19:03:20`: when the clock last showed this. `-1903`: yesterday, one `-` for each day back. `1124 1903`,
    `11-24 19:03`: on that day, this year or the last. `11-24`: the end of that day.
    """
    now = datetime.fromtimestamp(now_us / US, zone)
    words = words.strip()
    try:
        if date := _DATE.fullmatch(words):
            end = _on(now, int(date[1]), int(date[2])).replace(hour=23, minute=59, second=59)
            return round(end.timestamp()) * US
        if (time := _TIME.fullmatch(words)) is None:
            return None
        back, month, day, *clock = time.groups()
        hour, minute, second = (int(each or 0) for each in clock)
        at = _on(now, int(month), int(day)) if month else now - timedelta(days=len(back))
        at = at.replace(hour=hour, minute=minute, second=second, microsecond=0)
        if at > now and not month and not back:
            at -= timedelta(days=1)
    except ValueError:
        return None
    return round(at.timestamp()) * US


def _on(now: datetime, month: int, day: int) -> datetime:
    """That day of this year, or of the last where it is still to come. ValueError where there is none such."""
    at = now.replace(month=month, day=day)
    return at if at.date() <= now.date() else at.replace(year=now.year - 1)


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or the row that was opened."""
    if found is None:
        return Sheet()
    if asked.opened is not None and asked.tab != ACCIDENTS_SIDE:
        return Sheet((_opened(found, look),))
    if not found.channels:
        return Sheet((Prose((look.say("No channel is set up in appliance.toml."),)),))
    named = tuple(Tab(channel, look.data(name, channel)) for channel, name in found.channels)
    tabs = (*named, Tab(ACCIDENTS_SIDE, look.say("Accidents of {n} days").format(n=ACCIDENT_DAYS)))
    if asked.tab == ACCIDENTS_SIDE:
        return Sheet((_accidents(found, look),), tabs=tabs, tab=ACCIDENTS_SIDE)
    return Sheet(
        (Beside((_day(found, look), _evidence(found, look))), _rows(found, look)), tabs=tabs, tab=found.channel
    )


def _day(found: Found, look: Look) -> Tile:
    """The accidents of the broadcast day that is shown."""
    tally = found.tally or Tally()
    lines: list[Line] = []
    for kind in KINDS:
        count = getattr(tally, kind)
        times = look.count("{n} time", "{n} times", count.count).format(n=count.count)
        lasted = length(count.duration_s) if count.count else ""
        lines.append(Fact(look.of(ACCIDENTS[kind]), times, lasted, Level.WARN if count.count else None))
    counted = sum(getattr(tally, kind).count for kind in KINDS)
    word = look.say("accidents") if counted else look.say("no accident")
    return Tile(found.day or "-", word, Level.WARN if counted else Level.GOOD, tuple(lines))


def _evidence(found: Found, look: Look) -> Tile:
    """How much of that day is accounted for, and how another time is reached."""
    tally = found.tally or Tally()
    unvouched = Level.NOTE if tally.unvouched_s else None
    since = look.second(found.from_us) if found.from_us is not None else look.say("now")
    facts: list[Line] = [
        Fact(look.say("Accounted for"), length(tally.accounted_s)),
        Fact(look.say("Unvouched"), length(tally.unvouched_s), level=unvouched),
        Fact(look.say("Shown from"), since, look.say("and before")),
        Fact("/1903", look.say("at 19:03"), look.say("/-1903: yesterday")),
    ]
    return Tile(look.say("Evidence"), "", Level.GOOD, tuple(facts))


def _rows(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Time"), 14),
        Column(look.say("Length"), 8, is_right=True),
        Column(look.say("Kind"), 10),
        Column(look.say("Programme"), 0),
        Column(look.say("Aired"), 14),
        Column(look.say("Evidence"), 22, from_cells=100),
    )
    rows = tuple(
        TableRow(
            str(row.seq),
            (
                look.second(to_us(row.start)),
                length(row.duration_s),
                kind_word(row.kind, look),
                _title(row, found.names, look),
                _aired(row, look),
                look.say(", ").join(evidence_words(row, look)) or look.say("none"),
            ),
            _level(row),
        )
        for row in found.rows
    )
    return Table(columns, rows, look.say("nothing is logged for this time"), next=found.next)


def _title(row: AiredRow, names: Mapping[str, str], look: Look) -> str:
    """A filler and an insertion have none but that of their file."""
    return look.data(row.title or names.get(row.asset or "", ""), row.entry or "-")


def _level(row: AiredRow) -> Level:
    if accident_of(row) is not None:
        return Level.WARN
    return Level.GOOD if row.planned and row.status == ("Aired Without Discrepancy",) else Level.NOTE


def _aired(row: AiredRow, look: Look) -> str:
    """The accident that it is; else the first thing that is to be said of it."""
    kind = accident_of(row)
    return look.of(ACCIDENTS[kind]) if kind is not None else status_word(row.status[0], look)


def status_word(status: str, look: Look) -> str:
    """A word of BXF, for people."""
    words = {
        "Aired Without Discrepancy": look.say("as planned"),
        "Technical Difficulty": look.say("with faults"),
        "Did not air": look.say("did not air"),
        "Aired with Duration Discrepancy": look.say("other length"),
        "Aired with Content Discrepancy": look.say("other content"),
        "Preempted": look.say("taken over"),
        "Joined in Progress": look.say("joined late"),
        "Inserted by Operator": look.say("broken in"),
        "Unknown": look.say("nobody knows"),
        "Missing Content": look.say("clip missing"),
    }
    return words.get(status, look.data(status))


def evidence_words(row: AiredRow, look: Look) -> list[str]:
    words = {
        "ledger": look.say("announced"),
        "ts_probe": look.say("probe heard it"),
        "engine_callback": look.say("engine reported"),
    }
    return [words.get(each, each) for each in row.evidence]


def _opened(found: Found, look: Look) -> Tile | Prose:
    """Everything that is on record of one row."""
    row = found.opened
    if row is None:
        return Prose((look.say("There is no such row."),))
    start_us = to_us(row.start)
    end_us = start_us + round(row.duration_s * US)
    lines: list[Line] = []
    if (kind := accident_of(row)) is not None:
        why = look.of(row.reason) if row.reason is not None else ""
        lines.append(Advice(Level.WARN, look.of(ACCIDENTS[kind]), why))
    elif row.reason is not None:
        lines.append(Advice(Level.NOTE, look.of(row.reason)))
    aired = f"{look.second(start_us)} - {look.second(end_us)}"
    lines += [Fact(look.say("Aired"), aired, length(row.duration_s)), Fact(look.say("Kind"), kind_word(row.kind, look))]
    lines += [Fact(look.say("State"), status_word(status, look), status) for status in row.status]
    if row.planned_start is not None:
        planned = look.second(to_us(row.planned_start))
        lines.append(Fact(look.say("Planned"), planned, length(row.planned_s or 0)))
    if row.date is not None:
        plan = look.say("{date}, version {n}").format(date=row.date, n=row.version or 0)
        lines.append(Fact(look.say("Schedule"), plan, row.entry or ""))
    evidence = look.say(", ").join(evidence_words(row, look)) or look.say("none")
    lines += [
        Fact(look.say("Evidence"), evidence, level=None if row.evidence else Level.WARN),
        Fact(look.say("Segments"), f"{row.first_msn} - {row.last_msn}"),
        Fact(look.say("Asset"), (row.asset or "-").removeprefix("sha256:")),
        Fact(look.say("Rendition"), row.rendition.removeprefix("sha256:") or "-"),
        Fact(look.say("Row"), look.say("number {n} of {channel}").format(n=row.seq, channel=row.channel)),
        Fact(look.say("Hash"), found.hash),
        Fact(look.say("Before it"), row.prev),
    ]
    title = look.data(row.title or found.names.get(row.asset or "", ""), kind_word(row.kind, look))
    return Tile(title, _aired(row, look), _level(row), tuple(lines), scrolls=True)


def _accidents(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Time"), 14),
        Column(look.say("Length"), 8, is_right=True),
        Column(look.say("Kind"), 16),
        Column(look.say("Channel"), 14),
        Column(look.say("Why"), 0),
    )
    names = dict(found.channels)
    rows = tuple(
        TableRow(
            f"{channel} {each.start_us} {each.kind}",
            (
                look.second(each.start_us),
                length((each.end_us - each.start_us) / US),
                look.of(ACCIDENTS[each.kind]),
                look.data(names.get(channel, channel), channel),
                look.of(each.reason) if each.reason is not None else look.data(each.title, "-"),
            ),
            Level.WARN,
        )
        for channel, each in found.accidents
    )
    empty = look.say("no accident in {n} days").format(n=ACCIDENT_DAYS)
    return Table(columns, rows, empty, next=found.next, is_searchable=False, opens=False)
