"""The log as it came up: each row once, its chain checked, and two histories told as two."""

from typing import Any

import msgspec
import pytest

from appliance.core.asrun import NO_HASH, logged, parts
from appliance.core.ledger import Stretch
from appliance.core.moment import US
from appliance.core.reported import put_together, touching
from appliance.core.rundown import us_of
from tests.appliance.core.air_box import digest


def told(count: int = 6, title: str = "新闻") -> list[dict[str, Any]]:
    stretches = [
        Stretch(first_msn=n, segments=30, start_tick=n * 60 * 90_000, frames=1500, rendition=digest(n), title=title)
        for n in range(count)
    ]
    made = logged("c", parts(stretches, 0, ()), 0, NO_HASH, {})
    return [{**msgspec.json.decode(each.document), "hash": each.hash} for each in made]


def test_rows_that_come_twice_count_once() -> None:
    """A record is given back and issued again where a box came from an older copy."""
    rows = told()
    found = put_together([*rows[:4], *rows[2:4], *rows])
    assert ([each.seq for each in found.rows], found.problems, found.doubled) == ([1, 2, 3, 4, 5, 6], (), 6)


@pytest.mark.parametrize("spoil", ["change", "leave out", "begin anew", "two histories", "garble"])
def test_what_is_wrong_with_the_log_is_told(spoil: str) -> None:
    """The supervisor trusts the numbers only as far as the chain goes."""
    rows = told()
    if spoil == "change":
        rows[2] = {**rows[2], "title": "别的"}
    elif spoil == "leave out":
        del rows[2]
    elif spoil == "begin anew":
        rows += told(1, "别的")
    elif spoil == "two histories":
        rows += told(3, "别的")[1:]
    else:
        rows[2] = {key: value for key, value in rows[2].items() if key != "start"}
    assert put_together(rows).problems


def test_what_another_engine_said_is_no_row_of_the_log() -> None:
    """It has no number, and its words are its own."""
    assert put_together([{"start": "2026-11-24T04:00:00Z", "evidence": "engine_callback"}]).rows == ()


def test_the_rows_of_a_day_are_those_that_touch_it() -> None:
    """What runs over midnight is told on both days."""
    rows = put_together(told()).rows
    assert [each.seq for each in touching(rows, us_of(90 * 90_000), 200 * US)] == [2, 3, 4]
