"""Submissions, orders, tips and the trail of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.errors import Refused, Text
from appliance.core.records import Order
from appliance.store import desk
from appliance.store.database import open_for_writing, rows
from tests.appliance.boxes import AT_US, S, asset, digest, item


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
