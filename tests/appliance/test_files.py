"""Assets on disk are what their digest says, or they are not there."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import files, together
from appliance.config import Config, Limits
from appliance.core.asset import parse_digest
from appliance.core.errors import Corrupt, DiskFull, OperatorError, Refused, WorldError
from tests.appliance.boxes import box, dies, digest, small_disk, started
from tests.simulators.disk import Killed, SimulatedDisk, Volume

ADOPTER = """
import sys
from pathlib import Path
from appliance import files, together
from tests.appliance.boxes import box
config = box(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    for source in sorted(Path(sys.argv[2]).iterdir()):
        digest, size_bytes = files.adopt_copy(config, source)
        files.publish_link(config, digest)
        files.remove(config, digest)
        files.adopt_copy(config, source)
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = box(tmp_path / "box")
    files.make_folders(made)
    return made


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def staged(config: Config, data: bytes, named: str | None = None) -> str:
    wanted = named or digest_of(data)
    files.stage_path(config, wanted).write_bytes(data)
    return wanted


def everything_in(folder: Path) -> list[str]:
    """All files but the marks by which a box knows its media."""
    found = (path for path in folder.rglob("*") if path.is_file() and "media" not in path.name)
    return sorted(str(path.relative_to(folder)) for path in found)


def test_a_staged_file_becomes_the_asset_of_its_digest(config: Config) -> None:
    """What was fetched is found under its digest, cannot be written any more, and is not staged any more."""
    wanted = staged(config, b"clip")
    path = files.adopt(config, files.stage_path(config, wanted), wanted)
    assert path == files.path_of(config, wanted)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"clip", 0o444)
    assert not files.stage_path(config, wanted).exists()
    assert list(files.held(config)) == [wanted]


def test_bytes_that_are_not_what_the_digest_says_go_to_quarantine(config: Config) -> None:
    """A flipped bit on the line or the disk must never be served or aired under a name it has no right to."""
    wanted = staged(config, b"clap", named=digest_of(b"clip"))
    with pytest.raises(Corrupt) as caught:
        files.adopt(config, files.stage_path(config, wanted), wanted)
    assert wanted in caught.value.problems[0].zh
    assert not files.is_there(config, wanted)
    assert not files.stage_path(config, wanted).exists()
    assert (config.quarantine / wanted.removeprefix("sha256:")).read_bytes() == b"clap"


def test_many_small_files_become_assets_together_and_a_bad_one_harms_none(config: Config) -> None:
    """Ten thousand pictures that arrive in a night: the disk is waited for twice, and each is as safe as alone."""
    right = [staged(config, f"{number}".encode()) for number in range(300)]
    wrong, absent = staged(config, b"other", digest("b")), digest("c")
    found = together.adopt_all(config, [*right[:150], wrong, absent, *right[150:]])
    assert [found[parse_digest(each)] for each in right] == [len(f"{number}") for number in range(300)]
    assert (type(found[parse_digest(wrong)]), type(found[parse_digest(absent)])) == (Corrupt, WorldError)
    assert all(files.verify(config, each) for each in right)
    assert files.path_of(config, right[0]).stat().st_mode & 0o777 == 0o444
    assert everything_in(config.incoming) == []
    assert everything_in(config.quarantine) == ["b" * 64]


def test_many_links_are_made_at_once(config: Config) -> None:
    """What is not here is told; what was served before is served still."""
    here = [staged(config, f"{number}".encode()) for number in range(5)]
    together.adopt_all(config, here)
    files.publish_link(config, here[0])
    assert files.publish_links(config, [*here, digest("b")]) == (digest("b"),)
    assert files.served(config) == set(here)


def test_an_asset_that_rots_is_quarantined_and_no_longer_served(config: Config, tmp_path: Path) -> None:
    """Reading everything again is worth nothing if what is bad stays on the page."""
    (tmp_path / "clip").write_bytes(b"clip")
    wanted, _size = files.adopt_copy(config, tmp_path / "clip")
    files.publish_link(config, wanted)
    assert files.verify(config, wanted) == 4
    path = files.path_of(config, wanted)
    path.chmod(0o644)
    path.write_bytes(b"clop")
    with pytest.raises(Corrupt):
        files.verify(config, wanted)
    assert (files.is_there(config, wanted), files.served(config)) == (False, frozenset())


@pytest.mark.parametrize(
    "bad",
    ["../../etc/passwd", "/etc/passwd", "", "sha256:" + "A" * 64, "a" * 63, "sha256:../" + "a" * 61, "a" * 63 + "\n"],
)
def test_nothing_but_a_digest_becomes_a_path(config: Config, bad: str) -> None:
    """A record that names `../` must not reach a file outside the media folder, whatever is done with it."""
    for use in (
        files.path_of,
        files.stage_path,
        files.is_there,
        files.remove,
        files.publish_link,
        files.withdraw_link,
        files.verify,
    ):
        with pytest.raises(OperatorError):
            use(config, bad)
    (config.incoming / "x").write_bytes(b"x")
    with pytest.raises(OperatorError):
        files.adopt(config, config.incoming / "x", bad)


def test_a_copy_leaves_the_source_alone(config: Config, tmp_path: Path) -> None:
    """A dropped file is the editor's until it is taken; its later fate is none of the asset's."""
    (tmp_path / "clip").write_bytes(b"clip")
    assert files.adopt_copy(config, tmp_path / "clip") == (digest_of(b"clip"), 4)
    (tmp_path / "clip").write_bytes(b"other")
    assert files.path_of(config, digest_of(b"clip")).read_bytes() == b"clip"


def test_a_file_of_ours_is_taken_in_without_copying_its_bytes(config: Config, tmp_path: Path) -> None:
    """An hour of video in the spool must not be written to the disk twice; and again is no error."""
    (tmp_path / "blob").write_bytes(b"clip")
    assert files.adopt_link(config, tmp_path / "blob") == (digest_of(b"clip"), 4)
    assert files.adopt_link(config, tmp_path / "blob") == (digest_of(b"clip"), 4)
    path = files.path_of(config, digest_of(b"clip"))
    assert path.samefile(tmp_path / "blob")
    (tmp_path / "blob").unlink()
    assert path.read_bytes() == b"clip"


@pytest.mark.parametrize("draw", range(4))
@pytest.mark.parametrize("steps", range(12))
def test_a_file_of_ours_that_is_here_is_here_after_a_power_cut(
    config: Config, tmp_path: Path, steps: int, draw: int
) -> None:
    """Whoever finds its name there had not made it durable himself: the one before may have been killed too early."""
    (tmp_path / "blob").write_bytes(b"clip")
    volume, disk = Volume(config.media), SimulatedDisk()
    with disk.in_force(), disk.on(volume):
        volume.boot()
        volume.kill_after(steps)
        with suppress(Killed):
            files.adopt_copy(config, tmp_path / "blob")
        volume.boot()
        files.adopt_link(config, tmp_path / "blob")
    volume.cut(random.Random(draw))
    assert files.path_of(config, digest_of(b"clip")).read_bytes() == b"clip"


@pytest.mark.root
def test_a_file_of_ours_on_another_disk_is_copied(config: Config, tmp_path: Path) -> None:
    """The spool may lie elsewhere than the media."""
    with small_disk(tmp_path / "disk") as disk:
        (disk / "blob").write_bytes(b"clip")
        assert files.adopt_link(config, disk / "blob") == (digest_of(b"clip"), 4)
    assert files.path_of(config, digest_of(b"clip")).read_bytes() == b"clip"


def test_links_fifos_folders_and_empty_files_are_refused(config: Config, tmp_path: Path) -> None:
    """A symlink in the drop folder must not carry /etc/passwd to the hub."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("fifo", "link", "empty", "."):
        with pytest.raises(Refused):
            files.adopt_copy(config, tmp_path / name)
    with pytest.raises(WorldError):
        files.adopt_copy(config, tmp_path / "none")
    assert everything_in(config.media) == []


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    """The bound is the site's own, and nothing of the file stays."""
    config = box(tmp_path / "box", limits=Limits(file_bytes_max=3))
    files.make_folders(config)
    (tmp_path / "clip").write_bytes(b"clip")
    with pytest.raises(Refused, match="more than 3"):
        files.adopt_copy(config, tmp_path / "clip")
    assert everything_in(config.media) == []


@pytest.mark.root
def test_a_full_disk_has_a_name_and_leaves_nothing_half(tmp_path: Path) -> None:
    """The agent must be able to tell a full disk from a bad file, and to go on when there is room again."""
    (tmp_path / "clip").write_bytes(bytes(2 * 1024 * 1024))
    (tmp_path / "short").write_bytes(b"short")
    with small_disk(tmp_path / "disk") as disk:
        config = box(disk)
        files.make_folders(config)
        with pytest.raises(DiskFull):
            files.adopt_copy(config, tmp_path / "clip")
        assert everything_in(disk) == []
        assert files.adopt_copy(config, tmp_path / "short") == (digest_of(b"short"), 5)


def test_what_is_served_is_what_was_linked(config: Config, tmp_path: Path) -> None:
    """The web server asks no database: a name in `public` is the permission itself."""
    (tmp_path / "clip").write_bytes(b"clip")
    wanted, _size = files.adopt_copy(config, tmp_path / "clip")
    assert files.served(config) == frozenset()
    files.publish_link(config, wanted)
    files.publish_link(config, wanted)
    assert files.served(config) == {wanted}
    files.withdraw_link(config, wanted)
    files.withdraw_link(config, wanted)
    assert files.served(config) == frozenset()
    assert files.is_there(config, wanted)


def test_what_is_not_here_cannot_be_served(config: Config) -> None:
    """Better an error now than a dead link on the page."""
    with pytest.raises(WorldError):
        files.publish_link(config, digest("a"))


def test_what_was_let_go_is_nowhere_any_more(config: Config, tmp_path: Path) -> None:
    """A recall takes the public name, the asset and whatever was half fetched."""
    (tmp_path / "clip").write_bytes(b"clip")
    wanted, _size = files.adopt_copy(config, tmp_path / "clip")
    files.publish_link(config, wanted)
    files.stage_path(config, wanted).write_bytes(b"cl")
    files.remove(config, wanted)
    files.remove(config, wanted)
    assert everything_in(config.media) + everything_in(config.public) == []


def test_killed_at_any_moment_every_asset_is_whole(config: Config, tmp_path: Path) -> None:
    """Whatever stands under a digest after a power cut has that digest; the litter is swept at the next start."""
    sources = tmp_path / "sources"
    sources.mkdir()
    contents = [random.Random(number).randbytes(3_000_000) for number in range(2)]
    for number, data in enumerate(contents):
        (sources / str(number)).write_bytes(data)
    for round_number in range(5):
        adopter = started(ADOPTER, config.home, sources)
        assert adopter.stdout is not None
        adopter.stdout.readline()
        deadline = time.monotonic() + 0.007 * round_number
        while time.monotonic() < deadline:
            pass
        adopter.send_signal(signal.SIGKILL)
        adopter.wait(10)
        adopter.stdout.close()
        for held in files.held(config):
            files.verify(config, held)
        files.sweep(config)
        assert everything_in(config.incoming) == []
        assert files.served(config) <= set(files.held(config))


def test_killed_at_any_step_nothing_is_served_that_is_not_whole(config: Config, tmp_path: Path) -> None:
    """As above, at each single change of the file system; and the next attempt succeeds."""
    (tmp_path / "clip").write_bytes(b"clip")
    wanted = digest_of(b"clip")

    def come_and_go() -> None:
        files.adopt_copy(config, tmp_path / "clip")
        files.publish_link(config, wanted)
        files.remove(config, wanted)
        files.stage_path(config, wanted).write_bytes(b"clip")
        files.adopt(config, files.stage_path(config, wanted), wanted)
        files.publish_link(config, wanted)

    steps = 1
    while dies(come_and_go, steps):
        steps += 1
        held = list(files.held(config))
        assert [files.verify(config, each) for each in held] == [4] * len(held)
        assert files.served(config) <= set(held)
        files.sweep(config)
        files.remove(config, wanted)
    assert steps > 12
    assert files.served(config) == {wanted}


NAMES = {
    "早间新闻.mp4".encode(): "早间新闻.mp4",
    "早间新闻.mp4".encode("gb18030"): "早间新闻.mp4",
    b"-rf.mp4": "-rf.mp4",
    b"a\nb\x1b[31m.mp4": "a b [31m.mp4",
    ("嵩" * 85).encode(): "嵩" * 85,
    "safe\u202egpj.exe".encode(): "safe gpj.exe",
    b" \t\n": "?",
}


@pytest.mark.parametrize(("raw", "shown"), NAMES.items(), ids=range(len(NAMES)))
def test_names_from_outside_are_shown_in_one_honest_line(tmp_path: Path, raw: bytes, shown: str) -> None:
    """Windows programs of the trade write GBK; others write newlines, colours or reversed text. All of it is shown."""
    path = tmp_path / os.fsdecode(raw)
    path.write_bytes(b"x")
    assert files.name_for_people(path) == shown


@given(raw=st.binary(min_size=1, max_size=255).filter(lambda raw: b"/" not in raw and b"\0" not in raw))
def test_any_name_can_be_shown_and_sent(raw: bytes) -> None:
    """A name that cannot be encoded would break the record that carries it."""
    shown = files.name_for_people(Path(os.fsdecode(raw)))
    assert shown.encode().decode() == shown
    assert shown.isprintable()
    assert 1 <= len(shown) <= files.NAME_CHARS_MAX


@pytest.mark.root
def test_a_new_disk_is_taken_only_where_it_is_mounted_and_empty(tmp_path: Path) -> None:
    """The bare folder under it would fill the system's disk; what lies on another disk may be somebody's only copy."""
    with small_disk(tmp_path / "new", "8m") as new:
        made = box(tmp_path / "box")
        files.make_folders(made)
        files.take_new_disk(made)
        shutil.rmtree(made.media)
        made.media.mkdir()
        with pytest.raises(Refused, match="no disk is mounted"):
            files.take_new_disk(made)
        with bound(new, made.media):
            (new / "照片").mkdir()
            with pytest.raises(Refused, match="not empty: 照片"):
                files.take_new_disk(made)
            assert not files.media_are_there(made)
            (new / "照片").rmdir()
            (new / "lost+found").mkdir()
            files.take_new_disk(made)
            assert files.media_are_there(made)
            files.take_new_disk(made)
        assert not files.media_are_there(made)


@contextmanager
def bound(what: Path, where: Path) -> Iterator[None]:
    """Mounted at another place too."""
    subprocess.run(["mount", "--bind", what, where], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["umount", where], check=True, timeout=10)
