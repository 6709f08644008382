"""Of a row that changed only some cells are painted again: all that differ must be among them."""

from hypothesis import given
from hypothesis import strategies as st

from tui.cells import fit, width
from tui.panel import changed_cells
from tui.rows import Row, Span

CELLS = 20


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A row of exactly CELLS, in some styles."""
    parts = draw(st.lists(st.tuples(st.text("ab中 ", max_size=8), st.sampled_from(["value", "good"])), max_size=4))
    spans, left = list[Span](), CELLS
    for text, style in parts:
        shown = fit(text, min(left, width(text)))
        spans.append(Span(shown, style))
        left -= width(shown)
    return (*spans, Span(" " * left, "value"))


def cells_of(row: Row) -> list[tuple[str, str]]:
    """What each cell shows; of a character that takes two, both."""
    return [(character, span.style) for span in row for character in span.text for _cell in range(width(character))]


@given(rows(), rows())
def test_every_cell_that_differs_is_painted(before: Row, after: Row) -> None:
    """One that is passed over shows yesterday's figure beside today's."""
    first, size = changed_cells(before, after, CELLS)
    old, new = cells_of(before), cells_of(after)
    differing = [number for number in range(CELLS) if old[number] != new[number]]
    assert all(first <= number < first + size for number in differing)
    assert first >= 0
    assert first + size <= CELLS


def test_a_row_that_is_the_same_costs_nothing_and_one_sign_costs_its_cells() -> None:
    """Over a poor line each cell is paid for."""
    row = (Span("14:03 online", "value"),)
    assert changed_cells(row, row, 12) == (0, 0)
    assert changed_cells(row, (Span("14:04 online", "value"),), 12) == (4, 1)
    assert changed_cells((), row, 12) == (0, 12)
