"""The form of an act: what it asks for, what it will change, and the yes at its end. PURE.

A choice is moved by left and right, or picked from a list that Enter or a letter of what is looked for opens; a text is
typed. The preview is made anew after each key. What touches the air also wants the site's id typed and a reason, so
that no row of keys pressed by mistake does it: the id and Enter are its yes. Esc leaves everything as it was.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from tui.cells import fit, width, wrap
from tui.layers import Chosen, Closed, typed
from tui.look import Look
from tui.palette import Entry, Palette
from tui.rows import Level, Row, Span, Tile, blank_filled, blank_row, title_row
from tui.view.acts import Act, Case, Field, Weight

LIST_FROM: Final = 4
"""A choice of so many is picked from a list with a search."""
PREVIEW_LINES_MAX: Final = 8
TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
SITE: Final = "_site"
REASON: Final = "_reason"


@dataclass(frozen=True)
class Filled:
    """A form that was filled in and confirmed."""

    act: Act
    case: Case


@dataclass(frozen=True)
class Form:
    """`at` is the line under the cursor; the last one is the yes. `list` is open over a choice."""

    act: Act
    case: Case
    at: int = 0
    list: Palette | None = None
    problem: str = ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the act, and of one that touches the air the two that make sure."""
        own = self.act.fields(self.case)
        if self.act.weight < Weight.AIR:
            return own
        say = self.case.look.say
        site = self.case.reading.snapshot.site if self.case.reading.snapshot is not None else ""
        return (
            *own,
            Field(REASON, say("Reason"), "text", is_needed=True, chars_max=400),
            Field(SITE, say("Type {site}").format(site=site), "text", is_needed=True, chars_max=40),
        )

    def value(self, field: Field) -> str:
        """What stands in a field: what was filled in, else what it begins with."""
        values = self.case.values or {}
        if field.name in values:
            return values[field.name]
        return field.value or (field.choices[0][0] if field.kind == "choice" and field.choices else "")

    def press(self, key: str, character: str) -> "Form | Chosen | Closed":
        if self.list is not None:
            return self._listed(self.list.press(key, character))
        fields = self.fields
        on = fields[self.at] if self.at < len(fields) else None
        match key:
            case "escape":
                return Closed()
            case "down" | "tab":
                return replace(self, at=min(self.at + 1, len(fields)), problem="")
            case "up" | "shift+tab":
                return replace(self, at=max(0, self.at - 1), problem="")
            case "enter" if on is None or on.name == SITE:
                return self._confirmed(fields)
            case "enter" if on is not None and on.choices and (len(on.choices) >= LIST_FROM or on.kind == "text"):
                return replace(self, list=Palette(_entries(on), title=on.label))
            case "enter" if self.act.is_light and self.at == len(fields) - 1:
                return self._confirmed(fields)
            case "enter":
                return replace(self, at=self.at + 1, problem="")
            case "left" | "right" if on is not None and on.kind == "choice" and on.choices:
                return self._with(on, _beside(on, self.value(on), 1 if key == "right" else -1))
            case _ if on is not None and on.kind != "choice":
                return self._with(on, typed(self.value(on), key, _allowed(on, character), on.chars_max))
            case _ if on is not None and len(on.choices) >= LIST_FROM and character.strip():
                return self._listed(Palette(_entries(on), title=on.label).press(key, character))
            case _:
                return self

    def rows(self, cells: int, lines: int, look: Look) -> tuple[Row, ...]:
        if self.list is not None:
            return self.list.rows(cells, lines, look)
        fields = self.fields
        label = min(cells // 2, max((width(field.label) for field in fields), default=0))
        rows = [title_row(Tile(look.say(self.act.message), "", Level.GOOD), cells, look), blank_row(cells)]
        for number, field in enumerate(fields):
            rows += _field_rows(field, self.value(field), number == self.at, label, cells, look)
        preview = [line for text in self.act.preview(self.full) for line in wrap(text, cells - 2, 3, look.ellipsis)]
        if preview:
            rows += [blank_row(cells), title_row(Tile(look.say("This will change"), "", Level.GOOD), cells, look)]
            rows += [blank_filled([Span(f"  {line}", "value")], cells, look) for line in preview[:PREVIEW_LINES_MAX]]
        is_on = self.at >= len(fields)
        do_it = look.say("Do it")
        yes = Span(f"[ {do_it} ]", "cursor" if is_on else "value")
        keys = look.say("Enter: next, at the end do it. Esc: leave all as it is.")
        if self.act.weight == Weight.AIR:
            keys = look.say("Enter: next, after the id do it. Esc: leave all as it is.")
        rows += [
            blank_row(cells),
            blank_filled([Span("> " if is_on else "  ", "key"), yes, Span(f"  {keys}", "aside")], cells, look),
        ]
        if self.problem:
            rows.append(blank_filled([Span(f"  A {self.problem}", "warn")], cells, look))
        return tuple(rows[:lines]) + tuple(blank_row(cells) for _ in range(lines - len(rows)))

    @property
    def full(self) -> Case:
        """The case with every field's value, typed or not."""
        return replace(self.case, values={field.name: self.value(field) for field in self.fields})

    def _with(self, field: Field, value: str) -> "Form":
        return replace(
            self, case=replace(self.case, values={**(self.case.values or {}), field.name: value}), problem=""
        )

    def _listed(self, after: "Palette | Chosen | Closed") -> "Form":
        match after:
            case Palette():
                return replace(self, list=after)
            case Chosen(what=value):
                return replace(self._with(self.fields[self.at], value), list=None, at=self.at + 1)
            case _:
                return replace(self, list=None)

    def _confirmed(self, fields: tuple[Field, ...]) -> "Form | Chosen":
        """Through, or back at the first field that is not filled in well."""
        look, case = self.case.look, self.full
        for number, field in enumerate(fields):
            if fault := _fault(field, case.value(field.name), case):
                return replace(self, at=number, problem=fault)
        done = replace(case, reason=case.value(REASON) or case.value("reason"))
        if (refusal := self.act.refusal(done)) is not None:
            return replace(self, problem=look.of(refusal))
        return Chosen(Filled(self.act, done))


def _fault(field: Field, value: str, case: Case) -> str:
    say = case.look.say
    if field.name == SITE:
        site = case.reading.snapshot.site if case.reading.snapshot is not None else ""
        return "" if value.strip() == site else say("the site's id must be typed, so that nothing is done by mistake")
    if field.is_needed and not value.strip():
        return say("{field}: must be filled in").format(field=field.label)
    if field.kind == "time" and value and TIME.fullmatch(value) is None:
        return say("{field}: a time like 19:00").format(field=field.label)
    if field.kind == "choice" and value not in {choice for choice, _shown in field.choices}:
        return say("{field}: there is nothing to choose").format(field=field.label)
    return ""


def _allowed(field: Field, character: str) -> str:
    if field.kind == "number":
        return character if character.isdecimal() and character.isascii() else ""
    if field.kind == "time":
        return character if character in "0123456789:" else ""
    return character


def _beside(field: Field, value: str, step: int) -> str:
    keys = [key for key, _shown in field.choices]
    return keys[(keys.index(value) + step) % len(keys)] if value in keys else keys[0]


def _entries(field: Field) -> tuple[Entry, ...]:
    return tuple(Entry(key, shown, (shown, key)) for key, shown in field.choices)


def _field_rows(field: Field, value: str, is_on: bool, label: int, cells: int, look: Look) -> list[Row]:
    mark = Span("> " if is_on else "  ", "key")
    name = Span(fit(field.label, label, look.ellipsis) + "  ", "label")
    if field.kind == "choice":
        shown = next((text for key, text in field.choices if key == value), "-")
        text = f"< {shown} >" if len(field.choices) > 1 else shown
    else:
        text = look.data(value, "") + ("_" if is_on else "")
    rows = [blank_filled([mark, name, Span(text or "-", "title" if is_on else "value")], cells, look)]
    if field.hint and is_on:
        rows.append(blank_filled([Span(" " * (label + 4) + field.hint, "aside")], cells, look))
    return rows
