"""The disk of the media has bad blocks, takes no more writes, or is not mounted; the box goes on with what it has."""

import os
import secrets
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.edge_agent.county import County, county, published, until
from tests.provisioning.live import LiveHub

MIB = 1024 * 1024
pytestmark = pytest.mark.root


def system(*argv: str | Path, status: int = 0) -> None:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr


@contextmanager
def mounted(what: Path, where: Path, *options: str) -> Iterator[None]:
    """A disk at its place; taken away at the end if it is still there."""
    where.mkdir(parents=True, exist_ok=True)
    system("mount", *options, what, where)
    try:
        yield
    finally:
        while os.path.ismount(where) or str(where) in Path("/proc/self/mountinfo").read_text():
            system("umount", "--lazy", where)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    live.serve()
    yield live
    live.end()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disk of its own, in a file; where the kernel has no loop devices the test is skipped."""
    if subprocess.run(["losetup", "-f"], capture_output=True, timeout=10, check=False).returncode:
        pytest.skip("no loop devices")
    made = tmp_path / "disk.img"
    with made.open("wb") as file:
        file.truncate(64 * MIB)
    system("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^has_journal", made)
    return made


def overdue(box: County, digest: str) -> None:
    """This one is to be read again now; the next would wait for its share of the time."""
    with sqlite3.connect(box.home / "state" / "box.db") as db:
        db.execute("UPDATE assets SET verified_at_us = 0 WHERE digest = ?", (digest,))
    db.close()


def path_of(box: County, digest: str) -> Path:
    return box.home / "media" / digest[7:9] / digest[7:]


def place_on(image: Path, data: bytes) -> int:
    """Where in a file system the bytes of a file lie, by looking for its beginning."""
    found = image.read_bytes().find(data[:4096])
    assert found > 0
    return found


def test_a_bad_block_costs_one_asset_and_is_healed(hub: LiveHub, tmp_path: Path, image: Path) -> None:
    """The kernel says EIO for one film; it comes again, its blocks stay taken, and all else goes on.

    The disk is a file that is cut short while it is mounted: blocks behind the end cannot be read (loop(4)).
    """
    with county(hub, tmp_path / "dengfeng") as box, mounted(image, box.home / "media", "-o", "loop"):
        kept, lost = secrets.token_bytes(2 * MIB), secrets.token_bytes(6 * MIB)
        _item, good = published(hub, kept, "完好.bin")
        assert box.once().returncode == 0
        _item, bad = published(hub, lost, "坏块.bin")
        assert box.once().returncode == 0
        assert box.served() == {bad, good}
        system("sync", "-f", box.home / "media")
        assert place_on(image, kept) < place_on(image, lost)
        os.truncate(image, place_on(image, lost) + 3 * MIB)
        Path("/proc/sys/vm/drop_caches").write_text("3")
        overdue(box, bad)
        assert box.once().returncode == 0
        assert box.served() == {bad, good}
        assert path_of(box, bad).read_bytes() == lost
        aside = [path.name for path in (box.home / "media" / "quarantine").iterdir()]
        assert aside == [f"{bad[7:]}.unreadable"]
        assert "/dev/loop" in box.alarms()["media-disk"]
        assert "Input/output error" in box.alarms()["media-disk"]


def test_a_disk_that_is_not_mounted_is_no_loss(hub: LiveHub, tmp_path: Path) -> None:
    """An empty mount point looks as if all had vanished. Nothing is fetched onto the system's disk, nothing forgotten,
    the records of the line are taken in, and all is served again once it is mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    home = tmp_path / "dengfeng"
    with county(hub, home) as box:
        with mounted(disk, home / "media", "--bind"):
            _item, digest = published(hub, secrets.token_bytes(2 * MIB), "新闻.bin")
            assert box.once().returncode == 0
            assert box.served() == {digest}
        assert list((home / "media").iterdir()) == []
        _item, later = published(hub, b"later", "通知.txt")
        box.start()
        assert box.agent is not None
        until(lambda: "media-away" in box.alarms())
        until(lambda: box.rows("SELECT count(*) FROM items") == [(2,)])
        assert list((home / "media").iterdir()) == []
        assert box.rows("SELECT state FROM assets WHERE digest = ?", digest) == [("here",)]
        with mounted(disk, home / "media", "--bind"):
            until(lambda: box.served() == {digest, later})
            assert "media-away" not in box.alarms()
            assert path_of(box, digest).stat().st_size == 2 * MIB
            system("umount", "--lazy", home / "media")
            until(lambda: "media-away" in box.alarms())
            assert box.agent.poll() is None
        assert list((home / "media").iterdir()) == []
        assert box.end() == 0


def test_a_disk_that_takes_no_more_writes_is_told(hub: LiveHub, tmp_path: Path) -> None:
    """What is there is served, what comes waits; the database lies elsewhere and goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    home = tmp_path / "dengfeng"
    with county(hub, home) as box, mounted(disk, home / "media", "--bind"):
        _item, digest = published(hub, secrets.token_bytes(2 * MIB), "新闻.bin")
        assert box.once().returncode == 0
        system("mount", "-o", "remount,ro,bind", home / "media")
        published(hub, b"later", "通知.txt")
        box.start()
        assert box.agent is not None
        until(lambda: "media-disk" in box.alarms())
        assert "Read-only" in box.alarms()["media-disk"]
        assert box.served() == {digest}
        assert box.agent.poll() is None
        system("mount", "-o", "remount,rw,bind", home / "media")
        assert box.end() == 0
        assert box.once().returncode == 0
