"""The page of the media cache: why each asset is here, what goes next, and that it is quick among many."""

import time
from pathlib import Path

import msgspec

from appliance import files
from appliance.core.cache import Kept, Loose, Pin, Quarantined
from appliance.core.errors import Text
from appliance.core.findings import Check, Finding
from appliance.core.scrub import Progress
from appliance.store import assets, items
from appliance.store.database import transaction, writing
from tests.appliance.boxes import asset, digest, item
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import (
    GB,
    HEALTHY,
    HOUR_US,
    LOOKS,
    NOW_US,
    STORAGE,
    changed,
)
from tui.gather.cache import ROUND_US, gather
from tui.gather.where import where
from tui.view.cache import GOING, QUARANTINE, Found, Round, sheet
from tui.view.sheet import PAGE_ROWS, Asked

FILM = Kept(
    digest="sha256:" + "1" * 64,
    name="少林往事 第十二集.mp4",
    role="video",
    size_bytes=1_240_000_000,
    state="here",
    last_used_us=NOW_US - HOUR_US,
    verified_us=NOW_US - 60 * HOUR_US,
    pins=(
        Pin("air", "少林往事 第十二集", "dengfeng-1", NOW_US + 6 * HOUR_US),
        Pin("schedule", "少林往事 第十二集", "dengfeng-1 2026-11-24"),
        Pin("item", "剧集预告", "i-2026-0031", NOW_US + 90 * HOUR_US),
    ),
)


def like(letter: str, **facts: object) -> Kept:
    return msgspec.structs.replace(FILM, digest="sha256:" + letter * 64, **facts)


PICTURE = like("2", name="封面.jpg", role="picture", size_bytes=400_000, pins=FILM.pins[2:], verified_us=None)
MADE = like("3", name="", role="rendition", pins=(Pin("catchup", "早间新闻", "dengfeng-1"),))
BAD = like("4", name="庙会.mp4", state="bad", pins=())
OLD = like("5", name="旧片.mp4", pins=(), last_used_us=NOW_US - 900 * HOUR_US)
GOES = (msgspec.structs.replace(OLD, goes=1), msgspec.structs.replace(MADE, goes=2))
ROUND = Round(
    NOW_US,
    Loose(first=GOES, assets=640, size_bytes=81 * GB),
    Progress(
        assets=1204,
        size_bytes=760 * GB,
        read_bytes=310 * GB,
        oldest_us=NOW_US - 500 * HOUR_US,
        bytes_per_s=450_000.0,
        all_read_by_us=NOW_US + 480 * HOUR_US,
    ),
)
ASIDE = (
    Quarantined(name="4" * 64, digest=BAD.digest, size_bytes=BAD.size_bytes, since_us=NOW_US - 30 * HOUR_US),
    Quarantined(
        name="6" * 64 + ".unreadable",
        digest="sha256:" + "6" * 64,
        size_bytes=84_000,
        since_us=NOW_US - 2 * HOUR_US,
        is_readable=False,
    ),
)
LIST = Found(ROUND, (FILM, PICTURE, MADE, BAD, OLD))
CHECK = Check(
    findings=(
        Finding("sound-low", "amber", Text("声音太小", "the sound is too low"), figure=-34.0, unit="LUFS"),
        Finding("black-start", "info", Text("开头黑场", "black at the beginning"), 0.0, 2.5),
    )
)
LATE = Found(Round(NOW_US, Loose(), msgspec.structs.replace(ROUND.verified, late_assets=12)), (FILM,))
STATES = {
    **with_faults(LIST),
    "quota": seen(LIST, changed(storage=msgspec.structs.replace(STORAGE, cache_bytes_max=800 * GB, assets_bad=1))),
    "behind": seen(LATE),
    "nothing found": seen(Found(ROUND), asked=Asked(words="zzz")),
    "going": seen(Found(ROUND), asked=Asked(tab=GOING)),
    "nothing goes": seen(Found(Round(NOW_US)), asked=Asked(tab=GOING)),
    "quarantine": seen(Found(ROUND, quarantine=ASIDE, names={BAD.digest: BAD.name}), asked=Asked(tab=QUARANTINE)),
    "no quarantine": seen(Found(ROUND), asked=Asked(tab=QUARANTINE)),
    "opened": seen(Found(ROUND, (FILM,), check=CHECK), asked=Asked(opened=FILM.digest)),
    "a loose one opened": seen(Found(ROUND, (OLD,)), asked=Asked(tab=GOING, opened=OLD.digest)),
    "a bad one opened": seen(Found(ROUND, (BAD,)), asked=Asked(opened=BAD.digest)),
    "an unreadable one opened": seen(Found(ROUND, quarantine=ASIDE), asked=Asked(tab=QUARANTINE, opened=ASIDE[1].name)),
    "gone since": seen(Found(ROUND), asked=Asked(opened=FILM.digest)),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("cache", STATES)


def test_assets_are_read_a_page_at_a_time_with_why_each_is_here(tmp_path: Path) -> None:
    """The page goes on behind a name with blanks in it, and finds by name and by digest."""
    config, now_us = make_box(tmp_path), time.time_ns() // 1000
    with writing(config.database) as db, transaction(db):
        for number in range(PAGE_ROWS + 20):
            named = msgspec.structs.replace(asset("a"), digest=f"sha256:{number:064x}", name=f"片 {number // 3:04}.mp4")
            assets.want(db, named, "item", now_us)
            assets.arrived(db, named.digest, 5, now_us - number)
        items.keep(
            db,
            item("i1", assets=(msgspec.structs.replace(asset("a"), digest=f"sha256:{7:064x}"),)),
            "published",
            now_us,
        )
    first = gather(where(tmp_path, {}), Asked())
    table = sheet(first, HEALTHY, LOOKS["zh"], Asked()).table
    assert table is not None
    second = gather(where(tmp_path, {}), Asked(after=table.next))
    assert [each.digest for each in (*first.assets, *second.assets)] == [
        f"sha256:{number:064x}" for number in range(PAGE_ROWS + 20)
    ]
    assert {each.digest: each.pins for each in first.assets if each.pins} == {
        f"sha256:{7:064x}": (Pin("item", "嵩山秋色", "i1"),)
    }
    assert len(gather(where(tmp_path, {}), Asked(words="片 0011")).assets) == 3
    going = gather(where(tmp_path, {}), Asked(tab=GOING)).round
    assert (going.loose.assets, going.loose.first[0].digest) == (PAGE_ROWS + 19, f"sha256:{0:064x}")
    opened = gather(where(tmp_path, {}), Asked(opened=f"sha256:{7:064x}"))
    assert [each.name for each in opened.assets] == ["片 0002.mp4"]


def test_what_is_asked_of_all_assets_is_asked_once_a_minute(tmp_path: Path) -> None:
    """Among 100,000 it takes a second of a processor; the screen looks every two."""
    config, now_us, notes = make_box(tmp_path), time.time_ns() // 1000, dict[str, object]()
    with writing(config.database) as db, transaction(db):
        assets.want(db, asset("a"), "item", now_us)
        assets.arrived(db, digest("a"), 5, now_us)
    here = where(tmp_path, {}, notes)
    assert gather(here, Asked()).round.loose.assets == 1
    with writing(config.database) as db, transaction(db):
        assets.want(db, asset("b"), "item", now_us)
        assets.arrived(db, digest("b"), 5, now_us)
    assert (len(gather(here, Asked()).assets), gather(here, Asked()).round.loose.assets) == (2, 1)
    here.now_us += ROUND_US
    assert gather(here, Asked()).round.loose.assets == 2


def test_what_was_set_aside_is_listed_by_the_name_of_its_asset(tmp_path: Path) -> None:
    """And a folder that cannot be read is a trouble of the page, not its end."""
    config, now_us = make_box(tmp_path), time.time_ns() // 1000
    files.make_folders(config)
    with writing(config.database) as db, transaction(db):
        assets.want(db, asset("a"), "item", now_us)
    (config.quarantine / ("a" * 64)).write_bytes(b"bad")
    found = gather(where(tmp_path, {}), Asked(tab=QUARANTINE))
    assert [(each.size_bytes, found.names[each.digest]) for each in found.quarantine] == [(3, "a.mp4")]
    config.quarantine.rename(tmp_path / "aside")
    config.quarantine.write_text("no folder")
    here = where(tmp_path, {})
    assert (gather(here, Asked(tab=QUARANTINE)).quarantine, len(here.troubles)) == ((), 1)
