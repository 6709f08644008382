"""What was wrong and is over can be looked up, within a bound, also where it flaps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.ended import Ended
from appliance.core.errors import Text
from appliance.core.health import Agent, Alarm, Finding
from appliance.store import alarm_log, facts
from appliance.store.database import open_for_writing, rows
from tests.appliance.boxes import AT_US, S, box


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    yield opened
    opened.close()


def alarm(identity: str, since_us: int) -> Alarm:
    said = Text(f"{identity} 坏了", f"{identity} broke")
    return Alarm(id=identity, severity="amber", text=said, hint=said, since_us=since_us)


def test_an_alarm_that_is_over_stands_in_the_history_with_its_beginning_and_end(tmp_path: Path) -> None:
    """Both kinds: what every look finds anew, and what the agent raised."""
    config = box(tmp_path)
    db = open_for_writing(config.database)
    facts.keep_alarms(db, facts.snapshot(db, config, AT_US).alarms, AT_US)
    facts.raise_alarm(db, Finding(id="fork", severity="red", text=Text("分叉", "fork"), hint=Text("", "")), AT_US)
    assert alarm_log.history(db) == ()
    facts.set_status(db, Agent(pid=7), AT_US + 60 * S)
    facts.keep_alarms(db, facts.snapshot(db, config, AT_US + 60 * S).alarms, AT_US + 60 * S)
    facts.clear_alarm(db, "fork", AT_US + 90 * S)
    found = [(each.id, each.severity, each.since_us, each.ended_us) for each in alarm_log.history(db)]
    assert found[0] == ("raised:fork", "red", AT_US, AT_US + 90 * S)
    assert ("agent", "red", AT_US, AT_US + 60 * S) in found
    db.close()


def test_what_comes_back_within_minutes_is_one_row_that_counts(db: Database) -> None:
    """A loose plug must not push a year out of the history."""
    for number in range(100):
        begins_us = AT_US + number * 60 * S
        alarm_log.ended(db, [alarm("link", begins_us)], begins_us + 20 * S)
    (found,) = alarm_log.history(db)
    assert (found.times, found.since_us, found.ended_us) == (100, AT_US, AT_US + (99 * 60 + 20) * S)
    alarm_log.ended(db, [alarm("link", AT_US + 99_999 * S)], AT_US + 100_000 * S)
    assert [each.times for each in alarm_log.history(db)] == [1, 100]


def test_the_history_is_bounded_and_the_oldest_goes(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk is not filled by what went wrong on it."""
    monkeypatch.setattr(alarm_log, "KEPT_MAX", 10)
    for number in range(25):
        alarm_log.ended(db, [alarm(f"a{number}", AT_US)], AT_US + number * S)
    assert [each.id for each in alarm_log.history(db)] == [f"a{number}" for number in range(24, 14, -1)]


def test_the_history_is_read_page_by_page_with_the_times_nobody_kept_watch(db: Database) -> None:
    """Each row once, whatever the pages."""
    for number in range(7):
        alarm_log.ended(db, [alarm(f"a{number}", AT_US)], AT_US + number // 2 * S)
    db.conn.execute("INSERT INTO absences VALUES (?, ?, 'off')", (AT_US, AT_US + 2 * S))
    found: list[Ended] = []
    while page := alarm_log.history(db, before=found[-1].place if found else (2**62, ""), limit=2):
        found += page
    assert [each.id for each in found] == ["a6", "a4", "a5", f"off:{AT_US}", "a2", "a3", "a0", "a1"]
    assert [each.id for each in alarm_log.history(db, "A3 坏")] == ["a3"]
    assert len(rows(db, "SELECT 1 FROM alarm_log")) == 7
