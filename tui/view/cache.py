"""The media cache: what the disk is used for, why each asset is there, what goes next, what was read again. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from appliance.core.cache import Kept, Loose, Quarantined, words
from appliance.core.findings import Check, describe
from appliance.core.scrub import Progress
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view import tiles
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Asked, Beside, Block, Column, Prose, Sheet, Tab, Table, TableRow

GOING: Final = "going"
QUARANTINE: Final = "quarantine"
SEVERITIES: Final = {"red": Level.BAD, "amber": Level.WARN, "info": Level.NOTE}


@dataclass(frozen=True)
class Round:
    """What is asked of all assets together, and when it was."""

    at_us: int = 0
    loose: Loose = field(default_factory=Loose)
    verified: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class Found:
    """One side of the page. `assets` is a page of them, or the one that is opened; `check` is of that one."""

    round: Round = field(default_factory=Round)
    assets: tuple[Kept, ...] = ()
    check: Check | None = None
    quarantine: tuple[Quarantined, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or all about one asset."""
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found or Found(), now_us, look, asked))
    tabs = (
        Tab("", look.say("Assets")),
        Tab(GOING, look.say("Goes next")),
        Tab(QUARANTINE, look.say("Quarantine")),
    )
    if asked.tab == GOING:
        table = _going(found, now_us, look)
    elif asked.tab == QUARANTINE:
        table = _quarantine(found, now_us, look)
    else:
        table = _assets(found, now_us, look)
    return Sheet((*_head(found, reading, now_us, look), table), tabs=tabs, tab=asked.tab)


def _head(found: Found | None, reading: Reading | None, now_us: int, look: Look) -> tuple[Block, ...]:
    snapshot = reading.snapshot if reading is not None else None
    disk = snapshot.storage if snapshot is not None else None
    if snapshot is None or disk is None:
        return ()
    free = look.say("{free} of {total}").format(free=look.size(disk.free_bytes), total=look.size(disk.total_bytes))
    facts: list[Line] = [
        Fact(look.say("Free"), free, level=tiles.level_of(snapshot, "disk", "raised:room") or None),
        Fact(look.say("Reserve"), look.size(disk.reserve_bytes)),
    ]
    if found is None:
        return (Tile(look.say("Media disk"), "", Level.GOOD, tuple(facts)),)
    quota = look.size(disk.cache_bytes_max) if disk.cache_bytes_max else look.say("none")
    loose = found.round.loose
    facts += [
        Fact(look.say("Quota"), quota, level=tiles.level_of(snapshot, "cache-quota") or None),
        Fact(look.say("In use"), look.size(max(0, disk.media_bytes - loose.size_bytes))),
        Fact(look.say("May go"), look.size(loose.size_bytes), _assets_count(loose.assets, look)),
    ]
    level = tiles.level_of(snapshot, "disk", "raised:room", "cache-quota")
    total = _assets_count(disk.assets_here, look)
    return (
        Beside((Tile(look.say("Media disk"), total, level, tuple(facts)), _verified(found, reading, now_us, look))),
    )


def _assets_count(assets: int, look: Look) -> str:
    return look.count("{n} asset", "{n} assets", assets).format(n=f"{assets:,}")


def _verified(found: Found, reading: Reading | None, now_us: int, look: Look) -> Tile:
    """Everything on disk is read again within the period."""
    seen = found.round.verified
    if not seen.assets or seen.oldest_us is None or seen.all_read_by_us is None:
        return Tile(look.say("Read again"), look.say("nothing here"), Level.GOOD)
    done = f"{100 * seen.read_bytes // max(1, seen.size_bytes)}%"
    facts: list[Line] = [
        Fact(look.say("Of the round"), done, look.rate(seen.bytes_per_s)),
        Fact(look.say("Oldest"), look.ago(seen.oldest_us, now_us)),
        Fact(look.say("All by"), look.clock(seen.all_read_by_us, now_us)),
    ]
    if seen.late_assets:
        facts.append(Fact(look.say("Overdue"), _assets_count(seen.late_assets, look), level=Level.WARN))
    snapshot = reading.snapshot if reading is not None else None
    bad = snapshot.storage.assets_bad if snapshot is not None and snapshot.storage is not None else 0
    if bad:
        facts.append(Fact(look.say("Damaged"), _assets_count(bad, look), level=Level.WARN))
    level = Level.WARN if seen.late_assets or bad else Level.GOOD
    return Tile(look.say("Read again"), look.say("behind") if seen.late_assets else "", level, tuple(facts))


def _assets(found: Found | None, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("Name"), 0),
        Column(look.say("Kind"), 12),
        Column(look.say("Size"), 6, is_right=True),
        Column(look.say("Why it is here"), 28),
        Column(look.say("Read again"), 13, is_right=True, from_cells=100),
        Column(look.say("Last used"), 13, is_right=True, from_cells=100),
    )
    assets = found.assets if found is not None else ()
    rows = tuple(
        TableRow(
            each.digest,
            (
                _name(each, look),
                _role(each.role, look),
                look.size(each.size_bytes),
                _why(each, look),
                look.ago(each.verified_us, now_us) if each.verified_us is not None else "-",
                look.ago(each.last_used_us, now_us),
            ),
            Level.WARN if each.state == "bad" else Level.GOOD,
        )
        for each in assets
    )
    following = f"{assets[-1].name} {assets[-1].digest}" if len(assets) >= PAGE_ROWS else ""
    return Table(columns, rows, look.say("unknown") if found is None else look.say("no such asset"), next=following)


def _name(each: Kept, look: Look) -> str:
    return look.data(each.name, each.digest[7:19])


def _why(each: Kept, look: Look) -> str:
    if each.state == "bad":
        return look.say("damaged, comes again")
    if not each.pins:
        return look.say("nothing uses it, may go")
    more = f" +{len(each.pins) - 1}" if len(each.pins) > 1 else ""
    return look.of(words(each.pins[0])) + more


def _role(role: str, look: Look) -> str:
    named = {
        "video": look.say("video"),
        "audio": look.say("audio"),
        "picture": look.say("picture"),
        "poster": look.say("poster"),
        "file": look.say("file"),
        "rendition": look.say("house format"),
    }
    return named.get(role, role)


def _going(found: Found | None, now_us: int, look: Look) -> Table:
    """In the order in which they go when room is short."""
    columns = (
        Column("", 4, is_right=True),
        Column(look.say("Name"), 0),
        Column(look.say("Size"), 6, is_right=True),
        Column(look.say("Last used"), 15, is_right=True),
        Column(look.say("Why it may go"), 16),
    )
    loose = found.round.loose if found is not None else Loose()
    rows = tuple(
        TableRow(
            each.digest,
            (
                str(each.goes),
                _name(each, look),
                look.size(each.size_bytes),
                look.ago(each.last_used_us, now_us),
                look.say("only seen again") if each.pins else look.say("nothing uses it"),
            ),
        )
        for each in loose.first
    )
    empty = look.say("unknown") if found is None else look.say("nothing may go: all of it is in use")
    title = look.say("When room is short these go, in this order")
    return Table(columns, rows, empty, title, loose.assets, is_searchable=False)


def _quarantine(found: Found | None, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("Name"), 0),
        Column(look.say("Size"), 6, is_right=True),
        Column(look.say("Since"), 15, is_right=True),
        Column(look.say("State"), 20),
    )
    aside = found.quarantine if found is not None else ()
    rows = tuple(
        TableRow(
            each.name,
            (
                look.data(found.names.get(each.digest, "") if found else "", each.digest[7:19]),
                look.size(each.size_bytes),
                look.ago(each.since_us, now_us),
                look.say("kept to compare") if each.is_readable else look.say("the disk is unreadable"),
            ),
            Level.NOTE if each.is_readable else Level.WARN,
        )
        for each in aside
    )
    empty = look.say("unknown") if found is None else look.say("nothing was set aside")
    return Table(columns, rows, empty, is_searchable=False)


def _opened(found: Found, now_us: int, look: Look, asked: Asked) -> tuple[Block, ...]:
    if asked.tab == QUARANTINE:
        return _opened_aside(found, now_us, look, asked.opened or "")
    each = next((asset for asset in found.assets if asset.digest == asked.opened), None)
    if each is None:
        return (Prose((look.say("This asset is not here any more."),)),)
    read = look.ago(each.verified_us, now_us) if each.verified_us is not None else "-"
    facts: list[Line] = [
        Fact(look.say("Kind"), _role(each.role, look), look.size(each.size_bytes)),
        Fact(look.say("Last used"), look.ago(each.last_used_us, now_us)),
        Fact(look.say("Read again"), read),
    ]
    goes = next((other.goes for other in found.round.loose.first if other.digest == each.digest), None)
    if goes is not None:
        facts.append(Fact(look.say("Goes"), look.say("as number {n} when room is short").format(n=goes)))
    word = look.say("damaged") if each.state == "bad" else (look.say("in use") if each.pins else look.say("may go"))
    level = Level.WARN if each.state == "bad" else Level.GOOD
    reasons = tuple(
        Fact("", look.of(words(pin)), look.clock(pin.at_us, now_us) if pin.at_us is not None else "", is_title=True)
        for pin in each.pins
    ) or (Fact("", look.say("Nothing uses it: it goes when room is short.")),)
    return (
        Tile(_name(each, look), word, level, tuple(facts)),
        *_checked(found.check, look),
        Tile(look.say("Why it is here"), "", Level.GOOD, reasons, scrolls=True),
        Prose((each.digest,), look.say("Digest")),
    )


def _checked(check: Check | None, look: Look) -> tuple[Block, ...]:
    """What the technical check found, the worst first."""
    if check is None or not check.findings:
        return ()
    lines = tuple(Advice(SEVERITIES[each.severity], look.of(describe(each))) for each in check.findings[:4])
    worst = max(line.level for line in lines)
    return (Tile(look.say("Technical check"), "", worst, lines),)


def _opened_aside(found: Found, now_us: int, look: Look, name: str) -> tuple[Block, ...]:
    each = next((aside for aside in found.quarantine if aside.name == name), None)
    if each is None:
        return (Prose((look.say("This is done, or gone."),)),)
    facts = (
        Fact(look.say("Size"), look.size(each.size_bytes)),
        Fact(look.say("Since"), look.day_and_clock(each.since_us), look.ago(each.since_us, now_us)),
    )
    said = (
        look.say(
            "Its bytes are not what its name says. They are kept to be compared with, so that little travels again."
        )
        if each.is_readable
        else look.say("The disk does not give it back. It stays, so that the bad blocks are not used again.")
    )
    return (
        Tile(look.data(found.names.get(each.digest, ""), each.digest[7:19]), "", Level.NOTE, facts),
        Prose((said, look.say("It goes by itself, after two weeks at the latest."))),
        Prose((each.digest,), look.say("Digest")),
    )
