"""What stands around every page: the line about the box, the line of what just happened, the keys, the help. PURE."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tui.cells import cut
from tui.keys import Key
from tui.look import Look
from tui.rows import Level, Row, Span, blank_filled, row_width, spread
from tui.view import tiles
from tui.view.acts import Act
from tui.view.reading import Reading

FOOTER_KEYS_MAX: Final = 6


@dataclass(frozen=True)
class Standing:
    """Where the person is, and who: `by` is "" before anybody said so, `left_s` how long that still holds."""

    title: str = ""
    by: str = ""
    left_s: float = 0.0
    words: str = ""
    """What is searched for on this page."""
    notice: str = ""
    """What came of the last act."""
    notice_level: Level = Level.NOTE
    is_typing: bool = False


@dataclass(frozen=True)
class Around:
    """What the lines around a page are made from."""

    reading: Reading | None
    standing: Standing
    acts: tuple[Act, ...] = ()
    is_covered: bool = False
    """Whether something lies over the page and takes the keys."""


def header(reading: Reading | None, standing: Standing, cells: int, look: Look) -> Row:
    """Who we are and which page at the left; who acts, what waits, what is wrong, link, time and version at the right.

    Where not all of it fits the name of the site goes first, then ours: the page, what waits, and that something is
    wrong, are looked for more often.
    """
    right, title = _right(reading, standing, cells, look), _title(reading, standing, look)
    ours = Span(" " + look.say("Songshan Edge"), "key")
    wanted = ([ours, *_name(reading, cells, look), *title], [ours, *title], title)
    left = next((each for each in wanted if row_width((*each, *right)) <= cells), title)
    return spread(left, right, cells, look)


def _name(reading: Reading | None, cells: int, look: Look) -> list[Span]:
    """The site as people call it; its id where the terminal cannot draw that, and where there is room."""
    if reading is None or reading.snapshot is None:
        return []
    name, site = look.data(reading.snapshot.name, ""), reading.snapshot.site
    return [Span(f"  {name or site}", "bar"), *([Span(f" {site}", "bar")] if name and cells >= WIDE else [])]


def _title(reading: Reading | None, standing: Standing, look: Look) -> list[Span]:
    title = [Span(f"  {standing.title}", "key")] if standing.title else []
    return title if reading is not None else [*title, Span("  " + look.say("looking"), "bar")]


def _right(reading: Reading | None, standing: Standing, cells: int, look: Look) -> list[Span]:
    if reading is None:
        return []
    right: list[Span] = []
    if standing.by:
        left_for = look.duration(max(60.0, standing.left_s))
        right.append(Span(f" {cut(look.data(standing.by), BY_CELLS_MAX, look.ellipsis)} {left_for}", "warn"))
    if reading.waiting:
        right.append(Span(" " + look.say("{n} waiting").format(n=reading.waiting) + " I", "note"))
    count, worst = tiles.wrong(reading)
    if worst >= Level.WARN:
        said = look.say("Alarms {n}").format(n=count)
        right.append(Span(f" {said} {worst.letter}", worst.style))
    if reading.snapshot is not None and not reading.is_unread:
        link = tiles.link(reading.snapshot, reading.at_us, look)
        right.append(Span(f" {link.word} {link.level.letter}", link.level.style))
    right.append(Span(f"  {look.clock(reading.at_us, reading.at_us)} ", "bar"))
    if reading.snapshot is not None and cells >= WIDE:
        right.append(Span(f" {look.data(reading.snapshot.version)} ", "bar"))
    return right


BY_CELLS_MAX: Final = 16
"""A long name and an account are cut in the header; in the audit trail they stand in full."""
WIDE: Final = 100
"""From so many cells on there is room for what can be looked up elsewhere too."""


def notice(standing: Standing, cells: int, look: Look) -> Row:
    """What came of the last act, or what is searched for."""
    if standing.notice:
        letter = f"{standing.notice_level.letter} " if standing.notice_level > Level.GOOD else ""
        return blank_filled([Span(f" {letter}{standing.notice}", standing.notice_level.style)], cells, look)
    mark = "_" if standing.is_typing else ""
    if standing.words or standing.is_typing:
        return blank_filled([Span(f" /{look.data(standing.words, '')}{mark}", "note")], cells, look)
    return blank_filled([], cells, look)


def footer(acts: Sequence[Act], keys: Sequence[Key], cells: int, look: Look) -> Row:
    """At most six keys: first what can be done on this page, then those of the frame that matter most."""
    shown = [(act.key, act.message) for act in acts if act.in_footer][:FOOTER_KEYS_MAX]
    left = FOOTER_KEYS_MAX - len(shown)
    wanted = sorted((key for key in keys if key.footer), key=lambda key: -key.footer)
    chosen = [key for key in wanted if not (look.plain and key.action == "language")][:left]
    shown += [(key.shown, key.message) for key in keys if key in chosen]
    spans: list[Span] = []
    for key, message in shown:
        more = [Span(f" {key} ", "key"), Span(look.say(message) + " ", "bar")]
        if row_width((*spans, *more)) > cells:
            break
        spans += more
    return blank_filled(spans, cells, look)
