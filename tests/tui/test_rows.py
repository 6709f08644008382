"""A tile as rows: whatever it says, every row takes exactly its cells."""

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.catalogue import looks
from tui.cells import drawable
from tui.look import Look
from tui.rows import Advice, Fact, Level, Row, Tile, body_rows, draw

ZH, EN = looks(UTC).values()
WORDS = st.text("早间新闻abc ，.1%", max_size=50).map(drawable)
LEVELS = st.sampled_from(Level)
FACTS = st.builds(Fact, WORDS, WORDS, WORDS, st.none() | LEVELS)
ADVICE = st.builds(Advice, LEVELS, WORDS, WORDS, WORDS)
TILES = st.builds(Tile, WORDS, WORDS, LEVELS, st.lists(FACTS | ADVICE, max_size=12).map(tuple))


def text_of(row: Row) -> str:
    return "".join(span.text for span in row)


@given(TILES, st.integers(1, 80), st.integers(1, 20), st.integers(0, 5), st.sampled_from([ZH, EN]))
def test_every_row_takes_exactly_its_cells(tile: Tile, cells: int, lines: int, skip: int, look: Look) -> None:
    """A row one cell too long wraps and breaks all under it, and some terminal is always narrower than thought."""
    rows = draw(tile, cells, lines, look, skip)
    assert len(rows) == lines
    assert {cell_len(text_of(row)) for row in rows} == {cells}


def test_values_stand_under_each_other() -> None:
    """The eye goes down one column."""
    tile = Tile("存储", "充足", Level.GOOD, (Fact("空闲", "1 GB"), Fact("保留空间", "2 GB")))
    assert [text_of(row).rstrip() for row in draw(tile, 20, 3, ZH)[1:]] == ["空闲     1 GB", "保留空间 2 GB"]


def test_the_title_tells_the_state_by_word_and_letter_beside_the_colour() -> None:
    """One man in twelve does not tell red from green."""
    row = draw(Tile("On air", "Filler", Level.WARN), 24, 1, EN)[0]
    assert text_of(row) == "On air Filler A ────────"
    assert [span.style for span in row] == ["title", "rule", "warn", "rule"]


def test_a_value_goes_before_its_age_where_there_is_room_for_one() -> None:
    """What it is matters before how old it is."""
    tile = Tile("", "", Level.GOOD, (Fact("a", "0123456789", "3 h 20 min ago"),))
    assert text_of(draw(tile, 20, 2, EN)[1]) == "a 0123456789        "


def test_what_does_not_fit_is_counted() -> None:
    """A list that ends quietly at the edge of a tile hides the alarm that matters."""
    tile = Tile("t", "w", Level.BAD, tuple(Fact("", f"line {n}") for n in range(6)))
    assert [text_of(row).strip() for row in draw(tile, 20, 5, EN)[1:]] == ["line 0", "line 1", "line 2", "3 lines more"]
    assert [text_of(row).strip() for row in draw(tile, 20, 5, EN, skip=2)[1:]] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]


def test_advice_stands_under_what_it_is_for() -> None:
    """An alarm without its next step is only bad news."""
    tile = Tile("t", "w", Level.BAD, (Advice(Level.BAD, "代理没有运行", "启动：songshan agent", "3 分钟前"),))
    assert [text_of(row).rstrip() for row in body_rows(tile, 30, ZH)] == [
        "R 代理没有运行        3 分钟前",
        "  启动：songshan agent",
    ]
