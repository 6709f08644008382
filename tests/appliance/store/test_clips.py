"""What can air is found by name and by length; of one clip all is told that the box knows."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance.core.asset import Asset
from appliance.core.clip_facts import ClipFacts
from appliance.core.errors import Text
from appliance.core.findings import Check, Finding
from appliance.core.stock import RenditionState, Transfer
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, assets, clips, reasons
from appliance.store.database import open_for_writing, transaction
from tests.appliance.boxes import AT_US, digest

AMBER, RED = (Check("2", (Finding("black_middle", severity, Text("黑场", "black")),)) for severity in ("amber", "red"))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    yield opened
    opened.close()


def clip(db: Database, letter: str, name: str, frames: int, check: Check | None = None, state: str = "here") -> None:
    """A clip, its rendition here or not."""
    source = digest(letter)
    assets.want(db, Asset(source, 9, media_type="video/mp4", name=name, role="video"), "air", AT_US)
    made = RenditionState(source=source, profile=HOUSE_PROFILE, digest=source, frames=frames, check=check)
    assets.set_rendition(db, msgspec.structs.replace(made, state=state), b"segments")
    if state == "here":
        assets.arrived(db, source, 9, AT_US)


def fill(db: Database) -> None:
    clip(db, "a", "汛情提示.mp4", 250)
    clip(db, "b", "Flood warning.mp4", 1500, AMBER)
    clip(db, "c", "台标.mp4", 50, RED)
    clip(db, "d", "电影.mp4", 150_000, state="wanted")
    clip(db, "e", "公益广告.mp4", 375)


def test_only_what_can_air_is_offered_page_by_page(db: Database) -> None:
    """A red clip or one that has not come would be chosen in a hurry, and refused in a hurry."""
    fill(db)
    first = clips.clips_that_air(db, limit=2)
    second = clips.clips_that_air(db, after=first[-1].place)
    names = [(each.name, each.severity) for each in (*first, *second)]
    assert names == [("Flood warning.mp4", "amber"), ("公益广告.mp4", None), ("汛情提示.mp4", None)]
    assert [each.name for each in clips.clips_that_air(db, "FLOOD")] == ["Flood warning.mp4"]
    assert [each.digest for each in clips.clips_that_air(db, digest("a"))] == [digest("a")]


def test_replacements_are_those_of_nearest_length(db: Database) -> None:
    """A slot of a quarter minute is not filled with a film."""
    fill(db)
    assert [each.name for each in clips.clips_like(db, 380, 2)] == ["公益广告.mp4", "汛情提示.mp4"]


def test_all_that_is_known_of_a_clip_is_told(db: Database) -> None:
    """What travels may be the clip or its rendition; why it must come is said of either."""
    source, made = digest("a"), digest("b")
    assets.want(db, Asset(source, 900, media_type="video/mp4", name="电影.mp4", role="video"), "air", AT_US)
    assets.want(db, Asset(made, 800, media_type="video/mp2t", name="电影.mp4", role="rendition"), "air", AT_US)
    assets.set_rendition(db, RenditionState(source=source, profile=HOUSE_PROFILE, digest=made))
    assets.set_transfer(db, Transfer(digest=made, direction="down", size_bytes=800, attempts=3))
    with transaction(db):
        reasons.queue(db, made, "air:dengfeng-1:2026-11-24", AT_US + 5)
    found = clips.clip_of(db, source)
    assert found.source is not None and found.source.name == "电影.mp4"
    assert found.made is not None and found.made.size_bytes == 800
    assert [(each.digest, each.attempts) for each in found.transfers] == [(made, 3)]
    assert found.reasons == (("air:dengfeng-1:2026-11-24", AT_US + 5),)
    assert clips.names(db, [source, made, digest("f")]) == {source: "电影.mp4", made: "电影.mp4"}
    db.conn.execute("DELETE FROM assets WHERE digest = ?", (source,))
    assert clips.names(db, [source]) == {source: "电影.mp4"}
    assert clips.clip_of(db, digest("f")) == ClipFacts(source=None, rendition=None, made=None)


def test_insertions_are_told_until_they_are_over_or_ended(db: Database) -> None:
    """Who comes on duty must see what will break in tonight."""
    clip(db, "a", "汛情提示.mp4", 250)
    with transaction(db):
        air.ensure_channel(db, "ch", "Asia/Shanghai", AT_US)
        air.add_insert(db, "i-1", "ch", digest("a"), AT_US, at="2026-11-24T12:00:00Z")
    (found,) = clips.insertions(db, "ch", AT_US)
    assert (found.name, found.state, found.until_us) == ("汛情提示.mp4", "waiting", None)
    db.conn.execute("UPDATE inserts SET state = 'placed', start_tick = 1, end_tick = 2")
    assert clips.insertions(db, "ch", AT_US) == ()
    db.conn.execute("UPDATE inserts SET end_tick = NULL")
    with transaction(db):
        air.resume(db, "ch")
    assert clips.insertions(db, "ch", AT_US) == ()
