"""What this site sent up, and where each of it stands until the hub's receipt and after. PURE."""

from typing import Final

from appliance.core.health import SubmissionFact
from appliance.core.market import Part
from tui.look import Look
from tui.rows import Fact, Level, Line, Tile
from tui.view.parts import parts_tile
from tui.view.sheet import PAGE_ROWS, Block, Column, Prose, Table, TableRow

LEVELS: Final = {"waiting": Level.NOTE, "refused": Level.WARN}


def table(submissions: tuple[SubmissionFact, ...] | None, now_us: int, look: Look) -> Table:
    """The newest first; None where nobody could look."""
    columns = (
        Column(look.say("Title"), 0),
        Column(look.say("File"), 24, from_cells=100),
        Column(look.say("State"), 16),
        Column(look.say("Handed in"), 11, is_right=True),
        Column(look.say("Since"), 13, is_right=True),
    )
    rows = tuple(
        TableRow(
            each.id,
            (
                look.data(each.title, each.id),
                look.data(each.file_name, "-"),
                _state(each, look),
                look.clock(each.created_at_us, now_us),
                look.ago(each.changed_at_us, now_us),
            ),
            LEVELS.get(each.state, Level.GOOD),
        )
        for each in submissions or ()
    )
    last = submissions[-1] if submissions and len(submissions) >= PAGE_ROWS else None
    following = f"{last.created_at_us} {last.id}" if last is not None else ""
    empty = look.say("unknown") if submissions is None else look.say("nothing was sent up: put a file into drop/")
    return Table(columns, rows, empty, next=following)


def opened(
    submissions: tuple[SubmissionFact, ...], parts: tuple[Part, ...], now_us: int, look: Look, key: str
) -> tuple[Block, ...]:
    """All that is known of one."""
    each = next((submission for submission in submissions if submission.id == key), None)
    if each is None:
        return (Prose((look.say("This is done, or gone."),)),)
    facts: list[Line] = [
        Fact(look.say("Handed in"), look.day_and_clock(each.created_at_us), look.ago(each.created_at_us, now_us)),
        Fact(_state(each, look), look.day_and_clock(each.changed_at_us), look.ago(each.changed_at_us, now_us)),
        Fact(look.say("Number"), each.item),
    ]
    level = LEVELS.get(each.state, Level.GOOD)
    tile = Tile(look.data(each.title, each.id), _state(each, look), level, tuple(facts))
    files = (parts_tile(parts, look),) if parts else ()
    asked = look.say("Why refused") if each.state == "refused" else look.say("Why")
    why = (Prose((look.of(each.reason),), asked),) if each.reason is not None else ()
    return (tile, *files, *why, Prose((_what_next(each, look),)))


def _state(each: SubmissionFact, look: Look) -> str:
    words = {
        "waiting": look.say("waiting"),
        "sending": look.say("being sent"),
        "sent": look.say("sent, no receipt"),
        "accepted": look.say("received"),
        "refused": look.say("refused"),
    }
    return words[each.state]


def _what_next(each: SubmissionFact, look: Look) -> str:
    words = {
        "waiting": look.say("It goes up by itself once the line is free; offline it waits as long as it must."),
        "sending": look.say("It is on its way; broken off it goes on from where it was."),
        "sent": look.say("All of it is at the hub, whose receipt has not come yet."),
        "accepted": look.say("The hub has it and has said so."),
        "refused": look.say("Mend what the reason says and hand it in again: drop/ or songshan submit."),
    }
    return words[each.state]
