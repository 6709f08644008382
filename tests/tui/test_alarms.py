"""The page of the alarms: what is wrong and what to do, what was wrong and for how long."""

from pathlib import Path

from appliance.core.ended import Ended
from appliance.core.errors import Text
from appliance.core.health import Alarm
from appliance.store import alarm_log
from appliance.store.database import transaction, writing
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, troubles_in, with_faults
from tests.tui.readings import (
    DATABASE_LOCKED,
    HOUR_US,
    MIN_US,
    MISSING_TONIGHT,
    NOW_US,
)
from tui.gather.alarms import gather
from tui.gather.where import where
from tui.view.alarms import HISTORY, Found
from tui.view.sheet import PAGE_ROWS, Asked

DISK = Ended(
    kind="alarm",
    id="disk",
    severity="red",
    text=Text("媒资盘剩余空间不足：100 MB", "the disk of the media is full: 100 MB are free"),
    hint=Text("请清理磁盘，或换更大的盘", "free some space, or fit a larger disk"),
    since_us=NOW_US - 30 * HOUR_US,
    ended_us=NOW_US - 29 * HOUR_US,
)
LINE = Ended(
    kind="alarm",
    id="link",
    severity="amber",
    text=Text("与嵩山云断开", "the hub is away"),
    hint=Text("请检查线路", "see to the line"),
    since_us=NOW_US - 20 * HOUR_US,
    ended_us=NOW_US - 2 * HOUR_US,
    times=14,
)
POWER = Ended(
    kind="off",
    id="off:1",
    severity=None,
    text=None,
    hint=None,
    since_us=NOW_US - 50 * HOUR_US,
    ended_us=NOW_US - 50 * HOUR_US + 12 * MIN_US,
)
PAST = Found((LINE, DISK, POWER))
HISTORY_SIDE = Asked(tab=HISTORY)
STATES = {
    **with_faults(Found(), Found()),
    "missing tonight": seen(Found(), MISSING_TONIGHT),
    "history": seen(PAST, asked=HISTORY_SIDE),
    "no history": seen(Found(), asked=HISTORY_SIDE),
    "history, database locked": seen(None, DATABASE_LOCKED, *troubles_in(DATABASE_LOCKED), asked=HISTORY_SIDE),
    "one opened": seen(PAST, asked=Asked(tab=HISTORY, opened=f"{LINE.since_us} link")),
    "power opened": seen(PAST, asked=Asked(tab=HISTORY, opened=f"{POWER.since_us} off:1")),
    "gone since": seen(PAST, asked=Asked(tab=HISTORY, opened="1 gone")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("alarms", STATES)


def test_the_history_is_read_a_page_at_a_time(tmp_path: Path) -> None:
    """Every row once, the newest first."""
    config = make_box(tmp_path)
    with writing(config.database) as db, transaction(db):
        for number in range(PAGE_ROWS + 5):
            text = Text(f"第 {number} 条", f"number {number}")
            alarm = Alarm(id=f"a {number}", severity="info", text=text, hint=text, since_us=NOW_US)
            alarm_log.ended(db, [alarm], NOW_US + number // 2)
    first = gather(where(tmp_path, {}), HISTORY_SIDE)
    last = first.ended[-1]
    second = gather(where(tmp_path, {}), Asked(tab=HISTORY, after=f"{last.ended_us} {last.id}"))
    assert len({each.id for each in (*first.ended, *second.ended)}) == PAGE_ROWS + 5
    assert [each.id for each in gather(where(tmp_path, {}), Asked(tab=HISTORY, words="第 77 条")).ended] == ["a 77"]
    assert gather(where(tmp_path / "none", {}), Asked()) == Found()
