"""The machine under the box: versions, load, time, services, who may act, backups, resets and a restart. PURE."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.core.backup import BackupFact
from appliance.core.errors import Text
from appliance.core.upkeep import BACKUP_AMBER_US
from tui.cells import fit, width
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view import tiles
from tui.view.reading import Reading
from tui.view.sheet import Asked, Beside, Block, Column, Prose, Sheet, Spark, Tab, Table, TableRow

SERVICES: Final = "services"
USERS: Final = "users"
BACKUP: Final = "backup"
RESET: Final = "reset"
HOT_C: Final = 85
FULL_SHARE: Final = 0.95


@dataclass(frozen=True)
class Moment:
    """How busy the machine was at one look; None where nothing tells."""

    cpu_percent: float | None = None
    memory_share: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True)
class Machine:
    """What the machine is and does. `history` ends with now; it begins when the page was first opened."""

    versions: tuple[tuple[str, str], ...] = ()
    uptime_s: float | None = None
    load_1m: float | None = None
    processors: int = 0
    memory_bytes: int = 0
    time_source: str = ""
    history: tuple[Moment, ...] = ()


@dataclass(frozen=True)
class Unit:
    """A unit of systemd. `since_us` is when it came into this state."""

    unit: str
    about: str
    active: str
    sub: str
    is_enabled: bool
    since_us: int | None = None
    restarts: int = 0


@dataclass(frozen=True)
class Account:
    """Somebody who is known here. `at` are the terminals where they are logged in."""

    name: str
    may_act: bool
    is_admin: bool
    at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """One side of the page. `is_own_machine` False: a box in a folder, whose machine belongs to others too."""

    machine: Machine = Machine()
    services: tuple[Unit, ...] = ()
    no_services: Text | None = None
    accounts: tuple[Account, ...] = ()
    backup: BackupFact | None = None
    is_own_machine: bool = True


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The side that is asked for, or a service opened."""
    tabs = (
        Tab("", look.say("This machine")),
        Tab(SERVICES, look.say("Services")),
        Tab(USERS, look.say("Accounts")),
        Tab(BACKUP, look.say("Backup")),
        Tab(RESET, look.say("Reset")),
    )
    if found is None:
        return Sheet(tabs=tabs, tab=asked.tab)
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found, now_us, look, asked.opened))
    blocks: tuple[Block, ...]
    match asked.tab:
        case "services" if found.no_services is not None:
            blocks = (Prose((look.of(found.no_services),)),)
        case "services":
            blocks = (_services(found, now_us, look),)
        case "users":
            blocks = (_accounts(found, look),)
        case "backup":
            blocks = tuple(_backup(found, now_us, look))
        case "reset":
            blocks = (Prose(tuple(_reset(look)), look.say("Three ways back to the beginning")),)
        case _:
            blocks = tuple(_machine(found, reading, look))
    return Sheet(blocks, tabs=tabs, tab=asked.tab)


def _machine(found: Found, reading: Reading | None, look: Look) -> Iterator[Block]:
    seen = found.machine
    versions: list[Line] = [Fact(name, look.data(version, "-")) for name, version in seen.versions]
    if seen.uptime_s is not None:
        versions.append(Fact(look.say("Up for"), look.duration(seen.uptime_s)))
    yield Beside((Tile(look.say("Versions"), "", Level.GOOD, tuple(versions)), _time(seen, reading, look)))
    now = seen.history[-1] if seen.history else Moment()
    yield _load(seen, now, look)
    memory = [100 * each.memory_share if each.memory_share is not None else None for each in seen.history]
    figures = [
        (look.say("Processor"), [each.cpu_percent for each in seen.history], _percent(now.cpu_percent)),
        (look.say("Memory"), memory, _percent(memory[-1] if memory else None)),
    ]
    if now.temperature_c is not None:
        heat = [each.temperature_c for each in seen.history]
        figures.append((look.say("Temperature"), heat, _celsius(now.temperature_c, look)))
    label = max(width(title) for title, _values, _now in figures)
    for title, values, told in figures:
        yield Spark(fit(title, label), tuple(values), told)


def _time(seen: Machine, reading: Reading | None, look: Look) -> Tile:
    """As the agent sees it; the source as the time service tells it."""
    if reading is None or reading.snapshot is None:
        return Tile(look.say("Time"), look.say("unknown"), Level.NOTE)
    tile = tiles.time(reading.snapshot, reading.at_us, look)
    facts = tile.facts
    if seen.time_source:
        facts = (*facts, Fact(look.say("Time server"), look.data(seen.time_source)))
    return Tile(tile.title, tile.word, tile.level, facts)


def _load(seen: Machine, now: Moment, look: Look) -> Tile:
    facts: list[Line] = []
    level = Level.GOOD
    if seen.load_1m is not None:
        cores = look.say("{n} cores").format(n=seen.processors)
        facts.append(Fact(look.say("Load"), f"{seen.load_1m:.1f}", cores))
    if now.memory_share is not None:
        full = Level.WARN if now.memory_share > FULL_SHARE else Level.GOOD
        level = max(level, full)
        used = look.size(now.memory_share * seen.memory_bytes)
        total = look.say("of {size}").format(size=look.size(seen.memory_bytes))
        facts.append(Fact(look.say("Memory"), used, total, full or None))
    if now.temperature_c is None:
        facts.append(Fact(look.say("Temperature"), look.say("no sensor")))
    else:
        hot = Level.WARN if now.temperature_c > HOT_C else Level.GOOD
        level = max(level, hot)
        facts.append(Fact(look.say("Temperature"), _celsius(now.temperature_c, look), level=hot or None))
    return Tile(
        look.say("Load and heat"), look.say("in order") if not level else look.say("look at it"), level, tuple(facts)
    )


def _percent(value: float | None) -> str:
    return f"{round(value)}%" if value is not None else "-"


def _celsius(value: float, look: Look) -> str:
    return f"{round(value)} C" if look.plain else f"{round(value)} °C"


def level_of(service: Unit) -> Level:
    """One that failed is red; one that should run and does not, or that was started again and again, is amber."""
    if service.active == "failed":
        return Level.BAD
    if service.active in ("active", "reloading"):
        return Level.WARN if service.restarts else Level.GOOD
    return Level.WARN if service.is_enabled else Level.NOTE


def _services(found: Found, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("Service"), 34),
        Column(look.say("State"), 12),
        Column(look.say("Since"), 0),
        Column(look.say("Restarts"), 10, is_right=True),
        Column(look.say("At start"), 9, from_cells=100),
    )
    rows = tuple(
        TableRow(
            each.unit,
            (
                look.data(each.unit.removesuffix(".service")),
                state_of(each, look),
                look.ago(each.since_us, now_us) if each.since_us is not None else "-",
                f"{each.restarts}",
                look.say("yes") if each.is_enabled else look.say("no"),
            ),
            level_of(each),
        )
        for each in found.services
    )
    return Table(columns, rows, look.say("no service of the box is set up here"), is_searchable=False)


def state_of(service: Unit, look: Look) -> str:
    """In a word that people know."""
    words = {
        "active": look.say("runs"),
        "reloading": look.say("runs"),
        "activating": look.say("starts"),
        "deactivating": look.say("ends"),
        "inactive": look.say("stopped"),
        "failed": look.say("failed"),
    }
    return words.get(service.active, look.data(service.active, "-"))


def _opened(found: Found, now_us: int, look: Look, key: str) -> tuple[Block, ...]:
    service = next((each for each in found.services if each.unit == key), None)
    if service is None:
        return (Prose((look.say("There is nothing more to say of this."),)),)
    facts: list[Line] = [
        Fact(look.say("What it is"), look.data(service.about, "-")),
        Fact(look.say("State"), f"{service.active} ({service.sub})"),
        Fact(look.say("Since"), look.ago(service.since_us, now_us) if service.since_us is not None else "-"),
        Fact(look.say("Restarts"), f"{service.restarts}", level=Level.WARN if service.restarts else None),
    ]
    log = look.say("Its log: page Logs, or journalctl -u {unit}").format(unit=service.unit)
    again = look.say("As root: systemctl restart {unit}").format(unit=service.unit)
    facts.append(Advice(max(level_of(service), Level.NOTE), again, log))
    return (Tile(look.data(service.unit), state_of(service, look), level_of(service), tuple(facts)),)


def _accounts(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Account"), 20),
        Column(look.say("May act here"), 14),
        Column(look.say("Root by sudo"), 14),
        Column(look.say("Logged in"), 0),
    )
    yes, no = look.say("yes"), look.say("no")
    rows = tuple(
        TableRow(
            each.name,
            (
                look.data(each.name),
                yes if each.may_act else no,
                yes if each.is_admin else no,
                look.data(", ".join(each.at), "-"),
            ),
            Level.GOOD,
        )
        for each in found.accounts
    )
    return Table(columns, rows, look.say("no account is known"), is_searchable=False, opens=False)


def _backup(found: Found, now_us: int, look: Look) -> Iterator[Block]:
    fact = found.backup or BackupFact()
    if fact.last_us is None:
        word, level = look.say("none yet"), Level.WARN if fact.joined_us is not None else Level.NOTE
        facts: list[Line] = [Fact(look.say("Last"), look.say("none yet"), level=level)]
    else:
        is_old = now_us - fact.last_us > BACKUP_AMBER_US
        word, level = (look.say("too old"), Level.WARN) if is_old else (look.say("in order"), Level.GOOD)
        facts = [
            Fact(look.say("Last"), look.day_and_clock(fact.last_us), look.ago(fact.last_us, now_us), level or None),
            Fact(
                look.say("Kept"),
                look.count("{n} file", "{n} files", fact.count).format(n=fact.count),
                look.size(fact.size_bytes),
            ),
        ]
    facts.append(Fact(look.say("Where"), look.data(fact.path, "-")))
    if fact.at_hub_us is not None:
        at = look.day_and_clock(fact.at_hub_us)
        facts.append(Fact(look.say("Reached the hub"), at, look.ago(fact.at_hub_us, now_us)))
    if fact.code_shown_us is None:
        facts.append(
            Advice(
                Level.WARN,
                look.say("nobody has written down the recovery code"),
                look.say("songshan backup --show-code: write it on paper. Without it no backup can be read elsewhere."),
            )
        )
        level = max(level, Level.WARN)
    yield Tile(look.say("Backup"), word, level, tuple(facts))
    yield Prose(
        (
            look.say("In it: configuration, keys, database. Not in it: the media, which come again from the hub."),
            look.say("A backup is made every night by itself; key b makes one now."),
            look.say(
                "To restore: songshan restore FILE, on this machine or a new one. It is read and checked beside what is"
                " there, and only then put in its place; what was there is kept until then."
            ),
            look.say("What the box said after the backup comes back from the hub when the line is there."),
        ),
        look.say("Backup and restore"),
    )


def _reset(look: Look) -> Iterator[str]:
    """None of these is a key: each is typed, with the site's id, by somebody who is root."""
    yield look.say("1. songshan reset config: every option back to its default; the rest stays.")
    yield look.say("2. songshan reset keys: keys and configuration go, the box has to join again; the rest stays.")
    yield look.say(
        "3. songshan reset all: the database too; with --media all of it, for a box that leaves this county."
    )
    yield look.say(
        "As root, after systemctl stop songshan-agent. Each says what goes, and wants a reason and the site's id."
    )
    yield look.say(
        "Make a backup first, and ring the hub's operator. Until it has joined again the box plays what it has."
    )
