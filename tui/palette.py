"""The palette and the list of all pages: by name, in Chinese, English or pinyin initials, or by one letter. PURE."""

from dataclasses import dataclass, replace
from typing import Any, Final

from tui.cells import fit
from tui.finding import matches, rank
from tui.layers import Chosen, Closed, typed
from tui.look import Look
from tui.rows import Level, Row, Span, Tile, blank_filled, blank_row, title_row

WORDS_MAX: Final = 40
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Entry:
    """Something to go to or to do. `texts` are its names in every language; `shown` and `aside` are said already."""

    what: Any
    shown: str
    texts: tuple[str, ...]
    aside: str = ""


def entry(what: Any, message: str, aside: str, names: tuple[str, ...], look: Look, looks: tuple[Look, ...]) -> Entry:
    """Something that an English text of the catalogue names: it is found by that in every language spoken here."""
    return Entry(
        what, look.say(message), tuple(sorted({message, *names, *(each.say(message) for each in looks)})), aside
    )


@dataclass(frozen=True)
class Palette:
    """A line to type in, and under it what that finds, the best first."""

    entries: tuple[Entry, ...]
    words: str = ""
    at: int = 0
    title: str = ""
    """What is chosen; "" for where to go."""

    @property
    def found(self) -> tuple[Entry, ...]:
        kept = (entry for entry in self.entries if matches(self.words, *entry.texts))
        return tuple(sorted(kept, key=lambda entry: rank(self.words, *entry.texts))) if self.words else self.entries

    def press(self, key: str, character: str) -> "Palette | Chosen | Closed":
        found = self.found
        match key:
            case "escape":
                return Closed()
            case "enter":
                return Chosen(found[self.at].what) if found else self
            case "down" | "tab":
                return replace(self, at=min(self.at + 1, max(0, len(found) - 1)))
            case "up" | "shift+tab":
                return replace(self, at=max(0, self.at - 1))
            case _:
                return replace(self, words=typed(self.words, key, character, WORDS_MAX), at=0)

    def rows(self, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
        head = [
            title_row(Tile(self.title or look.say("Go to"), "", Level.GOOD), cells, look),
            blank_filled([Span(": ", "label"), Span(look.data(self.words, "") + "_", "value")], cells, look),
            blank_row(cells),
        ]
        found = self.found
        if not found:
            head.append(blank_filled([Span(look.say("nothing is called so"), "aside")], cells, look))
        room = max(0, lines - len(head))
        first = max(0, min(self.at - room // 2, len(found) - room))
        body = [
            _entry_row(entry, number == self.at, cells, look)
            for number, entry in enumerate(found[first : first + room], first)
        ]
        return _filled([*head, *body], cells, lines)


@dataclass(frozen=True)
class Jump:
    """All pages, each with a letter: one key goes there."""

    entries: tuple[Entry, ...]

    def press(self, key: str, character: str) -> "Jump | Chosen | Closed":
        if character and character in LETTERS[: len(self.entries)]:
            return Chosen(self.entries[LETTERS.index(character)].what)
        return Closed() if key in ("escape", "ctrl+o", "enter") else self

    def rows(self, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
        rows = [title_row(Tile(look.say("All pages"), "", Level.GOOD), cells, look), blank_row(cells)]
        rows += [
            blank_filled([Span(f" {letter}  ", "key"), *_texts(entry, cells - 4, look)], cells, look)
            for letter, entry in zip(LETTERS, self.entries, strict=False)
        ]
        return _filled(rows, cells, lines)


def _entry_row(entry: Entry, is_on: bool, cells: int, look: Look) -> Row:
    mark = ">" if is_on else " "
    spans = _texts(entry, cells - 2, look)
    if is_on:
        spans = [Span("".join(span.text for span in spans), "cursor")]
    return blank_filled([Span(f"{mark} ", "key"), *spans], cells, look)


def _texts(entry: Entry, cells: int, look: Look) -> list[Span]:
    name = min(24, max(0, cells))
    return [Span(fit(entry.shown, name, look.ellipsis), "value"), Span(" " + entry.aside, "aside")]


def _filled(rows: list[Row], cells: int, lines: int) -> tuple[Row, ...]:
    return tuple(rows[:lines]) + tuple(blank_row(cells) for _ in range(lines - len(rows)))
