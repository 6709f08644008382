"""J18: the hub collects assets while somebody refers to them anew. Nothing that is referred to is ever lost."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from shutil import copytree

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from appliance.core import journal, moment, records
from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.item import Item, SignOff
from provisioning.hub import recalls
from provisioning.hub.catalogue import AIRED_KEPT_US
from provisioning.hub.collecting import DAY_US, GRACE_DAYS, STEP_ASSETS, UNUSED_KEPT_US, Collected, fate, run
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Facts, Library
from provisioning.hub.verify import check
from tests.provisioning.live import LiveHub, program
from tests.simulators.clock import SimulatedClock
from tests.simulators.disk import Killed, SimulatedDisk, Volume

GRACE_US = GRACE_DAYS * DAY_US
STEPS_MAX = 80


@dataclass
class Hub:
    """A hub with one site, whose time the test tells."""

    folder: HubFolder
    clock: SimulatedClock

    @property
    def library(self) -> Library:
        return Library(self.folder)

    @property
    def journals(self) -> HubJournals:
        return HubJournals(self.folder)

    def taken_in(self, data: bytes) -> Asset:
        """The first half of publishing: the bytes are in the pile, and no record names them yet."""
        source = self.folder.path.parent / "source"
        source.write_bytes(data)
        digest, size_bytes, _is_new = self.library.copy_in(source, 1 << 30)
        return Asset(digest, size_bytes)

    def named(self, asset: Asset, item: str = "i1", until_us: int | None = None) -> None:
        """The second half: links, then the record, under one lock."""
        at = moment.to_text(self.clock.now_us)
        until = None if until_us is None else moment.to_text(until_us)
        body = Item(
            item, "嵩山", "news", "hub", at, assets=(asset,), until=until, sign_offs=(SignOff("final", "x", at),)
        )
        with self.journals.writing("all/content") as pen:
            self.library.let_read("dengfeng", (asset,))
            pen.append("all/content", "item", item, body)

    def published(self, data: bytes, item: str = "i1", until_us: int | None = None) -> Asset:
        asset = self.taken_in(data)
        self.named(asset, item, until_us)
        return asset

    def collect(self) -> Collected:
        return run(self.folder, GRACE_US)

    def later(self, days: float) -> Collected:
        self.clock.pass_us(round(days * DAY_US))
        return self.collect()

    def may_fetch(self, asset: Asset) -> bool:
        """Whether the site gets exactly these bytes."""
        path = self.folder.site("dengfeng").readable / asset.digest[7:]
        return path.is_file() and f"sha256:{sha256(path.read_bytes()).hexdigest()}" == asset.digest

    def fossils(self) -> list[str]:
        return sorted(path.name for path in self.folder.fossils.glob("*"))

    def problems(self) -> tuple[object, ...]:
        return check(self.folder, with_assets=True).problems


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    live = LiveHub(tmp_path_factory.mktemp("made") / "hub")
    live.run("init")
    live.run("enrol", "dengfeng", "--out", str(live.path.parent / "bundle"))
    return live.path


@pytest.fixture
def hub(made: Path, tmp_path: Path) -> Iterator[Hub]:
    copytree(made, tmp_path / "hub")
    clock = SimulatedClock()
    return Hub(HubFolder(tmp_path / "hub", clock), clock)


MOMENTS = st.integers(0, 200).map(lambda days: days * DAY_US)


@given(is_root=st.booleans(), touched_us=MOMENTS, fossil_us=st.none() | MOMENTS, at_us=MOMENTS)
def test_only_what_nothing_used_since_before_its_grace_goes(
    is_root: bool, touched_us: int, fossil_us: int | None, at_us: int
) -> None:
    """The whole rule: any reference, and any use after the mark, keeps it."""
    found = fate(is_root, touched_us, fossil_us, at_us, GRACE_US)
    is_gone = found == "remove"
    assert not (is_gone and (is_root or fossil_us is None or touched_us >= fossil_us))
    assert not (is_gone and fossil_us is not None and at_us < fossil_us + GRACE_US)
    assert not (is_gone and at_us < touched_us + UNUSED_KEPT_US)
    if not is_root and at_us >= touched_us + UNUSED_KEPT_US and fossil_us is not None and touched_us < fossil_us:
        assert is_gone == (at_us >= fossil_us + GRACE_US), "and what is over does go in the end"


def test_what_is_over_is_marked_waits_and_goes_and_what_is_shown_stays(hub: Hub) -> None:
    """An item whose time has gone, and what a new version replaced; not what still stands on the page."""
    shown = hub.published(b"shown", "i1")
    ended = hub.published(b"ended", "i2", until_us=hub.clock.now_us + DAY_US)
    replaced = hub.published(b"old", "i3")
    newer = hub.published(b"new", "i3")
    unused = hub.taken_in(b"for a schedule of next month")
    assert hub.later(29).marked == 0
    marked = hub.later(2)
    assert (marked.assets, marked.marked, marked.removed) == (5, 3, 0)
    assert marked.next_removal_us == hub.clock.now_us + GRACE_US
    assert hub.may_fetch(ended), "a fossil is still there"
    assert hub.later(GRACE_DAYS - 1).waiting == 3
    gone = hub.later(2)
    assert (gone.removed, gone.removed_bytes) == (3, len(b"endedold") + unused.size_bytes)
    assert [hub.may_fetch(each) for each in (shown, newer, ended, replaced)] == [True, True, False, False]
    assert not hub.library.holds(unused.digest)
    assert hub.problems() == ()
    assert hub.fossils() == []
    assert hub.collect().assets == 2


def test_schedules_that_are_over_let_go_and_fillers_stay(hub: Hub) -> None:
    """A year of programmes is many disks."""
    tonight, filler = hub.taken_in(b"tonight"), hub.taken_in(b"filler")
    date = moment.to_text(hub.clock.now_us)[:10]
    body = records.Schedule("dengfeng-1", date, 1, msgspec.Raw(b"{}"), (tonight,))
    with hub.journals.writing("dengfeng/content") as pen:
        pen.append("dengfeng/content", "schedule", "dengfeng-1", body)
        pen.append("dengfeng/content", "filler", "dengfeng-1", records.Filler("dengfeng-1", (filler,)))
    assert hub.later(UNUSED_KEPT_US / DAY_US + 1).marked == 1
    assert AIRED_KEPT_US < UNUSED_KEPT_US
    assert hub.later(GRACE_DAYS).removed == 1
    assert (hub.library.holds(tonight.digest), hub.library.holds(filler.digest)) == (False, True)


def test_any_reference_wakes_a_fossil(hub: Hub) -> None:
    """By publishing the same bytes, by naming the digest, by a site that says it has them already."""
    _by_bytes, by_name, by_upload = (hub.taken_in(data) for data in (b"bytes", b"name", b"upload"))
    hub.library.let_read("dengfeng", (by_upload,))
    assert hub.later(31).marked == 3
    assert hub.later(GRACE_DAYS + 1 - 0.5).removed == 3
    again = [hub.taken_in(data) for data in (b"bytes", b"name", b"upload")]
    hub.library.let_read("dengfeng", (by_upload,))
    assert hub.later(31).marked == 3
    hub.clock.pass_us(GRACE_US)
    hub.taken_in(b"bytes")
    assert hub.library.use(by_name.digest)
    assert hub.library.use(by_upload.digest)
    woken = hub.collect()
    assert (woken.woken, woken.removed) == (3, 0)
    hub.named(again[0], "i1")
    hub.named(again[1], "i2")
    assert hub.later(200).marked == 1
    assert [hub.may_fetch(each) for each in again] == [True, True, True]


def test_a_record_that_comes_while_it_runs_is_seen_before_anything_is_removed(hub: Hub) -> None:
    """It takes minutes on a large hub; what is true at its beginning is not what counts."""
    assets = sorted((hub.taken_in(b"%d" % number) for number in range(STEP_ASSETS + 1)), key=lambda each: each.digest)
    hub.later(31)
    hub.clock.pass_us(GRACE_US)
    body = records.Filler("dengfeng-1", (assets[-1],))

    def somebody_writes(done: int, _total: int) -> None:
        if done == 0:
            hub.journals.append("dengfeng/content", "filler", "dengfeng-1", body)

    done = run(hub.folder, GRACE_US, progress=somebody_writes)
    assert (done.removed, done.woken) == (STEP_ASSETS, 1)
    assert hub.library.holds(assets[-1].digest)


def test_what_a_site_sent_up_stays_until_it_has_its_answer(hub: Hub) -> None:
    """It was told that the hub has the file, and does not send it again."""
    asset = hub.taken_in(b"from the county")
    item = Item("s1", "嵩山", "news", "dengfeng", moment.to_text(hub.clock.now_us), assets=(asset,))
    record = journal.append(
        journal.genesis("dengfeng/report"),
        "submission",
        "s1",
        records.encode(records.Submission("s1", item)),
        hub.clock.now_us,
    )
    at_us, key = hub.clock.now_us, Ed25519PrivateKey.generate()
    checkpoint = journal.sign_checkpoint(journal.position_after(record), at_us, at_us + DAY_US, key)
    hub.journals.stream("dengfeng/report").accept((record,), checkpoint)
    assert (hub.later(31).marked, hub.later(100).marked) == (0, 0)
    receipt = records.Receipt("s1", "s1", "refused", Text("否", "no"))
    hub.journals.append("dengfeng/control", "receipt", "s1", receipt)
    assert hub.collect().marked == 1


@pytest.mark.parametrize("between", ["before it is taken in", "before it is named", "after it is named"])
def test_published_in_the_same_second_is_safe(hub: Hub, between: str) -> None:
    """The collector comes between any two steps of the publisher, when the grace has just ended."""
    hub.taken_in(b"clip")
    hub.later(31)
    hub.clock.pass_us(GRACE_US)
    if between == "before it is taken in":
        hub.collect()
    asset = hub.taken_in(b"clip")
    if between == "before it is named":
        hub.collect()
    hub.named(asset)
    hub.collect()
    assert hub.may_fetch(asset)
    assert hub.problems() == ()


def test_publishers_and_collectors_side_by_side_lose_nothing(made: Path, tmp_path: Path) -> None:
    """As processes, in one second, over fossils whose grace is over."""
    copytree(made, tmp_path / "hub")
    clock = SimulatedClock()
    folder = HubFolder(tmp_path / "hub", clock)
    old = Hub(folder, clock)
    sources = []
    clock.step_to(HubFolder(tmp_path).now_us() - 100 * DAY_US)
    for number in range(4):
        sources.append(tmp_path / f"{number}.bin")
        sources[-1].write_bytes(b"clip %d" % number)
        old.taken_in(sources[-1].read_bytes())
    assert old.later(31).marked == 4
    hub = [program("songshan-hub"), "--hub", str(folder.path)]
    work = [
        [*hub, "collect"],
        *([*hub, "publish", "--title", "x", str(source)] for source in sources),
        [*hub, "collect"],
    ]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for argv in work]
    for process in running:
        _said, complained = process.communicate(timeout=60)
        assert process.returncode == 0, complained
    assert check(HubFolder(folder.path), with_assets=True).problems == ()


@pytest.mark.parametrize("phase", ["mark", "remove"])
def test_a_kill_or_a_power_cut_at_any_step_loses_nothing_that_is_referred_to(hub: Hub, phase: str) -> None:
    """And what was to go goes the next time."""
    kept = hub.published(b"kept", "i1")
    gone = hub.published(b"gone", "i2", until_us=hub.clock.now_us + DAY_US)
    hub.library.keep_facts(Facts(gone))
    hub.clock.pass_us(31 * DAY_US)
    if phase == "remove":
        hub.collect()
        hub.clock.pass_us(GRACE_US)
    start = hub.folder.path.with_name("start")
    hub.folder.path.rename(start)
    hub.clock.step_to(max(hub.clock.now_us, HubFolder(start).now_us()))
    for steps in range(1, STEPS_MAX):
        copytree(start, hub.folder.path)
        volume = Volume(hub.folder.path)
        was_killed = killed_after(volume, steps, hub.collect)
        if steps % 2:
            volume.cut(Random(steps))
        assert hub.may_fetch(kept)
        assert hub.problems() == ()
        again = hub.published(b"gone", "i4")
        hub.collect()
        assert hub.may_fetch(again), f"step {steps}"
        assert hub.problems() == ()
        hub.folder.path.rename(hub.folder.path.with_name(f"done-{steps}"))
        if not was_killed:
            break
    else:
        raise AssertionError("it never came to its end")
    copytree(start, hub.folder.path)
    killed_after(Volume(hub.folder.path), steps // 2, hub.collect)
    hub.collect()
    hub.later(GRACE_DAYS + 1)
    assert not hub.library.holds(gone.digest)
    assert (hub.fossils(), list(hub.folder.renditions.iterdir())) == ([], [])


def test_a_dry_run_changes_nothing_and_leftovers_go(hub: Hub) -> None:
    """An operator looks before he lets it loose."""
    asset = hub.taken_in(b"clip")
    (hub.folder.assets / ".killed.part").write_bytes(b"half")
    hub.folder.fossils.mkdir()
    (hub.folder.fossils / ("f" * 64)).write_bytes(b"{}")
    hub.clock.step_to(HubFolder(hub.folder.path).now_us() + 31 * DAY_US)
    dry = run(hub.folder, GRACE_US, is_dry=True)
    assert (dry.marked, dry.leftovers, hub.fossils()) == (1, 1, ["f" * 64])
    done = hub.collect()
    assert (done.marked, done.leftovers, hub.fossils()) == (1, 1, [asset.digest[7:]])
    assert not (hub.folder.assets / ".killed.part").exists()


def test_two_who_sweep_at_once_do_not_stop_each_other(hub: Hub) -> None:
    """What was there when the folder was read is gone when its turn comes. In a process of its own: a hook stays."""
    left = [hub.folder.assets / f".{name}.part" for name in ("one", "other")]
    for path in left:
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    child = os.fork()
    if child == 0:

        def take_all_away(event: str, _arguments: tuple[object, ...]) -> None:
            if event == "os.remove":
                for path in left:
                    if path.exists():
                        path.rename(hub.folder.path / path.name)

        sys.addaudithook(take_all_away)
        status = 1
        try:
            hub.library.sweep(hub.folder.now_us())
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert not any(path.exists() for path in left)


def test_a_recalled_asset_is_gone_at_once_and_its_leavings_are_collected(hub: Hub) -> None:
    """A recall does not wait for any grace."""
    asset = hub.published(b"clip", "i1")
    recalls.recall(hub.folder, "i1", "误发")
    assert not hub.library.holds(asset.digest)
    assert hub.collect().assets == 0


def killed_after(volume: Volume, steps: int, work: Callable[[], object]) -> bool:
    disk = SimulatedDisk()
    volume.boot()
    volume.kill_after(steps)
    with disk.in_force(), disk.on(volume):
        try:
            work()
        except Killed:
            return True
    return False
