"""Submissions, orders, tips and the trail of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.command import Observed, Submit, Take, Tip
from appliance.core.errors import Refused, Text
from appliance.core.records import Order
from appliance.store import desk
from appliance.store.database import open_for_writing, rows
from tests.appliance.boxes import AT, AT_US, S, asset, digest, item


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    yield opened
    opened.close()


def test_a_submission_is_followed_until_the_receipt(db: Database) -> None:
    """An editor who dropped a file in sees where it stands."""
    sent = item("s1", assets=(asset("a"),), title="回传")
    desk.add_submission(db, "s1", sent, "回传.mp4", AT_US)
    desk.add_submission(db, "s1", sent, "twice.mp4", AT_US + S)
    assert [(each.file_name, each.digest, each.state) for each in desk.submissions(db)] == [
        ("回传.mp4", digest("a"), "waiting")
    ]
    assert [each for _fact, each in desk.open_submissions(db)] == [sent]
    desk.set_submission(db, "s1", "sending", AT_US + S)
    desk.set_submission(db, "s1", "accepted", AT_US + 2 * S, Text("已收", "taken"))
    assert desk.open_submissions(db) == ()
    found = desk.submissions(db)[0]
    assert (found.state, found.changed_at_us, found.reason) == ("accepted", AT_US + 2 * S, Text("已收", "taken"))


def test_a_receipt_is_final(db: Database) -> None:
    """A transfer that ends late must not hide what the hub said."""
    desk.add_submission(db, "s1", item("s1"), "a", AT_US)
    desk.set_submission(db, "s1", "refused", AT_US, Text("重复", "double"))
    desk.set_submission(db, "s1", "sent", AT_US + S)
    assert (desk.submissions(db)[0].state, desk.submissions(db)[0].reason) == ("refused", Text("重复", "double"))


def test_orders_stand_unanswered_first(db: Database) -> None:
    """What has to be done is on top."""
    for number in range(3):
        desk.receive_order(db, Order(id=f"o{number}", title="报送", due="2026-11-24T10:00:00Z"), AT_US + number * S)
    desk.answer_order(db, "o2", "accepted", "已派记者", "张工", AT_US + 9 * S)
    assert [(order.id, order.state) for order in desk.orders(db)] == [("o1", "new"), ("o0", "new"), ("o2", "answered")]
    answered = desk.orders(db)[-1]
    assert (answered.answer, answered.note, answered.answered_by) == ("accepted", "已派记者", "张工")


def test_an_order_that_comes_again_keeps_its_answer(db: Database) -> None:
    """After a rewind the hub sends again what was done long ago."""
    desk.receive_order(db, Order(id="o1", title="报送"), AT_US)
    desk.answer_order(db, "o1", "done", "", "张工", AT_US + S)
    desk.receive_order(db, Order(id="o1", title="报送（更正）"), AT_US + 2 * S)
    assert [(each.title, each.state, each.answer) for each in desk.orders(db)] == [("报送（更正）", "answered", "done")]


def test_answering_what_nobody_asked_is_refused(db: Database) -> None:
    """The slip is told with the order's name."""
    with pytest.raises(Refused, match="o9"):
        desk.answer_order(db, "o9", "done", "", "x", AT_US)


def test_a_tip_is_kept_once(db: Database) -> None:
    """What a citizen wrote is neither lost nor doubled."""
    for _time in range(2):
        desk.add_tip(db, "t1", "路灯不亮", "138", AT_US)
    assert rows(db, "SELECT * FROM tips") == [{"id": "t1", "text": "路灯不亮", "contact": "138", "at_us": AT_US}]


def test_a_file_that_held_no_command_is_on_record_too(db: Database) -> None:
    """The audit trail has no gaps."""
    for _time in range(2):
        desk.note_unreadable(db, "00000000000000000001-aaaaaaaaaaaa", Text("不是命令", "no command"), AT_US)
    assert [(each.kind, each.outcome) for each in desk.audit(db)] == [("?", "refused")]


def test_the_trail_says_who_why_and_what_page_by_page(db: Database) -> None:
    """A supervisor asks months later; what a probe notes each minute must not bury what a person did."""
    for number in range(5):
        taken = Take(item=f"i-{number}", by="张工", via="tui", at=AT, reason="今晚要用")
        desk.carry_out(db, f"{number:020d}-a", taken, lambda _db: None)
    heard = Observed(
        channel="c", first_tick=0, last_tick=9, continuity_errors=0, output="x", by="probe", via="playout", at=AT
    )
    desk.carry_out(db, "9", heard, lambda _db: None)
    first = desk.audit_page(db, "", "", 3)
    assert [(each.about, each.by, each.why) for each in first] == [
        (f"i-{number}", "张工", "今晚要用") for number in (4, 3, 2)
    ]
    assert [each.about for each in desk.audit_page(db, "", first[-1].name, 3)] == ["i-1", "i-0"]
    assert [each.about for each in desk.audit_page(db, "I-3", "", 3)] == ["i-3"]
    assert desk.audit_page(db, "100%", "", 3) == ()


def test_a_citizens_words_are_in_no_trail(db: Database) -> None:
    """They can be redacted where they stand; nobody would look for them here."""
    desk.carry_out(db, "1", Tip(text="张三", contact="138", by="app", via="web", at=AT), lambda _db: None)
    desk.carry_out(db, "2", Submit(title="张三", files=("张三.mp4",), by="x", via="drop", at=AT), lambda _db: None)
    assert "张三" not in str(rows(db, "SELECT * FROM commands"))
