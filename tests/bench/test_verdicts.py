"""The verdicts of the table: a limit that is missed says so, and a figure that is missing holds nothing."""

from pathlib import Path

from tests.bench.corpus import Corpus
from tests.bench.program import Taken
from tests.bench.verdicts import LINE_SHARE_MIN, Shape, Table, large_rows, small_rows

LINE = Shape("a line", 0.06, 1_000_000)
MANY = Corpus(Path("many"), 100_000, 250_000_000)
TWO = Corpus(Path("two"), 2, 100_000_000)


def _table(first_s: float, open_s: float, open_bytes: int) -> Table:
    same, change = Taken(2.0, 12_000), Taken(2.5, 20_000)
    ours = {"first": Taken(first_s, 1), "same": same, "open": Taken(open_s, open_bytes), "change": change}
    rsync = {"first": Taken(100.0, 1), "same": Taken(1.0, 3_000_000), "change": change}
    unison = {"first": Taken(60.0, 1, is_over=True), "same": Taken(3.0, 16_000)}
    return {"ours": ours, "rsync": rsync, "unison": unison}


def _verdicts(table: Table, corpus: Corpus = MANY) -> dict[str, bool | None]:
    rows = small_rows(table, corpus, LINE)
    return {row.what.split(",")[0] + row.what.split(",")[1]: row.holds for row in rows if row.limit}


def test_a_first_copy_may_be_a_tenth_slower_than_rsync_and_no_more() -> None:
    """The limit is rsync's own figure of the same run, not a number of another machine."""
    assert _verdicts(_table(110.0, 0.06, 120))["first copy 100"] is True
    assert _verdicts(_table(110.1, 0.06, 120))["first copy 100"] is False


def test_nothing_changed_is_held_against_the_best_of_all_in_time_and_in_bytes() -> None:
    """The quickest here is rsync, the leanest Unison: being better than either alone is not enough."""
    assert _verdicts(_table(1.0, 0.2, 800))["nothing changed connected"] is True
    assert _verdicts(_table(1.0, 0.21, 800))["nothing changed connected"] is False
    assert _verdicts(_table(1.0, 0.2, 801))["nothing changed connected"] is False


def test_without_rsync_nothing_is_said_of_being_as_fast_as_rsync() -> None:
    """A program that is not installed, or was ended at its bound, proves nothing."""
    table = _table(1.0, 0.06, 120)
    table["rsync"] = {"first": Taken(240.0, 1, is_over=True)}
    assert _verdicts(table)["first copy 100"] is None
    del table["rsync"]
    assert _verdicts(table)["first copy 100"] is None


def test_a_large_copy_is_held_against_the_rate_of_the_line_and_one_that_was_ended_has_missed_it() -> None:
    """100 MB over 1 MB/s take 100 s at best."""
    assert LINE_SHARE_MIN == 0.95
    for taken, holds in ((Taken(105.0, 1), True), (Taken(106.0, 1), False), (Taken(100.0, 1, is_over=True), False)):
        (row,) = large_rows({"ours": {"first": taken}}, TWO, LINE)
        assert row.holds is holds
