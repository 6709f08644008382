"""A stick is pulled out at any moment, comes back with anything on it, and takes no large files: nothing is lost."""

import hashlib
import os
import random
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import pieces
from appliance import stick as sticks
from appliance.core.carry import LABEL, LABEL_BYTES_MAX, Label
from appliance.core.errors import Corrupt, DiskFull, Refused, WorldError
from appliance.stick import Stick
from tests.appliance.boxes import dies, small_disk

MADE = Label(1, "a" * 32, "dengfeng", "songshan", "hub", "2026-11-24T06:00:00Z")
PIECE = 300_000
DATA = random.Random(7).randbytes(1_000_001)
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
HEX = DIGEST.removeprefix("sha256:")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "usb"
    path.mkdir()
    return path


@pytest.fixture
def stick(folder: Path) -> Iterator[Stick]:
    with sticks.opened(folder, to_write=True) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / HEX
    path.write_bytes(DATA)
    return path


def put(stick: Stick, source: Path, digest: str = DIGEST) -> int:
    """Copies the source; how many bytes were dealt with."""
    counted: list[int] = []
    pieces.put_asset(stick, "hub", source, digest, counted.append, PIECE)
    return sum(counted)


def got(stick: Stick, target: Path) -> bytes:
    assert pieces.get_asset(stick, "hub", DIGEST, len(DATA), target, lambda _bytes: None, PIECE) == DIGEST
    return target.read_bytes()


def on(folder: Path) -> dict[str, bytes]:
    """All that is on it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_empty_stick_is_labelled_and_known_again(stick: Stick, folder: Path) -> None:
    """What other computers leave on every stick does not count as content."""
    (folder / "System Volume Information").mkdir()
    sticks.label(stick, MADE)
    assert sticks.read_label(stick, "dengfeng", "songshan") == MADE
    with pytest.raises(Refused, match="has a label already"):
        sticks.label(stick, MADE)


def test_a_stick_with_something_on_it_is_not_labelled(stick: Stick, folder: Path) -> None:
    """It is somebody's: not a byte is written to it."""
    (folder / "婚礼.mp4").write_text("x")
    with pytest.raises(Refused, match="is not empty"):
        sticks.label(stick, MADE)
    assert on(folder) == {"婚礼.mp4": b"x"}


def test_a_stick_without_a_label_of_ours_is_refused_with_the_next_step(stick: Stick, folder: Path) -> None:
    """None, a strange one, one that is a link or without end."""
    with pytest.raises(Refused, match="there is no label") as refused:
        sticks.read_label(stick, "dengfeng", "songshan")
    assert refused.value.hint is not None
    (folder / LABEL).write_bytes(b"{}" * LABEL_BYTES_MAX)
    with pytest.raises(Refused, match="has more than"):
        sticks.read_label(stick, "dengfeng", "songshan")
    (folder / LABEL).unlink()
    (folder / LABEL).symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="no plain file"):
        sticks.read_label(stick, "dengfeng", "songshan")


def test_an_asset_goes_there_and_comes_back_in_pieces(stick: Stick, source: Path, tmp_path: Path) -> None:
    """Each piece has its number; the first is called as the asset is, and all are found again."""
    assert not pieces.holds_asset(stick, "hub", DIGEST, len(DATA), PIECE)
    put(stick, source)
    assert stick.names(("from-hub", "assets", HEX[:2])) == [HEX, f"{HEX}.1", f"{HEX}.2", f"{HEX}.3"]
    assert pieces.holds_asset(stick, "hub", DIGEST, len(DATA), PIECE)
    assert not pieces.holds_asset(stick, "hub", DIGEST, len(DATA) + 1, PIECE)
    assert got(stick, tmp_path / "back") == DATA


def test_a_file_system_that_takes_no_large_file_takes_pieces(folder: Path, source: Path) -> None:
    """As FAT does with 4 GiB: here the kernel itself refuses more than a piece."""

    def copy() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE, PIECE))
        with sticks.opened(folder) as stick:
            put(stick, source)
            with pytest.raises(DiskFull):
                pieces.put_asset(stick, "box", source, DIGEST, lambda _bytes: None, PIECE + 1)

    assert not dies(copy, 10_000)


def test_a_copy_goes_on_where_it_was_cut_anywhere(stick: Stick, folder: Path, source: Path) -> None:
    """A stick pulled out costs what was not on it; a piece has its name only when it is whole."""
    put(stick, source)
    shelf = folder / "from-hub" / "assets" / HEX[:2]
    (shelf / f"{HEX}.3").unlink()
    (shelf / f"{HEX}.2").rename(shelf / f"{HEX}.2.part")
    os.truncate(shelf / f"{HEX}.2.part", 1000)
    assert not pieces.holds_asset(stick, "hub", DIGEST, len(DATA), PIECE)
    before = (shelf / HEX).stat().st_mtime_ns
    assert put(stick, source) == len(DATA)
    assert (shelf / HEX).stat().st_mtime_ns == before
    assert pieces.holds_asset(stick, "hub", DIGEST, len(DATA), PIECE)


def test_a_flipped_bit_on_the_stick_is_put_right_by_the_next_export(
    stick: Stick, folder: Path, source: Path, tmp_path: Path
) -> None:
    """And until then the hash tells."""
    put(stick, source)
    piece = folder / "from-hub" / "assets" / HEX[:2] / f"{HEX}.1"
    spoilt = bytearray(piece.read_bytes())
    spoilt[77] ^= 1
    piece.write_bytes(spoilt)
    found = pieces.get_asset(stick, "hub", DIGEST, len(DATA), tmp_path / "bad", lambda _bytes: None, PIECE)
    assert found != DIGEST
    put(stick, source)
    assert got(stick, tmp_path / "bad") == DATA, "what was staged and wrong is put right as well"


def test_an_export_killed_at_any_step_is_finished_by_the_next(folder: Path, source: Path, tmp_path: Path) -> None:
    """At each change of the file system; never does a whole name stand over bytes that are not whole."""
    steps = 1

    def copy() -> None:
        with sticks.opened(folder, to_write=True) as stick:
            sticks.write_pages(stick, "hub", "all/control", (), None)
            put(stick, source)

    while dies(copy, steps):
        steps += 1
        for path in folder.rglob(f"{HEX}*"):
            if not path.name.endswith(".part"):
                number = int(path.name.partition(".")[2] or 0)
                assert path.read_bytes() == DATA[number * PIECE : (number + 1) * PIECE]
    assert steps > 15
    with sticks.opened(folder) as stick:
        assert got(stick, tmp_path / "back") == DATA


def test_a_copy_cut_within_a_piece_has_not_its_name(
    stick: Stick, folder: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor has a piece its name any more of which the bytes are being put right."""
    monkeypatch.setattr(pieces, "_CHUNK_BYTES", 100_000)
    shelf = folder / "from-hub" / "assets" / HEX[:2]
    for cut in (1, 2, 5, 8, 3):
        left = [cut]

        def pull_out(_bytes: int, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise InterruptedError

        with pytest.raises(WorldError):
            pieces.put_asset(stick, "hub", source, DIGEST, pull_out, PIECE)
        for path in shelf.iterdir():
            if not path.name.endswith(".part"):
                number = int(path.name.partition(".")[2] or 0)
                assert path.read_bytes() == DATA[number * PIECE : (number + 1) * PIECE]
        if cut == 8:
            (shelf / HEX).write_bytes(b"?" + DATA[1:PIECE])
    put(stick, source)
    assert got(stick, tmp_path / "back") == DATA


def test_a_source_that_is_not_what_it_is_called_leaves_nothing_there(stick: Stick, folder: Path, source: Path) -> None:
    """Our own disk can be the one with the flipped bit; it must not be carried on."""
    source.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(Corrupt):
        put(stick, source)
    assert on(folder) == {}


def test_nothing_is_read_or_written_through_what_somebody_put_there(
    stick: Stick, folder: Path, source: Path, tmp_path: Path
) -> None:
    """Links, pipes and folders under our names: refused, at once, and what they point at stays as it is."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / HEX[:2]).mkdir()
    (victim / HEX[:2] / HEX).write_text("precious")
    (folder / "from-hub").mkdir()
    (folder / "from-hub" / "assets").symlink_to(victim)
    for attempt in (
        lambda: put(stick, source),
        lambda: pieces.holds_asset(stick, "hub", DIGEST, len(DATA), PIECE),
        lambda: pieces.keep_only_assets(stick, "hub", ()),
        lambda: pieces.drop_asset(stick, "hub", DIGEST, len(DATA), PIECE),
        lambda: stick.names(("from-hub", "assets")),
    ):
        with pytest.raises(Refused, match="no plain file or folder"):
            attempt()
    (folder / "from-hub" / "assets").unlink()
    (folder / "from-hub" / "assets" / HEX[:2]).mkdir(parents=True)
    os.mkfifo(folder / "from-hub" / "assets" / HEX[:2] / HEX)
    os.mkfifo(folder / "from-hub" / "note")
    with pytest.raises(Refused, match="no plain file"):
        stick.read(("from-hub", "note"), 100)
    assert not pieces.holds_asset(stick, "hub", DIGEST, len(DATA), PIECE)
    with pytest.raises(Refused, match="no plain file"):
        pieces.get_asset(stick, "hub", DIGEST, len(DATA), tmp_path / "t", lambda _bytes: None, PIECE)
    assert (victim / HEX[:2] / HEX).read_text() == "precious"


def test_a_folder_with_too_many_files_is_refused_before_it_is_read_whole(
    stick: Stick, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten million names must cost neither memory nor an afternoon."""
    monkeypatch.setattr(sticks, "ENTRIES_MAX", 20)
    for number in range(21):
        (folder / str(number)).touch()
    with pytest.raises(Refused, match="too many files"):
        stick.names(())


def test_two_commands_do_not_write_to_one_stick_at_once(stick: Stick, folder: Path) -> None:
    """The second is told to wait."""
    with pytest.raises(Refused, match="another command"), sticks.opened(folder, to_write=True):
        pass


def test_a_stick_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    """Most often it was not mounted."""
    with pytest.raises(WorldError, match="cannot open") as error, sticks.opened(tmp_path / "none"):
        pass
    assert error.value.hint is not None
    assert "mount" in error.value.hint.en


@pytest.mark.root
def test_a_full_stick_is_said_and_goes_on_when_there_is_room(tmp_path: Path, source: Path) -> None:
    """The error is of the stick, and names it."""
    with small_disk(tmp_path / "small", "500k") as path, sticks.opened(path) as stick:
        with pytest.raises(DiskFull, match="the stick is full"):
            put(stick, source)
        pieces.drop_asset(stick, "hub", DIGEST, len(DATA), PIECE)
        assert on(path) == {}


@pytest.mark.root
@pytest.mark.parametrize("make", ["mkfs.vfat", "mkfs.exfat"])
def test_a_stick_as_it_is_bought_takes_all_of_it(tmp_path: Path, source: Path, make: str) -> None:
    """No modes, no links, two-second times, names without case: real FAT and exFAT, written and then read-only."""
    with file_system(tmp_path, make) as path:
        with sticks.opened(path, to_write=True) as stick:
            sticks.label(stick, MADE)
            put(stick, source)
        subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True, timeout=10)
        with sticks.opened(path) as stick:
            assert sticks.read_label(stick, "dengfeng", "songshan") == MADE
            assert got(stick, tmp_path / "back") == DATA


@contextmanager
def file_system(tmp_path: Path, make: str) -> Iterator[Path]:
    """A stick of 40 MB; skipped where the machine cannot make one, or its kernel cannot mount it."""
    image, path = tmp_path / "stick.img", tmp_path / "stick"
    image.write_bytes(b"")
    os.truncate(image, 40_000_000)
    path.mkdir()
    for argv in ([make, str(image)], ["mount", "-o", "loop", str(image), str(path)]):
        try:
            subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20)
        except FileNotFoundError:
            pytest.skip(f"no {argv[0]} here")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"{make.removeprefix('mkfs.')}: {argv[0]} failed: {error.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=20)
