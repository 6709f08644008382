"""The page of what aired: found by the clock, counted by the day, with what vouches for each row."""

from dataclasses import replace

import pytest

from appliance.core.accidents import Accident, Count, Tally
from appliance.core.asrun import AiredRow
from appliance.core.errors import Text
from appliance.core.moment import to_text, to_us
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import HOUR_US, MIN_US, NOW_US, ZONE
from tests.tui.test_playout import CHANNELS
from tui.view.asrun import ACCIDENTS_SIDE, Found, moment_asked
from tui.view.sheet import Asked

ASSET, MADE, HASH = ("sha256:" + letter * 64 for letter in "ab0")


def aired(seq: int, title: str, hours: float, seconds: float = 1800, **facts: object) -> AiredRow:
    known = {
        "channel": "dengfeng-1",
        "seq": seq,
        "prev": HASH[7:],
        "start": to_text(NOW_US + round(hours * HOUR_US)),
        "duration_s": seconds,
        "kind": "programme",
        "planned": True,
        "title": title,
        "entry": f"e{seq}",
        "date": "2026-11-24",
        "version": 3,
        "asset": ASSET,
        "rendition": MADE,
        "from_s": 0.0,
        "first_msn": 1000 + seq,
        "last_msn": 1899 + seq,
        "status": ("Aired Without Discrepancy",),
        "reason": None,
        "planned_start": to_text(NOW_US + round(hours * HOUR_US)),
        "planned_s": seconds,
        "evidence": ("ledger", "ts_probe"),
    }
    return AiredRow(**{**known, **facts})  # type: ignore[arg-type]


OFF = aired(
    6,
    "",
    -1.0,
    12,
    kind="slate",
    entry=None,
    status=("Did not air", "Technical Difficulty"),
    reason=Text("本机断电", "the box was off"),
    evidence=(),
)
PADDED = aired(
    5,
    "",
    -1.5,
    95,
    kind="filler",
    asset="sha256:" + "c" * 64,
    planned=False,
    status=("Missing Content",),
    reason=Text("素材未到", "its asset has not come"),
    evidence=("ledger",),
)
BROKEN_IN = aired(4, "汛情提示", -2, 10, kind="emergency", planned=False, status=("Inserted by Operator",))
ROWS = (
    aired(8, "早间新闻联播", -0.3),
    aired(7, "少林往事 第十二集", -0.95, 2700, status=("Aired with Duration Discrepancy",)),
    OFF,
    PADDED,
    BROKEN_IN,
    aired(3, "The Weather", -2.4, 900, evidence=("ledger",)),
    aired(2, "", -2.5, 120, status=("Unknown",), evidence=()),
    aired(1, "新闻联播（郑州转播）", -15, 1800, kind="live", status=("Joined in Progress",)),
)
TALLY = Tally(off_air=Count(1, 12.0), padded=Count(1, 95.0), accounted_s=50_580.0, unvouched_s=120.0)
NAMES = {"sha256:" + "c" * 64: "农时农事.mp4"}
FOUND = Found(CHANNELS, "dengfeng-1", ROWS, NAMES, day="2026-11-24", tally=TALLY)
JUMPED = replace(
    FOUND, rows=ROWS[-1:], day="2026-11-23", tally=Tally(accounted_s=86_400.0), from_us=NOW_US - 19 * HOUR_US
)
ACCIDENTS = (
    (
        "dengfeng-1",
        Accident(
            kind="off_air", start_us=NOW_US - HOUR_US, end_us=NOW_US - HOUR_US + 12 * MIN_US // 60, reason=OFF.reason
        ),
    ),
    ("dengfeng-2", Accident(kind="wrong", start_us=NOW_US - 30 * HOUR_US, end_us=NOW_US - 29 * HOUR_US, title="旧闻")),
)
STATES = {
    **with_faults(FOUND),
    "at a time": seen(JUMPED, asked=Asked(words="-1903")),
    "nothing logged": seen(Found(CHANNELS, "dengfeng-1", day="2026-11-24")),
    "accidents": seen(Found(CHANNELS, accidents=ACCIDENTS), asked=Asked(tab=ACCIDENTS_SIDE)),
    "a row opened": seen(Found(CHANNELS, "dengfeng-1", opened=ROWS[1], hash=HASH[7:]), asked=Asked(opened="7")),
    "an accident opened": seen(Found(CHANNELS, "dengfeng-1", opened=OFF, hash=HASH[7:]), asked=Asked(opened="6")),
    "no such row": seen(Found(CHANNELS, "dengfeng-1"), asked=Asked(opened="99")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("asrun", STATES)


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("1403", "2026-11-24T14:03:00+08:00"),
        ("14:02:59", "2026-11-24T14:02:59+08:00"),
        ("1903", "2026-11-23T19:03:00+08:00"),
        (" 19:03 ", "2026-11-23T19:03:00+08:00"),
        ("-1903", "2026-11-23T19:03:00+08:00"),
        ("-0700", "2026-11-23T07:00:00+08:00"),
        ("--190320", "2026-11-22T19:03:20+08:00"),
        ("1120 0800", "2026-11-20T08:00:00+08:00"),
        ("11-20 08:00:01", "2026-11-20T08:00:01+08:00"),
        ("1225 1903", "2025-12-25T19:03:00+08:00"),
        ("11-20", "2026-11-20T23:59:59+08:00"),
        ("2503", None),
        ("1360 0800", None),
        ("02-30", None),
        ("新闻", None),
        ("e12", None),
        ("", None),
    ],
)
def test_a_time_is_named_as_people_name_it(words: str, moment: str | None) -> None:
    """It is 14:03; what has not been yet today was yesterday. What is no time is a word to look for."""
    assert moment_asked(words, NOW_US, ZONE) == (to_us(moment) if moment is not None else None)
