"""What the palette and the list of all pages offer here: what can be done on this page, all pages, the keys. PURE."""

from collections.abc import Mapping, Sequence

from tui.keys import KEYS
from tui.look import Look
from tui.page import Page
from tui.palette import Entry, entry
from tui.view.acts import Act


def all_offers(acts: Sequence[Act], pages: Sequence[Page], look: Look, looks: Mapping[str, Look]) -> tuple[Entry, ...]:
    """What can be done here first; each is found by its name in every language of `looks`."""
    spoken = tuple(looks.values())
    done = (entry(act, act.message, act.key, (), look, spoken) for act in acts)
    pressed = (entry(key, key.message, key.shown, (), look, spoken) for key in KEYS)
    return (*done, *places(pages, look, looks), *pressed)


def places(pages: Sequence[Page], look: Look, looks: Mapping[str, Look]) -> tuple[Entry, ...]:
    """All pages, in their order."""
    spoken = tuple(looks.values())
    return tuple(entry(page, page.title, page.key, (page.name,), look, spoken) for page in pages)
