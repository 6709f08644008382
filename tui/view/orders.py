"""What the command desk asks (orders) and what this site answers; those without an answer first. PURE."""

from dataclasses import dataclass
from typing import Final, Literal, cast

from appliance.core.command import Answer, Command
from appliance.core.errors import OperatorError, Text
from appliance.core.health import OrderFact
from tui.keys import say
from tui.look import Look
from tui.rows import Fact, Level, Line, Tile
from tui.view.acts import Act, Case, Field, Weight
from tui.view.reading import Reading
from tui.view.sheet import PAGE_ROWS, Asked, Block, Column, Prose, Sheet, Table, TableRow

NOTES: Final = (
    Text("已派记者", "a reporter is on the way"),
    Text("正在制作，按时报送", "being made, will be sent in time"),
    Text("需要延期，另行说明", "more time is needed, we shall ring"),
    Text("已报送，请查收", "sent, please look"),
    Text("已播出", "it was aired"),
    Text("已刊发", "it was published"),
    Text("人手不足", "nobody is free"),
    Text("无相关素材", "there is no such material"),
    Text("不属本县，请转有关县", "not our county, please ask the one concerned"),
)
"""What is mostly said. It goes to the desk in Chinese; nobody has to type that."""


@dataclass(frozen=True)
class Found:
    """A page of orders, or the one that was opened."""

    orders: tuple[OrderFact, ...] = ()


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The list, or one order."""
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found or Found(), now_us, look, asked.opened))
    return Sheet((*_head(found, now_us, look), _table(found, now_us, look)))


def _head(found: Found | None, now_us: int, look: Look) -> tuple[Block, ...]:
    """How many wait, and how many of them are late."""
    if found is None:
        return ()
    new = [each for each in found.orders if each.state == "new"]
    late = sum(1 for each in new if _is_late(each, now_us))
    if not new:
        return (Tile(look.say("Orders"), look.say("all answered"), Level.GOOD),)
    words = look.say("{n} to answer").format(n=len(new))
    facts: tuple[Line, ...] = ()
    if late:
        facts = (Fact(look.say("Overdue"), str(late), level=Level.WARN),)
    return (Tile(look.say("Orders"), words, Level.WARN if late else Level.NOTE, facts),)


def _table(found: Found | None, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("Order"), 0),
        Column(look.say("State"), 9),
        Column(look.say("Due"), 11, is_right=True),
        Column(look.say("Came"), 11, is_right=True),
        Column(look.say("Answered by"), 12, from_cells=100),
        Column(look.say("Note"), 24, from_cells=100),
    )
    orders = found.orders if found is not None else ()
    rows = tuple(
        TableRow(
            each.id,
            (
                look.data(each.title, each.id),
                _state(each, look),
                look.clock(each.due_us, now_us) if each.due_us is not None else "-",
                look.clock(each.received_at_us, now_us),
                look.data(each.answered_by or "", ""),
                look.data(each.note or "", ""),
            ),
            _level(each, now_us),
        )
        for each in orders
    )
    last = orders[-1] if len(orders) >= PAGE_ROWS else None
    following = f"{int(last.state != 'new')} {last.received_at_us} {last.id}" if last is not None else ""
    return Table(columns, rows, look.say("unknown") if found is None else look.say("no orders"), next=following)


def _state(each: OrderFact, look: Look) -> str:
    if each.state == "withdrawn":
        return look.say("withdrawn")
    return _answers(look).get(each.answer or "", look.say("to answer"))


def _answers(look: Look) -> dict[str, str]:
    return {"accepted": look.say("accepted"), "done": look.say("done"), "declined": look.say("declined")}


def _is_late(each: OrderFact, now_us: int) -> bool:
    return each.state == "new" and each.due_us is not None and each.due_us < now_us


def _level(each: OrderFact, now_us: int) -> Level:
    if each.state != "new":
        return Level.GOOD
    return Level.WARN if _is_late(each, now_us) else Level.NOTE


def _opened(found: Found, now_us: int, look: Look, key: str) -> tuple[Block, ...]:
    each = next((order for order in found.orders if order.id == key), None)
    if each is None:
        return (Prose((look.say("This is done, or gone."),)),)
    age = look.ago(each.received_at_us, now_us)
    facts: list[Line] = [Fact(look.say("Came"), look.day_and_clock(each.received_at_us), age)]
    if each.due_us is not None:
        is_late = _is_late(each, now_us)
        facts.append(Fact(look.say("Due"), look.day_and_clock(each.due_us), level=Level.WARN if is_late else None))
    if each.answered_at_us is not None:
        by = look.data(each.answered_by or "", "-")
        facts.append(Fact(look.say("Answered by"), by, look.ago(each.answered_at_us, now_us)))
        facts.append(Fact(look.say("Note"), look.data(each.note or "", "-")))
    facts.append(Fact(look.say("Number"), each.id))
    body = tuple(look.data(line, "") for line in each.body.splitlines()) or (look.say("No more was said."),)
    tile = Tile(look.data(each.title, each.id), _state(each, look), _level(each, now_us), tuple(facts))
    return (tile, Prose(body, look.say("Text")))


def _of(case: Case) -> OrderFact | None:
    found = case.found if isinstance(case.found, Found) else Found()
    return next((each for each in found.orders if each.id == case.row), None)


def _fields(case: Case) -> tuple[Field, ...]:
    answers = tuple(_answers(case.look).items())
    each = _of(case)
    begins = "done" if each is not None and each.answer == "accepted" else "accepted"
    return (
        Field("answer", case.look.say("Answer"), "choice", answers, value=begins),
        Field(
            "note",
            case.look.say("Note"),
            "text",
            tuple((text.zh, case.look.of(text)) for text in NOTES),
            hint=case.look.say("Enter opens a list; or type"),
            chars_max=400,
        ),
    )


def _preview(case: Case) -> tuple[str, ...]:
    look, each = case.look, _of(case)
    answer = _answers(look).get(case.value("answer"), "-")
    title = look.data(each.title, each.id) if each is not None else case.row
    said = look.say("The desk is told of {title}: {answer}").format(title=title, answer=answer)
    note = (look.data(case.value("note"), ""),) if case.value("note") else ()
    again = (look.say("It takes the place of the answer given before."),) if each is not None and each.answer else ()
    return (said, *note, *again)


def _refusal(case: Case) -> Text | None:
    each = _of(case)
    if each is None:
        return Text("此调度指令已不在", "this order is gone")
    return Text("此调度指令已撤回", "this order was withdrawn") if each.state == "withdrawn" else None


def _command(case: Case) -> Command:
    answer = case.value("answer")
    if answer not in ("accepted", "done", "declined"):
        raise OperatorError(Text("请选接受、完成或谢绝", "choose accepted, done or declined"))
    said = cast("Literal['accepted', 'done', 'declined']", answer)
    return Answer(order=case.row, answer=said, note=case.value("note"), **case.asked_by)


ACTS: Final = (
    Act(
        "answer", "a", say("Answer"), Weight.BOX, _command, fields=_fields, preview=_preview, refusal=_refusal,
        needs_row=True,
    ),
)  # fmt: skip
