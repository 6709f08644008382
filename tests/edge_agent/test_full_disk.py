"""A disk without room: a state with an alarm, nothing half, and all goes on when there is room again."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance.boxes import small_disk
from tests.appliance.clips import make
from tests.edge_agent.county import County, county, published, until
from tests.provisioning.live import LiveHub

MIB = 1024 * 1024
pytestmark = pytest.mark.root


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    live.serve()
    yield live
    live.end()


@pytest.fixture
def box(hub: LiveHub, tmp_path: Path) -> Iterator[County]:
    """A box on a disk of its own, of 24 MiB."""
    with small_disk(tmp_path / "disk", "24m") as disk, county(hub, disk / "dengfeng") as made:
        yield made


@contextlib.contextmanager
def filled(box: County) -> Iterator[None]:
    """Somebody else takes every byte that is left."""
    junk = box.home / "junk"
    subprocess.run(["dd", "if=/dev/zero", f"of={junk}", "bs=4096"], capture_output=True, timeout=30, check=False)
    try:
        yield
    finally:
        junk.unlink()


def held(box: County) -> list[Path]:
    return list((box.home / "media").glob("[0-9a-f][0-9a-f]/*"))


def test_what_has_no_room_waits_with_an_alarm_and_smaller_things_go_on(hub: LiveHub, box: County) -> None:
    """One film too large for the disk must not keep tonight's notice away, nor fill the disk in the attempt."""
    _item, film = published(hub, secrets.token_bytes(40 * MIB), "长片.bin")
    _item, notice = published(hub, b"notice", "通知.txt")
    assert box.once().returncode == 0
    assert box.served() == {notice}
    assert box.staged() == []
    assert "no room" in box.alarms()["room"]
    assert box.rows("SELECT state FROM transfers WHERE digest = ?", film) == [("queued",)]


def test_what_is_used_least_makes_room_for_what_must_come(hub: LiveHub, box: County) -> None:
    """Nothing refers to yesterday's taken story any more: it goes; what is published stays."""
    _item, kept = published(hub, secrets.token_bytes(6 * MIB), "发布.bin", "--to", "dengfeng")
    old, _digest = published(hub, secrets.token_bytes(8 * MIB), "旧稿.bin", "--offer")
    assert box.once().returncode == 0
    assert box.run("take", old).returncode == 0
    assert box.once().returncode == 0
    assert len(box.served()) == 2
    assert box.run("untake", old).returncode == 0
    assert box.once().returncode == 0
    assert len(held(box)) == 2, "what was untaken stays as long as there is room"
    _item, new = published(hub, secrets.token_bytes(12 * MIB), "新稿.bin", "--to", "dengfeng")
    assert box.once().returncode == 0
    assert box.served() == {kept, new}
    assert len(held(box)) == 2


def test_the_disk_fills_while_fetching(hub: LiveHub, box: County) -> None:
    """Not even the database can be written; the agent lives, nothing is half, and when there is room all arrives."""
    _item, digest = published(hub, secrets.token_bytes(8 * MIB), "长片.bin", "--to", "dengfeng")
    staged = box.home / "media" / "incoming" / digest[7:]
    box.limit("fetch_bytes_per_s", 4_000_000)
    box.start()
    assert box.agent is not None
    until(lambda: staged.exists() and staged.stat().st_size > MIB)
    with filled(box):
        until(lambda: "work=fetch status=11" in box.said())
        until(lambda: not staged.exists())
        assert box.agent.poll() is None
        assert (box.served(), held(box)) == (set(), [])
    until(lambda: digest in box.served(), 60)
    assert "no room" in box.alarms()["room"], "an alarm stays for a while: it was true"
    assert box.agent.poll() is None


def test_the_disk_fills_while_packaging(hub: LiveHub, box: County, tmp_path: Path) -> None:
    """The rendition is there as a whole or not at all, and is made when there is room again."""
    clip = make("noise.mp4", video="nullsrc=s=640x360:r=25:d=8,geq=random(1)*255:128:128", options=("-crf", "40"))
    with county(hub, tmp_path / "zhongmu", "zhongmu") as zhongmu:
        (zhongmu.home / "drop").mkdir()
        (zhongmu.home / "drop" / "x.mp4").write_bytes(clip.read_bytes())
        assert zhongmu.once().returncode == 0
    box.start()
    assert box.agent is not None
    offer = until(lambda: box.rows("SELECT id FROM items WHERE state = 'offered'"))[0][0]
    assert box.run("take", offer).returncode == 0
    until(lambda: any(name.endswith(".house.part") for name in box.staged()))
    with filled(box):
        until(lambda: "work=package status=1" in box.said())
        assert box.agent.poll() is None
        assert box.staged() == []
        assert len(held(box)) == 1
    until(lambda: box.rows("SELECT state FROM renditions WHERE segments IS NOT NULL") == [("here",)], 90)
    assert len(held(box)) == 2
    assert box.agent.poll() is None
