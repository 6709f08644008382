"""Pictures of cells: a day as a line, a figure over time. PURE; each has a form in ASCII."""

from typing import Final

from appliance.core.moment import US
from tui.cells import width
from tui.look import Look
from tui.rows import Level, Row, Span, Tile, blank_filled, row_width, title_row
from tui.view.sheet import Spark, Timeline

HOUR_US: Final = 3600 * US
MARKS: Final = {Level.GOOD: "━", Level.NOTE: "─", Level.WARN: "▲", Level.BAD: "✖"}
MARKS_PLAIN: Final = {Level.GOOD: "=", Level.NOTE: "-", Level.WARN: "A", Level.BAD: "R"}
BARS: Final = "▁▂▃▄▅▆▇█"
BARS_PLAIN: Final = "_.:-=+*#"
HOURS_APART_CELLS: Final = 6


def timeline_rows(timeline: Timeline, cells: int, look: Look) -> list[Row]:
    """The title with the worst in letters, the line, the hours under it."""
    worst = max((stretch.level for stretch in timeline.stretches), default=Level.GOOD)
    head = title_row(Tile(timeline.title, "", worst), cells, look)
    return [head, _line(timeline, cells, look), _hours(timeline, cells, look)]


def levels_of(timeline: Timeline, cells: int) -> list[Level | None]:
    """For each cell the worst that is in it; None where nothing is."""
    span_us = max(1, timeline.to_us - timeline.from_us)
    found: list[Level | None] = [None] * cells
    for stretch in timeline.stretches:
        begin = max(0, (stretch.from_us - timeline.from_us) * cells // span_us)
        end = min(cells, -((timeline.from_us - stretch.to_us) * cells // span_us))
        for cell in range(begin, end):
            found[cell] = max(found[cell] or Level.GOOD, stretch.level)
    return found


def _line(timeline: Timeline, cells: int, look: Look) -> Row:
    marks = MARKS if look.has_signs else MARKS_PLAIN
    row: list[Span] = []
    for level in levels_of(timeline, cells):
        mark, style = (" ", "rule") if level is None else (marks[level], level.style)
        if row and row[-1].style == style:
            row[-1] = Span(row[-1].text + mark, style)
        else:
            row.append(Span(mark, style))
    return blank_filled(row, cells, look)


def _hours(timeline: Timeline, cells: int, look: Look) -> Row:
    """Full hours of the site, as many as do not touch each other."""
    span_us = max(1, timeline.to_us - timeline.from_us)
    shown = [" "] * cells
    free_from = 0
    hour_us = -(-timeline.from_us // HOUR_US) * HOUR_US
    while hour_us < timeline.to_us:
        at = (hour_us - timeline.from_us) * cells // span_us
        text = look.clock(hour_us, hour_us)
        if at >= free_from and at + len(text) <= cells:
            shown[at : at + len(text)] = text
            free_from = at + max(len(text) + 1, HOURS_APART_CELLS)
        hour_us += HOUR_US
    return blank_filled([Span("".join(shown), "aside")], cells, look)


def spark_rows(spark: Spark, cells: int, look: Look) -> list[Row]:
    """The title, the bars of the newest values, the figure behind."""
    bars = BARS if look.has_signs else BARS_PLAIN
    label = [Span(f"{spark.title} ", "label")]
    aside = f" {spark.aside}" if spark.aside else ""
    room = max(0, cells - row_width(tuple(label)) - width(aside))
    shown = spark.values[max(0, len(spark.values) - room) :] if room else ()
    top = max((value for value in shown if value is not None), default=0.0)
    text = "".join(" " if value is None else bars[_step(value, top, len(bars))] for value in shown)
    return [blank_filled([*label, Span(text, "note"), Span(aside, "aside")], cells, look)]


def _step(value: float, top: float, steps: int) -> int:
    return 0 if top <= 0 else min(steps - 1, max(0, round(value / top * (steps - 1))))
