"""The page of the channels: now, what will be missing and why, what mends it, breaking in and going back."""

from dataclasses import replace

import msgspec
import pytest

from appliance.core.accidents import Count, Tally
from appliance.core.clip_facts import AirClip, ClipFacts, Insertion
from appliance.core.command import Insert, Repackage, Resume, Retry
from appliance.core.errors import Text
from appliance.core.findings import Check
from appliance.core.findings import Finding as Fault
from appliance.core.health import LiveFact, OutputFact
from appliance.core.moment import US
from appliance.core.readiness import Ready
from appliance.core.stock import Holding, RenditionState, Transfer
from appliance.core.ts import HOUSE_PROFILE
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import (
    CHANNEL,
    FILLER,
    HEALTHY,
    HOUR_US,
    INSERTED,
    LOOKS,
    MIN_US,
    NOW_US,
    SECOND,
    changed,
)
from tui.rows import Level
from tui.view.acts import Act, Case
from tui.view.playout import CLIPS, Found, find, in_order, key_of, stretches_of
from tui.view.playout_acts import ACTS
from tui.view.reading import Reading
from tui.view.sheet import Asked, Stretch

FILM, MADE = "sha256:" + "a" * 64, "sha256:" + "b" * 64
LINE_DOWN = Text("等待与嵩山云的线路恢复", "waits for the line to the hub")
TODO = Text("检查线路，或用移动盘送来：songshan usb import", "see to the line, or carry it: songshan usb import")
CHANNELS = (("dengfeng-1", "登封综合频道"), ("dengfeng-2", "登封文旅频道"))


def ready(number: int, title: str, hours: float, minutes: int = 30, **facts: object) -> Ready:
    start_us = NOW_US + round(hours * HOUR_US)
    known = {
        "channel": "dengfeng-1",
        "date": "2026-11-24",
        "entry_id": f"e{number}",
        "title": title,
        "kind": "programme",
        "start_us": start_us,
        "end_us": start_us + minutes * MIN_US,
        "state": "ready",
        "asset": FILM,
        "is_packaged": True,
        "verified_at_us": NOW_US - 5 * HOUR_US,
    }
    return Ready(**{**known, **facts})  # type: ignore[arg-type]


NEWS = ready(1, "早间新闻联播", -0.3)
THEATRE = ready(2, "午间剧场：少林往事 第十二集", 0.2, 45)
FILM_ROW = ready(
    3, "晚间电影：少林寺传奇（修复版）", 5.95, 118, state="cannot", reason=LINE_DOWN, todo=TODO, is_packaged=False
)
LATE = ready(
    4,
    "Weather",
    8,
    15,
    state="late_by",
    ready_at_us=NOW_US + 8 * HOUR_US + 20 * MIN_US,
    late_by_s=1200.0,
    reason=Text("正在传输", "on its way"),
)
AT_RISK = ready(5, "夜间新闻", 9, state="ready_by", ready_at_us=NOW_US + 9 * HOUR_US - 5 * MIN_US, is_at_risk=True)
COMING = ready(6, "嵩山四季", 9.5, 50, state="ready_by", ready_at_us=NOW_US + 2 * HOUR_US, reason=LATE.reason)
AMBER = ready(
    7,
    "公益广告",
    10.4,
    1,
    kind="ad",
    findings=(Fault("black_middle", "amber", Text("中间黑场 3.0 秒", "black for 3.0 s")),),
)
DROPPED = ready(8, "旧闻重播", 11, 0, is_dropped=True, cut_s=600.0)
TOMORROW = ready(9, "新闻联播（郑州转播）", 20, kind="live", asset=None)
RELAY = msgspec.structs.replace(
    TOMORROW, start_us=NOW_US + HOUR_US // 3, state="cannot", reason=Text("连不上", "no answer"), todo=TODO
)
ROWS = (NEWS, THEATRE, FILM_ROW, LATE, AT_RISK, COMING, AMBER, DROPPED, TOMORROW)
WARNING = AirClip(digest="sha256:" + "c" * 64, name="汛情提示.mp4", frames=250, severity=None)
SPOT = AirClip(digest="sha256:" + "d" * 64, name="公益广告.mp4", frames=375, severity="amber")
BREAK = Insertion(
    id="i1",
    digest=WARNING.digest,
    name=WARNING.name,
    at_us=NOW_US + 2 * HOUR_US,
    until_us=NOW_US + 3 * HOUR_US,
    start_tick=None,
    end_tick=None,
    state="placed",
)
CHANNEL_SIDE = Found(
    CHANNELS,
    "dengfeng-1",
    NOW_US,
    tuple(in_order(ROWS, NOW_US)),
    counts=(("ready", 4), ("ready_by", 2), ("late_by", 1), ("cannot", 1)),
    stretches=stretches_of(ROWS, NOW_US),
    tally=Tally(padded=Count(2, 190.0), off_air=Count(1, 12.0)),
    clips=(WARNING, SPOT),
)
GOOD_ROWS = (NEWS, THEATRE, TOMORROW)
ALL_READY = Found(
    CHANNELS,
    "dengfeng-1",
    NOW_US,
    GOOD_ROWS,
    counts=(("ready", 3),),
    stretches=stretches_of(GOOD_ROWS, NOW_US),
    tally=Tally(),
    clips=(WARNING,),
)
WAITS = Transfer(
    digest=MADE,
    direction="down",
    size_bytes=1_240_000_000,
    done_bytes=310_000_000,
    state="failed",
    attempts=5,
    not_before_us=NOW_US + 40 * US,
    reason=Text("连接中断", "the connection broke"),
)
FILM_CLIP = ClipFacts(
    source=None,
    rendition=RenditionState(source=FILM, profile=HOUSE_PROFILE, digest=MADE),
    made=Holding(digest=MADE, size_bytes=1_240_000_000, name="film.mp4", role="rendition"),
    transfers=(WAITS,),
    reasons=(("air:dengfeng-1/2026-11-24", NOW_US + 5 * HOUR_US),),
)
OPENED = Found(CHANNELS, "dengfeng-1", NOW_US, opened=FILM_ROW, clip=FILM_CLIP, like=(SPOT, WARNING))
UNPACKAGED = msgspec.structs.replace(
    FILM_ROW, reason=Text("编码器中途退出", "the encoder ended early"), todo=Text("请重新提供文件", "provide it again")
)
BROKEN = Found(
    CHANNELS,
    "dengfeng-1",
    NOW_US,
    opened=UNPACKAGED,
    clip=ClipFacts(
        source=Holding(
            digest=FILM, size_bytes=900_000_000, name="film.mp4", state="here", verified_at_us=NOW_US - HOUR_US
        ),
        rendition=RenditionState(source=FILM, profile=HOUSE_PROFILE, state="failed", reason=UNPACKAGED.reason),
        made=None,
    ),
    like=(SPOT,),
)
CHECKED = Found(
    CHANNELS,
    "dengfeng-1",
    NOW_US,
    opened=AMBER,
    clip=ClipFacts(
        source=Holding(digest=FILM, size_bytes=9_000_000, state="here", verified_at_us=NOW_US - HOUR_US),
        rendition=RenditionState(source=FILM, profile=HOUSE_PROFILE, state="here", digest=MADE, check=Check("2")),
        made=Holding(digest=MADE, size_bytes=8_000_000, state="here", verified_at_us=NOW_US - HOUR_US),
    ),
)
SENDS = OutputFact(
    channel="dengfeng-1",
    name="登封综合频道",
    address="239.1.1.1:5000",
    sender="standby",
    standby="gone",
    is_probed=True,
    continuity_errors=3,
)
ON_OUTPUT = changed(
    outputs=(SENDS,),
    on_air=(
        msgspec.structs.replace(
            CHANNEL,
            plan="schedule",
            next_version=4,
            next_version_at_us=NOW_US + HOUR_US,
            next_day="2026-11-25",
            next_day_plan="template",
        ),
        SECOND,
    ),
    live=(
        LiveFact(
            channel="dengfeng-1",
            entry_id="e9",
            title="新闻联播",
            url="http://example.org/live.m3u8",
            state="unreachable",
            asked_us=NOW_US - MIN_US,
            reason=Text("服务器返回 404", "the server says 404"),
            start_us=NOW_US + HOUR_US // 3,
            until_us=NOW_US + HOUR_US,
        ),
    ),
)
ASKED_FILM = Asked(opened=key_of(FILM_ROW))
STATES = {
    **with_faults(ALL_READY, agent_dead=CHANNEL_SIDE, disk_full=CHANNEL_SIDE, no_network=CHANNEL_SIDE),
    "missing tonight": seen(CHANNEL_SIDE),
    "output and live": seen(ALL_READY, ON_OUTPUT),
    "filler instead": seen(CHANNEL_SIDE, FILLER),
    "inserted": seen(replace(ALL_READY, insertions=(BREAK,)), INSERTED),
    "no channel": seen(Found()),
    "clips": seen(Found(CHANNELS, "dengfeng-1", NOW_US, clips=(WARNING, SPOT)), asked=Asked(tab=CLIPS)),
    "no clip": seen(Found(CHANNELS, "dengfeng-1", NOW_US), asked=Asked(tab=CLIPS)),
    "the film opened": seen(OPENED, asked=ASKED_FILM),
    "not packaged opened": seen(BROKEN, asked=ASKED_FILM),
    "amber opened": seen(CHECKED, asked=Asked(opened=key_of(AMBER))),
    "live opened": seen(
        Found(CHANNELS, "dengfeng-1", NOW_US, opened=RELAY), ON_OUTPUT, asked=Asked(opened=key_of(RELAY))
    ),
    "gone since": seen(Found(CHANNELS), asked=Asked(opened="1 gone")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("playout", STATES)


def act(name: str) -> Act:
    return next(each for each in ACTS if each.name == name)


def case(found: Found, row: str = "", reading: Reading = HEALTHY, asked: Asked | None = None, **values: str) -> Case:
    return Case(
        found, reading, LOOKS["en"], asked or Asked(), row, values, by="li", at="2026-11-24T06:03:00Z", reason="flood"
    )


def test_an_insertion_at_once_or_at_a_time_of_the_site_s_clock() -> None:
    """The time that people say is the county's; one that has gone by today is tomorrow's."""
    insert = act("insert")
    assert insert.command is not None
    at_once = insert.command(case(ALL_READY, channel="dengfeng-2", clip=WARNING.digest))
    assert at_once == Insert(
        channel="dengfeng-2", digest=WARNING.digest, by="li", via="tui", at="2026-11-24T06:03:00Z", reason="flood"
    )
    timed = act("insert-later")
    assert timed.command is not None
    later = timed.command(case(ALL_READY, channel="dengfeng-1", clip=WARNING.digest, at="20:15", until="20:45"))
    assert isinstance(later, Insert)
    assert (later.at_air, later.until) == ("2026-11-24T12:15:00Z", "2026-11-24T12:45:00Z")
    tomorrow = timed.command(case(ALL_READY, channel="dengfeng-1", clip=WARNING.digest, at="06:00", until="05:00"))
    assert isinstance(tomorrow, Insert)
    assert (tomorrow.at_air, tomorrow.until) == ("2026-11-24T22:00:00Z", "2026-11-25T21:00:00Z")


@pytest.mark.parametrize(
    ("typed", "said"), [("20:15", "at 20:15 for"), ("13:00", "at 11-25 13:00 for"), ("2", "at 2 for")]
)
def test_a_time_that_has_gone_by_is_said_to_be_tomorrows(typed: str, said: str) -> None:
    """Whoever meant "now" and typed the last minute must see that nothing would happen today."""
    later = act("insert-later")
    there = case(ALL_READY, channel="dengfeng-1", clip=WARNING.digest, at=typed, until=typed)
    assert said in later.preview(there)[0]


def test_on_the_side_of_the_clips_the_row_is_what_breaks_in() -> None:
    """There the list is searched; it must not be asked for twice."""
    insert = act("insert")
    assert insert.command is not None
    there = case(CHANNEL_SIDE, SPOT.digest, asked=Asked(tab=CLIPS), channel="dengfeng-1")
    assert [field.name for field in insert.fields(there)] == ["channel"]
    assert [field.name for field in act("insert-later").fields(there)] == ["channel", "at", "until"]
    assert [field.name for field in insert.fields(case(CHANNEL_SIDE))] == ["clip"]
    made = insert.command(there)
    assert isinstance(made, Insert)
    assert made.digest == SPOT.digest
    assert "公益广告.mp4" in insert.preview(there)[0]


def test_an_insertion_is_taken_back_by_the_schedule() -> None:
    """Undo is the way back that exists anyhow."""
    insert, resume = act("insert"), act("resume")
    assert insert.undo is not None
    assert insert.undo(case(ALL_READY, channel="dengfeng-2")) == Resume(
        channel="dengfeng-2", by="li", via="tui", at="2026-11-24T06:03:00Z", reason="flood"
    )
    assert resume.refusal(case(ALL_READY)) is not None
    assert resume.refusal(case(ALL_READY, reading=INSERTED)) is None
    assert resume.refusal(case(replace(ALL_READY, insertions=(BREAK,)))) is None


def test_each_entry_offers_only_what_may_help_it() -> None:
    """A transfer is tried again where one waits, a clip packaged where it is here and is not red."""
    fetch, package = act("fetch"), act("package")
    assert fetch.command is not None and package.command is not None
    film = case(OPENED, key_of(FILM_ROW), asked=ASKED_FILM)
    broken = case(BROKEN, key_of(FILM_ROW), asked=ASKED_FILM)
    assert (fetch.refusal(film), package.refusal(film) is None) == (None, False)
    assert (fetch.refusal(broken) is None, package.refusal(broken)) == (False, None)
    assert fetch.command(film) == Retry(
        digest=MADE, direction="down", by="li", via="tui", at="2026-11-24T06:03:00Z", reason="flood"
    )
    packaged = package.command(broken)
    assert isinstance(packaged, Repackage)
    assert packaged.digest == FILM
    assert fetch.refusal(case(CHANNEL_SIDE, key_of(FILM_ROW))) is not None


def test_a_clip_in_the_place_of_an_entry_has_exactly_its_time() -> None:
    """Neither the news before it nor what follows loses a frame."""
    instead = act("replace")
    assert instead.command is not None and instead.undo is not None
    film = case(OPENED, key_of(FILM_ROW), asked=ASKED_FILM, clip=SPOT.digest)
    made = instead.command(film)
    assert isinstance(made, Insert)
    assert (made.channel, made.digest) == ("dengfeng-1", SPOT.digest)
    assert (made.at_air, made.until) == ("2026-11-24T12:00:00Z", "2026-11-24T13:58:00Z")
    assert instead.undo(film) == Resume(
        channel="dengfeng-1", by="li", via="tui", at="2026-11-24T06:03:00Z", reason="flood"
    )
    running = case(replace(OPENED, opened=NEWS), key_of(NEWS), asked=Asked(opened=key_of(NEWS)), clip=SPOT.digest)
    now = instead.command(running)
    assert isinstance(now, Insert)
    assert now.at_air is None


def test_a_red_clip_is_not_packaged_again() -> None:
    """It would be red again; the key would only promise something."""
    red = Check("2", (Fault("black_throughout", "red", Text("全黑", "black")),))
    assert BROKEN.clip is not None and BROKEN.clip.rendition is not None
    rendition = msgspec.structs.replace(BROKEN.clip.rendition, check=red)
    found = replace(BROKEN, clip=msgspec.structs.replace(BROKEN.clip, rendition=rendition))
    assert act("package").refusal(case(found, key_of(FILM_ROW), asked=ASKED_FILM)) is not None


def test_what_will_be_missing_stands_first_and_then_the_day() -> None:
    """What matters tonight is not found on the third page."""
    assert [row.entry_id for row in in_order(ROWS, NOW_US)] == ["e3", "e4", "e5", "e8", "e1", "e2", "e6", "e7", "e9"]


@pytest.mark.parametrize("moved", [0, 3 * US, -HOUR_US])
def test_an_entry_that_is_open_is_found_where_its_time_has_moved(moved: int) -> None:
    """A follow entry begins later when the one before it runs over; the screen must not lose it."""
    shifted = msgspec.structs.replace(FILM_ROW, start_us=FILM_ROW.start_us + moved)
    assert find((NEWS, shifted), key_of(FILM_ROW)) == shifted
    assert find((NEWS,), key_of(FILM_ROW)) is None


def test_the_entry_of_tomorrow_that_is_called_alike_is_another_one() -> None:
    """What has aired while it was open must not become the same programme of the next day: it would be replaced."""
    tomorrow = msgspec.structs.replace(FILM_ROW, date="2026-11-25", start_us=FILM_ROW.start_us + 7 * HOUR_US)
    assert find((NEWS, tomorrow), key_of(FILM_ROW)) is None


def test_neighbours_that_stand_alike_are_one_stretch() -> None:
    """A day of ten thousand spots is drawn from a handful of stretches."""
    rows = [ready(n, "t", n / 2) for n in range(6)]
    rows[3] = msgspec.structs.replace(rows[3], state="cannot")
    half = HOUR_US // 2
    assert stretches_of(rows, NOW_US) == (
        Stretch(NOW_US, NOW_US + 3 * half, Level.GOOD),
        Stretch(NOW_US + 3 * half, NOW_US + 4 * half, Level.WARN),
        Stretch(NOW_US + 4 * half, NOW_US + 6 * half, Level.GOOD),
    )
