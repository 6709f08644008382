"""The programme guide, as told from the air ledger."""

from dataclasses import dataclass

from appliance.core.rundown import us_of
from appliance.core.ts import TICKS_PER_FRAME
from appliance.web.epg import Programme, now_and_next, programmes

START = 1_795_478_400 * 90_000
S = 1_000_000


@dataclass(frozen=True)
class Row:
    start_tick: int
    frames: int
    kind: str = "programme"
    entry_id: str | None = "e1"
    title: str = "早间新闻"


def rows(*lengths_and_kinds: tuple[int, str, str | None]) -> list[Row]:
    """Rows that follow each other: frames, kind, entry."""
    found, tick = [], START
    for frames, kind, entry in lengths_and_kinds:
        found.append(Row(tick, frames, kind, entry, entry or ""))
        tick += frames * TICKS_PER_FRAME
    return found


def test_stretches_of_one_entry_are_one_programme() -> None:
    """The ledger cuts an entry where a file ends; a reader sees one title."""
    told = programmes(rows((50, "programme", "a"), (100, "programme", "a"), (25, "live", "b")))
    begin = us_of(START)
    assert told == (
        Programme("a", "programme", begin, begin + 6 * S),
        Programme("b", "live", begin + 6 * S, begin + 7 * S),
    )


def test_all_that_joins_programmes_is_one_quiet_line() -> None:
    """Advertisements and fillers are not what a reader looks for."""
    told = programmes(rows((25, "programme", "a"), (25, "ad", "x"), (25, "filler", None), (25, "slate", None)))
    assert [(each.title, each.kind) for each in told] == [("a", "programme"), ("", "filler")]


def test_an_entry_that_airs_twice_is_told_twice() -> None:
    """A repeat has its own time."""
    told = programmes(rows((25, "programme", "a"), (25, "filler", None), (25, "programme", "a")))
    assert [each.title for each in told] == ["a", "", "a"]


def test_what_is_on_and_what_comes_next() -> None:
    """The next programme is told across whatever stands between."""
    told = programmes(rows((250, "programme", "a"), (250, "filler", None), (250, "programme", "b")))
    begin = us_of(START)
    assert now_and_next(told, begin) == (told[0], told[2])
    assert now_and_next(told, begin + 12 * S) == (told[1], told[2])
    assert now_and_next(told, begin + 25 * S) == (told[2], None)
    assert now_and_next((), begin) == (None, None)
