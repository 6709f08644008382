"""The page of the line to the hub: the queue, the streams, what is parked."""

import time
from dataclasses import replace
from pathlib import Path

import msgspec

from appliance.core import timetable
from appliance.core.asset import Asset
from appliance.core.command import Reapply, Retry
from appliance.core.errors import Text
from appliance.core.health import Alarm, StreamFact
from appliance.core.journal import genesis
from appliance.core.moment import US
from appliance.core.queued import NEVER_US, Queued
from appliance.core.timetable import Allowance, Period
from appliance.store import journals
from appliance.store.assets import want
from appliance.store.database import transaction, writing
from appliance.store.needs import need_item
from tests.appliance.store.test_journals import STREAM, chain, judged
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import (
    HEALTHY,
    HOUR_US,
    LOOKS,
    NOW_US,
    OFFLINE,
    SNAPSHOT,
    STUCK,
    reading,
)
from tui.gather.sync import gather
from tui.gather.where import where
from tui.rows import Level
from tui.view.acts import Case
from tui.view.queue import Pace, Queue
from tui.view.reading import Trouble
from tui.view.sheet import PAGE_ROWS, Asked
from tui.view.streams import STREAMS
from tui.view.sync import ACTS, Found, sheet
from tui.view.waiting import HELD, PARKED, Waiting
from tui.view.week import TIMETABLE, Week


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
ALLOWED = ((NOW_US, Allowance(500_000, 0)), (NOW_US + 4 * HOUR_US, Allowance()))
PACE = Pace(1_200_000.0, ALLOWED, tuple(float(number % 30) * 40_000 for number in range(144)))
FOUND = Found(Queue(QUEUE, 1204, pace=PACE))
PARKED_RECORD = Waiting("all/content", 1, 77, "poll", "p-7", Text("不认识的记录类别", "an unknown kind of record"))
HELD_RECORD = Waiting(
    "dengfeng/control",
    2,
    9,
    "recall",
    "i-2026-0031",
    Text("嵩山云的签名已过期", "the hub's signature is past its time"),
)
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
WEEK = Week(
    (Period(WORKDAYS, 8 * 60, 18 * 60, 500_000, 200_000), Period(timetable.WEEKDAYS, 1 * 60, 6 * 60)),
    Allowance(2_000_000, 2_000_000),
    ALLOWED,
)
FENCED = reading(
    msgspec.structs.replace(
        SNAPSHOT,
        sync=msgspec.structs.replace(
            SNAPSHOT.sync,
            streams=tuple(
                StreamFact(
                    stream=name, epoch=epoch, seq=seq, checkpoint_at_us=NOW_US - 42 * US, next_by_us=NOW_US + HOUR_US
                )
                for name, epoch, seq in (
                    ("all/control", 1, 7),
                    ("dengfeng/content", 1, 204),
                    ("dengfeng/report", 3, 88),
                )
            ),
        ),
        alarms=(
            Alarm(
                id="raised:stream:dengfeng/report",
                severity="red",
                text=Text(
                    "两台机器使用同一身份，本站流水停写",
                    "two machines use one identity; this site's stream stands still",
                ),
                hint=Text("关掉不该用的那台", "switch off the one that is not meant"),
                since_us=NOW_US - HOUR_US,
            ),
        ),
    )
)
NO_DISK = Trouble(Text("磁盘已满：box.db", "the disk is full: box.db"))
STATES = {
    **with_faults(FOUND),
    "empty": seen(Found(Queue(total=0))),
    "streams": seen(Found(), STUCK, asked=Asked(tab=STREAMS)),
    "fenced": seen(Found(), FENCED, asked=Asked(tab=STREAMS)),
    "a fenced stream opened": seen(Found(), FENCED, asked=Asked(tab=STREAMS, opened="dengfeng/report")),
    "held": seen(Found(waiting=(HELD_RECORD,)), STUCK, asked=Asked(tab=HELD)),
    "a held record opened": seen(Found(waiting=(HELD_RECORD,)), asked=Asked(tab=HELD, opened=HELD_RECORD.place)),
    "nothing held": seen(Found(), asked=Asked(tab=HELD)),
    "parked": seen(Found(waiting=(PARKED_RECORD,)), STUCK, asked=Asked(tab=PARKED)),
    "a parked record opened": seen(
        Found(waiting=(PARKED_RECORD,)), asked=Asked(tab=PARKED, opened=PARKED_RECORD.place)
    ),
    "timetable": seen(Found(week=WEEK), asked=Asked(tab=TIMETABLE)),
    "no timetable": seen(Found(week=Week(steps=((NOW_US, Allowance()),))), asked=Asked(tab=TIMETABLE)),
    "a failed transfer opened": seen(
        Found(
            Queue((FAILED,), why=(("air:dengfeng-1/2026-11-24", NOW_US - HOUR_US), ("taken:i-17", NOW_US + HOUR_US)))
        ),
        STUCK,
        asked=Asked(opened=f"down {FAILED.digest}"),
    ),
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
    assert [each.name for each in first.queue.rows] == [f"n{number:04}.mp4" for number in range(PAGE_ROWS)]
    assert first.queue.total == PAGE_ROWS + 20
    following = gather(where(tmp_path, {}), Asked(after=" ".join(map(str, first.queue.rows[-1].place))))
    assert [each.name for each in following.queue.rows] == [f"n{number + PAGE_ROWS:04}.mp4" for number in range(20)]
    assert [each.name for each in gather(where(tmp_path, {}), Asked(words="N0007")).queue.rows] == ["n0007.mp4"]


def case(found: Found, row: str, tab: str = "") -> Case:
    return Case(found, HEALTHY, LOOKS["en"], Asked(tab=tab), row, by="王工", at="2026-11-24T06:03:00Z")


AGAIN, ALL_AGAIN = ACTS


def test_a_failed_transfer_is_tried_again_and_one_that_moves_is_not() -> None:
    """The command names the transfer; whoever presses the key on a running one is told why that would be of no use."""
    failed = case(FOUND, f"down {FAILED.digest}")
    assert AGAIN.refusal(failed) is None
    assert AGAIN.command is not None
    assert AGAIN.command(failed) == Retry(digest=FAILED.digest, direction="down", **failed.asked_by)
    refused = [AGAIN.refusal(case(FOUND, f"{each.direction} {each.digest}")) for each in QUEUE[1:]]
    assert [each.en if each else None for each in refused] == [
        "it is moving",
        "it waits for its turn on the line, not for another try",
        "it waits for its turn on the line, not for another try",
    ]


def test_a_parked_record_is_applied_again_by_its_place() -> None:
    """One, or all of them; from a side where there is nothing to try the keys say so."""
    assert AGAIN.command is not None and ALL_AGAIN.command is not None
    parked = case(Found(waiting=(PARKED_RECORD,)), PARKED_RECORD.place, PARKED)
    assert AGAIN.command(parked) == Reapply(stream="all/content", epoch=1, seq=77, **parked.asked_by)
    assert ALL_AGAIN.command(parked) == Reapply(**parked.asked_by)
    assert ALL_AGAIN.command(case(FOUND, "")) == Retry(**parked.asked_by)
    for act in ACTS:
        assert act.refusal(case(Found(), "all/control", STREAMS)) is not None


def test_what_will_come_too_late_is_said_before_it_is_late() -> None:
    """At this rate, within the timetable and behind what is more urgent; offline nothing is promised."""
    queue = Queue(
        (
            queued(1, due_us=NOW_US + HOUR_US, size_bytes=1_800_000_000),
            queued(2, due_us=NOW_US + 2 * HOUR_US, size_bytes=900_000_000),
            queued(3, direction="up", due_us=NEVER_US, size_bytes=360_000_000),
        ),
        pace=Pace(1_000_000.0, ((NOW_US, Allowance()), (NOW_US + HOUR_US // 2, Allowance(500_000, 0))), (), 200_000.0),
    )
    table = sheet(Found(queue), HEALTHY, LOOKS["en"], Asked()).table
    assert table is not None
    assert [(row.texts[6], row.level) for row in table.rows] == [
        ("14:33", Level.GOOD),
        ("15:03", Level.GOOD),
        ("14:33", Level.GOOD),
    ]
    slower = Found(replace(queue, pace=Pace(400_000.0)))
    late = sheet(slower, HEALTHY, LOOKS["en"], Asked()).table
    assert late is not None and [row.level for row in late.rows][:2] == [Level.WARN, Level.GOOD]
    for shown, reading_ in ((Found(queue), OFFLINE), (Found(replace(queue, is_front=False)), HEALTHY)):
        found = sheet(shown, reading_, LOOKS["en"], Asked()).table
        assert found is not None and {row.texts[6] for row in found.rows} == {"-"}


def test_held_and_parked_records_are_read_from_the_box_and_opened_by_their_place(tmp_path: Path) -> None:
    """One that was done since it was opened is not mistaken for the one behind it."""
    config = make_box(tmp_path)
    records = chain(3, kind="recall")
    with writing(config.database) as db:
        judgement, signed = judged(genesis(STREAM), records)
        journals.accept(db, judgement, signed, lambda _db, _record: None, lambda _record: Text("过期", "past its time"))
    found = gather(where(tmp_path, {}), Asked(tab=HELD))
    assert [(each.place, each.kind) for each in found.waiting] == [(f"{STREAM} 1 {n}", "recall") for n in (1, 2, 3)]
    opened = gather(where(tmp_path, {}), Asked(tab=HELD, opened=f"{STREAM} 1 2"))
    assert [each.place for each in opened.waiting] == [f"{STREAM} 1 2"]
    assert gather(where(tmp_path, {}), Asked(tab=PARKED, opened=f"{STREAM} 1 2")).waiting == ()
