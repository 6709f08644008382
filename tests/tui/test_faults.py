"""Every side of the pages of desk and machine on a box that is broken: no crash, what is wrong, and what to do."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.store import database
from tests.tui.boxes import make_box, run_agent_once
from tests.tui.looks import SHOWN, screen, session_at, text_of
from tui.gather.box import look_at
from tui.pages import PAGES, Page
from tui.seen import Seen
from tui.view.sheet import Asked


def no_config(home: Path) -> None:
    """Nothing was ever set up here."""


def no_database(home: Path) -> None:
    make_box(home)


def damaged(home: Path) -> None:
    config = make_box(home)
    run_agent_once(config)
    for beside in ("-wal", "-shm"):
        config.database.with_name(config.database.name + beside).unlink(missing_ok=True)
    config.database.write_bytes(b"SQLite format 3\x00" + b"x" * 8192)


def older(home: Path) -> None:
    """The database is that of a version before this one."""
    config = make_box(home)
    run_agent_once(config)
    with sqlite3.connect(config.database) as db:
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'whose_plan_airs'")


def no_disk(home: Path) -> None:
    """The folders of media, spool and run are not there."""
    config = make_box(home)
    run_agent_once(config)
    assert not config.media.exists()


FAULTS = (no_config, no_database, damaged, older, no_disk)
UNREAD = FAULTS[:4]


def sides(home: Path, page: Page) -> Iterator[Seen]:
    """Each side of a page, a search on it, and a row that was opened and is gone."""
    first = look_at(home, {}, page, Asked())
    yield first
    tabs = page.sheet(first.found, first.reading, SHOWN[0][1], Asked()).tabs
    for tab in tabs or ("",):
        key = tab.key if not isinstance(tab, str) else tab
        yield look_at(home, {}, page, Asked(tab=key, words="防汛"))
        yield look_at(home, {}, page, Asked(tab=key, opened=OPENED.get((page.name, key), "gone")))


OPENED = {
    ("sync", ""): "down gone",
    ("sync", "held"): "all/control 1 1",
    ("sync", "parked"): "all/control 1 1",
}
"""Keys of rows as their pages make them, where they read them apart."""


AIR = ("playout", "asrun", "alarms", "logs")
MACHINE = ("network", "storage", "upgrade", "doctor", "audit", "system", "first-boot")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", ["sync", "market", "orders", "usb", "cache", *AIR, *MACHINE])
def test_a_broken_box_is_looked_at_and_the_next_step_is_said(
    tmp_path: Path, name: str, fault: Callable[[Path], None]
) -> None:
    """The day on which something is broken is the one for which the screens are made."""
    fault(tmp_path)
    page = next(page for page in PAGES if page.name == name)
    for seen in sides(tmp_path, page):
        for _words, look in SHOWN:
            shown = "\n".join(text_of(row) for row in screen(session_at(name, seen, look), 80, 25))
            assert look.say(page.title) in shown
            troubles = [look.of(trouble.hint) for trouble in seen.troubles if trouble.hint is not None]
            assert not troubles or any(line[:20] in shown for line in troubles), seen.asked


@pytest.mark.parametrize("fault", UNREAD, ids=lambda fault: fault.__name__)
def test_what_could_not_be_read_is_unknown_and_not_nothing(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    """'No orders' on a box whose database is damaged is a lie that somebody acts on."""
    fault(tmp_path)
    assert_unknown(tmp_path)


def test_a_database_that_somebody_holds_is_unknown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy tool or a stuck process has it; the screen waits some seconds and says so."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    config = make_box(tmp_path)
    run_agent_once(config)
    held = sqlite3.connect(config.database, isolation_level=None)
    try:
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("BEGIN EXCLUSIVE")
        held.execute("INSERT INTO tips VALUES ('t', 't', '', 1)")
        assert_unknown(tmp_path)
    finally:
        held.close()


def assert_unknown(home: Path) -> None:
    """Each page says what is wrong, and of what it lists that it is not known."""
    for name in ("sync", "market", "orders", "cache", "audit", "alarms"):
        page = next(page for page in PAGES if page.name == name)
        asked = Asked(tab="history" if name == "alarms" else "")
        seen = look_at(home, {}, page, asked)
        assert seen.found is None, name
        assert seen.troubles, name
        table = page.sheet(seen.found, seen.reading, SHOWN[1][1], asked).table
        assert table is not None and table.empty == "unknown", name
