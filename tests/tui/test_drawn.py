"""The drawings are whole: every page, healthy and with each fault, in every language, size and set of glyphs."""

import pytest

from tests.tui.looks import EACH, FOLDER, SHOWN, SIZES, screen, session_at, states_of_pages, text_of
from tui.page import Page
from tui.pages import PAGES
from tui.view.sheet import Asked

STATES = states_of_pages()
WITHOUT_ALARM = ("healthy", "no network")
"""A box that is offline is as it should be."""


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_every_page_is_drawn_healthy_and_with_each_fault(page: str) -> None:
    """The state that nobody has drawn is the one in which a column is bent."""
    assert {name: STATES[page][name].reading for name in EACH} == EACH
    kept = set((FOLDER / f"{page}.txt").read_text().splitlines())
    wanted = {f"=== {name}, {words}, {w}x{h}" for name in EACH for words, _look in SHOWN for w, h in SIZES}
    assert wanted - kept == set()


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_every_page_says_in_its_first_line_that_something_is_wrong(page: str) -> None:
    """Whoever reads the log or looks at a stick must see that the box is off the air, and is told where to look."""
    for name in EACH:
        for _words, look in SHOWN:
            first = text_of(screen(session_at(page, STATES[page][name], look), 80, 25)[0])
            assert (f" {look.say('Alarms {n}').format(n=1)} R" in first) == (name not in WITHOUT_ALARM), first


OF_CHANNELS = ("playout", "asrun")
"""Their sides are channels, which have to be read."""


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in OF_CHANNELS], ids=lambda page: page.name)
def test_a_side_that_cannot_be_read_leaves_the_way_to_the_others(page: Page) -> None:
    """The key that leads on did nothing there, and coming back to the page found the same side."""
    healthy, look = STATES[page.name]["healthy"], SHOWN[0][1]
    tabs = page.sheet(healthy.found, healthy.reading, look, Asked()).tabs
    for tab in tabs:
        unread = page.sheet(None, healthy.reading, look, Asked(tab=tab.key))
        assert (unread.tabs, unread.tab) == (tabs, tab.key)
