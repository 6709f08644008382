"""The screens as they are drawn, compared with pictures that somebody has looked at; and driven by keys alone.

After a wanted change: pytest tests/tui/test_screens.py --snapshot-update, and look at the pictures again.
"""

import asyncio
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from tests.tui.pictures import DOCS, Picture, drawn, pictures
from tests.tui.readings import AGENT_DEAD, ALL, HEALTHY, LOOKS, MISSING_TONIGHT, NO_CONFIG, OFFLINE, PLAIN, STUCK
from tui.app import TechnicianApp
from tui.gather.door import Door
from tui.look import Look
from tui.page import Page
from tui.panel import Panel
from tui.seen import Seen
from tui.terminal import Terminal
from tui.view.reading import Reading
from tui.view.sheet import Asked

SIZES = [(80, 25), (120, 40)]
REFRESH_S = 3600.0
DOOR = Door(Path("/nowhere"), {})


def terminal(language: str) -> Terminal:
    """One that the box is looked at but once."""
    return Terminal((language,), plain=False, refresh_s=REFRESH_S)


def app(reading: Reading, language: str = "zh", looks: Mapping[str, Look] = LOOKS) -> TechnicianApp:
    """The real program, shown one reading over and over."""
    return TechnicianApp(lambda _page, asked, _followed: Seen(reading, asked), DOOR, looks, terminal(language))


async def settled(pilot: object) -> None:
    """Wait until the first reading is on the screen."""
    program = pilot.app  # type: ignore[attr-defined]
    await program.workers.wait_for_complete()
    await pilot.pause()  # type: ignore[attr-defined]


def text_of(program: TechnicianApp, panel: str) -> str:
    """What a panel shows."""
    found = program.screen.query_one(f"#{panel}", Panel)
    return "\n".join(found.render_line(y).text.rstrip() for y in range(found.size.height))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", ["healthy", "agent-dead"])
def test_the_overview_looks_as_it_did(snap_compare, name: str, language: str, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    """Nobody sees by reading code that a column has moved."""
    assert snap_compare(app(ALL[name], language), terminal_size=size, run_before=settled)


@pytest.mark.parametrize("name", ["offline", "missing-tonight", "stuck", "no-database", "no-config"])
def test_the_overview_of_a_fault_looks_as_it_did(snap_compare, name: str) -> None:  # type: ignore[no-untyped-def]
    """The screen matters most on the day that something is wrong."""
    assert snap_compare(app(ALL[name]), terminal_size=(80, 25), run_before=settled)


def test_the_plain_console_looks_as_it_did(snap_compare) -> None:  # type: ignore[no-untyped-def]
    """English and ASCII, for the bare machine."""
    assert snap_compare(app(STUCK, "en", {"en": PLAIN}), terminal_size=(80, 25), run_before=settled)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_help_page_looks_as_it_did(snap_compare, language: str) -> None:  # type: ignore[no-untyped-def]
    """Help that runs off the page helps nobody."""
    assert snap_compare(app(HEALTHY, language), terminal_size=(80, 25), press=["f1"], run_before=settled)


def drive(program: TechnicianApp, *steps: tuple[str, object], size: tuple[int, int] = (80, 25)) -> None:
    """Press each key, then look: a step is a key and what must hold after it."""

    async def run() -> None:
        async with program.run_test(size=size) as pilot:
            await settled(pilot)
            for key, holds in steps:
                await pilot.press(key)
                await pilot.pause()
                assert holds(program), key  # type: ignore[operator]

    asyncio.run(run())


def test_the_language_changes_at_a_key_and_back() -> None:
    """A colleague from elsewhere looks over the shoulder; nothing is restarted for that."""
    drive(
        app(HEALTHY),
        ("l", lambda shown: text_of(shown, "body").startswith("On air on air G")),
        ("l", lambda shown: text_of(shown, "body").startswith("播出 正常 G")),
    )


def test_the_plain_console_stays_in_english() -> None:
    """A key that turns the screen into boxes would need a key that nobody can find any more."""
    drive(app(HEALTHY, "en", {"en": PLAIN}), ("l", lambda shown: text_of(shown, "body").startswith("On air on air G")))


def test_help_opens_over_the_overview_and_closes_by_either_key() -> None:
    """F1 and Esc are the two keys that everybody tries."""
    drive(
        app(HEALTHY),
        ("f1", lambda shown: "帮助" in text_of(shown, "body")),
        ("escape", lambda shown: "播出 正常 G" in text_of(shown, "body")),
        ("question_mark", lambda shown: "帮助" in text_of(shown, "body")),
        ("question_mark", lambda shown: "播出 正常 G" in text_of(shown, "body")),
    )


def test_all_alarms_can_be_reached_by_keys() -> None:
    """There is no mouse over a poor line."""
    drive(
        app(STUCK, "en"),
        ("down", lambda shown: "A 2 records could not" not in text_of(shown, "body")),
        *[("j", lambda _shown: True)] * 8,
        ("j", lambda shown: "songshan answer" in text_of(shown, "body")),
        *[("up", lambda _shown: True)] * 10,
        ("k", lambda shown: "A 2 records could not" in text_of(shown, "body")),
    )


@pytest.mark.parametrize("key", ["q", "f10", "ctrl+c", "ctrl+q"])
def test_each_key_that_means_quit_quits(key: str) -> None:
    """Who cannot get out pulls the plug."""

    async def run() -> None:
        program = app(HEALTHY)
        async with program.run_test() as pilot:
            await settled(pilot)
            await pilot.press(key)
            await pilot.pause()
        assert program.return_code == 0

    asyncio.run(run())


def test_a_new_reading_is_shown_when_asked_for() -> None:
    """What was mended must be seen to be mended."""
    readings = [AGENT_DEAD, HEALTHY]

    def look_at(_page: Page, asked: Asked, _followed: Collection[str]) -> Seen:
        return Seen(readings.pop(0) if len(readings) > 1 else readings[0], asked)

    program = TechnicianApp(look_at, DOOR, LOOKS, terminal("zh"))

    async def run() -> None:
        async with program.run_test(size=(80, 25)) as pilot:
            await settled(pilot)
            assert "agent" in text_of(program, "body")
            await pilot.press("r")
            await settled(pilot)
            assert "告警 无 G" in text_of(program, "body")

    asyncio.run(run())


def test_a_box_that_takes_its_time_holds_up_neither_keys_nor_the_next_look() -> None:
    """A database that is held for seconds must not freeze the screen, nor may looks pile up behind it."""
    held, calls = threading.Event(), []

    def slow(_page: Page, asked: Asked, _followed: Collection[str]) -> Seen:
        calls.append(1)
        held.wait(20)
        return Seen(HEALTHY, asked)

    program = TechnicianApp(slow, DOOR, LOOKS, terminal("zh"))

    async def run() -> None:
        async with program.run_test(size=(80, 25)) as pilot:
            for key in ("r", "r", "l", "f1"):
                await pilot.press(key)
            assert "Help" in text_of(program, "body")
            await pilot.press("escape")
            assert text_of(program, "body").startswith("On air unknown I")
            held.set()
            await settled(pilot)
            assert text_of(program, "body").startswith("On air on air G")

    asyncio.run(run())
    assert len(calls) == 1


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (40, 12), (80, 24), (250, 80)], ids=str)
@pytest.mark.parametrize("reading", [HEALTHY, MISSING_TONIGHT, OFFLINE, NO_CONFIG])
def test_no_size_of_terminal_breaks_the_screen(size: tuple[int, int], reading: Reading) -> None:
    """A window dragged to nothing and back must leave the program running."""
    drive(app(reading), ("f1", lambda _shown: True), ("escape", lambda _shown: True), size=size)


@pytest.mark.parametrize("picture", pictures(), ids=lambda picture: picture.name)
def test_the_pictures_of_the_documents_are_of_this_program(picture: Picture) -> None:
    """A picture of last year's screen in the manual is worse than none; python -m tests.tui.pictures makes them."""
    assert asyncio.run(drawn(picture)) == (DOCS / f"screen-{picture.name}.svg").read_text()
