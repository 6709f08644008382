"""Supermarket and desk, looked through a page at a time: nothing twice, nothing left out, counts that are true."""

from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance.core.asset import Asset
from appliance.core.market import Story
from appliance.core.records import Order
from appliance.store import assets, desk, items, market, needs
from appliance.store.database import transaction, writing
from tests.appliance.boxes import AT, AT_US, S, asset, digest, item

LATER = "2026-11-24T07:00:00Z"
EARLIER = "2026-11-24T05:00:00Z"


@pytest.fixture
def db(tmp_path: Path):  # type: ignore[no-untyped-def]
    with writing(tmp_path / "box.db") as made:
        yield made


def offer(db: Database, identity: str, **values: object) -> None:
    with transaction(db):
        items.keep(db, item(identity, **values), "offered", AT_US)  # type: ignore[arg-type]


def take(db: Database, identity: str) -> None:
    with transaction(db):
        needs.want_item(db, items.take(db, identity, AT_US), "taken", AT_US, AT_US)


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_hold_every_story_once_newest_first(db: Database, limit: int) -> None:
    """Two stories of one moment are where a list that goes on after a moment alone loses one or shows it twice."""
    for number in range(7):
        offer(db, f"i{number}", created_at=AT if number % 3 else EARLIER)
    seen: list[str] = []
    after = ""
    while page := market.stories(db, "offered", after=after, limit=limit):
        seen += [each.id for each in page]
        after = page[-1].place
    assert (seen, market.count(db, "offered")) == (["i1", "i2", "i4", "i5", "i0", "i3", "i6"], 7)


def test_a_story_is_found_by_its_section_and_its_words(db: Database) -> None:
    """Whoever looks for the flood in the news must not read through the shop."""
    offer(db, "flood", title="防汛 Flood  report", body_html="<p>水位</p>")
    offer(db, "shop", title="防汛物资", section="shop")

    def found(section: str, words: str) -> list[str]:
        return [each.id for each in market.stories(db, "offered", section, words)]

    assert [found("", "防汛"), found("shop", "防汛"), found("", "FLOOD report"), found("news", "水位")] == [
        ["flood", "shop"],
        ["shop"],
        ["flood"],
        ["flood"],
    ]


def stage(db: Database, identity: str) -> str:
    found = market.story(db, identity)
    assert found is not None
    return found[0].stage(AT_US)


def test_what_was_taken_is_followed_until_it_is_shown(db: Database) -> None:
    """Offered, arriving with its bytes, shown; and those whose time has not come, or is over."""
    two = (asset("a", 10), asset("b", 30))
    offer(db, "i1", assets=two)
    assert stage(db, "i1") == "offered"
    take(db, "i1")
    with transaction(db):
        assets.arrived(db, digest("a"), 10, AT_US)
        needs.moved(db, digest("b"), "down", 12, 3.0)
    (arriving,) = market.stories(db, "taken")
    assert arriving == Story(
        id="i1",
        title="嵩山秋色",
        section="news",
        origin="hub",
        is_sent=False,
        is_taken=True,
        shown_at_us=AT_US,
        publish_at_us=None,
        until_us=None,
        assets=2,
        assets_here=1,
        size_bytes=40,
        here_bytes=22,
    )
    assert arriving.stage(AT_US) == "arriving"
    with transaction(db):
        assets.arrived(db, digest("b"), 30, AT_US)
    assert stage(db, "i1") == "shown"
    offer(db, "i2", publish_at=LATER)
    offer(db, "i3", until=EARLIER)
    take(db, "i2")
    assert (stage(db, "i2"), stage(db, "i3")) == ("later", "over")
    with transaction(db):
        items.untake(db, "i1", AT_US)
        items.recall(db, "i2", "误发", AT_US + S)
    assert (market.stories(db, "taken"), stage(db, "i1"), market.story(db, "i2")) == ((), "offered", None)


def test_each_asset_of_a_story_tells_where_it_is(db: Database) -> None:
    """Of a story that does not come it is one file that hangs; that one is to be tried again."""
    offer(db, "i1", assets=(asset("a", 10), asset("b", 30)))
    offer(db, "i2", assets=(asset("c", 50),))
    take(db, "i1")
    with transaction(db):
        assets.arrived(db, digest("a"), 10, AT_US)
        needs.begun(db, digest("b"), "down")
    found = market.story(db, "i1")
    assert found is not None
    assert [(each.name, each.state, each.moving) for each in found[2]] == [
        ("a.mp4", "here", ""),
        ("b.mp4", "wanted", "running"),
    ]
    (offered,) = market.stories(db, "offered", after=market.stories(db, "offered", limit=1)[0].place)
    assert (offered.id, offered.size_bytes, offered.here_bytes) == ("i2", 50, 0), "its size stands in the record alone"


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_what_was_sent_is_read_page_by_page_and_found_by_its_name(db: Database, limit: int) -> None:
    """The editor asks after one of a thousand, and knows what its file was called."""
    for number in range(5):
        sent = msgspec.structs.replace(item(f"i{number}", title=f"庙会 {number}"), assets=(Asset(digest("a"), 1),))
        with transaction(db):
            desk.add_submission(db, f"s{number}", sent, f"clip{number}.MP4", AT_US + number // 2 * S)
    seen: list[str] = []
    after = (2**62, "")
    while page := desk.submissions_page(db, after=after, limit=limit):
        seen += [each.id for each in page]
        after = (page[-1].created_at_us, page[-1].id)
    assert seen == ["s4", "s2", "s3", "s0", "s1"]
    assert [each.id for each in desk.submissions_page(db, "clip3.mp4")] == ["s3"]
    found = desk.submission(db, "s3")
    assert found is not None and found[1] is not None and found[1].title == "庙会 3"
    with transaction(db):
        desk.blank_submission(db, "s3")
    assert desk.submission(db, "s3") == (desk.submissions_page(db)[2], None)


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_orders_without_an_answer_come_first_on_every_page(db: Database, limit: int) -> None:
    """What waits for an answer must not lie behind a hundred that were answered last year."""
    with transaction(db):
        for number in range(5):
            desk.receive_order(db, Order(f"o{number}", f"防汛 {number}", "即刻", None), AT_US + number // 2 * S)
        desk.answer_order(db, "o4", "done", "", "王编辑", AT_US)
        desk.answer_order(db, "o1", "accepted", "", "王编辑", AT_US)
    seen: list[str] = []
    after = (-1, 2**62, "")
    while page := desk.orders_page(db, after=after, limit=limit):
        seen += [each.id for each in page]
        after = (int(page[-1].state != "new"), page[-1].received_at_us, page[-1].id)
    assert seen == ["o2", "o3", "o0", "o4", "o1"] == [each.id for each in desk.orders(db)]
    assert [each.id for each in desk.orders_page(db, "汛 3")] == ["o3"]
    assert (desk.order(db, "o1"), desk.order(db, "o9")) == (desk.orders(db)[4], None)
