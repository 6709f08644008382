"""A file is whole or not there: at a kill, on a full disk, and for whoever looks meanwhile."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from appliance import durable
from appliance.core.errors import DiskFull, Refused, WorldError
from appliance.durable import copy_settled, hash_of, make_folder, regular_file, staged_beside, write_atomically
from tests.appliance.boxes import ROOT, small_disk, started

WRITER = """
import sys
from pathlib import Path
from appliance.durable import write_atomically
path = Path(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    write_atomically(path, str(number).encode() * 50_000)
"""


STAGER = """
import sys
from pathlib import Path
from appliance.durable import put_in_place, staged_beside, write_all
with staged_beside(Path(sys.argv[1])) as (into, staged):
    write_all(into, b"half")
    print("half", flush=True)
    sys.stdin.readline()
    write_all(into, b" and half")
    put_in_place(into, staged, Path(sys.argv[1]))
"""


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """The old name must never hold half of the new bytes."""
    path = tmp_path / "a"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    """A power cut in the middle of a write must leave a file that can be read."""
    path = tmp_path / "a"
    for round_number in range(6):
        writer = started(WRITER, path)
        assert writer.stdout is not None
        writer.stdout.readline()
        deadline = time.monotonic() + 0.003 * round_number
        while time.monotonic() < deadline:
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
        writer.stdout.close()
        if path.exists():
            held = path.read_bytes()
            assert held == held[: len(held) // 50_000] * 50_000


def test_half_a_file_of_a_killed_writer_is_swept_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    """What was half written may be words that have to go one day; and who still writes must not be robbed."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", STAGER, tmp_path / name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for name in ("killed", "living")
    ]
    killed, living = writers
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"half\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        assert [durable.sweep(tmp_path), durable.sweep(tmp_path)] == [1, 0]
        living.communicate(b"go on\n", timeout=30)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait(10)
    assert os.listdir(tmp_path) == ["living"]
    assert (tmp_path / "living").read_bytes() == b"half and half"


def test_a_file_that_was_swept_before_its_writer_held_it_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the name of the new file and its lock it looks like one that was left."""
    real, swept = fcntl.flock, list[int]()

    def flock(descriptor: int, how: int) -> None:
        if how == fcntl.LOCK_EX and len(swept) < 2:
            swept.append(durable.sweep(tmp_path))
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    write_atomically(tmp_path / "a", b"x")
    assert swept == [1, 1]
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_file_that_another_program_calls_alike_is_not_swept(tmp_path: Path) -> None:
    """In a drop folder lie the half files of whatever copies there."""
    for name in (".film.mp4.part", "film.part", f".{'a' * 17}.part", f"{'a' * 16}.part"):
        (tmp_path / name).write_bytes(b"x")
    assert durable.sweep(tmp_path) == 0
    assert len(os.listdir(tmp_path)) == 4


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_return(tmp_path: Path) -> None:
    """The order that a power cut cannot break, as the kernel saw it: write, fsync, rename, fsync of the folder."""
    code = "import sys, pathlib, appliance.durable as d; d.write_atomically(pathlib.Path(sys.argv[1]), b'x')"
    calls = "trace=write,pwrite64,fsync,rename,renameat,renameat2,openat"
    argv = ["strace", "-f", "-y", "-e", calls, "-o", str(tmp_path / "log"), sys.executable, "-c", code]
    subprocess.run([*argv, str(tmp_path / "file")], cwd=ROOT, check=True, timeout=60)
    seen = [line.split(maxsplit=1)[1] for line in (tmp_path / "log").read_text().splitlines() if str(tmp_path) in line]
    steps = [re.split(r"[(<]", call)[0] + ("/" if f"<{tmp_path}>)" in call else "") for call in seen]
    assert [step for step in steps if not step.startswith("openat")] == ["write", "fsync", "rename", "fsync/"]


@pytest.mark.root
def test_on_a_full_disk_the_old_file_stands_and_nothing_half_is_left(tmp_path: Path) -> None:
    """A full disk is a state with a name, not a crash, and it must not cost what was there."""
    with small_disk(tmp_path / "disk") as disk:
        write_atomically(disk / "a", b"old")
        with pytest.raises(DiskFull) as caught:
            write_atomically(disk / "a", bytes(2 * 1024 * 1024))
        assert caught.value.hint is not None
        assert (disk / "a").read_bytes() == b"old"
        assert os.listdir(disk) == ["a"]


def test_a_folder_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    """The message has to say which path, or nobody can act on it."""
    with pytest.raises(WorldError, match="nowhere"):
        write_atomically(tmp_path / "nowhere" / "a", b"x")


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    """The staged file must not be named after the final one, whose name may have no room left."""
    name = "嵩" * 85
    write_atomically(tmp_path / name, b"x")
    assert (tmp_path / name).read_bytes() == b"x"


def test_what_was_staged_and_not_put_in_place_goes_away(tmp_path: Path) -> None:
    """A failed write leaves no litter."""
    with pytest.raises(RuntimeError), staged_beside(tmp_path / "a"):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_only_regular_files_are_opened_and_a_fifo_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A fifo in the drop folder would hang the one control thread; a link would lead out of the folder."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("fifo", "folder", "link"):
        with pytest.raises(Refused, match="not a regular file"), regular_file(tmp_path / name):
            pass
    with pytest.raises(WorldError, match="No such file"), regular_file(tmp_path / "none"):
        pass
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "good").symlink_to("file")
    with regular_file(tmp_path / "good", follow=True) as descriptor:
        assert hash_of(descriptor) == (
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            3,
        )


@pytest.mark.parametrize(("held", "said"), [(b"", "is empty"), (b"12345", "more than 4 bytes")])
def test_empty_and_oversized_files_are_refused(tmp_path: Path, held: bytes, said: str) -> None:
    """Neither is a clip, and the second would fill the disk."""
    (tmp_path / "a").write_bytes(held)
    with (
        pytest.raises(Refused, match=said),
        regular_file(tmp_path / "a") as source,
        staged_beside(tmp_path / "b") as (into, _staged),
    ):
        copy_settled(source, into, tmp_path / "a", 4)


def test_a_file_that_grows_while_it_is_copied_is_refused(tmp_path: Path) -> None:
    """Half a clip with the right digest of its half would be aired as if it were whole."""
    path, over = tmp_path / "a", threading.Event()
    path.write_bytes(bytes(8 * 1024 * 1024))

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not over.is_set():
                file.write(b"more")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with (
            pytest.raises(Refused, match="still changing"),
            regular_file(path) as source,
            staged_beside(tmp_path / "b") as (into, _staged),
        ):
            copy_settled(source, into, path, 2**40)
    finally:
        over.set()
        writer.join(10)


def test_folders_are_made_with_those_above(tmp_path: Path) -> None:
    """And again without complaint."""
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
