"""What the technical check found, in the database: red never airs, and what an older recipe made gives way in time."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance.core.asset import Asset, Rendition
from appliance.core.errors import Text
from appliance.core.findings import Check, Finding
from appliance.core.moment import US
from appliance.core.rundown import Packed, tick_of
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE, SegmentInfo, pack_table
from appliance.store import air, assets, needs, plans, work
from appliance.store.database import open_for_writing
from tests.appliance.boxes import AT_US, asset, digest

SOURCE, MADE, AGAIN = digest("a"), digest("b"), digest("c")
TABLE = pack_table([SegmentInfo(0, 1000, 50)])
RED = Check("2/-24LUFS", (Finding("black_throughout", "red", Text("全黑", "black")),))
AMBER = Check("2/-24LUFS", (Finding("black_middle", "amber", Text("黑场", "black"), 1.0, 4.0, 3.0, "s"),))
RECIPE = "2/-24LUFS"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    yield opened
    opened.close()


def here(db: Database, check: Check | None, why: str = needs.MADE_HERE, made: str = MADE) -> None:
    """The source and its rendition, both on disk."""
    whole = msgspec.structs.replace(asset("a"), rendition=Rendition(made, 9, 50, HOUSE_PROFILE), check=check)
    assets.want(db, whole, why, AT_US)
    needs.packed(db, made, 50, TABLE)
    for each in (SOURCE, made):
        assets.arrived(db, each, 9, AT_US)


def made_again(check: Check, made: str = AGAIN) -> Asset:
    return msgspec.structs.replace(asset("a"), rendition=Rendition(made, 9, 50, HOUSE_PROFILE), check=check)


def filler(db: Database) -> None:
    air.set_fillers(db, "ch-1", [SOURCE])


def to_package(db: Database, recipe: str = RECIPE) -> list[str]:
    return [each.source for each in work.to_package(db, recipe, AT_US)]


def test_red_never_airs(db: Database) -> None:
    """Also where a record of the hub brought it, whole and verified: the compiler does not even see it."""
    here(db, AMBER, "air")
    assert plans.ready_assets(db) == {SOURCE: Packed(MADE, 50)}
    needs.want_rendition(db, made_again(RED, MADE), "air", AT_US)
    assert plans.ready_assets(db) == {}
    known = assets.rendition(db, SOURCE, HOUSE_PROFILE)
    assert known is not None and known.check == RED


def test_what_was_found_is_there_for_whoever_asks(db: Database) -> None:
    """Of one that was made, and of one that could not be."""
    here(db, AMBER)
    failed = RenditionState(source=digest("f"), profile=HOUSE_PROFILE, state="failed", check=RED)
    assets.set_rendition(db, failed)
    assert assets.checks(db, (SOURCE, digest("f"), digest("e")), HOUSE_PROFILE) == {SOURCE: AMBER, digest("f"): RED}


def test_what_an_older_recipe_made_is_made_again_if_it_comes_and_not_soon(db: Database) -> None:
    """What nobody schedules costs nothing; what airs within hours airs as it is."""
    here(db, Check("1/-24LUFS"))
    assert to_package(db) == []
    filler(db)
    assert to_package(db, "1/-24LUFS") == []
    assert to_package(db) == [SOURCE]
    _ledger(db, AT_US + work.REMAKE_AFTER_US - 60 * US)
    assert to_package(db) == []
    db.conn.execute("DELETE FROM ledger")
    _ledger(db, AT_US + work.REMAKE_AFTER_US + 60 * US)
    assert to_package(db) == [SOURCE]


def test_what_the_hub_made_is_taken_as_it_is(db: Database) -> None:
    """One encode for all sites: a box that made its own of it would air other bytes than its neighbours."""
    here(db, Check("1/-24LUFS"), "air")
    filler(db)
    assert to_package(db) == []


def test_what_was_made_first_is_kept_for_what_has_aired_of_it(db: Database) -> None:
    """Listed segments and catch-up name it; new rows name the new one, as soon as that is here."""
    here(db, Check("1/-24LUFS"))
    needs.made_here(db, made_again(AMBER), AT_US)
    assert plans.ready_assets(db) == {}
    needs.packed(db, AGAIN, 50, TABLE)
    assets.arrived(db, AGAIN, 9, AT_US)
    assert plans.ready_assets(db) == {SOURCE: Packed(AGAIN, 50)}
    assert assets.segments_of(db, MADE) == TABLE
    needs.made_here(db, made_again(AMBER), AT_US)
    assert plans.ready_assets(db) == {SOURCE: Packed(AGAIN, 50)}
    filler(db)
    assert to_package(db) == []


def test_the_same_bytes_again_only_bear_the_new_recipe(db: Database) -> None:
    """Or they would be made for ever."""
    here(db, Check("1/-24LUFS"))
    filler(db)
    needs.made_here(db, made_again(AMBER, MADE), AT_US)
    assert (to_package(db), plans.ready_assets(db)) == ([], {SOURCE: Packed(MADE, 50)})


def test_a_clip_in_house_format_is_its_own_rendition(db: Database) -> None:
    """Nothing is staged, nothing comes: it is ready in the same moment; and from the hub it comes once."""
    assets.want(db, asset("a"), "item", AT_US)
    assets.arrived(db, SOURCE, 9, AT_US)
    needs.need_packaging(db, SOURCE)
    needs.is_in_house_format(db, made_again(AMBER, SOURCE), TABLE)
    assert (plans.ready_assets(db), to_package(db)) == ({SOURCE: Packed(SOURCE, 50)}, [])
    assert work.is_rendition(db, SOURCE)


def _ledger(db: Database, start_us: int) -> None:
    air.ensure_channel(db, "ch-1", "Asia/Shanghai", AT_US)
    db.conn.execute(
        "INSERT INTO ledger (channel, first_msn, segments, start_tick, frames, rendition, first_segment, title, kind,"
        " planned) VALUES ('ch-1', 9, 1, ?, 50, ?, 0, '', 'filler', 1)",
        (tick_of(start_us), MADE),
    )
