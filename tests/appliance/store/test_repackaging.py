"""A person who says "package it again" gets that, or is told why it would be of no use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.errors import Refused, Text
from appliance.core.findings import Check, Finding
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import assets, work
from appliance.store.database import open_for_writing
from appliance.store.repackaging import package_again
from tests.appliance.boxes import AT_US, asset, digest

SOURCE, MADE = digest("a"), digest("b")
RED = Check("2", (Finding("black_throughout", "red", Text("全黑", "black")),))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    assets.want(opened, asset("a"), "air", AT_US)
    yield opened
    opened.close()


def made(state: str, of: str | None = None, check: Check | None = None) -> RenditionState:
    return RenditionState(
        source=SOURCE,
        profile=HOUSE_PROFILE,
        state=state,  # type: ignore[arg-type]
        digest=of,
        reason=Text("磁盘已满", "the disk is full"),
        check=check,
    )


def test_a_clip_that_could_not_be_packaged_is_packaged_once_more(db: Database) -> None:
    """The disk was full that night."""
    assets.arrived(db, SOURCE, 9, AT_US)
    assets.set_rendition(db, made("failed"))
    assert work.to_package(db, "2", AT_US) == ()
    package_again(db, SOURCE)
    assert [each.source for each in work.to_package(db, "2", AT_US)] == [SOURCE]
    after = assets.rendition(db, SOURCE, HOUSE_PROFILE)
    assert after is not None and after.reason is None


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (None, "waits to be packaged"),
        (made("here", MADE), "waits to be packaged"),
        (made("failed", MADE), "made at the hub"),
        (made("failed", check=RED), "black"),
        (made("failed"), "not here yet"),
    ],
)
def test_what_cannot_be_helped_so_is_refused(db: Database, state: RenditionState | None, why: str) -> None:
    """A button that does nothing and says "done" sends people home. Red stays red."""
    if state is not None:
        assets.set_rendition(db, state)
    with pytest.raises(Refused, match=why):
        package_again(db, SOURCE)
