"""The week's bandwidth, in the site's own time: over midnight, over a change of the clocks, every mistake named."""

import tomllib
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.config import load, render
from appliance.core.errors import OperatorError
from appliance.core.moment import US
from appliance.core.timetable import (
    Allowance,
    Period,
    allowance_at,
    next_change_us,
    periods_of,
    problems_of,
    steps,
    table_of,
)

WEEK = ("mon", "tue", "wed", "thu", "fri")
OFFICE = Period(WEEK, 8 * 60, 18 * 60, 500_000, 100_000)
NIGHT = Period(("fri",), 22 * 60, 6 * 60, 0, 0)
DEFAULT = Allowance(2_000_000, 2_000_000)
SHANGHAI, BERLIN = "Asia/Shanghai", "Europe/Berlin"


def moment(local: str, zone: str = SHANGHAI) -> int:
    return round(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).timestamp()) * US


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-11-25T07:59:59", DEFAULT),
        ("2026-11-25T08:00:00", Allowance(500_000, 100_000)),
        ("2026-11-25T17:59:59", Allowance(500_000, 100_000)),
        ("2026-11-25T18:00:00", DEFAULT),
        ("2026-11-28T12:00:00", DEFAULT),
        ("2026-11-27T23:00:00", Allowance()),
        ("2026-11-28T05:59:59", Allowance()),
        ("2026-11-28T06:00:00", DEFAULT),
        ("2026-11-28T23:00:00", DEFAULT),
    ],
)
def test_what_holds_is_the_first_period_that_covers_the_moment(local: str, expected: Allowance) -> None:
    """A period over midnight belongs to the evening on which it begins."""
    assert allowance_at((OFFICE, NIGHT), DEFAULT, SHANGHAI, moment(local)) == expected


def test_each_change_is_known_before() -> None:
    """Running transfers adapt at the moment, not at the next look."""
    assert next_change_us((), SHANGHAI, moment("2026-11-25T07:00:00")) is None
    changes = ["2026-11-27T18:00:00", "2026-11-27T22:00:00", "2026-11-28T06:00:00", "2026-11-30T08:00:00"]
    now_us = moment("2026-11-27T12:00:00")
    for change in changes:
        now_us = next_change_us((OFFICE, NIGHT), SHANGHAI, now_us) or 0
        assert now_us == moment(change)
    found = steps((OFFICE, NIGHT), DEFAULT, SHANGHAI, moment("2026-11-27T12:00:00"), moment("2026-11-28T07:00:00"))
    assert found == (
        (moment("2026-11-27T12:00:00"), Allowance(500_000, 100_000)),
        (moment(changes[0]), DEFAULT),
        (moment(changes[1]), Allowance()),
        (moment(changes[2]), DEFAULT),
    )


def test_periods_keep_to_the_clock_on_the_wall_when_the_clocks_change() -> None:
    """The office opens at eight by its own clock, an hour earlier by ours: on the 25th of October 2026 in Berlin."""
    every = Period(("sat", "sun"), 8 * 60, 18 * 60, 1)
    saturday, sunday = moment("2026-10-24T08:00:00", BERLIN), moment("2026-10-25T08:00:00", BERLIN)
    assert sunday - saturday == 25 * 3600 * US
    assert next_change_us((every,), BERLIN, moment("2026-10-24T18:00:00", BERLIN)) == sunday
    assert allowance_at((every,), DEFAULT, BERLIN, sunday - US) == DEFAULT
    assert allowance_at((every,), DEFAULT, BERLIN, sunday) == Allowance(1, 0)


def test_a_table_without_mistakes_is_read_and_written_the_same() -> None:
    """A technician edits it; `songshan join` writes the file anew."""
    text = 'timetable = [{days = ["mon", "fri"], from = "22:00", to = "06:30", down_bytes_per_s = 5}]'
    tables = tomllib.loads(text)["timetable"]
    assert list(problems_of(tables)) == []
    (period,) = periods_of(tables)
    assert period == Period(("mon", "fri"), 22 * 60, 6 * 60 + 30, 5, 0)
    assert periods_of([table_of(period)]) == (period,)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """One line for each, so that the file is corrected once."""
    config = tmp_path / "appliance.toml"
    config.write_text(
        'site = "dengfeng"\nname = "登封"\n[[timetable]]\ndays = ["monday"]\nfrom = "8:00"\nto = "24:00"\n'
        "down_bytes_per_s = -1\nup_bytes_per_s = 1.5\nspeed = 3\n[[timetable]]\n"
    )
    with pytest.raises(OperatorError) as told:
        load(tmp_path, {})
    assert [problem.en.split(":")[0].split(" is ")[0] for problem in told.value.problems] == [
        "unknown option timetable[1].speed",
        "bad timetable[1].days",
        "bad timetable[1].from",
        "bad timetable[1].to",
        "bad timetable[1].down_bytes_per_s",
        "bad timetable[1].up_bytes_per_s",
        "timetable[2].days",
        "timetable[2].from",
        "timetable[2].to",
    ]
    config.write_text(
        'site = "dengfeng"\nname = "登封"\n[[timetable]]\n'
        'days = ["mon"]\nfrom = "08:00"\nto = "18:00"\nup_bytes_per_s = 9\n'
    )
    loaded = load(tmp_path, {})
    assert loaded.timetable == (Period(("mon",), 480, 1080, 0, 9),)
    config.write_text(render(loaded))
    assert load(tmp_path, {}) == loaded
