"""Small assets that the hub's end of a session gives: beside its journals, which it looks at when there is news."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.events import AssetGiven, AssetNotGiven, RecordsArrived
from appliance.core.journal import genesis
from appliance.core.session import Session
from provisioning.hub.conversation import Conversation
from provisioning.hub.giving import STEP_BYTES
from provisioning.hub.library import Library
from tests.carrying import SITE, Pair, pair


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


def greeted(ends: Pair) -> tuple[Conversation, Session]:
    hub = Conversation(ends.folder, SITE)
    box = Session.box(SITE, {}, genesis(f"{SITE}/report"), "test", ends.folder.now_us(), "", hub.signs)
    box.receive(hub.data_to_send())
    hub.receive(box.data_to_send())
    hub.turn()
    for event in box.receive(hub.data_to_send()):
        if isinstance(event, RecordsArrived):
            box.ack(hub.journals.stream(event.stream).position())
    hub.receive(box.data_to_send())
    return hub, box


def readable(ends: Pair, count: int) -> list[str]:
    assets = [ends.asset(b"%03d" % number + b"x" * 20_000) for number in range(count)]
    Library(ends.folder).let_read(SITE, assets)
    return [asset.digest for asset in assets]


def test_a_recall_goes_before_what_is_still_to_be_given(ends: Pair) -> None:
    """While the line takes assets the journals are left alone; what was written is said first once there is news."""
    digests = readable(ends, 20)
    hub, box = greeted(ends)
    box.giving.ask_for(digests)
    hub.receive(box.data_to_send())
    ends.recall("i-1")
    hub.turn(may_be_news=False)
    came = box.receive(hub.data_to_send())
    assert all(isinstance(event, AssetGiven) for event in came)
    assert 0 < len(came) <= STEP_BYTES // 20_000 + 1
    hub.turn()
    data = hub.data_to_send()
    assert json.loads(data.partition(b"\n")[0])["t"] == "records"
    while hub.is_busy:
        hub.turn(may_be_news=False)
        data += hub.data_to_send()
    came += [event for event in box.receive(data) if isinstance(event, AssetGiven)]
    assert [event.digest for event in came] == digests


def test_what_lies_there_and_is_no_small_file_is_not_given(ends: Pair) -> None:
    """A link to elsewhere, a folder, something large: as if it were not there, and nothing hangs."""
    hub, box = greeted(ends)
    elsewhere, folder = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    own = ends.folder.site(SITE).readable
    (own / elsewhere[7:]).symlink_to(ends.folder.path / "hub.toml")
    (own / folder[7:]).mkdir()
    large = ends.asset(b"x" * 32_769)
    Library(ends.folder).let_read(SITE, (large,))
    box.giving.ask_for([elsewhere, folder, large.digest])
    hub.receive(box.data_to_send())
    hub.turn()
    data = hub.data_to_send()
    assert [json.loads(line)["t"] for line in data.splitlines()] == ["not_given"] * 3
    assert {event.digest for event in box.receive(data) if isinstance(event, AssetNotGiven)} == {
        elsewhere,
        folder,
        large.digest,
    }
