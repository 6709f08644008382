"""The hub's journals when its machine loses power, or a writer is killed, at the worst moment."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from shutil import copytree

import pytest

from appliance.core import records
from appliance.core.asset import Asset
from appliance.core.item import Item, SignOff
from appliance.core.moment import US
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.publish import send_item
from provisioning.hub.sites import Site
from tests.provisioning.live import LiveHub
from tests.simulators.disk import Killed, SimulatedDisk, Volume

STREAM = "dengfeng/control"
AT_US = 1_900_000_000 * US
AT = "2026-11-24T06:00:00Z"
FINAL = SignOff("final", "总编", AT)
STEPS = 40
"""More than writing two records takes."""


def order(journals: HubJournals, number: int) -> None:
    journals.append(STREAM, "order", f"o{number}", records.Order(f"o{number}", f"第 {number} 号"))


def keys(folder: HubFolder) -> list[str]:
    return [record.header.key for record in HubJournals(folder).stream(STREAM).records()]


def killed_after(folder: HubFolder, volume: Volume, steps: int, work: Callable[[], None]) -> bool:
    """Whether the process was killed before it had done `work`."""
    disk = SimulatedDisk()
    volume.boot()
    volume.kill_after(steps)
    with disk.in_force(), disk.on(volume):
        try:
            work()
        except Killed:
            return True
    return False


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> HubFolder:
    """A hub as `init` makes it; tests work on copies."""
    live = LiveHub(tmp_path_factory.mktemp("made") / "hub")
    live.run("init")
    return live.folder


@pytest.fixture
def folder(made: HubFolder, tmp_path: Path) -> HubFolder:
    copytree(made.path, tmp_path / "hub")
    return HubFolder(tmp_path / "hub")


@pytest.mark.parametrize("draw", range(4))
@pytest.mark.parametrize("steps", range(6))
def test_what_a_site_may_read_is_there_after_a_power_cut(
    folder: HubFolder, tmp_path: Path, steps: int, draw: int
) -> None:
    """Whoever finds the link there tells the site of the asset, and had not made it durable himself."""
    volume, library = Volume(folder.path), Library(folder)
    (tmp_path / "clip").write_bytes(b"clip")
    digest = library.copy_in(tmp_path / "clip", 1 << 20)[0]
    asset = Asset(digest, 4)
    folder.site("dengfeng").readable.mkdir(parents=True)
    volume.settle()
    killed_after(folder, volume, steps, lambda: library.let_read("dengfeng", [asset]))
    assert not killed_after(folder, volume, 1000, lambda: library.let_read("dengfeng", [asset]))
    volume.cut(Random(draw))
    assert library.may_read("dengfeng", digest)


@pytest.mark.parametrize("draw", range(4))
@pytest.mark.parametrize("steps", range(STEPS // 2))
def test_an_asset_that_came_in_is_there_after_a_power_cut(
    folder: HubFolder, tmp_path: Path, steps: int, draw: int
) -> None:
    """Neither its name nor its shelf may go: whoever found them there had not made them durable himself."""
    volume, library = Volume(folder.path), Library(folder)
    (tmp_path / "clip").write_bytes(b"clip")
    killed_after(folder, volume, steps, lambda: library.copy_in(tmp_path / "clip", 1 << 20))
    assert not killed_after(folder, volume, 1000, lambda: library.copy_in(tmp_path / "clip", 1 << 20))
    volume.cut(Random(draw))
    assert library.holds(f"sha256:{hashlib.sha256(b'clip').hexdigest()}")


@pytest.mark.parametrize("steps", range(STEPS))
def test_a_record_that_was_written_is_there_after_a_power_cut(folder: HubFolder, steps: int) -> None:
    """Also the first one of a stream: neither its folder nor its file may go with it, nor a checkpoint vouch for them.

    A writer is killed at this step, another one follows, then the power goes.
    """
    volume = Volume(folder.path)
    chance = Random(steps)
    journals = HubJournals(folder)
    killed_after(folder, volume, steps, lambda: order(journals, 1))
    assert not killed_after(folder, volume, 1000, lambda: order(journals, 2))
    written = keys(folder)
    assert written[-1] == "o2"
    volume.cut(chance)
    assert keys(folder) == written
    assert not killed_after(folder, volume, 1000, lambda: order(journals, 3))
    assert keys(folder) == [*written, "o3"]


@pytest.mark.parametrize("steps", range(STEPS))
def test_a_power_cut_at_any_step_leaves_a_stream_that_goes_on(folder: HubFolder, steps: int) -> None:
    """Whatever the disk kept, no checkpoint vouches for what is not there."""
    volume = Volume(folder.path)
    journals = HubJournals(folder)
    killed_after(folder, volume, steps, lambda: order(journals, 1))
    volume.cut(Random(steps))
    order(journals, 2)
    assert keys(folder) in (["o2"], ["o1", "o2"])


def test_what_a_killed_writer_left_counts_when_something_is_decided_on_it(folder: HubFolder) -> None:
    """A receipt that was written and not yet signed is a receipt; a second one must not follow it."""
    volume = Volume(folder.path)
    journals = HubJournals(folder)
    order(journals, 1)
    before = keys(folder)
    seen = set[tuple[str, ...]]()
    for steps in range(STEPS):
        killed_after(folder, volume, steps, lambda: order(journals, 2))
        with journals.writing(STREAM):
            looked = tuple(keys(folder))
        order(journals, 3)
        assert keys(folder)[: len(looked)] == list(looked), "nothing came in between that was not seen"
        assert len(keys(folder)) == len(looked) + 1
        seen.add(looked[len(before) :])
        before = keys(folder)
    assert len(seen) > 1


def test_no_checkpoint_vouches_for_records_that_were_never_synced(folder: HubFolder) -> None:
    """A writer is killed before its fsync; a gate signs what it finds; then the power goes."""
    for steps in range(STEPS):
        volume = Volume(folder.path)
        journals, disk = HubJournals(folder), SimulatedDisk()
        killed_after(folder, volume, steps, lambda journals=journals: order(journals, 1))  # type: ignore[misc]
        volume.boot()
        with disk.in_force(), disk.on(volume):
            journals.fresh_checkpoint(STREAM, AT_US + steps * 3600 * US)
        written = keys(folder)
        volume.cut(Random(steps))
        assert keys(folder) == written


def test_what_a_site_may_read_is_still_there_after_a_power_cut(folder: HubFolder) -> None:
    """The record that names the assets is written after their links; a box must not be told of what is gone again."""
    library = Library(folder)
    folder.site("dengfeng").readable.mkdir(parents=True)
    volume = Volume(folder.path)
    assets = []
    for number in range(5):
        source = folder.path.parent / f"{number}.bin"
        source.write_bytes(bytes([number]) * 1000)
        digest, size_bytes, _is_new = library.copy_in(source, 10_000)
        assets.append(Asset(digest, size_bytes, source.name))
    assert not killed_after(folder, volume, 1000, lambda: library.let_read("dengfeng", assets))
    volume.cut(Random(0))
    assert all(library.may_read("dengfeng", asset.digest) for asset in assets)


@pytest.mark.parametrize("draw", range(2))
def test_no_record_names_what_its_site_may_not_fetch(made: HubFolder, tmp_path: Path, draw: int) -> None:
    """Links first, then the record: wherever the publisher is killed, and whatever the power takes, a box that hears of
    a story can have its pictures."""
    steps, is_killed = 0, True
    while is_killed and steps < STEPS:
        folder = HubFolder(tmp_path / f"{steps}")
        copytree(made.path, folder.path)
        folder.site("dengfeng").readable.mkdir(parents=True)
        (tmp_path / "picture").write_bytes(b"picture")
        digest, size_bytes, _is_new = Library(folder).copy_in(tmp_path / "picture", 1 << 20)
        site = Site(site="dengfeng", name="登封", zone="Asia/Shanghai", channels=(), state="approved", enrolled_at=AT)
        story = Item("i1", "汛情", "news", "hub", AT, assets=(Asset(digest, size_bytes),), sign_offs=(FINAL,))
        volume = Volume(folder.path)
        is_killed = killed_after(folder, volume, steps, partial(send_item, folder, story, "dengfeng", (site,), False))
        volume.cut(Random(draw))
        named = list(HubJournals(folder).stream("dengfeng/content").records())
        assert not named or Library(folder).may_read("dengfeng", digest)
        steps += 1
    assert steps > 8 and named
