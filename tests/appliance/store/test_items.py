"""What is shown, what is offered, and that what was recalled does not come back."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from appliance.core.errors import Refused
from appliance.core.item import Item
from appliance.core.moment import to_text
from appliance.store import assets, items
from appliance.store.database import open_for_writing
from tests.appliance.boxes import AT_US, S, asset, digest, item

NOW_US = AT_US + 3600 * S


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    yield opened
    opened.close()


def keep(db: Database, *given: Item, state: str = "published", arrived: bool = True) -> None:
    for each in given:
        assert items.keep(db, each, state, NOW_US)  # type: ignore[arg-type]
        for one in each.assets:
            assets.want(db, one, f"item {each.id}", NOW_US)
            if arrived:
                assets.arrived(db, one.digest, one.size_bytes, NOW_US)


def shown(db: Database, now_us: int = NOW_US, **choice: object) -> list[str]:
    found = items.published(db, now_us, **choice)  # type: ignore[arg-type]
    if not choice.keys() & {"limit", "offset"}:
        assert items.count_published(db, now_us, **choice) == len(found)  # type: ignore[arg-type]
    assert all(items.one(db, each.id, now_us) == each for each in found)
    return [each.id for each in found]


def test_a_published_item_is_shown_with_all_that_it_says(db: Database) -> None:
    """What the hub signed is what the citizen reads."""
    published = item(assets=(asset("a"), asset("b")), body_html="<p>红叶</p>")
    keep(db, published)
    assert items.published(db, NOW_US) == [published]
    assert items.servable(db, NOW_US) == {digest("a"), digest("b")} == items.wanted(db, NOW_US)


def test_nothing_is_shown_before_all_of_it_has_arrived(db: Database) -> None:
    """A page whose video is missing is worse than a page a minute later."""
    keep(db, item(assets=(asset("a"), asset("b"))), arrived=False)
    assert (shown(db), items.servable(db, NOW_US)) == ([], frozenset())
    assert items.wanted(db, NOW_US) == {digest("a"), digest("b")}
    assets.arrived(db, digest("a"), 5, NOW_US)
    assert (shown(db), items.servable(db, NOW_US)) == ([], frozenset())
    assets.arrived(db, digest("b"), 5, NOW_US)
    assert shown(db) == ["i1"]


def test_an_item_whose_asset_went_bad_stays_while_it_is_fetched_again(db: Database) -> None:
    """A rotten picture is not served, and does not take the story with it."""
    keep(db, item(assets=(asset("a"), asset("b"))))
    assets.gone_bad(db, digest("a"))
    assert (shown(db), items.servable(db, NOW_US)) == (["i1"], {digest("b")})


def test_items_come_and_go_at_their_times(db: Database) -> None:
    """To the microsecond, without anybody doing anything; and the agent knows when to look again."""
    keep(db, item(publish_at=to_text(NOW_US + S), until=to_text(NOW_US + 2 * S), assets=(asset("a"),)))
    moments = [NOW_US + S - 1, NOW_US + S, NOW_US + 2 * S - 1, NOW_US + 2 * S]
    assert [shown(db, moment) for moment in moments] == [[], ["i1"], ["i1"], []]
    assert [bool(items.servable(db, moment)) for moment in moments] == [False, True, True, False]
    assert [bool(items.wanted(db, moment)) for moment in moments] == [True, True, True, False]
    assert items.next_change_us(db, NOW_US) == NOW_US + S
    assert items.next_change_us(db, NOW_US + S) == NOW_US + 2 * S
    assert items.next_change_us(db, NOW_US + 2 * S) is None


def test_nothing_unsigned_is_kept(db: Database) -> None:
    """Only what the final review let through may be published or aired."""
    with pytest.raises(Refused, match="not signed off"):
        items.keep(db, item(signed=False), "published", NOW_US)
    assert shown(db) == []


def test_a_new_version_takes_the_place_of_the_old(db: Database) -> None:
    """A corrected story has one page."""
    keep(db, item(title="旧", assets=(asset("a"),)))
    keep(db, item(title="新", assets=(asset("b"),)))
    assert [each.title for each in items.published(db, NOW_US)] == ["新"]
    assert items.servable(db, NOW_US) == {digest("b")}


def test_newest_first_by_page_section_and_words(db: Database) -> None:
    """As the app asks."""
    for number in range(5):
        keep(db, item(f"n{number}", created_at=to_text(AT_US + number * S), title=f"Red Leaves {number}"))
    keep(db, item("s1", section="service", title="停水通知", body_html="<p>城区<b>北部</b></p>"))
    assert shown(db, section="news") == ["n4", "n3", "n2", "n1", "n0"]
    assert shown(db, section="news", limit=2, offset=2) == ["n2", "n1"]
    assert (shown(db, query="red  leaves 3"), shown(db, query="北部")) == (["n3"], ["s1"])
    assert (shown(db, query="100%"), shown(db, query="' OR 1=1 --"), shown(db, query="<b>")) == ([], [], [])
    assert shown(db, section="shop") == []


def test_an_offer_is_shown_once_it_is_taken_and_gone_when_given_back(db: Database) -> None:
    """The supermarket is for editors; the citizen sees what this site took."""
    keep(db, item(assets=(asset("a"),)), state="offered", arrived=False)
    assert (shown(db), items.wanted(db, NOW_US)) == ([], frozenset())
    assert [(offer.item.id, offer.taken, offer.is_shown) for offer in items.offered(db, NOW_US)] == [
        ("i1", False, False)
    ]
    assert items.take(db, "i1", NOW_US).id == "i1"
    assert (shown(db), items.wanted(db, NOW_US)) == ([], {digest("a")})
    assets.arrived(db, digest("a"), 5, NOW_US)
    assert (shown(db), items.offered(db, NOW_US)[0].is_shown) == (["i1"], True)
    items.untake(db, "i1", NOW_US)
    assert (shown(db), items.offered(db, NOW_US)[0].taken) == ([], False)


def test_taking_what_is_not_offered_is_refused(db: Database) -> None:
    """With the item's name, so that the editor sees the slip."""
    with pytest.raises(Refused, match="nothing-like-it"):
        items.take(db, "nothing-like-it", NOW_US)
    keep(db, item(), state="offered")
    with pytest.raises(Refused):
        items.untake(db, "i1", NOW_US)
    items.recall(db, "i1", "误", NOW_US)
    with pytest.raises(Refused):
        items.take(db, "i1", NOW_US)


def test_published_here_and_offered_too_stays_published(db: Database) -> None:
    """Whichever record comes first."""
    for first, second in (("published", "offered"), ("offered", "published")):
        keep(db, item(first), state=first)
        keep(db, item(first), state=second)
    assert shown(db) == ["offered", "published"]


def test_a_recalled_item_vanishes_with_what_only_it_used(db: Database) -> None:
    """Page, search, offer and media, at once; what another item shows stays."""
    keep(db, item("i1", assets=(asset("a"), asset("b"))), item("i2", assets=(asset("b"),)))
    assert items.recall(db, "i1", "误发", NOW_US) == (digest("a"),)
    assert (shown(db), items.servable(db, NOW_US)) == (["i2"], {digest("b")})
    assert (shown(db, query="秋色"), items.offered(db, NOW_US)) == (["i2"], [])
    assert items.is_recalled(db, "i1")
    assert "秋色" not in str(db.execute("SELECT document, search FROM items WHERE id = 'i1'").fetchone())


def test_a_recalled_asset_vanishes_from_every_item(db: Database) -> None:
    """The story goes on without the picture."""
    keep(db, item("i1", assets=(asset("a"), asset("b"))), item("i2", assets=(asset("a"),)))
    assert items.recall(db, digest("a"), "侵权", NOW_US) == (digest("a"),)
    found = items.published(db, NOW_US)
    assert {each.id: [one.digest for one in each.assets] for each in found} == {"i1": [digest("b")], "i2": []}
    assert items.servable(db, NOW_US) == {digest("b")}
    keep(db, item("i3", assets=(asset("a"), asset("c"))))
    assert digest("a") not in items.wanted(db, NOW_US)


def test_a_recall_of_what_never_came_still_bars_it(db: Database) -> None:
    """The recall travels on the faster stream and may arrive first."""
    assert items.recall(db, "i1", "误发", NOW_US) == ()
    assert items.keep(db, item(), "published", NOW_US) is False
    assert shown(db) == []


def test_what_was_made_anew_after_the_recall_is_shown(db: Database) -> None:
    """The hub corrects the story and publishes it again under its name; the old version stays barred for ever."""
    anew = item(created_at=to_text(NOW_US + S))
    items.recall(db, "i1", "误发", NOW_US)
    keep(db, anew)
    assert shown(db) == ["i1"]
    assert items.keep(db, item(), "published", NOW_US) is False
    items.recall(db, "i1", "旧的撤稿又来一次", NOW_US - S)
    assert items.published(db, NOW_US) == [anew]


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(["old", "recall", "old again", "offer"]))
def test_in_whatever_order_they_arrive_the_recalled_stays_away(
    order: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Streams are not ordered among each other."""
    db = open_for_writing(tmp_path_factory.mktemp("box") / "box.db")
    for step in order:
        if step == "recall":
            items.recall(db, "i1", "误发", NOW_US)
        else:
            items.keep(db, item(), "offered" if step == "offer" else "published", NOW_US)
    assert (shown(db), items.offered(db, NOW_US), items.wanted(db, NOW_US)) == ([], [], frozenset())
    db.close()


def test_ids_and_words_from_outside_are_values_never_sql(db: Database) -> None:
    """Every text that a stranger can send, tried as an injection."""
    keep(db, item())
    for text in ("i1' --", "'; DROP TABLE items; --", "%", "_", "\0"):
        assert items.one(db, text, NOW_US) is None
        assert shown(db, section=text) == []
    assert shown(db) == ["i1"]


def test_pages_tile_the_whole(db: Database) -> None:
    """No item is lost or doubled between two pages, also when many have the same time."""
    keep(db, *(item(f"i{number}") for number in range(23)))
    pages = [shown(db, limit=5, offset=offset) for offset in range(0, 25, 5)]
    assert sorted(itertools.chain(*pages)) == sorted(f"i{number}" for number in range(23))
