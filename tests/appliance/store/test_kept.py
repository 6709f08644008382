"""What screens show of the cache is what the agent goes by, asked in another way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.cache import order_of_eviction, words
from appliance.core.moment import to_text
from appliance.core.scrub import progress
from appliance.store import cache, desk, items, kept, needs
from appliance.store.database import open_for_writing
from tests.appliance.boxes import AT_US, S, asset, digest, item
from tests.appliance.store.test_cache import DAY_US, HOUR_US, here, plays, scheduled

MADE = dict(zip("abcdefg", "1234567", strict=True))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Assets for every reason there is, some recalled, some used by nothing, and one that is bad."""
    made = open_for_writing(tmp_path / "box.db")
    made.execute("INSERT INTO channels VALUES ('dengfeng-1', 'Asia/Shanghai', 0, 1, 0, 0)")
    for number, letter in enumerate("abcdefg"):
        here(made, letter, AT_US - (30 - number) * DAY_US, made=MADE[letter])
    for letter in "89":
        here(made, letter, AT_US - 40 * DAY_US)
    plays(made, digest("1"), AT_US + HOUR_US, "晚间")
    plays(made, digest("2"), AT_US - 2 * DAY_US, "昨日")
    scheduled(made, 1, "秋收", "c")
    made.execute("INSERT INTO fillers VALUES ('dengfeng-1', ?, 0)", (digest("d"),))
    made.execute("INSERT INTO templates VALUES ('dengfeng-1', 1, x'', ?, 0)", (f'["{digest("e")}"]',))
    items.keep(made, item("i1", assets=(asset("8"),), until=to_text(AT_US + DAY_US)), "published", AT_US)
    desk.add_submission(made, "s1", item("i2", assets=(asset("f"),), title="投稿"), "f.mp4", AT_US)
    needs.bury(made, digest("c"), "误发", AT_US)
    made.execute("UPDATE assets SET state = 'bad' WHERE digest = ?", (digest("9"),))
    yield made
    made.close()


@pytest.mark.parametrize("catchup_days", [0, 7])
def test_what_goes_first_is_what_the_agent_would_let_go_of_first(db: Database, catchup_days: int) -> None:
    """The technician reads the list before he decides whether to fit a larger disk."""
    order = order_of_eviction(cache.on_disk(db, AT_US), cache.pinned(db, AT_US, catchup_days))
    found = kept.loose(db, AT_US, catchup_days)
    assert [each.digest for each in found.first] == [each.digest for each in order]
    assert len(order) > 5
    assert (found.assets, found.size_bytes) == (len(order), sum(each.size_bytes for each in order))
    shown = kept.loose(db, AT_US, catchup_days, limit=2)
    assert ([each.goes for each in shown.first], shown.assets) == ([1, 2], len(order))


@pytest.mark.parametrize("catchup_days", [0, 7])
def test_each_asset_has_the_same_reasons_as_among_all(db: Database, catchup_days: int) -> None:
    """A reason that is left out makes somebody delete what airs tonight."""
    all_pins = cache.pinned(db, AT_US, catchup_days)
    for each in kept.page(db, AT_US, catchup_days):
        assert each.pins == all_pins.get(each.digest, ()), each.digest
        assert kept.one(db, each.digest, AT_US, catchup_days) == each
    assert kept.one(db, digest("0"), AT_US, catchup_days) is None


def test_what_a_template_plays_stays_with_its_rendition(db: Database) -> None:
    """Of a weekday without a schedule nothing may have been let go when it comes; and the reason has words."""
    (source,), (made,) = (cache.pinned(db, AT_US)[digest(each)] for each in ("e", MADE["e"]))
    assert source == made and words(made).en == "template of dengfeng-1"


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_pages_by_name_hold_every_asset_once(db: Database, limit: int) -> None:
    """Renditions have no name, and many pictures the same."""
    seen: list[str] = []
    after = ("", "")
    while page := kept.page(db, AT_US, 0, after=after, limit=limit):
        seen += [each.digest for each in page]
        after = (page[-1].name, page[-1].digest)
    assert sorted(seen) == sorted(each.digest for each in cache.on_disk(db, AT_US))
    assert [each.digest for each in kept.page(db, AT_US, 0, words=digest("a")[:20].upper())] == [digest("a")]


def test_the_progress_of_reading_again_is_the_same(db: Database) -> None:
    """Nobody asks which asset it was."""
    db.execute("UPDATE assets SET verified_at_us = ? WHERE digest = ?", (AT_US - 5 * S, digest("a")))
    period_us = 30 * DAY_US
    assert progress(kept.readings(db), AT_US, period_us) == progress(cache.unread(db, AT_US), AT_US, period_us)
