"""Accidents are counted as the supervisor counts them: each second once, neighbours as one."""

from typing import Any

import pytest

from appliance.core.accidents import Count, accident_of, tally
from appliance.core.asrun import AiredRow
from appliance.core.moment import US, to_text

NOON_US = 1_795_500_000 * US
PADDED = {"kind": "filler", "planned": False, "status": ("Did not air", "Missing Content")}
OFF = {"status": ("Did not air", "Technical Difficulty"), "evidence": ()}
WRONG = {"status": ("Aired with Content Discrepancy",)}
FAULTY = {"status": ("Technical Difficulty",)}


def row(start_s: float, duration_s: float, **more: Any) -> AiredRow:
    made: dict[str, Any] = {"channel": "c", "seq": 1, "prev": "", "kind": "programme", "planned": True, "title": "新闻"}
    made |= {"entry": "e1", "date": "d", "version": 1, "asset": None, "rendition": "", "from_s": 0.0, "first_msn": 0}
    made |= {"last_msn": 0, "status": ("Aired Without Discrepancy",), "reason": None}
    return AiredRow(start=to_text(NOON_US + round(start_s * US)), duration_s=duration_s, **{**made, **more})


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (OFF, "off_air"),
        (WRONG, "wrong"),
        (PADDED, "padded"),
        ({"kind": "slate", "planned": False, "status": ("Technical Difficulty",)}, "padded"),
        (FAULTY, "degraded"),
        ({"status": ("Aired with Duration Discrepancy", "Technical Difficulty")}, "degraded"),
        ({"kind": "filler"}, None),
        ({"kind": "emergency", "planned": False, "status": ("Inserted by Operator",)}, None),
        ({"status": ("Joined in Progress", "Aired with Duration Discrepancy")}, None),
        ({"status": ("Preempted",), "evidence": ()}, None),
        ({"status": ("Unknown",), "evidence": ()}, None),
        ({**PADDED, "status": ("Unknown",), "evidence": ()}, None),
        ({**PADDED, **OFF}, "off_air"),
    ],
)
def test_what_kind_of_accident_a_row_is(facts: dict[str, Any], kind: str | None) -> None:
    """A planned filler or a break-in is none; the slate of a dead agent is padding, a dark box is off the air."""
    assert accident_of(row(0, 1, **facts)) == kind


def test_neighbours_are_one_accident_and_the_day_ends_at_midnight() -> None:
    """Three fillers in a row for one film are one accident, not three; what runs on counts in the next day."""
    rows = [row(-60, 60), row(0, 30, **PADDED), row(30, 30, **PADDED), row(60, 10), row(70, 20, **PADDED)]
    rows += [row(90, 10, **OFF), row(100, 40, **WRONG), row(140, 60, status=("Unknown",), evidence=())]
    found = tally(rows, NOON_US, NOON_US + 120 * US)
    assert (found.padded, found.off_air, found.wrong, found.degraded) == (
        Count(2, 80.0), Count(1, 10.0), Count(1, 20.0), Count(),
    )  # fmt: skip
    assert (found.accounted_s, found.unvouched_s) == (120.0, 0.0)
    assert tally(rows, NOON_US + 120 * US, NOON_US + 240 * US).unvouched_s == 60.0


def test_a_row_without_length_counts_for_nothing() -> None:
    """A preempted entry had no second."""
    assert tally([row(0, 0, status=("Preempted",), evidence=())], NOON_US, NOON_US + US).accounted_s == 0
