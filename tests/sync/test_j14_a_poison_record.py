"""J14: a record that brings a fault of ours to light, at every start again."""

from pathlib import Path

import msgspec

from appliance.core import records
from appliance.core.asset import Asset, Rendition
from appliance.core.records import Schedule
from appliance.core.ts import HOUSE_PROFILE
from tests.sync.nights import night


def poison() -> bytes:
    """A schedule that is well-formed, and whose first programme lasts longer than time can be counted."""
    first, second = (f"sha256:{letter * 64}" for letter in "ab")
    made = Rendition("sha256:" + "c" * 64, 900, 250, HOUSE_PROFILE)
    assets = (
        Asset(first, 5, "a.mp4", role="video", rendition=made, duration_s=1e300),
        Asset(second, 5, "b.mp4", role="video", rendition=made, duration_s=10.0),
    )
    entries = [
        {"id": "e1", "start": "06:00:00", "start_type": "hard", "kind": "programme", "asset": first},
        {"id": "e2", "start_type": "follow", "kind": "programme", "asset": second},
    ]
    document = {"channel": "dengfeng-1", "date": "2026-11-25", "version": 1, "entries": entries}
    body = Schedule("dengfeng-1", "2026-11-25", 1, msgspec.Raw(msgspec.json.encode(document)), assets)
    return records.encode(body)


def test_it_is_set_aside_with_an_alarm_and_everything_else_goes_on(root: Path) -> None:
    """The agent does not die of it, not even once, and not at the next start either; the air goes on."""
    with night(root) as at:
        at.write("dengfeng/content", "schedule", "dengfeng-1", poison())
        at.order("o1")
        for _start in range(3):
            for _round in range(6):
                at.pair.round(2_000_000)
                assert at.box.agent is not None
            at.pair.box_dies(with_power=True)
        for _round in range(6):
            at.pair.round(2_000_000)
        assert at.rows("SELECT id FROM orders") == [("o1",)]
        ((state, reason),) = at.rows("SELECT state, reason FROM journal WHERE kind = 'schedule'")
        assert state == "parked"
        assert "a fault of this version" in str(reason)
        assert "parked" in at.alarms()
        assert at.rows("SELECT count(*) FROM ledger") != [(0,)]
