"""Records that wait: held ones for a fresh signature of the hub, parked ones for an upgrade or a person. PURE."""

from dataclasses import dataclass
from typing import Final

from appliance.core.errors import Text
from tui.look import Look
from tui.rows import Advice, Fact, Level, Tile
from tui.view.sheet import PAGE_ROWS, Block, Column, Prose, Table, TableRow

HELD: Final = "held"
PARKED: Final = "parked"


@dataclass(frozen=True)
class Waiting:
    """A record that is here and was not done. `about` is its key: a story, an asset, an order."""

    stream: str
    epoch: int
    seq: int
    kind: str
    about: str
    reason: Text

    @property
    def place(self) -> str:
        return f"{self.stream} {self.epoch} {self.seq}"


def place_of(key: str) -> tuple[str, int, int]:
    """Stream, epoch and sequence of a row."""
    stream, epoch, seq = key.split(" ")
    return stream, int(epoch), int(seq)


def blocks(records: tuple[Waiting, ...] | None, side: str, look: Look) -> tuple[Block, ...]:
    """What it means for them to wait and what to do, then the records; None where nobody could look."""
    columns = (
        Column(look.say("Stream"), 18),
        Column(look.say("Stands at"), 9, is_right=True),
        Column(look.say("Kind"), 9),
        Column(look.say("About"), 14),
        Column(look.say("Why"), 0),
    )
    rows = tuple(
        TableRow(
            each.place,
            (
                look.data(each.stream),
                f"{each.epoch}:{each.seq}",
                _kind(each.kind, look),
                look.data(each.about, "-"),
                look.of(each.reason),
            ),
            Level.WARN,
        )
        for each in records or ()
    )
    following = records[-1].place if records and len(records) >= PAGE_ROWS else ""
    empty = look.say("nothing is held") if side == HELD else look.say("nothing is parked")
    empty = look.say("unknown") if records is None else empty
    table = Table(columns, rows, empty, next=following, is_searchable=False)
    return (*((_advice(side, look),) if records else ()), table)


def _advice(side: str, look: Look) -> Tile:
    if side == HELD:
        return Tile(
            look.say("Held until the hub signs anew"),
            "",
            Level.WARN,
            (
                Advice(
                    Level.WARN,
                    look.say("What takes something away is done only under a fresh signature of the hub."),
                    look.say("Nothing to do: done by themselves once the line is back. Urgent: ring the hub."),
                ),
            ),
        )
    return Tile(
        look.say("Parked: could not be applied"),
        "",
        Level.WARN,
        (
            Advice(
                Level.WARN,
                look.say("The other records went on. An unknown kind is applied by itself after the upgrade."),
                look.say("Mended what the reason says? t tries one again, a all of them."),
            ),
        ),
    )


def opened(records: tuple[Waiting, ...], side: str, key: str, look: Look) -> tuple[Block, ...]:
    """One of them; it may be done since the row was chosen."""
    each = next((record for record in records if record.place == key), None)
    if each is None:
        return (Prose((look.say("This is done, or gone."),)),)
    facts = (
        Fact(look.say("Kind"), _kind(each.kind, look)),
        Fact(look.say("About"), look.data(each.about, "-")),
    )
    word = look.say("held") if side == HELD else look.say("parked")
    return (Tile(key, word, Level.WARN, facts), Prose((look.of(each.reason),), look.say("Why")), _advice(side, look))


def _kind(kind: str, look: Look) -> str:
    words = {
        "recall": look.say("recall"),
        "redact": look.say("redaction"),
        "item": look.say("story"),
        "offer": look.say("offer"),
        "order": look.say("order"),
        "schedule": look.say("schedule"),
        "template": look.say("template"),
        "filler": look.say("filler"),
        "insert": look.say("insertion"),
        "receipt": look.say("receipt"),
    }
    return words.get(kind, look.data(kind))
