"""What speaks against an upgrade now; all of it at once."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from appliance.core.before_upgrade import BACKUP_MAX_US, Closed, Now, against, parse_closed
from appliance.core.errors import OperatorError

NOW_US = 1_795_500_000_000_000
WELL = Now(
    at=datetime(2026, 11, 24, 14, 0),  # noqa: DTZ001  # the site's own
    now_us=NOW_US,
    state="staged",
    is_synchronised=True,
    backup_us=NOW_US - BACKUP_MAX_US // 2,
    short_bytes=-1,
)


def reasons(closed: Closed | None = None, **changes: Any) -> list[str]:
    return [each.text.en for each in against(msgspec.structs.replace(WELL, **changes), closed or Closed())]


def test_a_box_that_is_well_at_an_ordinary_hour_may_be_upgraded() -> None:
    """Also where nobody knows whether the clock is right: a box without a time server is in use all the same."""
    assert reasons(parse_closed(["18:30-22:30"], ["2026-10-01/2026-10-07"])) == []
    assert reasons(is_synchronised=None) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"now_us": 0}, "clock is wrong"),
        ({"is_synchronised": False}, "no time server"),
        ({"state": "verifying"}, "under way"),
        ({"short_bytes": 5_000_000}, "5 MB too few"),
        ({"backup_us": None}, "no backup"),
        ({"backup_us": NOW_US - BACKUP_MAX_US - 1}, "old"),
    ],
)
def test_each_reason_is_told(changes: dict[str, Any], words: str) -> None:
    """By itself."""
    found = reasons(**changes)
    assert len(found) == 1 and words in found[0]


@pytest.mark.parametrize(
    ("hour", "minute", "is_closed"), [(18, 29, False), (18, 30, True), (22, 29, True), (22, 30, False)]
)
def test_in_prime_time_nothing_is_touched(hour: int, minute: int, is_closed: bool) -> None:
    """To the minute, by the clock of the county."""
    at = WELL.at.replace(hour=hour, minute=minute)
    assert bool(reasons(parse_closed(["18:30-22:30"], []), at=at)) is is_closed


@pytest.mark.parametrize(("hour", "is_closed"), [(23, True), (3, True), (6, False), (12, False)])
def test_hours_may_go_over_midnight(hour: int, is_closed: bool) -> None:
    """A county that airs by night."""
    assert bool(reasons(parse_closed(["22:00-06:00"], []), at=WELL.at.replace(hour=hour))) is is_closed


@pytest.mark.parametrize(("day", "is_closed"), [(23, False), (24, True), (26, True), (27, False)])
def test_protected_days_are_whole_days(day: int, is_closed: bool) -> None:
    """The first and the last included."""
    assert bool(reasons(parse_closed([], ["2026-11-24/2026-11-26"]), at=WELL.at.replace(day=day))) is is_closed


def test_all_slips_are_told_at_once() -> None:
    """A period that nobody can read would let everything through."""
    with pytest.raises(OperatorError) as caught:
        parse_closed(["18-22", "25:00-26:00"], ["2026-10-07/2026-10-01", "国庆"])
    assert len(caught.value.problems) == 4
