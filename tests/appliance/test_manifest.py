"""What a stick says before anything is taken in, and what an export says while it runs: read only, and never raised."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance import manifest, outbound
from appliance.core.command import Submit
from appliance.core.errors import Text, WorldError
from appliance.core.manifest import Exported, Manifest
from appliance.core.moment import to_text
from tests.appliance.test_command import songshan
from tests.carrying import HUB, SITE, Pair, pair


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


def tree(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def test_what_an_import_would_bring_is_said_and_then_brought(ends: Pair) -> None:
    """The dry run and the import agree, and a second look says that nothing is left; the stick stays as it was."""
    ends.run_agent()
    ends.publish(b"news" * 1000, "i1")
    ends.publish(b"more" * 2000, "i2")
    ends.order("o1")
    ends.export()
    before = tree(ends.stick)
    found = manifest.look(ends.config, ends.stick)
    assert (found.whose, found.problem, found.records) == ("ours", None, 3)
    assert (found.assets, found.new_assets, found.new_bytes) == (2, 2, 12_000)
    assert found.loaded_at is not None and found.total_bytes >= found.free_bytes > 0
    ends.take_in_box()
    done = manifest.look(ends.config, ends.stick)
    assert (done.records, done.assets, done.new_assets, done.new_bytes) == (0, 2, 0, 0)
    assert (ends.carrying().records, ends.carrying().assets_done) == (found.records, found.new_assets)
    assert tree(ends.stick) == before


def test_a_stick_with_more_than_can_be_counted_is_ours_all_the_same(
    ends: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole library on a slow disk must not look like a stick that does not answer."""
    ends.run_agent()
    for number in range(3):
        ends.publish(bytes([number]) * 100, f"i{number}")
    ends.export()
    monkeypatch.setattr(manifest, "COUNTED_MAX", 2)
    found = manifest.look(ends.config, ends.stick)
    assert (found.whose, found.assets, found.new_bytes, found.is_counted) == ("ours", 2, 200, False)
    monkeypatch.setattr(manifest, "COUNTING_S", -1.0)
    assert manifest.look(ends.config, ends.stick).assets == 0


def test_each_stick_that_is_not_ours_says_why(ends: Pair, tmp_path: Path) -> None:
    """A wrong one must be told from an empty one: only the latter may be written to."""
    empty, used, away = tmp_path / "empty", tmp_path / "used", tmp_path / "away"
    for folder in (empty, used, empty / "lost+found"):
        folder.mkdir()
    (used / "照片.jpg").write_bytes(b"x")
    other = replace(ends.config, site="zhongmu")
    alone = replace(ends.config, hub=None)
    found = [
        manifest.look(ends.config, empty),
        manifest.look(ends.config, used),
        manifest.look(other, ends.stick),
        manifest.look(alone, ends.stick),
        manifest.look(ends.config, away),
    ]
    assert [each.whose for each in found] == ["empty", "unlabelled", "foreign", "foreign", "unreadable"]
    assert all(each.problem is not None for each in found)
    assert found[1].problem == Text("没有标签，盘上另有 照片.jpg", "no label, and other things on it: 照片.jpg")


def test_a_stick_is_ours_without_a_database_and_with_what_somebody_put_on_it(ends: Pair) -> None:
    """Whose it is can be said at once; a note that cannot be believed is a problem and no crash."""
    assert manifest.look(ends.config, ends.stick).whose == "ours", "there is no database yet"
    assert manifest.look(ends.config, ends.stick).problem is not None
    ends.run_agent()
    ends.publish(b"news", "i1")
    ends.export()
    (ends.stick / "from-hub" / "note").write_bytes(b'{"v":1}\nAAAA\n')
    head = ends.stick / "from-hub" / "streams" / SITE / "content" / "checkpoint"
    head.write_bytes(b"no checkpoint")
    shelf = ends.stick / "from-hub" / "assets" / "ab"
    shelf.mkdir(exist_ok=True)
    (shelf / ("ab" * 32 + ".part")).write_bytes(b"x")
    (shelf / "passwd").symlink_to("/etc/passwd")
    found = manifest.look(ends.config, ends.stick)
    assert (found.whose, found.loaded_at, found.assets, found.records) == ("ours", None, 1, 0)
    assert found.problem is not None and "cannot be believed" in found.problem.en


def test_the_process_that_looks_says_the_same(ends: Pair) -> None:
    """Whoever asks does not hang on a stick that does not answer."""
    ends.run_agent()
    words = [sys.executable, "-m", "appliance.manifest", str(ends.stick)]
    said = subprocess.run(words, capture_output=True, check=True, env={**os.environ, "SONGSHAN_HOME": str(ends.home)})
    here = msgspec.structs.replace(manifest.look(ends.config, ends.stick), free_bytes=0)
    assert msgspec.structs.replace(msgspec.json.decode(said.stdout, type=Manifest), free_bytes=0) == here
    shown = songshan("--home", ends.home, "usb", "show", ends.stick)
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (0, f"this stick goes between {SITE} and {HUB}")
    assert songshan("--home", ends.home, "usb", "show", ends.home).returncode == 1


def test_an_export_tells_how_far_it_is_and_how_it_ended(ends: Pair, tmp_path: Path) -> None:
    """It goes on when the screen that began it is gone; the next one shows it."""
    clip = tmp_path / "story.bin"
    clip.write_bytes(b"story" * 1000)
    ends.do(Submit(title="庙会", files=("story.bin",), by="x", via="cli", at=to_text(ends.folder.now_us())), (clip,))
    assert outbound.exported(ends.config) is None
    assert songshan("--home", ends.home, "usb", "export", ends.stick).returncode == 0
    done = outbound.exported(ends.config)
    assert done is not None
    assert (done.state, done.path, done.records, done.assets, done.all_bytes) == ("done", str(ends.stick), 1, 1, 5000)
    assert songshan("--home", ends.home, "usb", "export", tmp_path).returncode == 1
    failed = outbound.exported(ends.config)
    assert failed is not None and (failed.state, failed.path) == ("failed", str(tmp_path))
    assert failed.problem is not None and "no label" in failed.problem.en


def test_an_export_whose_process_is_gone_has_broken_off(ends: Pair) -> None:
    """A pulled stick or a power cut leaves nobody to say so."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    with pytest.raises(KeyboardInterrupt), outbound.telling(ends.config, ends.stick) as told:
        told.moved(300, 5000)
        told.tell()
        mine = outbound.exported(ends.config)
        assert mine is not None and (mine.state, mine.done_bytes) == ("running", 300)
        told.fact = msgspec.structs.replace(told.fact, pid=gone.pid)
        told.tell()
        raise KeyboardInterrupt
    broken = outbound.exported(ends.config)
    assert isinstance(broken, Exported) and (broken.state, broken.problem) == ("failed", outbound.GONE)
    with pytest.raises(WorldError), outbound.telling(replace(ends.config, run=Path("/proc/1/nothing")), ends.stick):
        raise WorldError(Text("盘满", "full"))
