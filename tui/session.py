"""Where the person is in the program: which page, where on it, what lies over it. Keys go in, drawings come out.

It knows no terminal, no box and no clock of its own, so that a test walks it by keys in milliseconds; `tui.app` gives
it to a terminal and does what a key asks for (`tui.outcomes`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from appliance.core.errors import SongshanError
from tui.acting import Acting, Notice
from tui.form import Filled, Form
from tui.help import Help
from tui.keys import Key, bound, parts_of
from tui.layers import Chosen, Closed, Layer, typed
from tui.look import Look
from tui.offers import all_offers, places
from tui.outcomes import LOOK, NOTHING, QUIT, REDRAW, Do, OpenDoor, Outcome, Put
from tui.page import Page
from tui.palette import Jump, Palette
from tui.rows import Level
from tui.seen import Seen
from tui.view import frame
from tui.view.acts import Act, Case, Weight
from tui.view.reading import Reading
from tui.view.screen import Drawing, drawing, safely
from tui.view.sheet import Asked, Sheet, unclaimed
from tui.visit import Visit

WORDS_MAX: Final = 60


class Session:
    """One person at one terminal."""

    def __init__(
        self, pages: Sequence[Page], looks: Mapping[str, Look], language: str, acting: Acting, start: str = ""
    ) -> None:
        self._pages = pages
        self._looks = looks
        self._language = language
        self._visits = {page.name: Visit() for page in pages}
        self._seen: Seen | None = None
        self._typing: str | None = None
        self._layer: Layer | None = None
        self._then: Callable[[Any], Outcome] = lambda _what: NOTHING
        self._notice = Notice()
        self._cells, self._lines = 80, 22
        self.acting = acting
        self.page = next((page for page in pages if page.name == start), pages[0])
        self._actions: dict[str, Callable[..., Outcome]] = {
            "help": self._help,
            "palette": self._open_palette,
            "jump": self._open_jump,
            "search": self._search,
            "open": self._open,
            "back": self._back,
            "move": self._move,
            "first": self._first,
            "tab": self._tab,
            "look_again": lambda: LOOK,
            "redraw": lambda: REDRAW,
            "elevate": self._elevate,
            "undo": self._undo,
            "language": self._change_language,
            "quit": lambda: QUIT,
        }

    @property
    def look(self) -> Look:
        return self._looks[self._language]

    @property
    def asked(self) -> Asked:
        return self._visit.asked

    @property
    def reading(self) -> Reading | None:
        return self._seen.reading if self._seen is not None else None

    @property
    def found(self) -> Any:
        """What was read for what is asked now; None before."""
        return shown.found if (shown := self._visit.shown) is not None else None

    @property
    def sheet(self) -> Sheet:
        """What the page on top says now."""
        shown = self._visit.shown
        made = self.page.sheet(self.found, self.reading, self.look, self.asked)
        if self.page.gather is not None and self.found is None:
            # Nothing was read: that is not the same as that there is nothing.
            made = unclaimed(made, self.look.say("looking") if shown is None else self.look.say("unknown"))
        return replace(made, troubles=(*shown.troubles, *made.troubles)) if shown is not None else made

    @property
    def acts(self) -> tuple[Act, ...]:
        """What can be done on this side of the page."""
        return tuple(act for act in self.page.acts if not act.tabs or self.asked.tab in act.tabs)

    def see(self, page: str, seen: Seen) -> None:
        """A new look at the box is there."""
        self._seen = seen
        self._visits[page].seen = seen
        came = self.acting.came_of(seen.outcomes, self.look)
        self._notice = came or self._notice

    def wants(self, page: str, seen: Seen) -> bool:
        """Whether something else has been asked for since."""
        return page != self.page.name or seen.asked != self.asked

    def tell(self, notice: Notice) -> None:
        """Something happened."""
        self._notice = notice

    def fail(self, error: SongshanError) -> None:
        """Something could not be done; with the next step."""
        texts = [*error.problems, *([error.hint] if error.hint is not None else [])]
        self._notice = Notice(" ".join(self.look.of(text) for text in texts), Level.WARN)

    def elevated(self, opened: OpenDoor) -> Outcome:
        """This account may act: so does the person, and goes on with what was wanted."""
        self.acting.elevate(opened.by)
        return self._begin(opened.then) if opened.then is not None else NOTHING

    def press(self, key: str, character: str, cells: int, lines: int) -> Outcome:
        """A key was pressed, while the page had that size."""
        self._cells, self._lines = cells, lines
        self._notice = Notice()
        if self._layer is not None:
            return self._pressed(self._layer.press(key, character))
        if self._typing is not None:
            return self._type(key, character)
        if len(key) == 1 and key.isdigit():
            return self._go(next((page for page in self._pages if page.key == key), None))
        act = next((act for act in self.acts if act.key == key), None)
        if act is not None:
            return self._begin(act)
        pressed = bound(key)
        return self._acted(pressed.action) if pressed is not None else NOTHING

    def _acted(self, action: str) -> Outcome:
        name, arguments = parts_of(action)
        return self._actions[name](*arguments)

    def drawing(self, panel: str) -> Drawing:
        """How one of the four parts of the screen is drawn."""
        look, layer = self.look, self._layer
        if panel == "body" and layer is not None:
            return safely(lambda cells, lines: layer.rows(cells, lines, look), look)
        sheet, place = self.sheet, self._visit.place
        return drawing(
            panel, frame.Around(self.reading, self._standing(), self.acts, layer is not None), sheet, place, look
        )

    @property
    def _visit(self) -> Visit:
        return self._visits[self.page.name]

    def _standing(self) -> frame.Standing:
        words = self._typing if self._typing is not None else self.asked.words
        return frame.Standing(
            title=self.look.say(self.page.title),
            by=self.acting.by,
            left_s=self.acting.left_s,
            words=words,
            is_typing=self._typing is not None,
            notice=self._notice.text,
            notice_level=self._notice.level,
        )

    def _lay(self, layer: Layer, then: Callable[[Any], Outcome]) -> Outcome:
        self._layer, self._then = layer, then
        return NOTHING

    def _pressed(self, after: Layer | Chosen | Closed) -> Outcome:
        match after:
            case Chosen(what=what):
                self._layer = None
                return self._then(what)
            case Closed():
                self._layer = None
            case _:
                self._layer = after
        return NOTHING

    def _open_palette(self) -> Outcome:
        return self._lay(Palette(all_offers(self.acts, self._pages, self.look, self._looks)), self._chosen)

    def _open_jump(self) -> Outcome:
        return self._lay(Jump(places(self._pages, self.look, self._looks)), self._chosen)

    def _chosen(self, what: Page | Act | Key) -> Outcome:
        match what:
            case Page():
                return self._go(what)
            case Act():
                return self._begin(what)
            case Key():
                return self._acted(what.action)

    def _begin(self, act: Act) -> Outcome:
        """Begin something that can be done here: who are you, what exactly, do you mean it."""
        if (reading := self.reading) is None:
            return NOTHING
        case = Case(self.found, reading, self.look, self.asked, self._visit.row(self.sheet))
        if act.needs_row and not case.row:
            self._notice = Notice(self.look.say("There is no line to do it with."))
            return NOTHING
        if (refusal := act.refusal(case)) is not None:
            self._notice = Notice(self.look.of(refusal), Level.WARN)
            return NOTHING
        if act.weight > Weight.LOOK and not self.acting.by:
            return self._elevate(act)
        if act.weight == Weight.LOOK and not act.fields(case):
            return self._through(Filled(act, case))
        return self._lay(Form(act, case), self._through)

    def _through(self, filled: Filled) -> Outcome:
        what = self.acting.through(filled, self.page)
        if isinstance(what, Put | Do):
            return what
        return self._lay(Form(filled.act, filled.case, problem=what), self._through)

    def _elevate(self, then: Act | None = None) -> Outcome:
        """Say who you are; said again, step down."""
        if self.acting.by and then is None:
            self.acting.step_down()
            self._notice = Notice(self.look.say("Read-only again."))
            return NOTHING
        if self.reading is None:
            return NOTHING
        case = Case(None, self.reading, self.look, self.asked)
        return self._lay(Form(self.acting.who(), case), lambda filled: self.acting.named(filled, then))

    def _undo(self) -> Outcome:
        last = self.acting.undo()
        if last is None:
            self._notice = Notice(self.look.say("There is nothing to take back."))
            return NOTHING
        act, case = last
        if not self.acting.by:
            return self._elevate(act)
        return self._lay(Form(act, replace(case, values=None)), self._through)

    def ask(self, asked: Asked) -> None:
        """Ask something else of the page on top."""
        self._visit.ask(asked)

    def _go(self, page: Page | None) -> Outcome:
        if page is None:
            return NOTHING
        self.page = page
        return LOOK

    def _help(self) -> Outcome:
        return self._lay(Help(self.page.title, self.page.help, self.page.acts), lambda _what: NOTHING)

    def _search(self) -> Outcome:
        table = self.sheet.table
        if table is not None and table.is_searchable:
            self._typing = self.asked.words
        return NOTHING

    def _type(self, key: str, character: str) -> Outcome:
        """While words are typed every key is a character, but for those that end it."""
        assert self._typing is not None
        if key in ("enter", "escape"):
            words, self._typing = (self._typing.strip() if key == "enter" else ""), None
            return _looked(self._visit.search(words))
        self._typing = typed(self._typing, key, character, WORDS_MAX)
        return NOTHING

    def _open(self) -> Outcome:
        return _looked(self._visit.open(self.sheet))

    def _back(self) -> Outcome:
        """Out of a row, out of a search, to the overview."""
        if self._visit.back():
            return LOOK
        return self._go(self._pages[0]) if self.page is not self._pages[0] else NOTHING

    def _move(self, lines: int) -> Outcome:
        return _looked(self._visit.move(self.sheet, lines, (self._cells, self._lines), self.look))

    def _first(self) -> Outcome:
        return _looked(self._visit.first())

    def _tab(self, step: int) -> Outcome:
        return _looked(self._visit.tab(self.sheet, step))

    def _change_language(self) -> Outcome:
        """The other language, where this terminal can draw it."""
        self._language = next((other for other in self._looks if other != self._language), self._language)
        return NOTHING


def _looked(must_look: bool) -> Outcome:
    return LOOK if must_look else NOTHING
