"""One person's place on one page: what is asked of it, where the cursor is, how far it is scrolled. PURE.

Each step returns whether something else is asked of the page now, so that the box has to be looked at.
"""

from dataclasses import dataclass, field, replace

from tui.look import Look
from tui.seen import Seen
from tui.view.draw import Place, skip_max
from tui.view.sheet import Asked, Sheet
from tui.view.table import cursor_at


@dataclass
class Visit:
    """What the person left on a page, so that coming back finds it. `before`: the beginnings of the table's pages."""

    asked: Asked = field(default_factory=Asked)
    place: Place = field(default_factory=Place)
    before: tuple[str, ...] = ()
    list_place: Place = field(default_factory=Place)
    seen: Seen | None = None

    @property
    def shown(self) -> Seen | None:
        """The last look, where it answers what is asked now."""
        return self.seen if self.seen is not None and self.seen.asked == self.asked else None

    def row(self, sheet: Sheet) -> str:
        """The key of the row that is open or under the cursor; "" where there is none."""
        if self.asked.opened is not None:
            return self.asked.opened
        table = sheet.table
        return table.rows[cursor_at(table, self.place.cursor)].key if table is not None and table.rows else ""

    def ask(self, asked: Asked) -> bool:
        """Ask something else."""
        if not asked.after:
            self.before = ()
        self.asked, self.place = asked, Place()
        return True

    def search(self, words: str) -> bool:
        """Only the rows with these words; "" for all."""
        return words != self.asked.words and self.ask(replace(self.asked, words=words, after=""))

    def open(self, sheet: Sheet) -> bool:
        """The row under the cursor."""
        if sheet.table is None or not sheet.table.opens or not sheet.table.rows:
            return False
        self.list_place = Place(self.row(sheet))
        self.asked, self.place = replace(self.asked, opened=self.list_place.cursor), Place()
        return True

    def back(self) -> bool:
        """Out of a row, out of a search."""
        if self.asked.opened is not None:
            self.asked, self.place = replace(self.asked, opened=None), self.list_place
            return True
        return self.search("")

    def move(self, sheet: Sheet, lines: int, size: tuple[int, int], look: Look) -> bool:
        """The cursor of the table, over the end of what was read into the next page; else the page itself."""
        table = sheet.table
        if table is None or not table.rows:
            skip = min(skip_max(sheet, *size, look), self.place.skip + lines)
            self.place = replace(self.place, skip=max(0, skip))
            return False
        at = cursor_at(table, self.place.cursor)
        if lines > 0 and at == len(table.rows) - 1 and table.next:
            self.before = (*self.before, self.asked.after)
            self.asked, self.place = replace(self.asked, after=table.next), Place()
            return True
        if lines < 0 and at == 0 and self.before:
            self.asked = replace(self.asked, after=self.before[-1])
            self.before, self.place = self.before[:-1], Place()
            return True
        self.place = Place(table.rows[max(0, min(len(table.rows) - 1, at + lines))].key)
        return False

    def first(self) -> bool:
        """To the beginning of all."""
        self.place = Place()
        return bool(self.asked.after) and self.ask(replace(self.asked, after=""))

    def tab(self, sheet: Sheet, step: int) -> bool:
        """The next side of the page."""
        keys = [tab.key for tab in sheet.tabs]
        if not keys or self.asked.opened is not None:
            return False
        at = keys.index(sheet.tab) if sheet.tab in keys else 0
        return self.ask(Asked(tab=keys[(at + step) % len(keys)]))
