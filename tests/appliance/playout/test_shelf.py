"""The shelf: what is at hand for a sender, and whether it may go on without waiting for it."""

from pathlib import Path

from appliance.core.rundown import us_of
from appliance.core.sending import SHELF_AHEAD_TICKS
from appliance.playout.shelf import Shelf
from tests.appliance.web.county import County, now_us


def test_a_sender_waits_for_the_shelf_at_its_start_and_after_a_leap_alone(tmp_path: Path) -> None:
    """A machine that stood still for a moment has all at hand: to wait then would make the gap longer."""
    county = County(tmp_path / "box")
    try:
        at_us = now_us()
        shelf = Shelf(county.config, "dengfeng-1", lambda: at_us)
        assert not shelf.reaches(at_us)
        shelf.fill()
        assert shelf.reaches(at_us) and shelf.reaches(at_us + us_of(SHELF_AHEAD_TICKS) - 1_000_000)
        assert not shelf.reaches(at_us + us_of(SHELF_AHEAD_TICKS))
    finally:
        county.close()
