"""A reading comes from any box, however broken."""

import sqlite3
from dataclasses import replace
from pathlib import Path

from appliance.config import config_path
from appliance.core.health import Snapshot
from tests.tui.boxes import make_box, run_agent_once
from tui.gather.box import look_at, zone_of
from tui.gather.where import Where
from tui.pages import PAGES
from tui.view.reading import Reading
from tui.view.sheet import Asked


def gather(home: Path, environ: dict[str, str]) -> Reading:
    """What every page knows of the box."""
    return look_at(home, environ, PAGES[0], Asked()).reading


def snapshot_of(reading: Reading) -> Snapshot:
    assert reading.snapshot is not None
    return reading.snapshot


def alarm_ids(reading: Reading) -> list[str]:
    return [alarm.id for alarm in snapshot_of(reading).alarms]


def test_a_box_whose_agent_runs_is_read_from_its_database(tmp_path: Path) -> None:
    """The screens need no web server and no agent to answer them."""
    run_agent_once(make_box(tmp_path))
    reading = gather(tmp_path, {})
    assert snapshot_of(reading).agent.state == "running"
    assert snapshot_of(reading).link.state == "alone"
    assert "database" not in alarm_ids(reading)


def test_a_box_without_a_database_is_a_reading(tmp_path: Path) -> None:
    """The technician starts the screens before the agent has ever run."""
    make_box(tmp_path)
    assert alarm_ids(gather(tmp_path, {})) == ["database"]


def test_a_box_that_was_never_enrolled_says_what_to_do(tmp_path: Path) -> None:
    """On the day the box comes out of its carton there is no config."""
    reading = gather(tmp_path, {})
    assert reading.snapshot is None
    assert "there is no" in reading.problems[0].en
    assert reading.hint is not None
    assert "songshan join" in reading.hint.en


def test_all_problems_of_a_config_are_shown_at_once(tmp_path: Path) -> None:
    """One at a time costs a walk to the machine room each."""
    make_box(tmp_path)
    config_path(tmp_path).write_text('site = "X"\nname = 7\n')
    assert len(gather(tmp_path, {}).problems) == 2
    assert str(zone_of(tmp_path, {})) == "Asia/Shanghai"


def test_a_damaged_database_is_a_reading(tmp_path: Path) -> None:
    """A disk that lies is the day on which somebody looks."""
    config = make_box(tmp_path)
    config.database.parent.mkdir()
    config.database.write_bytes(b"not a database at all " * 400)
    assert alarm_ids(gather(tmp_path, {})) == ["database"]


def test_a_database_that_somebody_holds_is_a_reading(tmp_path: Path) -> None:
    """A backup that locks the file must not take the screens down."""
    config = make_box(tmp_path)
    run_agent_once(config)
    holder = sqlite3.connect(config.database, isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("UPDATE status SET at_us = 0")
        assert alarm_ids(gather(tmp_path, {})) == ["database"]
    finally:
        holder.close()


def test_what_a_page_cannot_read_is_a_trouble_of_the_page(tmp_path: Path) -> None:
    """A folder that may not be looked into, a disk that gives an error: the page says so, the program goes on."""
    run_agent_once(make_box(tmp_path))

    def fails(_where: Where, _asked: Asked) -> None:
        raise PermissionError(13, "Permission denied", "/var/log/journal")

    shown = look_at(tmp_path, {}, replace(PAGES[0], gather=fails), Asked())
    assert shown.found is None
    assert "/var/log/journal" in shown.troubles[0].text.en


def test_looking_leaves_no_trace(tmp_path: Path) -> None:
    """Only the agent writes on a box; the screens may be run by anybody."""
    run_agent_once(make_box(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    gather(tmp_path, {})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
