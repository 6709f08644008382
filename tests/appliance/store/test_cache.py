"""Why each asset stays, with names for people; when it was last used, and when it was last read."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.asset import Asset, Rendition
from appliance.core.cache import Pin, order_of_eviction
from appliance.core.moment import to_text
from appliance.core.rundown import tick_of
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import assets, cache, desk, items, needs
from appliance.store.database import open_for_writing
from tests.appliance.boxes import AT_US, S, asset, digest, item

DAY_US = 86_400 * S
HOUR_US = 3600 * S


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = open_for_writing(tmp_path / "box.db")
    made.execute("INSERT INTO channels VALUES ('dengfeng-1', 'Asia/Shanghai', 0, 1, 0, 0)")
    yield made
    made.close()


def here(db: Database, letter: str, used_us: int = AT_US - 9 * DAY_US, made: str = "") -> str:
    """An asset on disk; `made` is the letter of its rendition, on disk too."""
    rendition = Rendition(digest(made), 5, 50, HOUSE_PROFILE) if made else None
    assets.want(db, Asset(digest(letter), 5, role="video", rendition=rendition), "item", used_us)
    for each in (letter, made) if made else (letter,):
        assets.arrived(db, digest(each), 5, used_us)
    return digest(letter)


def plays(db: Database, rendition: str, start_us: int, title: str = "新闻", channel: str = "dengfeng-1") -> None:
    """A stretch of two seconds in the ledger."""
    msn = 1 + (db.execute("SELECT max(first_msn) FROM ledger").fetchone()[0] or 0)
    db.execute(
        "INSERT INTO ledger (channel, first_msn, segments, start_tick, frames, rendition, first_segment,"
        " title, kind, planned)"
        " VALUES (?, ?, 1, ?, 50, ?, 0, ?, 'programme', 1)",
        (channel, msn, tick_of(start_us), rendition, title),
    )


def scheduled(db: Database, version: int, title: str, *letters: str) -> None:
    entries = [{"asset": digest(letter), "title": title} for letter in letters]
    document = json.dumps({"entries": entries}).encode()
    date = to_text(AT_US)[:10]
    db.execute("INSERT INTO schedules VALUES ('dengfeng-1', ?, ?, ?, 0)", (date, version, document))


def test_each_reason_has_the_name_that_people_know_it_by(db: Database) -> None:
    """A digest tells a technician nothing; the story or the channel does."""
    here(db, "a", made="1")
    plays(db, digest("1"), AT_US + HOUR_US)
    scheduled(db, 1, "秋收", "b")
    db.execute("INSERT INTO fillers VALUES ('dengfeng-1', ?, 0)", (digest("c"),))
    items.keep(db, item("i1", assets=(asset("d"),), title="嵩山", until=to_text(AT_US + DAY_US)), "published", AT_US)
    desk.add_submission(db, "s1", item("i2", assets=(asset("e"),), title="投稿"), "e.mp4", AT_US)
    needs.queue_up(db, digest("e"), 5, AT_US)
    found = cache.pinned(db, AT_US, 0)
    date = to_text(AT_US)[:10]
    assert found == {
        digest("1"): (Pin("air", "新闻", "dengfeng-1", AT_US + HOUR_US),),
        digest("b"): (Pin("schedule", "秋收", f"dengfeng-1 {date}"),),
        digest("c"): (Pin("filler", "", "dengfeng-1"),),
        digest("d"): (Pin("item", "嵩山", "i1", AT_US + DAY_US),),
        digest("e"): (Pin("submission", "投稿", "s1"), Pin("transfer", "", "up")),
    }


def test_only_the_newest_version_of_a_schedule_keeps_anything(db: Database) -> None:
    """What was taken out of tonight's programme is in nobody's way."""
    scheduled(db, 1, "旧", "a")
    scheduled(db, 2, "新", "b")
    assert set(cache.pinned(db, AT_US, 0)) == {digest("b")}


def test_what_aired_stays_for_the_hours_that_it_can_be_had(db: Database) -> None:
    """Viewers wind back; after that it is loose."""
    here(db, "a", made="1")
    plays(db, digest("1"), AT_US)
    assert set(cache.pinned(db, AT_US + cache.DVR_US, 0)) == {digest("1")}
    assert cache.pinned(db, AT_US + cache.DVR_US + 3 * S, 0) == {}


def test_a_recalled_asset_is_kept_only_until_what_was_announced_is_over(db: Database) -> None:
    """The schedule and the story still name it; the recall counts."""
    here(db, "a", made="1")
    plays(db, digest("1"), AT_US)
    scheduled(db, 1, "撤", "a")
    needs.bury(db, digest("a"), "误发", AT_US)
    assert set(cache.pinned(db, AT_US + S, 0)) == {digest("1")}
    assert cache.pinned(db, AT_US + 120 * S, 0) == {}


def test_what_may_be_seen_again_goes_only_when_all_else_is_too_little(db: Database) -> None:
    """A week of programmes is kept as long as there is room for what comes; what may not be seen again is not."""
    for letter in "abc":
        here(db, letter, made={"a": "1", "b": "2", "c": "3"}[letter])
    plays(db, digest("1"), AT_US - DAY_US, "剧一")
    plays(db, digest("2"), AT_US - 2 * DAY_US, "剧二")
    plays(db, digest("3"), AT_US - 3 * DAY_US, "买断一次")
    db.execute("UPDATE ledger SET catchup = 0 WHERE rendition = ?", (digest("3"),))
    found = cache.pinned(db, AT_US, 7)
    assert {each: [pin.why for pin in pins] for each, pins in found.items()} == {
        digest("1"): ["catchup"],
        digest("2"): ["catchup"],
    }
    assert found[digest("1")] == (Pin("catchup", "剧一", "dengfeng-1"),)
    order = [each.digest for each in order_of_eviction(cache.on_disk(db, AT_US), found)]
    assert order[-2:] == [digest("2"), digest("1")]
    assert set(order[:-2]) == {digest(letter) for letter in "abc3"}
    assert cache.pinned(db, AT_US, 0) == {}
    assert set(cache.pinned(db, AT_US + 6 * DAY_US - 3 * S, 7)) == {digest("1")}
    needs.bury(db, digest("a"), "误发", AT_US)
    assert set(cache.pinned(db, AT_US, 7)) == {digest("2")}


def test_an_item_whose_time_is_over_keeps_nothing(db: Database) -> None:
    """Nor does one of the supermarket that nobody took."""
    items.keep(db, item("i1", assets=(asset("a"),), until=to_text(AT_US)), "published", AT_US - DAY_US)
    items.keep(db, item("i2", assets=(asset("b"),)), "offered", AT_US)
    assert cache.pinned(db, AT_US, 0) == {}


def test_what_aired_or_was_shown_last_goes_last(db: Database) -> None:
    """Least recently used must mean used: none of these was touched since it came."""
    for letter in "abcd":
        here(db, letter, made={"b": "1"}.get(letter, ""))
    plays(db, digest("1"), AT_US - DAY_US)
    items.keep(db, item("i1", assets=(asset("c"),), until=to_text(AT_US - 2 * DAY_US)), "published", AT_US - 8 * DAY_US)
    items.keep(db, item("i2", assets=(asset("d"),)), "offered", AT_US - 8 * DAY_US)
    items.take(db, "i2", AT_US - 7 * DAY_US)
    items.untake(db, "i2", AT_US - 3 * DAY_US)
    order = order_of_eviction(cache.on_disk(db, AT_US), cache.pinned(db, AT_US, 0))
    assert [each.digest for each in order] == [digest(letter) for letter in "adc1b"]
    assert order[-1].last_used_us == AT_US - DAY_US + 2 * S


def test_what_is_read_again_knows_when_it_airs(db: Database) -> None:
    """Only what is committed and still to come counts; what was never read counts from when it was found."""
    here(db, "a", AT_US - DAY_US, made="1")
    plays(db, digest("1"), AT_US - HOUR_US)
    plays(db, digest("1"), AT_US + HOUR_US)
    plays(db, digest("1"), AT_US + 2 * HOUR_US)
    db.execute("UPDATE assets SET verified_at_us = NULL WHERE digest = ?", (digest("a"),))
    found = {each.digest: (each.read_us, each.airs_us) for each in cache.unread(db, AT_US)}
    assert found == {digest("a"): (AT_US - DAY_US, None), digest("1"): (AT_US - DAY_US, AT_US + HOUR_US)}
