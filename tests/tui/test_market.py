"""The page of supermarket and submissions: found, read, taken, followed until it is published, or why it is not."""

import time
from pathlib import Path

import msgspec
import pytest

from appliance.core.asset import Asset
from appliance.core.command import Take, Untake
from appliance.core.errors import Text
from appliance.core.health import SubmissionFact
from appliance.core.item import Item, SignOff
from appliance.core.market import Part, Story
from appliance.core.moment import to_text
from appliance.store import desk, items
from appliance.store.database import transaction, writing
from tests.appliance.boxes import asset, item
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import HEALTHY, HOUR_US, LOOKS, NO_DATABASE, NOW_US
from tui.gather.market import gather
from tui.gather.where import where
from tui.view.acts import Case
from tui.view.market import ACTS, PUBLISHED, SENT, TAKEN, Found, paragraphs, searched, sheet
from tui.view.reading import Trouble
from tui.view.sheet import PAGE_ROWS, Asked

OFFER = Story(
    id="i-2026-0031",
    title="嵩山少林景区迎来客流高峰，交警部门发布绕行提示",
    section="news",
    origin="hub",
    is_sent=False,
    is_taken=False,
    shown_at_us=NOW_US - HOUR_US,
    publish_at_us=None,
    until_us=NOW_US + 48 * HOUR_US,
    assets=3,
    assets_here=0,
    size_bytes=184_000_000,
    here_bytes=0,
)


def like(identity: str, **facts: object) -> Story:
    return msgspec.structs.replace(OFFER, id=identity, **facts)


ARRIVING = like("i-2", title="新郑机场恢复通航", is_taken=True, assets_here=1, here_bytes=68_000_000)
FAILED = like("i-3", title="社保卡换发指南", section="government", is_taken=True, failed=1, origin="xinzheng")
SHOWN = like("i-4", title="周末停水通知", section="service", is_taken=True, assets_here=3, here_bytes=184_000_000)
LATER = like("i-5", title="登封红枣上架", section="shop", is_taken=True, assets_here=3, publish_at_us=NOW_US + HOUR_US)
OVER = like("i-6", title="中秋晚会预告", is_taken=True, assets=0, size_bytes=0, until_us=NOW_US - HOUR_US)
ITEM = Item(
    id=OFFER.id,
    title=OFFER.title,
    section="news",
    origin="hub",
    created_at="2026-11-24T05:03:00Z",
    summary="今日客流已超三万人次。",
    body_html="<p>记者从景区获悉，<b>今日</b>客流已超三万人次。</p><p>绕行：少室大道 &amp; 嵩山路。</p>",
    sign_offs=(SignOff("first", "初审", "2026-11-24T04:00:00Z"), SignOff("final", "值班总编", "2026-11-24T04:40:00Z")),
)
PARTS = (
    Part(digest="sha256:" + "1" * 64, name="航拍.mp4", role="video", size_bytes=180_000_000),
    Part(digest="sha256:" + "2" * 64, name="封面.jpg", role="picture", size_bytes=400_000, state="here"),
    Part(
        digest="sha256:" + "3" * 64,
        name="现场.mp4",
        role="video",
        size_bytes=3_600_000,
        state="wanted",
        moving="failed",
        reason=Text("嵩山云上没有这个文件", "the hub has no such file"),
    ),
)
ON_THE_WAY = tuple(
    Part(
        digest=f"sha256:{number:064x}",
        name=f"图 {number}.jpg",
        role="picture",
        size_bytes=1_000_000,
        moving="running" if number == 1 else "queued",
        done_bytes=250_000 * (number == 1),
    )
    for number in range(1, 9)
)
LIST = Found((OFFER, ARRIVING, FAILED, SHOWN, LATER, OVER), 1204)


def submission(identity: str, state: str, **facts: object) -> SubmissionFact:
    known = {
        "item": f"dengfeng-{identity}",
        "title": "庙会开幕",
        "file_name": "庙会.mp4",
        "digest": "sha256:" + "0" * 64,
        "created_at_us": NOW_US - 3 * HOUR_US,
        "changed_at_us": NOW_US - HOUR_US,
    }
    return SubmissionFact(id=identity, state=state, **{**known, **facts})  # type: ignore[arg-type]


REFUSED = submission(
    "s5",
    "refused",
    title="重复投稿",
    reason=Text("与 i-2026-0007 重复，请勿再报", "the same as i-2026-0007, do not send it again"),
)
SUBMISSIONS = (
    submission("s1", "waiting", changed_at_us=NOW_US - 60_000_000),
    submission("s2", "sending", title="秋粮入库", file_name="qiuliang-final-最终版.mp4"),
    submission("s3", "sent"),
    submission("s4", "accepted"),
    REFUSED,
)
BEFORE_FIRST = Trouble(Text("还没有数据库", "no database yet"), Text("启动 agent", "start it"))
STATES = {
    **with_faults(LIST),
    "nothing on offer": seen(Found(total=0)),
    "taken": seen(Found((ARRIVING, FAILED, SHOWN, LATER, OVER), 5), asked=Asked(tab=TAKEN)),
    "nothing taken": seen(Found(total=0), asked=Asked(tab=TAKEN)),
    "published here": seen(
        Found((like("i-7", is_sent=True, title="市委全会公报", assets=0, size_bytes=0),), 1), asked=Asked(tab=PUBLISHED)
    ),
    "read": seen(Found((OFFER,), item=ITEM, parts=PARTS), asked=Asked(opened=OFFER.id)),
    "arriving": seen(
        Found((ARRIVING,), item=msgspec.structs.replace(ITEM, body_html="", summary=""), parts=ON_THE_WAY),
        asked=Asked(tab=TAKEN, opened=ARRIVING.id),
    ),
    "recalled since": seen(Found(), asked=Asked(opened="i-9")),
    "sent up": seen(Found(sent=SUBMISSIONS), asked=Asked(tab=SENT)),
    "nothing sent up": seen(Found(), asked=Asked(tab=SENT)),
    "a refused one opened": seen(Found(sent=(REFUSED,)), asked=Asked(tab=SENT, opened="s5")),
    "one on its way opened": seen(
        Found(sent=(SUBMISSIONS[1],), parts=ON_THE_WAY[:2]), asked=Asked(tab=SENT, opened="s2")
    ),
    "sent up, no database": seen(None, NO_DATABASE, BEFORE_FIRST, asked=Asked(tab=SENT)),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("market", STATES)


@pytest.mark.parametrize(
    ("typed", "sought"),
    [
        ("", ("", "")),
        ("防汛", ("", "防汛")),
        ("新闻", ("news", "")),
        ("xw 防汛", ("news", "防汛")),
        ("Shop", ("shop", "")),
        ("government  medical card", ("government", "medical card")),
        ("newspaper", ("", "newspaper")),
        ("  fw ", ("service", "")),
    ],
)
def test_a_section_is_named_first_in_either_language_or_by_initials(typed: str, sought: tuple[str, str]) -> None:
    """The console cannot type Chinese; and a word that only begins like a section is a word."""
    assert searched(typed) == sought


def test_no_mark_up_of_a_story_reaches_the_screen() -> None:
    """It was made by others; a terminal obeys what a browser would not."""
    evil = msgspec.structs.replace(
        ITEM, summary="", body_html="<p>\x1b[2J一&lt;b&gt;</p>\n<script>x</script><br>二&#27;[0m"
    )
    assert paragraphs(evil, LOOKS["zh"]) == ("[2J一<b>", "x", "二[0m")


def offered(home: Path, count: int) -> None:
    config, now_us = make_box(home), time.time_ns() // 1000
    with writing(config.database) as db, transaction(db):
        for number in range(count):
            at = to_text(now_us - number * 1_000_000)
            story = item(
                f"i{number:04}", title=f"第 {number} 号", created_at=at, section="shop" if number % 50 == 7 else "news"
            )
            items.keep(db, msgspec.structs.replace(story, assets=(asset("a", 30),)), "offered", now_us)


def test_each_side_is_read_a_page_at_a_time(tmp_path: Path) -> None:
    """Ten thousand stories are on offer by spring; a search by section reads the ones of it only."""
    offered(tmp_path, PAGE_ROWS + 20)
    first = gather(where(tmp_path, {}), Asked())
    table = sheet(first, HEALTHY, LOOKS["zh"], Asked()).table
    assert table is not None and table.total == PAGE_ROWS + 20
    second = gather(where(tmp_path, {}), Asked(after=table.next))
    assert [each.id for each in (*first.stories, *second.stories)] == [f"i{n:04}" for n in range(PAGE_ROWS + 20)]
    assert [each.id for each in gather(where(tmp_path, {}), Asked(words="电商 第 107")).stories] == ["i0107"]
    assert len(gather(where(tmp_path, {}), Asked(words="ds")).stories) == 5
    assert gather(where(tmp_path, {}), Asked(tab=TAKEN)).stories == ()


def test_a_title_is_found_by_the_initials_of_its_pinyin(tmp_path: Path) -> None:
    """On the bare console nobody can type 防汛; a word with a figure in it is meant as it is written."""
    offered(tmp_path, 3)
    config, now_us = make_box(tmp_path), time.time_ns() // 1000
    sent = msgspec.structs.replace(item("i1", title="防汛演练"), assets=())
    with writing(config.database) as db, transaction(db):
        items.keep(db, item("flood", title="防汛值守"), "offered", now_us)
        desk.add_submission(db, "s1", sent, "a.mp4", now_us)
    assert [each.id for each in gather(where(tmp_path, {}), Asked(words="fxzs")).stories] == ["flood"]
    assert [each.id for each in gather(where(tmp_path, {}), Asked(words="xw fxz")).stories] == ["flood"]
    assert [each.id for each in gather(where(tmp_path, {}), Asked(tab=SENT, words="fxyl")).sent] == ["s1"]
    for words in ("fxzy", "f", "fx9", "fx zs"):
        assert gather(where(tmp_path, {}), Asked(words=words)).stories == ()


def test_a_story_is_read_and_followed_and_a_recalled_one_is_gone(tmp_path: Path) -> None:
    """What is opened is looked at anew each time."""
    offered(tmp_path, 1)
    config, now_us = make_box(tmp_path), time.time_ns() // 1000
    read = gather(where(tmp_path, {}), Asked(opened="i0000"))
    assert read.item is not None and [(each.name, each.state) for each in read.parts] == [("a.mp4", "")]
    with writing(config.database) as db, transaction(db):
        items.take(db, "i0000", now_us)
    (taken,) = gather(where(tmp_path, {}), Asked(tab=TAKEN)).stories
    assert (taken.is_taken, taken.stage(now_us)) == (True, "arriving")
    with writing(config.database) as db, transaction(db):
        items.recall(db, "i0000", "误发", now_us + 1)
    assert gather(where(tmp_path, {}), Asked(opened="i0000")) == Found()


def test_what_was_sent_up_is_read_with_its_files(tmp_path: Path) -> None:
    """Also where its words were redacted meanwhile."""
    config, now_us = make_box(tmp_path), time.time_ns() // 1000
    sent = msgspec.structs.replace(item("i1", title="庙会"), assets=(Asset("sha256:" + "a" * 64, 9, "庙会.mp4"),))
    with writing(config.database) as db, transaction(db):
        desk.add_submission(db, "s1", sent, "庙会.mp4", now_us)
    assert [each.title for each in gather(where(tmp_path, {}), Asked(tab=SENT)).sent] == ["庙会"]
    assert [each.name for each in gather(where(tmp_path, {}), Asked(tab=SENT, opened="s1")).parts] == ["庙会.mp4"]
    with writing(config.database) as db, transaction(db):
        desk.blank_submission(db, "s1")
    assert gather(where(tmp_path, {}), Asked(tab=SENT, opened="s1")).parts == ()
    assert gather(where(tmp_path, {}), Asked(tab=SENT, opened="s9")) == Found()


GET, GIVE_BACK = ACTS


def case(each: Story, tab: str = "") -> Case:
    return Case(Found((each,)), HEALTHY, LOOKS["en"], Asked(tab=tab), each.id, {}, "王工", "2026-11-24T06:03:00Z")


def test_a_story_is_taken_and_given_back_and_each_undoes_the_other() -> None:
    """What is no story of the supermarket, or is taken already, is refused before anything is put."""
    assert GET.command is not None and GET.undo is not None
    assert GIVE_BACK.command is not None and GIVE_BACK.undo is not None
    asked = case(OFFER)
    assert GET.command(asked) == GIVE_BACK.undo(asked) == Take(item=OFFER.id, **asked.asked_by)
    assert GET.undo(asked) == GIVE_BACK.command(asked) == Untake(item=OFFER.id, **asked.asked_by)
    sent_here = msgspec.structs.replace(OFFER, is_sent=True)
    assert [GET.refusal(each) is None for each in (asked, case(SHOWN), case(sent_here), case(OFFER, SENT))] == [
        True,
        False,
        False,
        False,
    ]
    assert [GIVE_BACK.refusal(each) is None for each in (asked, case(SHOWN, TAKEN), case(SHOWN, SENT))] == [
        False,
        True,
        False,
    ]


def test_before_a_story_is_taken_it_is_said_what_comes_and_when_it_is_shown() -> None:
    """Eighty gigabytes over a county's line are better not taken by a slip."""
    large = msgspec.structs.replace(OFFER, size_bytes=1_300_000_000_000, publish_at_us=NOW_US + HOUR_US)
    assert GET.preview(case(large))[1:] == (
        "Not before 15:03, as the hub wants it.",
        "1.3 TB come over the line.",
        "The disk is short of room: what is used least goes first.",
    )
    assert GET.preview(case(OFFER))[1:] == ("184 MB come over the line.",)
