"""The first start of a box: language, the bundle to join with, the line, the time, a summary, one yes. PURE.

Nothing is changed before the last step, and nothing need be typed: the bundle lies on a stick and says which county
this is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.core.alarms import YEAR_2025_US
from appliance.core.errors import Text
from appliance.core.first_boot import WORDS, Told
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view.network import LineTest
from tui.view.reading import Reading
from tui.view.sheet import Asked, Block, Column, Prose, Sheet, Tab, Table, TableRow

BUNDLE: Final = "bundle"
LINE: Final = "line"
TIME: Final = "time"
JOIN: Final = "join"


@dataclass(frozen=True)
class Offer:
    """A file that may be a bundle. `problem` says why it is none; then the rest is empty."""

    path: str
    site: str = ""
    name: str = ""
    hub: str = ""
    zone: str = ""
    channels: int = 0
    expires_us: int | None = None
    problem: Text | None = None


@dataclass(frozen=True)
class Joined:
    """What this box is by now. `fingerprint` is what the hub's operator compares on the telephone."""

    site: str
    name: str
    fingerprint: str = ""
    hub: str = ""


@dataclass(frozen=True)
class Found:
    """`chosen` is the path of the bundle that is to be used, "" while none is."""

    offers: tuple[Offer, ...] = ()
    chosen: str = ""
    unmounted: tuple[str, ...] = ()
    """Sticks that are in and not mounted."""
    test: LineTest | None = None
    time_source: str = ""
    is_synchronised: bool | None = None
    joined: Joined | None = None
    told: Told | None = None
    """What the unit of the first boot does by itself, where it runs."""

    @property
    def offer(self) -> Offer | None:
        """The bundle that is to be used."""
        return next((each for each in self.offers if each.path == self.chosen and each.problem is None), None)


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The step that is asked for."""
    tabs = (
        Tab("", look.say("1 Language")),
        Tab(BUNDLE, look.say("2 Bundle")),
        Tab(LINE, look.say("3 Line")),
        Tab(TIME, look.say("4 Time")),
        Tab(JOIN, look.say("5 Join")),
    )
    if found is None:
        return Sheet(tabs=tabs, tab=asked.tab)
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        offer = next((each for each in found.offers if each.path == asked.opened), None)
        return Sheet(tuple(_opened(offer, now_us, look)))
    blocks: tuple[Block, ...]
    match asked.tab:
        case "bundle":
            blocks = (_offers(found, now_us, look), *_no_bundle(found, look))
        case "line":
            blocks = (_line(found, now_us, look), Prose((look.say("Tab: on to the time."),)))
        case "time":
            blocks = (_time(found, now_us, look), Prose((look.say("Tab: on to the summary."),)))
        case "join":
            blocks = (_summary(found, now_us, look), *_after(found, look))
        case _:
            blocks = (*_by_itself(found, look), _welcome(found, now_us, look))
    return Sheet(blocks, tabs=tabs, tab=asked.tab)


def _welcome(found: Found, now_us: int, look: Look) -> Prose:
    texts = [
        look.say("Key l changes the language, here and everywhere else."),
        look.say("Five steps make this machine the box of a county. Tab leads to the next, Shift+Tab back."),
        look.say("Nothing is changed before the last one, and nothing has to be typed."),
        look.say(
            "You need the bundle that the hub's operator made for this county: a small file, on a stick or copied here."
        ),
    ]
    if found.joined is not None:
        texts.insert(0, look.say("This box has joined already: {site}.").format(site=place_of(found.joined, look)))
    if now_us < YEAR_2025_US:
        texts.append(look.say("The clock of this machine is wrong: see step 4 first."))
    return Prose(tuple(texts), look.say("Welcome"))


def _by_itself(found: Found, look: Look) -> Iterator[Tile]:
    """What happens without anybody's keys: a technician who has come with a stick reads here how far it is."""
    told = found.told
    if told is None or found.joined is not None:
        return
    facts: list[Line] = []
    if told.site:
        facts.append(Fact(look.say("County"), place_of(Joined(told.site, told.name), look)))
    if told.place:
        facts.append(Fact(look.say("File"), look.data(told.place)))
    if told.hub:
        facts.append(Fact(look.say("Hub"), look.data(told.hub)))
    if told.tries:
        facts.append(Fact(look.say("Tries"), f"{told.tries}"))
    level = Level.WARN if told.problem is not None else Level.NOTE
    words = look.of(WORDS[told.phase])
    if told.problem is not None:
        facts.append(Advice(level, look.of(told.problem), words))
    else:
        facts.append(Advice(level, words))
    yield Tile(look.say("By itself"), look.say("under way"), level, tuple(facts))


def place_of(who: Offer | Joined, look: Look) -> str:
    """The county's name where it can be drawn, and its id."""
    name = look.data(who.name, "")
    return f"{name} ({look.data(who.site)})" if name else look.data(who.site)


def _offers(found: Found, now_us: int, look: Look) -> Table:
    columns = (
        Column("", 2),
        Column(look.say("County"), 28),
        Column(look.say("Hub"), 22, from_cells=100),
        Column(look.say("Good until"), 12),
        Column(look.say("File"), 0),
    )
    rows = tuple(
        TableRow(
            each.path,
            (
                "*" if each.path == found.chosen and each.problem is None else "",
                place_of(each, look) if each.problem is None else look.say("no bundle"),
                look.data(each.hub, "-"),
                look.clock(each.expires_us, now_us) if each.expires_us is not None else "-",
                look.data(each.path),
            ),
            level_of(each, now_us),
        )
        for each in found.offers
    )
    return Table(columns, rows, look.say("no bundle was found"), look.say("Bundles"), is_searchable=False)


def level_of(offer: Offer, now_us: int) -> Level:
    """What cannot be used is amber, and what has run out by this machine's clock, which may be wrong."""
    if offer.problem is not None:
        return Level.WARN
    return Level.WARN if has_run_out(offer, now_us) else Level.GOOD


def has_run_out(offer: Offer, now_us: int) -> bool:
    """Whether its claim is past its time by this clock. Joining is not refused for that: the hub has the word."""
    return offer.expires_us is not None and now_us > offer.expires_us


def _no_bundle(found: Found, look: Look) -> Iterator[Prose]:
    texts = [
        look.say("Put the stick in and mount it; files are found on sticks, in /etc/songshan and in the home folder.")
    ]
    texts += [
        look.say("A stick is in and not mounted. As root: mount {device} /mnt").format(device=device)
        for device in found.unmounted
    ]
    if len([each for each in found.offers if each.problem is None]) > 1:
        texts = [look.say("More than one: move to the right one, key c chooses it.")]
    elif found.offer is not None:
        texts = [look.say("This one is used. Tab: on to the line.")]
    yield Prose(tuple(texts))


def _line(found: Found, now_us: int, look: Look) -> Tile:
    title = look.say("Line to the hub")
    if found.offer is None:
        return Tile(
            title,
            look.say("no bundle yet"),
            Level.NOTE,
            (Advice(Level.NOTE, look.say("Step 2 comes first: the bundle says where the hub is.")),),
        )
    facts: list[Line] = [Fact(look.say("Hub"), look.data(found.offer.hub))]
    if found.test is None:
        facts.append(
            Advice(Level.NOTE, look.say("not tested"), look.say("Key t reaches it: name, connection, host key."))
        )
        return Tile(title, look.say("not tested"), Level.NOTE, tuple(facts))
    names = {"name": look.say("Name lookup"), "tcp": look.say("TCP"), "key": look.say("Host key")}
    for step in found.test.steps:
        level = Level.GOOD if step.is_good else Level.WARN
        facts.append(
            Fact(names[step.name], look.of(step.found), look.say("{n} ms").format(n=round(step.took_ms)), level)
        )
    facts.append(Fact(look.say("Tested"), look.ago(found.test.at_us, now_us)))
    is_good = _reaches(found)
    if not is_good:
        hint = look.say("Look at the cable and at page Network (6), then key t again. To join, the line is needed.")
        facts.append(Advice(Level.WARN, look.say("the hub cannot be reached"), hint))
    return Tile(
        title, look.say("good") if is_good else look.say("broken"), Level.GOOD if is_good else Level.WARN, tuple(facts)
    )


def _reaches(found: Found) -> bool:
    return found.test is not None and all(step.is_good for step in found.test.steps)


def _time(found: Found, now_us: int, look: Look) -> Tile:
    facts: list[Line] = [Fact(look.say("Clock"), look.day_and_clock(now_us))]
    if found.offer is not None:
        facts.append(Fact(look.say("Time zone"), look.data(found.offer.zone)))
    facts.append(Fact(look.say("Time server"), look.data(found.time_source, look.say("none"))))
    if now_us < YEAR_2025_US:
        hint = look.say('As root: timedatectl set-time "2026-11-24 14:03:00"; then look at the battery of the machine.')
        facts.append(Advice(Level.BAD, look.say("the clock is wrong"), hint))
        return Tile(look.say("Time"), look.say("wrong"), Level.BAD, tuple(facts))
    if not found.is_synchronised:
        hint = look.say(
            "Compare it with a clock that you trust. The channel follows it; the hub can be the time server."
        )
        facts.append(Advice(Level.NOTE, look.say("no time server is followed yet"), hint))
        return Tile(look.say("Time"), look.say("compare"), Level.NOTE, tuple(facts))
    return Tile(look.say("Time"), look.say("in order"), Level.GOOD, tuple(facts))


def _summary(found: Found, now_us: int, look: Look) -> Tile:
    """What will be, line by line."""
    offer = found.offer
    if found.joined is not None:
        joined = found.joined
        facts: tuple[Line, ...] = (
            Fact(look.say("County"), place_of(joined, look)),
            Fact(look.say("Hub"), look.data(joined.hub, "-")),
            Fact(look.say("Fingerprint"), look.data(joined.fingerprint, "-")),
        )
        return Tile(look.say("Joined"), look.say("done"), Level.GOOD, facts)
    if offer is None:
        return Tile(
            look.say("Summary"),
            look.say("no bundle yet"),
            Level.NOTE,
            (Advice(Level.NOTE, look.say("Step 2 comes first: the bundle says where the hub is.")),),
        )
    lines: list[Line] = [
        Fact(look.say("Language"), look.say("English")),
        Fact(look.say("County"), place_of(offer, look)),
        Fact(look.say("Channels"), f"{offer.channels}"),
        Fact(look.say("Hub"), look.data(offer.hub)),
        Fact(
            look.say("Line to the hub"),
            look.say("good")
            if _reaches(found)
            else look.say("not tested")
            if found.test is None
            else look.say("broken"),
            level=None if _reaches(found) else Level.NOTE if found.test is None else Level.WARN,
        ),
        Fact(look.say("Time"), look.day_and_clock(now_us), level=Level.BAD if now_us < YEAR_2025_US else None),
    ]
    if has_run_out(offer, now_us):
        hint = look.say("Ask the hub's operator for a new one.")
        lines.append(Advice(Level.WARN, look.say("the bundle has run out"), hint))
    else:
        lines.append(Advice(Level.NOTE, look.say("ready"), look.say("Key o: join. That is the one yes.")))
    return Tile(look.say("Summary"), look.say("not joined"), Level.NOTE, tuple(lines))


def _after(found: Found, look: Look) -> Iterator[Prose]:
    if found.joined is None:
        return
    yield Prose(
        (
            look.say("Ring the hub's operator and read the fingerprint out; they compare it and approve this box."),
            look.say("If the services do not run yet, as root: systemctl enable --now songshan-agent songshan-web"),
            look.say("Key 1: the overview. The box fetches what it needs by itself, and goes on the air."),
        ),
        look.say("What comes next"),
    )


def _opened(offer: Offer | None, now_us: int, look: Look) -> Iterator[Block]:
    if offer is None:
        yield Prose((look.say("This file is gone."),))
        return
    if offer.problem is not None:
        yield Tile(
            look.data(offer.path), look.say("no bundle"), Level.WARN, (Advice(Level.WARN, look.of(offer.problem)),)
        )
        return
    facts = (
        Fact(look.say("County"), place_of(offer, look)),
        Fact(look.say("Channels"), f"{offer.channels}"),
        Fact(look.say("Hub"), look.data(offer.hub)),
        Fact(look.say("Time zone"), look.data(offer.zone)),
        Fact(look.say("Good until"), look.day_and_clock(offer.expires_us) if offer.expires_us is not None else "-"),
    )
    yield Tile(look.data(offer.path), "", level_of(offer, now_us), facts)
