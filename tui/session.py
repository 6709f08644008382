"""Where the person is in the program: which page, where on it, in which language. Keys go in, drawings come out.

It knows no terminal and no clock, so a test walks it by keys in milliseconds; `tui.app` gives it to a terminal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal

from tui.keys import KEYS
from tui.look import Look
from tui.pages import Page
from tui.rows import Row, blank_row, draw, last_skip
from tui.seen import Seen
from tui.view import frame
from tui.view.draw import Place, draw_sheet, skip_max
from tui.view.sheet import Asked, Prose, Sheet
from tui.view.table import cursor_at

Outcome = Literal["", "look", "quit"]
"""What the program has to do after a key: nothing but to draw, look at the box, end."""

WORDS_MAX: Final = 60


@dataclass
class Visit:
    """What the person left on a page, so that coming back finds it. `before`: the beginnings of the table's pages."""

    asked: Asked = field(default_factory=Asked)
    place: Place = field(default_factory=Place)
    before: tuple[str, ...] = ()
    list_place: Place = field(default_factory=Place)
    seen: Seen | None = None


class Session:
    """One person at one terminal."""

    def __init__(self, pages: Sequence[Page], looks: Mapping[str, Look], language: str) -> None:
        self._pages = pages
        self._looks = looks
        self._language = language
        self._visits = {page.name: Visit() for page in pages}
        self._seen: Seen | None = None
        self._typing: str | None = None
        self._is_help = False
        self._help_skip = 0
        self.page = pages[0]
        self._actions: dict[str, Callable[..., Outcome]] = {
            "help": self._help,
            "search": self._search,
            "open": self._open,
            "back": self._back,
            "move": self._move,
            "first": self._first,
            "tab": self._tab,
            "look_again": lambda: "look",
            "language": self._change_language,
            "quit": lambda: "quit",
        }
        self._cells, self._lines = 80, 22

    @property
    def look(self) -> Look:
        return self._looks[self._language]

    @property
    def asked(self) -> Asked:
        return self._visit.asked

    @property
    def _visit(self) -> Visit:
        return self._visits[self.page.name]

    @property
    def sheet(self) -> Sheet:
        """What the page on top says now."""
        visit, seen = self._visit, self._seen
        shown = visit.seen if visit.seen is not None and visit.seen.asked == visit.asked else None
        reading = seen.reading if seen is not None else None
        made = self.page.sheet(shown.found if shown is not None else None, reading, self.look, visit.asked)
        return replace(made, troubles=(*shown.troubles, *made.troubles)) if shown is not None else made

    def see(self, page: str, seen: Seen) -> None:
        """A new look at the box is there."""
        self._seen = seen
        self._visits[page].seen = seen

    def wants(self, page: str, seen: Seen) -> bool:
        """Whether something else has been asked for since."""
        return page != self.page.name or seen.asked != self.asked

    def press(self, key: str, character: str, cells: int, lines: int) -> Outcome:
        """A key was pressed, while the page had that size."""
        self._cells, self._lines = cells, lines
        if self._typing is not None:
            return self._type(key, character)
        if len(key) == 1 and key.isdigit():
            return self._go(next((page for page in self._pages if page.key == key), None))
        for bound in KEYS:
            if key in bound.names:
                name, _open, argument = bound.action.partition("(")
                action = self._actions.get(name)
                if action is None:
                    return ""
                return action(int(argument.rstrip(")"))) if argument else action()
        return ""

    def drawing(self, panel: str) -> Callable[[int, int], tuple[Row, ...]]:
        """How one of the four parts of the screen is drawn."""
        look, reading = self.look, self._seen.reading if self._seen is not None else None
        standing = self._standing()
        match panel:
            case "header":
                return lambda cells, _lines: (frame.header(reading, standing, cells, look),)
            case "notice":
                return lambda cells, _lines: (frame.notice(standing, cells, look),)
            case "footer":
                acts, keys = self.page.acts, KEYS
                return lambda cells, _lines: (frame.footer(acts, keys, cells, look),)
            case _ if self._is_help:
                return partial(self._help_rows, look)
        sheet, place = self.sheet, self._visit.place
        return lambda cells, lines: draw_sheet(sheet, place, cells, lines, look)

    def _standing(self) -> frame.Standing:
        words = self._typing if self._typing is not None else self.asked.words
        return frame.Standing(title=self.look.say(self.page.title), words=words)

    def _help_rows(self, look: Look, cells: int, lines: int) -> tuple[Row, ...]:
        about, tile = frame.help_tile(self.page.title, self.page.help, self.page.acts, look)
        head = draw_sheet(Sheet((Prose((about,)),)), Place(), cells, min(3, lines), look)
        tall = max(0, lines - len(head))
        skip = min(self._help_skip, last_skip(tile, cells, tall, look))
        drawn = draw(tile, cells, tall, look, skip) if tall else ()
        return (*head, *drawn, *(blank_row(cells) for _ in range(lines - len(head) - len(drawn))))

    def _go(self, page: Page | None) -> Outcome:
        if page is None:
            return ""
        self._is_help = False
        self.page = page
        return "look"

    def _help(self) -> Outcome:
        self._is_help, self._help_skip = not self._is_help, 0
        return ""

    def _search(self) -> Outcome:
        table = self.sheet.table
        if table is not None and table.is_searchable:
            self._typing = self.asked.words
        return ""

    def _type(self, key: str, character: str) -> Outcome:
        """While words are typed every key is a character, but for those that end it."""
        assert self._typing is not None
        if key in ("enter", "escape"):
            words, self._typing = (self._typing if key == "enter" else ""), None
            return self.ask(replace(self.asked, words=words, after="")) if words != self.asked.words else ""
        if key in ("backspace", "ctrl+h"):
            self._typing = self._typing[:-1]
        elif character.isprintable() and character:
            self._typing = (self._typing + character)[:WORDS_MAX]
        return ""

    def ask(self, asked: Asked) -> Outcome:
        """Ask something else of the page on top."""
        visit = self._visit
        if not asked.after:
            visit.before = ()
        visit.asked, visit.place = asked, Place()
        return "look"

    def _open(self) -> Outcome:
        visit, table = self._visit, self.sheet.table
        if self._is_help or table is None or not table.opens or not table.rows:
            return ""
        visit.list_place = Place(table.rows[cursor_at(table, visit.place.cursor)].key)
        visit.asked, visit.place = replace(visit.asked, opened=visit.list_place.cursor), Place()
        return "look"

    def _back(self) -> Outcome:
        """Out of the help, out of a row, out of a search, to the overview."""
        visit = self._visit
        if self._is_help:
            return self._help()
        if visit.asked.opened is not None:
            visit.asked, visit.place = replace(visit.asked, opened=None), visit.list_place
            return "look"
        if visit.asked.words:
            return self.ask(replace(visit.asked, words="", after=""))
        return self._go(self._pages[0])

    def _move(self, lines: int) -> Outcome:
        visit, sheet = self._visit, self.sheet
        if self._is_help:
            self._help_skip = max(0, self._help_skip + lines)
            return ""
        if sheet.table is None or not sheet.table.rows:
            last = skip_max(sheet, self._cells, self._lines, self.look)
            visit.place = replace(visit.place, skip=max(0, min(last, visit.place.skip + lines)))
            return ""
        table = sheet.table
        at = cursor_at(table, visit.place.cursor)
        if lines > 0 and at == len(table.rows) - 1 and table.next:
            visit.before = (*visit.before, visit.asked.after)
            visit.asked, visit.place = replace(visit.asked, after=table.next), Place()
            return "look"
        if lines < 0 and at == 0 and visit.before:
            visit.asked = replace(visit.asked, after=visit.before[-1])
            visit.before, visit.place = visit.before[:-1], Place()
            return "look"
        visit.place = Place(table.rows[max(0, min(len(table.rows) - 1, at + lines))].key)
        return ""

    def _first(self) -> Outcome:
        if self._is_help:
            self._help_skip = 0
            return ""
        was_at = self.asked.after
        self._visit.place = Place()
        return self.ask(replace(self.asked, after="")) if was_at else ""

    def _tab(self, step: int) -> Outcome:
        sheet = self.sheet
        if self._is_help or not sheet.tabs:
            return ""
        keys = [tab.key for tab in sheet.tabs]
        at = keys.index(sheet.tab) if sheet.tab in keys else 0
        return self.ask(Asked(tab=keys[(at + step) % len(keys)]))

    def _change_language(self) -> Outcome:
        """The other language, where this terminal can draw it."""
        self._language = next((other for other in self._looks if other != self._language), self._language)
        return ""
