"""The programme guide, as told from the air ledger, and what of it may be seen again."""

from typing import Any

from appliance.core.guide import (
    BREAK_US_MAX,
    DAY_US,
    Programme,
    can_be_seen,
    event_id,
    now_and_next,
    programmes,
    seen_again,
)
from appliance.core.ledger import Stretch
from appliance.core.rundown import NOT_CONNECTED, SLATE, us_of

START = 1_795_478_400 * 90_000
S = 1_000_000
DATE = "2026-11-24"
FILM, OTHER = ("sha256:" + letter * 64 for letter in "ab")


def rows(*parts: tuple[int, str, str | None] | tuple[int, str, str | None, dict[str, Any]]) -> list[Stretch]:
    """Rows that follow each other: frames, kind, entry, and what else is said of them."""
    found: list[Stretch] = []
    for frames, kind, entry, *more in parts:
        facts: dict[str, Any] = {"rendition": FILM, "title": entry or "", "date": DATE, "version": 1}
        found.append(
            Stretch(
                **{
                    "first_msn": found[-1].next_msn if found else 7,
                    "segments": -(-frames // 50),
                    "start_tick": found[-1].end_tick if found else START,
                    "frames": frames,
                    "kind": kind,
                    "entry_id": entry,
                    **facts,
                    **(more[0] if more else {}),
                }
            )
        )
    return found


def lines(*parts: Any) -> list[tuple[str, str, int]]:
    """(title, kind, seconds) of what the guide tells."""
    return [(each.title, each.kind, (each.end_us - each.start_us) // S) for each in programmes(rows(*parts))]


def test_stretches_of_one_entry_are_one_programme() -> None:
    """The ledger cuts an entry where a file ends; a reader sees one title."""
    assert lines((50, "programme", "a"), (100, "programme", "a"), (25, "live", "b")) == [
        ("a", "programme", 6),
        ("b", "live", 1),
    ]


def test_all_that_joins_programmes_is_one_quiet_line() -> None:
    """Advertisements and fillers are not what a reader looks for."""
    parts = ((25, "programme", "a"), (25, "ad", "x"), (25, "filler", None), (25, "slate", None))
    assert lines(*parts) == [("a", "programme", 1), ("", "filler", 3)]


def test_parts_of_one_film_around_an_advertisement_are_one_programme() -> None:
    """Two entries that play one film in turn are one title to a reader, its break within."""
    film = {"source": FILM, "title": "嵩山"}
    parts = (
        (500, "programme", "a1", film),
        (250, "ad", "x"),
        (500, "programme", "a2", {**film, "first_segment": 10}),
        (500, "programme", "a3", film),
    )
    assert lines(*parts) == [("嵩山", "programme", 50), ("嵩山", "programme", 20)]


def test_a_break_in_is_within_the_programme_that_goes_on_after_it() -> None:
    """The evening's film has one line, also on the evening of the storm."""
    film = {"source": FILM}
    parts = (
        (500, "programme", "a", film),
        (1000, "emergency", "i1"),
        (500, "programme", "a", {**film, "first_segment": 30}),
    )
    assert lines(*parts) == [("a", "programme", 80)]


def test_a_live_entry_is_told_before_its_source_comes() -> None:
    """The relay at seven stands in tonight's guide; what never came is not seen again, what came late is."""
    awaited = {"reason": NOT_CONNECTED, "planned": False}
    before = (500, "programme", "a")
    assert lines(before, (1500, "filler", "r", awaited), (500, "programme", "b"))[1] == ("r", "live", 60)
    (never,) = [each for each in programmes(rows((1500, "filler", "r", awaited))) if each.title == "r"]
    assert not can_be_seen(never, never.end_us, 7, {FILM})
    late = programmes(rows((150, "filler", "r", awaited), (50, "live", "r", {"rendition": OTHER}), (50, "live", "r")))
    assert [(each.kind, each.renditions) for each in late] == [("live", {FILM, OTHER})]
    assert can_be_seen(late[0], late[0].end_us, 7, {FILM, OTHER})
    assert not can_be_seen(late[0], late[0].end_us, 7, {FILM})


def test_a_live_programme_is_one_over_its_fallback() -> None:
    """A source that was away for a minute does not make two programmes of one."""
    parts = ((500, "live", "a"), (1500, "filler", "a"), (500, "live", "a", {"rendition": OTHER}))
    assert lines(*parts) == [("a", "live", 100)]


def test_after_a_long_break_it_is_another_programme() -> None:
    """A morning's and an evening's showing are two, though one film."""
    long = BREAK_US_MAX // 40_000 + 50
    film = {"source": FILM}
    parts = ((50, "programme", "a", film), (long, "filler", None), (50, "programme", "a", {**film, "first_segment": 9}))
    assert [title for title, _, _ in lines(*parts)] == ["a", "", "a"]


def test_an_entry_that_airs_twice_is_told_twice() -> None:
    """A repeat has its own time."""
    film = {"source": FILM}
    parts = ((25, "programme", "a", film), (25, "filler", None), (25, "programme", "a", film))
    assert [title for title, _, _ in lines(*parts)] == ["a", "", "a"]


def test_what_is_on_and_what_comes_next() -> None:
    """The next programme is told across whatever stands between."""
    told = programmes(rows((250, "programme", "a"), (250, "filler", None), (250, "programme", "b")))
    begin = us_of(START)
    assert now_and_next(told, begin) == (told[0], told[2])
    assert now_and_next(told, begin + 12 * S) == (told[1], told[2])
    assert now_and_next(told, begin + 25 * S) == (told[2], None)
    assert now_and_next((), begin) == (None, None)


def test_a_programme_can_be_seen_again_when_it_has_ended_and_not_for_ever() -> None:
    """From the moment of its end, for so many days, while all that it is made of is here and nobody forbade it."""
    (told,) = programmes(rows((250, "programme", "a")))
    here = {FILM}
    assert event_id("ch-1", told) == "ch-1-7"
    assert not can_be_seen(told, told.end_us - 1, 7, here)
    assert can_be_seen(told, told.end_us, 7, here)
    assert can_be_seen(told, told.end_us + 7 * DAY_US - 1, 7, here)
    assert not can_be_seen(told, told.end_us + 7 * DAY_US, 7, here)
    assert not can_be_seen(told, told.end_us, 7, {OTHER})
    assert not can_be_seen(told, told.end_us, 0, here)
    assert not can_be_seen(Programme("", "filler", 0, told.end_us), told.end_us, 7, here)


def test_the_right_is_that_of_the_newest_schedule_else_that_of_the_airing() -> None:
    """A right may be taken away after the airing; what a new schedule does not name stays as it was."""
    forbidden = rows((250, "programme", "a", {"catchup": False}))
    allowed = rows((250, "programme", "a"))
    assert [programmes(each)[0].catchup for each in (forbidden, allowed)] == [False, True]
    assert programmes(allowed, {(DATE, "a"): False})[0].catchup is False
    assert programmes(forbidden, {(DATE, "a"): True})[0].catchup is True
    assert programmes(allowed, {("2026-11-25", "a"): False})[0].catchup is True


def test_what_was_urgent_or_is_forbidden_or_gone_is_left_out_of_what_is_seen_again() -> None:
    """The storm warning of last Tuesday is none today."""
    film = {"source": FILM}
    aired = rows(
        (500, "programme", "a", film),
        (100, "emergency", "i1"),
        (100, "ad", "x", {"rendition": OTHER}),
        (100, "ad", "y", {"catchup": False}),
        (100, "slate", None, {"rendition": SLATE}),
        (500, "programme", "a", {**film, "first_segment": 20}),
        (100, "filler", None),
    )
    (told, _quiet) = programmes(aired)
    shown = seen_again(aired, told, {FILM, OTHER}, {})
    assert [one.msn for one in shown] == [*range(7, 17), 19, 20, *range(23, 35)]
    assert [one.msn for one in seen_again(aired, told, {FILM}, {})] == [*range(7, 17), *range(23, 35)]
