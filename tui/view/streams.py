"""How far each stream has come, and what parts it from its other end: forks, fences, rewinds. PURE."""

from typing import Final

from appliance.core.health import StreamFact
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view import tiles
from tui.view.reading import Reading
from tui.view.sheet import Block, Column, Prose, Table, TableRow

STREAMS: Final = "streams"


def blocks(reading: Reading | None, now_us: int, look: Look) -> tuple[Block, ...]:
    """What parts them stands above them, with what to do."""
    columns = (
        Column(look.say("Stream"), 17),
        Column(look.say("What it carries"), 0),
        Column(look.say("Stands at"), 9, is_right=True),
        Column(look.say("Signed"), 12, is_right=True),
        Column(look.say("Next by"), 11, is_right=True, from_cells=100),
    )
    snapshot = reading.snapshot if reading is not None else None
    streams = snapshot.sync.streams if snapshot is not None else ()
    rows = tuple(
        TableRow(
            each.stream,
            (
                look.data(each.stream),
                _carries(each.stream, look),
                f"{each.epoch}:{each.seq}",
                look.ago(each.checkpoint_at_us, now_us) if each.checkpoint_at_us is not None else "-",
                look.clock(each.next_by_us, now_us) if each.next_by_us is not None else "-",
            ),
            _level_of_stream(each, reading, now_us),
        )
        for each in streams
    )
    empty = look.say("unknown") if reading is None or reading.is_unread else look.say("no stream yet")
    table = Table(columns, rows, empty, is_searchable=False)
    advice = _what_parts_them(reading, "", look)
    worst = max((line.level for line in advice), default=Level.GOOD)
    return (*((Tile(look.say("Not in step"), "", worst, advice),) if advice else ()), table)


def _carries(stream: str, look: Look) -> str:
    scope, _, name = stream.partition("/")
    words = {
        "control": look.say("recalls, orders, schedules"),
        "content": look.say("stories and files"),
        "report": look.say("what this site says"),
    }
    carried = words.get(name, name)
    return look.say("to all: {what}").format(what=carried) if scope == "all" else carried


def _level_of_stream(each: StreamFact, reading: Reading | None, now_us: int) -> Level:
    snapshot = reading.snapshot if reading is not None else None
    alarmed = tiles.level_of(snapshot, f"raised:stream:{each.stream}") if snapshot is not None else Level.GOOD
    is_overdue = each.next_by_us is not None and each.next_by_us < now_us
    return max(alarmed, Level.NOTE if is_overdue else Level.GOOD)


def opened(stream: str, reading: Reading | None, now_us: int, look: Look) -> tuple[Block, ...]:
    """All that is known of a stream, and what to do where histories part."""
    snapshot = reading.snapshot if reading is not None else None
    each = next((each for each in snapshot.sync.streams if each.stream == stream), None) if snapshot else None
    if each is None or snapshot is None:
        is_unread = reading is None or reading.is_unread
        return (Prose((look.say("unknown") if is_unread else look.say("This is done, or gone."),)),)
    facts: list[Line] = [
        Fact(look.say("What it carries"), _carries(stream, look)),
        Fact(look.say("Stands at"), look.say("epoch {epoch}, record {seq}").format(epoch=each.epoch, seq=each.seq)),
    ]
    if each.checkpoint_at_us is not None:
        age = look.ago(each.checkpoint_at_us, now_us)
        facts.append(Fact(look.say("Signed"), look.day_and_clock(each.checkpoint_at_us), age))
    if each.next_by_us is not None:
        facts.append(Fact(look.say("Next by"), look.clock(each.next_by_us, now_us)))
    if stream.endswith("/report"):
        facts.append(Fact(look.say("To send"), str(snapshot.sync.unsent_records)))
    advice = _what_parts_them(reading, stream, look)
    level = _level_of_stream(each, reading, now_us)
    word = look.say("not in step") if advice else look.say("one history")
    return (
        Tile(look.data(stream), word, level, (*facts, *advice)),
        Prose(
            (
                look.say(
                    "Epoch: a history parts where its writer came back from an older copy; what goes on is a new epoch,"
                    " and what was lost there is issued again by itself."
                ),
                look.say(
                    "Two machines with one identity: switch off the one that is not meant, then the hub's operator"
                    " chooses the other. Never restore, clone or delete anything meanwhile. The air goes on."
                ),
            ),
            look.say("Where histories part"),
        ),
    )


def _what_parts_them(reading: Reading | None, stream: str, look: Look) -> tuple[Advice, ...]:
    """Forks, fences, rewinds, a hub that signs nothing: the alarms about streams, or about one of them."""
    if reading is None or reading.snapshot is None:
        return ()
    wanted = (f"raised:stream:{stream}",) if stream else ("raised:stream:", "raised:hub-key", "hub-view", "held")
    return tuple(
        Advice(
            tiles.SEVERITIES[alarm.severity],
            look.of(alarm.text),
            look.of(alarm.hint),
            look.ago(alarm.since_us, reading.at_us),
        )
        for alarm in reading.snapshot.alarms
        if alarm.id.startswith(wanted)
    )
