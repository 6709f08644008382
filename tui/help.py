"""The help of a page: what it is for, what can be done there, what the keys and the letters mean. PURE."""

from dataclasses import dataclass, replace
from typing import Final

from tui.cells import wrap
from tui.keys import KEYS, bound, parts_of
from tui.layers import Chosen, Closed
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Row, Span, Tile, blank_filled, blank_row, draw, last_skip
from tui.view.acts import Act

ABOUT_LINES_MAX: Final = 8


@dataclass(frozen=True)
class Help:
    """`title` and `about` are English texts of the catalogue."""

    title: str
    about: str
    acts: tuple[Act, ...]
    skip: int = 0

    def press(self, key: str, _character: str) -> "Help | Chosen | Closed":
        pressed = bound(key)
        name, arguments = parts_of(pressed.action) if pressed is not None else ("", ())
        if name == "move":
            return replace(self, skip=max(0, min(len(KEYS) * 2, self.skip + arguments[0])))
        return Closed() if name in ("help", "back", "open") else self

    def rows(self, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
        about = wrap(look.say(self.about), cells, ABOUT_LINES_MAX, look.ellipsis)
        rows = [blank_filled([Span(line, "value")], cells, look) for line in about][:lines]
        rows.append(blank_row(cells))
        tall = max(0, lines - len(rows))
        tile = _keys(self.title, self.acts, look)
        rows += draw(tile, cells, tall, look, min(self.skip, last_skip(tile, cells, tall, look))) if tall else ()
        return tuple(rows[:lines]) + tuple(blank_row(cells) for _ in range(lines - len(rows)))


def _keys(title: str, acts: tuple[Act, ...], look: Look) -> Tile:
    own: list[Line] = [Fact(act.key, look.say(act.message)) for act in acts]
    keys: list[Line] = [Fact(key.all_shown, look.say(key.message)) for key in KEYS]
    letters: list[Line] = [
        Advice(Level.GOOD, look.say("in order")),
        Advice(Level.NOTE, look.say("in order, and good to know: offline is normal, work waits")),
        Advice(Level.WARN, look.say("act today")),
        Advice(Level.BAD, look.say("act now: on the air, or soon not, or data in danger")),
    ]
    pages = Fact("1 - 9, 0", look.say("a page"))
    return Tile(f"{look.say('Help')}: {look.say(title)}", "", Level.GOOD, (*own, *letters, pages, *keys))
