"""The page of the command desk's orders: what waits is first, and an answer needs no Chinese to be typed."""

import time
from pathlib import Path

import msgspec
import pytest

from appliance.core.command import Answer
from appliance.core.errors import OperatorError
from appliance.core.health import OrderFact
from appliance.core.records import Order
from appliance.store import desk
from appliance.store.database import transaction, writing
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import HEALTHY, HOUR_US, LOOKS, NOW_US
from tui.gather.orders import gather
from tui.gather.where import where
from tui.view.acts import Case
from tui.view.orders import ACTS, Found, sheet
from tui.view.sheet import PAGE_ROWS, Asked

NEW = OrderFact(
    id="o-2026-017",
    title="报送城关镇防汛值守画面，不少于三分钟，今晚七点新闻用",
    body="请于 18:00 前报送。\n\n要求：横屏，带现场声。联系人：张，0371-6288 0000",
    state="new",
    received_at_us=NOW_US - HOUR_US,
    due_us=NOW_US + 4 * HOUR_US,
)
LATE = msgspec.structs.replace(NEW, id="o-2026-011", title="庙会直播方案", due_us=NOW_US - HOUR_US, body="")
ACCEPTED = msgspec.structs.replace(
    NEW,
    id="o-2026-009",
    title="秋粮收购报道",
    state="answered",
    answer="accepted",
    note="已派记者",
    answered_by="王编辑",
    answered_at_us=NOW_US - HOUR_US // 2,
)
WITHDRAWN = msgspec.structs.replace(NEW, id="o-2026-003", title="已取消的任务", state="withdrawn", due_us=None)
FOUND = Found((LATE, NEW, ACCEPTED, WITHDRAWN))
STATES = {
    **with_faults(FOUND),
    "all answered": seen(Found((ACCEPTED,))),
    "none": seen(Found()),
    "opened": seen(Found((NEW,)), asked=Asked(opened=NEW.id)),
    "an answered one opened": seen(Found((ACCEPTED,)), asked=Asked(opened=ACCEPTED.id)),
    "an overdue one opened": seen(Found((LATE,)), asked=Asked(opened=LATE.id)),
    "gone since": seen(Found(), asked=Asked(opened="o-1")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("orders", STATES)


def test_orders_are_read_a_page_at_a_time_and_searched(tmp_path: Path) -> None:
    """The page goes on behind its last row, across the line between new and answered."""
    config, now_us = make_box(tmp_path), time.time_ns() // 1000
    with writing(config.database) as db, transaction(db):
        for number in range(PAGE_ROWS + 20):
            desk.receive_order(db, Order(f"o{number:04}", f"第 {number} 号", "", None), now_us - number)
        for number in range(40):
            desk.answer_order(db, f"o{number:04}", "done", "", "王", now_us)
    first = gather(where(tmp_path, {}), Asked())
    table = sheet(first, HEALTHY, LOOKS["zh"], Asked()).table
    assert table is not None
    second = gather(where(tmp_path, {}), Asked(after=table.next))
    expected = [f"o{number:04}" for number in (*range(40, PAGE_ROWS + 20), *range(40))]
    assert [each.id for each in (*first.orders, *second.orders)] == expected
    assert [each.id for each in gather(where(tmp_path, {}), Asked(words="第 7 号")).orders] == ["o0007"]
    assert [each.id for each in gather(where(tmp_path, {}), Asked(opened="o0099")).orders] == ["o0099"]
    with writing(config.database) as db, transaction(db):
        desk.receive_order(db, Order("flood", "防汛值守", "", None), now_us)
    assert [each.id for each in gather(where(tmp_path, {}), Asked(words="fxzs")).orders] == ["flood"]
    assert gather(where(tmp_path, {}), Asked(words="fxz9")).orders == ()


(ANSWER,) = ACTS


def case(each: OrderFact, **values: str) -> Case:
    return Case(Found((each,)), HEALTHY, LOOKS["en"], Asked(), each.id, values, "王工", "2026-11-24T06:03:00Z")


def test_an_answer_carries_what_was_chosen_and_who_said_it() -> None:
    """The note is in Chinese though the screen is in English: at the other end somebody reads it."""
    assert ANSWER.command is not None
    fields = {field.name: field for field in ANSWER.fields(case(NEW))}
    note, shown = fields["note"].choices[0]
    assert (fields["answer"].value, note, shown) == ("accepted", "已派记者", "a reporter is on the way")
    asked = case(NEW, answer="declined", note=note)
    assert ANSWER.command(asked) == Answer(order=NEW.id, answer="declined", note="已派记者", **asked.asked_by)
    with pytest.raises(OperatorError):
        ANSWER.command(case(NEW, answer=""))


def test_a_later_answer_is_offered_as_such_and_a_withdrawn_order_needs_none() -> None:
    """Accepted in the morning, done in the evening: the form begins with what comes next."""
    fields = {field.name: field for field in ANSWER.fields(case(ACCEPTED))}
    assert fields["answer"].value == "done"
    assert "It takes the place of the answer given before." in ANSWER.preview(case(ACCEPTED, answer="done"))
    assert [ANSWER.refusal(case(each)) is None for each in (NEW, LATE, ACCEPTED, WITHDRAWN)] == [
        True,
        True,
        True,
        False,
    ]
