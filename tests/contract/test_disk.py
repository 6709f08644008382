"""What everything that writes relies on in a disk, asked of the kernel's and of the simulated one alike.

On the kernel's nobody pulls the plug here: there the suite says that the simulated disk promises no more than a real
one gives to a running process. What a power cut may do is asked of the simulated one alone, below.
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from appliance.core.errors import DiskFull, WorldError
from appliance.durable import disk_errors, make_folder, sync_folder, unlink_durably, write_atomically
from tests.simulators.disk import Killed, SimulatedDisk, Volume

CUTS = 40
"""So many seeds: what a cut may undo it must undo in some of them, what it may not in none."""


@dataclass
class Disk:
    """A folder on it; `cut` pulls the plug, where that can be done."""

    root: Path
    cut: Callable[[], None]


@pytest.fixture(params=["system", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "volume"
    root.mkdir()
    if request.param == "system":
        yield Disk(root, lambda: None)
        return
    volume, simulated, chance = Volume(root), SimulatedDisk(), Random(1)
    with simulated.in_force(), simulated.on(volume):
        yield Disk(root, lambda: volume.cut(chance))


def test_a_file_written_atomically_is_there_after_a_power_cut(disk: Disk) -> None:
    """Write, fsync, rename, fsync the folder: nothing less, and nothing more is needed."""
    write_atomically(disk.root / "status.json", b"{}")
    disk.cut()
    assert (disk.root / "status.json").read_bytes() == b"{}"
    assert [path.name for path in disk.root.iterdir()] == ["status.json"]


def test_the_newest_of_several_versions_stays(disk: Disk) -> None:
    """Each replaces the one before in one step."""
    for number in range(5):
        write_atomically(disk.root / "seq", str(number).encode())
    disk.cut()
    assert (disk.root / "seq").read_bytes() == b"4"


def test_what_was_taken_away_durably_does_not_come_back(disk: Disk) -> None:
    """A command that was carried out must not be there again."""
    write_atomically(disk.root / "command", b"x")
    unlink_durably(disk.root / "command")
    disk.cut()
    assert list(disk.root.iterdir()) == []


def test_a_folder_made_durably_stays_with_what_is_in_it(disk: Disk) -> None:
    """Folder in folder, each synced in the one above."""
    make_folder(disk.root / "media" / "ab")
    write_atomically(disk.root / "media" / "ab" / "cd", b"asset")
    disk.cut()
    assert (disk.root / "media" / "ab" / "cd").read_bytes() == b"asset"


def test_a_hard_link_is_a_second_name_of_the_same_bytes(disk: Disk) -> None:
    """What is served is a link of what is kept; the one may go without the other."""
    write_atomically(disk.root / "kept", b"asset")
    os.link(disk.root / "kept", disk.root / "served")
    sync_folder(disk.root)
    disk.cut()
    assert (disk.root / "kept").samefile(disk.root / "served")
    unlink_durably(disk.root / "served")
    disk.cut()
    assert (disk.root / "kept").read_bytes() == b"asset"


def test_an_append_that_was_synced_stays_with_all_before_it(disk: Disk) -> None:
    """A journal grows at its end and is synced after each record."""
    path = disk.root / "1.records"
    write_atomically(path, b"")
    for record in (b"one\n", b"two\n"):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, record)
        os.fsync(descriptor)
        os.close(descriptor)
    disk.cut()
    assert path.read_bytes() == b"one\ntwo\n"


# --- what only the simulated one can be asked ---


def _after_cuts(tmp_path: Path, work: Callable[[Path], None]) -> set[tuple[tuple[str, bytes], ...]]:
    """What lies there after the same work and a power cut, over many seeds."""
    found = set()
    for seed in range(CUTS):
        root = tmp_path / str(seed)
        root.mkdir()
        (root / "old").write_bytes(b"before")
        volume, disk = Volume(root), SimulatedDisk()
        with disk.in_force(), disk.on(volume):
            work(root)
        volume.cut(Random(seed))
        found.add(tuple(sorted((path.name, path.read_bytes()) for path in root.iterdir())))
    return found


def test_a_rename_before_the_fsync_may_leave_a_name_without_its_bytes(tmp_path: Path) -> None:
    """The classic mistake: the name is durable, what it names is not."""

    def work(root: Path) -> None:
        (root / "new").write_bytes(b"after")
        (root / "new").rename(root / "old")
        sync_folder(root)

    assert {(("old", b"after"),), (("old", b""),)} <= _after_cuts(tmp_path, work)


def test_a_rename_without_its_folder_synced_may_be_undone(tmp_path: Path) -> None:
    """And the old version is then whole."""

    def work(root: Path) -> None:
        write_atomically(root / "aside", b"after")
        (root / "aside").rename(root / "old")

    found = _after_cuts(tmp_path, work)
    assert (("old", b"after"),) in found
    assert (("aside", b"after"), ("old", b"before")) in found


def test_an_unlink_without_its_folder_synced_may_be_undone(tmp_path: Path) -> None:
    """The name is back, with its bytes."""
    assert _after_cuts(tmp_path, lambda root: (root / "old").unlink()) == {(), (("old", b"before"),)}


def test_what_was_written_over_may_be_torn(tmp_path: Path) -> None:
    """Some sectors new, some old."""

    def work(root: Path) -> None:
        write_atomically(root / "old", b"a" * 2000)
        with (root / "old").open("r+b") as file:
            file.write(b"b" * 2000)

    kept = {content for ((_name, content),) in _after_cuts(tmp_path, work)}
    assert b"a" * 2000 in kept
    assert b"b" * 2000 in kept
    assert any(b"a" in content and b"b" in content for content in kept)


def test_a_folder_that_was_not_synced_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    """However often the file in it was synced."""

    def work(root: Path) -> None:
        (root / "made").mkdir()
        write_atomically(root / "made" / "file", b"x")

    found = set()
    for seed in range(CUTS):
        root = tmp_path / str(seed)
        root.mkdir()
        volume, disk = Volume(root), SimulatedDisk()
        with disk.in_force(), disk.on(volume):
            work(root)
        volume.cut(Random(seed))
        found.add((root / "made" / "file").exists())
    assert found == {True, False}


def test_a_full_disk_says_so_and_leaves_nothing_half(tmp_path: Path) -> None:
    """As a real one does: tests/edge_agent/test_full_disk.py."""
    volume, disk = Volume(tmp_path), SimulatedDisk()
    with disk.in_force(), disk.on(volume):
        volume.set_full(True)
        with pytest.raises(DiskFull):
            write_atomically(tmp_path / "status.json", b"{}")
        assert list(tmp_path.iterdir()) == []
        volume.set_full(False)
        write_atomically(tmp_path / "status.json", b"{}")


def test_a_failing_disk_fails_one_call(tmp_path: Path) -> None:
    """EIO, told in the terms of `appliance.core.errors`."""
    volume, disk = Volume(tmp_path), SimulatedDisk()
    with disk.in_force(), disk.on(volume):
        volume.failing = 2
        with pytest.raises(WorldError) as failed:
            write_atomically(tmp_path / "status.json", b"{}")
        assert isinstance(failed.value.__cause__, OSError)
        assert failed.value.__cause__.errno == errno.EIO
        write_atomically(tmp_path / "status.json", b"{}")


def test_a_killed_process_does_nothing_more(tmp_path: Path) -> None:
    """Not even what its `finally` would do; and the next process finds what it left."""
    volume, disk = Volume(tmp_path), SimulatedDisk()
    with disk.in_force(), disk.on(volume):
        volume.kill_after(2)
        with pytest.raises(Killed), disk_errors(tmp_path):
            write_atomically(tmp_path / "status.json", b"{}")
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        volume.boot()
        write_atomically(tmp_path / "status.json", b"{}")
