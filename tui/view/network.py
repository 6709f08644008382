"""The network of the box: its cards, the way out, the line to the hub, and who may change it. PURE."""

from dataclasses import dataclass
from typing import Final, Literal

from appliance.core.errors import Text
from tui.keys import say
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view import tiles
from tui.view.acts import Act, Case, Weight
from tui.view.reading import Reading
from tui.view.sheet import Asked, Beside, Block, Column, Prose, Sheet, Table, TableRow

ERRORS_SHARE_MAX: Final = 1000
"""One bad packet among so many is a cable or a switch that is to be looked at."""

GIGABIT_MBIT: Final = 1000

Manager = Literal["netplan", "networkmanager", "networkd", "ifupdown", ""]


@dataclass(frozen=True)
class Card:
    """One network interface. `is_up`: a cable is in and the other end answers; counters since the machine started."""

    name: str
    is_up: bool
    is_on: bool = True
    """Switched on here; False: `ip link set NAME up` is missing."""
    speed_mbit_s: int = 0
    is_full_duplex: bool | None = None
    mtu: int = 0
    mac: str = ""
    addresses: tuple[str, ...] = ()
    received_bytes: int = 0
    sent_bytes: int = 0
    packets: int = 0
    errors: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Route:
    """A way out."""

    gateway: str
    card: str


@dataclass(frozen=True)
class Step:
    """One step of the test of the line: it took so long, and found that. `is_good` None: not reached."""

    name: Literal["name", "tcp", "key"]
    is_good: bool | None
    found: Text
    took_ms: float = 0.0


@dataclass(frozen=True)
class LineTest:
    """What came of the last test."""

    at_us: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Found:
    """What was read. `hub` is where the hub is, "" for a box that stands alone."""

    cards: tuple[Card, ...] = ()
    routes: tuple[Route, ...] = ()
    resolvers: tuple[str, ...] = ()
    hub: str = ""
    manager: Manager = ""
    test: LineTest | None = None


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The cards, or the one that was opened."""
    if found is None:
        return Sheet()
    if asked.opened is not None:
        card = next((each for each in found.cards if each.name == asked.opened), None)
        return Sheet(_opened(card, look) if card is not None else (Prose((look.say("This card is gone."),)),))
    return Sheet(
        (Beside((_hub(found, reading, look), _way_out(found, look))), _cards(found, look), _change(found, look))
    )


def _hub(found: Found, reading: Reading | None, look: Look) -> Tile:
    """The line as the agent knows it, and the last test where somebody asked for one."""
    snapshot = reading.snapshot if reading is not None else None
    facts: list[Line] = [Fact(look.say("Hub"), look.data(found.hub, look.say("stands alone")))]
    if snapshot is None:
        title, word, level = look.say("Line to the hub"), look.say("unknown"), Level.NOTE
    else:
        assert reading is not None
        link = tiles.link(snapshot, reading.at_us, look)
        title, word, level = look.say("Line to the hub"), link.word, link.level
        facts += [line for line in link.facts if not (isinstance(line, Fact) and line.label == look.say("Hub"))]
    if found.test is not None and reading is not None:
        facts += _tested(found.test, reading.at_us, look)
    elif found.hub:
        facts.append(Fact(look.say("Tested"), look.say("not yet"), look.say("key t")))
    return Tile(title, word, level, tuple(facts))


def _tested(test: LineTest, now_us: int, look: Look) -> list[Line]:
    names = {"name": look.say("Name lookup"), "tcp": look.say("TCP"), "key": look.say("Host key")}
    lines: list[Line] = [Fact(look.say("Tested"), look.ago(test.at_us, now_us))]
    for step in test.steps:
        if step.is_good is False:
            # A fact is cut at the end of its line, and here the end says what is wrong.
            lines.append(Advice(Level.WARN, f"{names[step.name]}: {look.of(step.found)}"))
            continue
        took = look.say("{n} ms").format(n=round(step.took_ms)) if step.is_good else ""
        lines.append(Fact(names[step.name], look.of(step.found), took, Level.GOOD if step.is_good else None))
    return lines


def _way_out(found: Found, look: Look) -> Tile:
    gateway = look.say("Gateway")
    facts: list[Line] = [Fact(gateway, look.data(route.gateway), look.data(route.card)) for route in found.routes]
    if not found.routes:
        facts.append(Fact(gateway, look.say("none"), level=Level.NOTE))
    facts.append(Fact(look.say("DNS"), look.data(", ".join(found.resolvers), look.say("none"))))
    up = [card for card in found.cards if card.is_up]
    if not up:
        hint = look.say("Look at the cable and the switch. The channel goes on: what airs is on the disk.")
        return Tile(
            look.say("Way out"),
            look.say("no cable"),
            Level.WARN,
            (*facts, Advice(Level.WARN, look.say("no card has a link"), hint)),
        )
    word, level = (look.say("known"), Level.GOOD) if found.routes else (look.say("none"), Level.NOTE)
    return Tile(look.say("Way out"), word, level, tuple(facts))


def _cards(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Card"), 11),
        Column(look.say("Link"), 12),
        Column(look.say("Speed"), 10, is_right=True),
        Column(look.say("Address"), 0),
        Column(look.say("Received"), 9, is_right=True),
        Column(look.say("Sent"), 8, is_right=True),
        Column(look.say("Errors"), 7, is_right=True, from_cells=100),
    )
    rows = tuple(
        TableRow(
            card.name,
            (
                look.data(card.name),
                _link(card, look),
                _speed(card, look),
                look.data(", ".join(card.addresses), "-"),
                look.size(card.received_bytes),
                look.size(card.sent_bytes),
                f"{card.errors:,}",
            ),
            level_of(card),
        )
        for card in found.cards
    )
    return Table(columns, rows, look.say("no network card"), look.say("Cards"), is_searchable=False)


def level_of(card: Card) -> Level:
    """A cable that is out may be meant; errors on one that is in are not."""
    if card.errors * ERRORS_SHARE_MAX > max(card.packets, ERRORS_SHARE_MAX):
        return Level.WARN
    return Level.GOOD if card.is_up and card.addresses else Level.NOTE


def _link(card: Card, look: Look) -> str:
    if not card.is_on:
        return look.say("switched off")
    return look.say("linked") if card.is_up else look.say("no cable")


def _speed(card: Card, look: Look) -> str:
    if not card.is_up or not card.speed_mbit_s:
        return "-"
    if card.speed_mbit_s >= GIGABIT_MBIT:
        return look.say("{n} Gbit/s").format(n=f"{card.speed_mbit_s / GIGABIT_MBIT:g}")
    return look.say("{n} Mbit/s").format(n=card.speed_mbit_s)


def _opened(card: Card, look: Look) -> tuple[Block, ...]:
    duplex = {True: look.say("full duplex"), False: look.say("half duplex"), None: ""}[card.is_full_duplex]
    facts: list[Line] = [
        Fact(look.say("Link"), _link(card, look)),
        Fact(look.say("Speed"), _speed(card, look), duplex, Level.WARN if card.is_full_duplex is False else None),
        *(Fact(look.say("Address"), look.data(address)) for address in card.addresses),
        Fact(look.say("MAC"), look.data(card.mac, "-")),
        Fact("MTU", str(card.mtu)),
        Fact(look.say("Received"), look.size(card.received_bytes)),
        Fact(look.say("Sent"), look.size(card.sent_bytes)),
        Fact(look.say("Errors"), f"{card.errors:,}", look.say("of {n} packets").format(n=f"{card.packets:,}")),
        Fact(look.say("Dropped"), f"{card.dropped:,}"),
    ]
    if level_of(card) is Level.WARN:
        text = look.say("one packet in {n} or more is broken").format(n=ERRORS_SHARE_MAX)
        facts.append(Advice(Level.WARN, text, look.say("Change the cable, then the port of the switch.")))
    return (Tile(look.data(card.name), _link(card, look), level_of(card), tuple(facts)),)


def _change(found: Found, look: Look) -> Tile:
    """This account may not; what to say on the telephone stands here."""
    ways = {
        "netplan": look.say("edit /etc/netplan/*.yaml, then netplan try: it goes back by itself after two minutes"),
        "networkmanager": look.say("nmtui"),
        "networkd": look.say("edit /etc/systemd/network/*.network, then networkctl reload"),
        "ifupdown": look.say("edit /etc/network/interfaces, then systemctl restart networking"),
        "": look.say("ask who set the machine up"),
    }
    text = look.say("Only root changes the network; the hub's operator can do it over the line.")
    return Tile(look.say("To change it"), "", Level.GOOD, (Advice(Level.NOTE, text, ways[found.manager]),))


def _cannot_test(case: Case) -> Text | None:
    if isinstance(case.found, Found) and not case.found.hub:
        return Text("本机独立运行，没有嵩山云可测", "this box stands alone: there is no hub to reach")
    return None


ACTS: Final = (Act("test", "t", say("Test the line"), Weight.LOOK, refusal=_cannot_test),)
