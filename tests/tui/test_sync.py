"""The page of the line to the hub: the queue, the streams, what is parked."""

import time
from pathlib import Path

from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.queued import NEVER_US, Queued
from appliance.store.assets import want
from appliance.store.database import transaction, writing
from appliance.store.needs import need_item
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen
from tests.tui.readings import AGENT_DEAD, HOUR_US, NO_CONFIG, NO_DATABASE, NOW_US, OFFLINE, STUCK
from tui.gather.sync import gather
from tui.gather.where import where
from tui.view.reading import Trouble
from tui.view.sheet import PAGE_ROWS, Asked
from tui.view.sync import PARKED, STREAMS, Found, ParkedRecord


def queued(number: int, **facts: object) -> Queued:
    known = {
        "digest": f"sha256:{number:064x}",
        "direction": "down",
        "name": "少林往事 第十二集.mp4",
        "state": "queued",
        "due_us": NOW_US + 6 * HOUR_US,
        "size_bytes": 1_240_000_000,
        "done_bytes": 0,
        "rate_bytes_per_s": None,
        "attempts": 0,
        "not_before_us": 0,
        "reason": None,
    }
    return Queued(**{**known, **facts})  # type: ignore[arg-type]


FAILED = queued(
    2,
    state="failed",
    attempts=5,
    reason=Text("嵩山云上没有这个文件", "the hub has no such file"),
    due_us=NOW_US - HOUR_US,
)
QUEUE = (
    FAILED,
    queued(1, state="running", done_bytes=310_000_000, rate_bytes_per_s=1_200_000.0, attempts=1),
    queued(3, direction="up", name="庙会.mp4", size_bytes=84_000, due_us=NEVER_US),
    queued(4, name=""),
)
FOUND = Found(QUEUE, 1204)
PARKED_RECORD = ParkedRecord("all/content", 1, 77, "poll", "p-7", Text("不认识的记录类别", "an unknown kind of record"))
STATES = {
    "healthy": seen(FOUND),
    "empty": seen(Found(total=0)),
    "offline": seen(FOUND, OFFLINE),
    "agent dead": seen(FOUND, AGENT_DEAD),
    "no database": seen(
        None, NO_DATABASE, Trouble(Text("还没有数据库", "no database yet"), Text("启动 agent", "start it"))
    ),
    "no configuration": seen(None, NO_CONFIG, Trouble(NO_CONFIG.problems[0], NO_CONFIG.hint)),
    "streams": seen(Found(), STUCK, asked=Asked(tab=STREAMS)),
    "parked": seen(Found(parked=(PARKED_RECORD,)), STUCK, asked=Asked(tab=PARKED)),
    "a failed transfer opened": seen(FOUND, STUCK, asked=Asked(opened=f"down {FAILED.digest}")),
    "a parked record opened": seen(Found(parked=(PARKED_RECORD,)), asked=Asked(tab=PARKED, opened=PARKED_RECORD.place)),
    "gone since": seen(Found(), asked=Asked(opened="down gone")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("sync", STATES)


def test_the_queue_is_read_a_page_at_a_time_the_most_urgent_first(tmp_path: Path) -> None:
    """A county that was away for a month has a queue that no screen should hold at once."""
    config = make_box(tmp_path)
    now_us = time.time_ns() // 1000
    with writing(config.database) as db, transaction(db):
        for number in range(PAGE_ROWS + 20):
            asset = Asset(
                digest=f"sha256:{number:064x}", size_bytes=10, media_type="video/mp4", name=f"n{number:04}.mp4"
            )
            want(db, asset, "item", now_us)
            need_item(db, asset, "item", "item:i-1", now_us + number, now_us)
    first = gather(where(tmp_path, {}), Asked())
    assert [each.name for each in first.queue] == [f"n{number:04}.mp4" for number in range(PAGE_ROWS)]
    assert first.total == PAGE_ROWS + 20
    following = gather(where(tmp_path, {}), Asked(after=" ".join(map(str, first.queue[-1].place))))
    assert [each.name for each in following.queue] == [f"n{number + PAGE_ROWS:04}.mp4" for number in range(20)]
    assert [each.name for each in gather(where(tmp_path, {}), Asked(words="N0007")).queue] == ["n0007.mp4"]
