"""Every side of the pages of desk and machine on a box that is broken: no crash, what is wrong, and what to do."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from appliance.core.errors import Held
from appliance.store import database
from tests.tui.boxes import make_box, run_agent_once
from tests.tui.looks import SHOWN, screen, session_at, text_of, troubles_in
from tests.tui.readings import DATABASE_LOCKED, LOOKS
from tui.app import TechnicianApp
from tui.gather import doctor as gather_doctor
from tui.gather.box import look_at
from tui.gather.door import Door
from tui.gather.where import where
from tui.page import Page
from tui.pages import PAGES
from tui.panel import Panel
from tui.seen import Seen
from tui.terminal import Terminal
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
(HELD,) = troubles_in(DATABASE_LOCKED)
"""As the drawings of all pages have it."""


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


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
db.execute("INSERT INTO tips VALUES ('t', 't', '', 1)")
print("held", flush=True)
sys.stdin.read()
"""
NEED_DATABASE = ("playout", "asrun", "sync", "market", "orders", "cache", "audit", "alarms")
NEED_NONE = (("sync", "streams"), ("sync", "timetable"), ("audit", "chains"), ("alarms", ""))
"""Pages that need the database, and sides of theirs that do not; all others show what they find without."""


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Another process has it, as a copy tool or one that hangs does."""
    program = [sys.executable, "-c", HOLDER, str(database)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.kill()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as a technician does for a database that is held."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.02)
    monkeypatch.setattr(gather_doctor, "WAIT_S", 30.0)


@pytest.mark.usefixtures("hurried")
def test_a_database_that_another_process_holds_is_said_on_every_side_and_comes_back(tmp_path: Path) -> None:
    """The screen waits some seconds and says so in plain words; let go, the next look has all of it."""
    config = make_box(tmp_path)
    run_agent_once(config)
    all_sides = [(page, tab) for page in PAGES for tab in tabs_of(tmp_path, page)]
    with held(config.database):
        for page, tab in all_sides:
            seen = look_at(tmp_path, {}, page, Asked(tab=tab))
            needs_it = page.name in NEED_DATABASE and (page.name, tab) not in NEED_NONE
            assert (seen.found is None) == (needs_it or page.gather is None), (page.name, tab)
            for _words, look in SHOWN:
                head, *rest = (text_of(row) for row in screen(session_at(page.name, seen, look), 80, 25))
                assert f"{look.say('Alarms {n}').format(n=1)} R" in head
                assert not needs_it or look.of(HELD.text)[:8] in "\n".join(rest), (page.name, tab)
                assert not needs_it or look.of(HELD.hint)[:8] in "\n".join(rest), (page.name, tab)
        assert_unknown(tmp_path)
    for page, tab in all_sides:
        seen = look_at(tmp_path, {}, page, Asked(tab=tab))
        assert (seen.found is None) == (page.gather is None), (page.name, tab)
        assert not any(HELD.text.en in each.text.en for each in seen.troubles), (page.name, tab)
        assert not seen.reading.is_unread


@pytest.mark.usefixtures("hurried")
def test_one_look_waits_once_for_a_database_that_is_held(tmp_path: Path) -> None:
    """The box, the page and what became of commands are three readings; fifteen seconds are no answer to a key."""
    config = make_box(tmp_path)
    run_agent_once(config)
    here, told = where(tmp_path, {}), list[Held]()
    with held(config.database):
        for _reading in range(3):
            with pytest.raises(Held) as raised, here.database():
                pass
            told.append(raised.value)
    assert told == [told[0]] * 3


@pytest.mark.usefixtures("hurried")
def test_the_program_shows_the_box_again_by_itself_when_the_database_is_let_go(tmp_path: Path) -> None:
    """Nobody presses a key; the look after it was let go has the line again."""
    config = make_box(tmp_path)
    run_agent_once(config)
    once = Terminal(("zh",), plain=False, refresh_s=0.05)
    program = TechnicianApp(partial(look_at, tmp_path, {}), Door(tmp_path, {}), LOOKS, once, start="orders")

    async def run() -> None:
        async with program.run_test(size=(80, 25)) as pilot:
            with held(config.database):
                program._look()
                await until(pilot, "数据库正被别的程序占用")
            await until(pilot, "没有调度指令")

    async def until(pilot: Pilot[None], words: str) -> None:
        for _try in range(600):
            if words in shown():
                return
            await pilot.pause(0.05)
        raise AssertionError(shown())

    def shown() -> str:
        panel = program.screen.query_one("#body", Panel)
        return "\n".join(panel.render_line(y).text for y in range(panel.size.height))

    asyncio.run(run())


def tabs_of(home: Path, page: Page) -> tuple[str, ...]:
    """All sides of a page."""
    seen = look_at(home, {}, page, Asked())
    return tuple(tab.key for tab in page.sheet(seen.found, seen.reading, SHOWN[0][1], Asked()).tabs) or ("",)


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
