"""What a coming asset is compared with, so that only the difference travels."""

from hashlib import sha256
from pathlib import Path

import pytest

from appliance import files
from appliance.config import Config
from appliance.core.errors import Corrupt, Refused, WorldError
from edge_agent import basis
from edge_agent.core.basis import SIZE_BYTES_MIN, Candidate, basis_of
from tests.appliance.boxes import box, digest

OLD, NEW = b"old" * 9999, digest("b")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = box(tmp_path / "box")
    files.make_folders(made)
    return made


@pytest.fixture
def held(config: Config) -> str:
    """An asset that is here."""
    name = f"sha256:{sha256(OLD).hexdigest()}"
    files.stage_path(config, name).write_bytes(OLD)
    files.adopt(config, files.stage_path(config, name), name)
    return name


def test_the_basis_of_a_new_transfer_costs_no_room(config: Config, held: str) -> None:
    """A terabyte of films must not be copied to send a few corrected titles."""
    basis.lay(config, NEW, held)
    basis.lay(config, NEW, held)
    assert basis.path_of(config, NEW).samefile(files.path_of(config, held))
    basis.discard(config, NEW)
    basis.discard(config, NEW)
    assert files.verify(config, held) == len(OLD)
    assert list(basis.folder_of(config).iterdir()) == []


def test_after_a_cut_what_has_come_is_part_of_the_basis(config: Config, held: str) -> None:
    """rsync compares with one file: without this the rest of the old one would come over the line again."""
    staged = files.stage_path(config, NEW)
    basis.lay(config, NEW, held)
    staged.write_bytes(b"n" * 500)
    basis.lay(config, NEW, held)
    assert (basis.path_of(config, NEW).read_bytes(), staged.exists()) == (b"n" * 500 + OLD, False)
    staged.write_bytes(b"n" * 400)
    basis.lay(config, NEW, held)
    assert (basis.path_of(config, NEW).read_bytes(), staged.exists()) == (b"n" * 500 + OLD, False)
    staged.write_bytes(b"n" * 600)
    basis.lay(config, NEW, held)
    assert basis.path_of(config, NEW).read_bytes() == b"n" * 600 + OLD
    assert files.verify(config, held) == len(OLD)


def test_an_asset_that_went_bad_is_its_own_basis(config: Config, held: str) -> None:
    """One block of a film rotted: one block has to come."""
    path = files.path_of(config, held)
    path.chmod(0o600)
    path.write_bytes(b"o" + OLD[1:-1] + b"!")
    with pytest.raises(Corrupt):
        files.verify(config, held)
    basis.lay(config, held, held)
    assert basis.path_of(config, held).read_bytes() == b"o" + OLD[1:-1] + b"!"


def test_a_basis_that_is_not_there_is_refused_and_nothing_is_lost(config: Config) -> None:
    """It may have been evicted since it was chosen; what has come so far still counts."""
    files.stage_path(config, NEW).write_bytes(b"half")
    with pytest.raises(WorldError):
        basis.lay(config, NEW, digest("c"))
    files.path_of(config, digest("c")).parent.mkdir()
    files.path_of(config, digest("c")).symlink_to("/etc/passwd")
    with pytest.raises(Refused):
        basis.lay(config, NEW, digest("c"))
    assert files.stage_path(config, NEW).read_bytes() == b"half"


MIB = SIZE_BYTES_MIN


@pytest.mark.parametrize(
    ("size_bytes", "candidates", "expected"),
    [
        (10 * MIB, (), None),
        (MIB - 1, (Candidate("a", MIB),), None),
        (10 * MIB, (Candidate("a", 4 * MIB), Candidate("b", 21 * MIB)), None),
        (10 * MIB, (Candidate("a", 5 * MIB), Candidate("b", 11 * MIB)), "b"),
        (10 * MIB, (Candidate("b", 11 * MIB), Candidate("a", 9 * MIB)), "a"),
        (10 * MIB, (Candidate("a", 10 * MIB), Candidate("b", 6 * MIB, is_replaced=True)), "b"),
        (10 * MIB, (Candidate("a", 10 * MIB, is_replaced=True), Candidate("b", 9 * MIB, is_own=True)), "b"),
    ],
)
def test_what_is_most_like_it_is_the_basis(
    size_bytes: int, candidates: tuple[Candidate, ...], expected: str | None
) -> None:
    """Itself, then what it replaces, then what is called the same; none that is small or of another length."""
    assert basis_of(size_bytes, candidates) == expected
