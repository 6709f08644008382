"""What the box wants, has and moves, row by row."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance.core.asset import Asset, Rendition
from appliance.core.errors import Text
from appliance.core.stock import Holding, RenditionState, Transfer
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import assets
from appliance.store.database import open_for_writing
from tests.appliance.boxes import AT_US, S, asset, digest

SOURCE, MADE = digest("a"), digest("b")
CLIP: Asset = msgspec.structs.replace(
    asset("a"), duration_s=12.0, rendition=Rendition(MADE, size_bytes=9, frames=300, profile=HOUSE_PROFILE)
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    yield opened
    opened.close()


def state_of(db: Database, wanted: str) -> str | None:
    held = assets.holding(db, wanted)
    return held.state if held else None


def made_state(db: Database) -> tuple[str, str | None]:
    made = assets.rendition(db, SOURCE, HOUSE_PROFILE)
    assert made is not None
    return made.state, made.digest


def test_an_asset_is_wanted_with_the_rendition_that_the_hub_made(db: Database) -> None:
    """One encode at the hub for all sites: the box fetches both."""
    assets.want(db, CLIP, "item", AT_US)
    assert {held.digest: (held.role, held.state) for held in assets.holdings(db).values()} == {
        SOURCE: ("video", "wanted"),
        MADE: ("rendition", "wanted"),
    }
    assert made_state(db) == ("wanted", MADE)


def test_for_the_air_only_the_rendition_is_wanted(db: Database) -> None:
    """The source of a scheduled clip would double the transfer for nothing."""
    assets.want_rendition(db, CLIP, "air", AT_US)
    assert (list(assets.holdings(db)), made_state(db)) == ([MADE], ("wanted", MADE))
    assets.want_rendition(db, asset("c"), "air", AT_US)
    assert list(assets.holdings(db)) == [MADE]


def test_wanting_again_forgets_nothing(db: Database) -> None:
    """A second item with the same clip, or the schedule, must not make what is here wanted again."""
    assets.want(db, CLIP, "item", AT_US)
    for here in (SOURCE, MADE):
        assets.arrived(db, here, 9, AT_US + S)
    assets.want(db, CLIP, "air", AT_US + 2 * S)
    assert (state_of(db, SOURCE), state_of(db, MADE), made_state(db)) == ("here", "here", ("here", MADE))
    held = assets.holding(db, SOURCE)
    assert held is not None
    assert (held.why, held.verified_at_us, held.size_bytes) == ("item", AT_US + S, 9)


def test_a_rendition_that_arrived_before_it_was_known_is_here(db: Database) -> None:
    """Two sources can have the same rendition."""
    other = msgspec.structs.replace(CLIP, digest=digest("c"))
    assets.want(db, other, "item", AT_US)
    assets.arrived(db, MADE, 9, AT_US)
    assets.want(db, CLIP, "item", AT_US)
    assert made_state(db) == ("here", MADE)


def test_what_went_bad_must_come_again(db: Database) -> None:
    """It is not aired and not served until its bytes are right."""
    assets.want(db, CLIP, "item", AT_US)
    assets.arrived(db, MADE, 9, AT_US)
    assets.gone_bad(db, MADE)
    assert (state_of(db, MADE), made_state(db)[0]) == ("bad", "wanted")
    assets.arrived(db, MADE, 9, AT_US + S)
    assert (state_of(db, MADE), made_state(db)[0]) == ("here", "here")


def test_a_rendition_made_here_is_known_by_its_source(db: Database) -> None:
    """With the table of its segments, which stays when only its state changes."""
    assets.want(db, asset("a"), "item", AT_US)
    making = RenditionState(source=SOURCE, profile=HOUSE_PROFILE, state="packaging")
    assets.set_rendition(db, making)
    assert assets.renditions(db, HOUSE_PROFILE) == {SOURCE: making}
    made = RenditionState(source=SOURCE, profile=HOUSE_PROFILE, state="here", digest=MADE, size_bytes=9, frames=300)
    assets.set_rendition(db, made, b"table")
    assets.set_rendition(db, made)
    assert (assets.rendition(db, SOURCE, HOUSE_PROFILE), assets.segments_of(db, MADE)) == (made, b"table")
    assert (assets.rendition(db, SOURCE, "another"), assets.segments_of(db, SOURCE)) == (None, None)


def test_a_clip_that_cannot_be_packaged_says_why(db: Database) -> None:
    """The reason reaches the screen in both languages."""
    failed = RenditionState(source=SOURCE, profile=HOUSE_PROFILE, state="failed", reason=Text("无画面", "no picture"))
    assets.set_rendition(db, failed)
    assert assets.rendition(db, SOURCE, HOUSE_PROFILE) == failed


def test_how_long_an_asset_turned_out_to_be_is_kept(db: Database) -> None:
    """The rundown goes by it until the rendition is there."""
    assets.want(db, asset("a"), "item", AT_US)
    assets.describe(db, SOURCE, 12.5)
    assert assets.holding(db, SOURCE) == Holding(
        digest=SOURCE,
        size_bytes=5,
        name="a.mp4",
        role="video",
        why="item",
        last_used_us=AT_US,
        duration_s=12.5,
    )


def test_used_and_verified_are_remembered(db: Database) -> None:
    """Eviction and the monthly reading go by these."""
    assets.want(db, asset("a"), "item", AT_US)
    assets.touch(db, [SOURCE, digest("f")], AT_US + S)
    assets.verified(db, SOURCE, AT_US + 2 * S)
    held = assets.holding(db, SOURCE)
    assert held is not None
    assert (held.last_used_us, held.verified_at_us) == (AT_US + S, AT_US + 2 * S)


def test_what_was_let_go_is_forgotten_with_all_that_hung_on_it(db: Database) -> None:
    """Or it would be fetched, packaged or reported for ever."""
    assets.want(db, CLIP, "item", AT_US)
    assets.set_transfer(db, Transfer(digest=SOURCE, direction="down", size_bytes=5))
    assets.forget(db, SOURCE)
    assert (list(assets.holdings(db)), assets.renditions(db, HOUSE_PROFILE), assets.transfers(db)) == ([MADE], {}, ())


def test_transfers_stand_in_order_of_deadline_and_end_on_arrival(db: Database) -> None:
    """One row for each asset and direction; what has no deadline comes last."""
    moving = (
        Transfer(digest=digest("c"), direction="down", size_bytes=5, deadline_us=AT_US, reason=Text("断线", "cut")),
        Transfer(
            digest=digest("d"), direction="up", size_bytes=5, deadline_us=AT_US + S, state="running", done_bytes=3
        ),
        Transfer(digest=SOURCE, direction="down", size_bytes=5, attempts=2, not_before_us=AT_US),
        Transfer(digest=SOURCE, direction="up", size_bytes=5, rate_bytes_per_s=1.5),
    )
    for transfer in (*reversed(moving), moving[0]):
        assets.set_transfer(db, transfer)
    assert assets.transfers(db) == moving
    assets.want(db, asset("a"), "item", AT_US)
    assets.arrived(db, SOURCE, 5, AT_US)
    assets.drop_transfer(db, digest("d"), "up")
    assert assets.transfers(db) == (moving[0], moving[3])
