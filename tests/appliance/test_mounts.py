"""The kernel's table of mounts is read as it is written."""

from pathlib import Path

import pytest

from appliance.core.errors import WorldError
from appliance.mounts import Mount, is_mount_point, mount_of, mounts

TABLE = r"""
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
30 22 8:17 / /var/lib/songshan/media rw,noatime shared:9 - ext4 /dev/sdb1 rw
31 30 8:33 / /var/lib/songshan/media ro - xfs /dev/sdc1 ro
40 22 8:49 / /media/U\040\346\227\227 rw - vfat /dev/sdd1 rw
broken line
"""


@pytest.fixture
def table(tmp_path: Path) -> tuple[Mount, ...]:
    (tmp_path / "mountinfo").write_text(TABLE)
    return mounts(tmp_path / "mountinfo")


def test_a_path_lies_on_the_nearest_and_topmost_mount(table: tuple[Mount, ...]) -> None:
    """A disk that was mounted over another hides it; a disk next to it is another one."""
    assert len(table) == 4
    above = mount_of(Path("/var/lib/songshan/media/ab"), table)
    assert above == Mount("8:33", "/var/lib/songshan/media", "xfs", "/dev/sdc1", True)
    beside = mount_of(Path("/var/lib/songshan/media-of-others"), table)
    assert beside is not None and beside.point == "/"


def test_names_with_blanks_are_read_back(table: tuple[Mount, ...]) -> None:
    """Sticks are called what people call them."""
    assert table[3].point.startswith("/media/U ")


def test_what_is_no_mount_point_is_none(tmp_path: Path) -> None:
    """The root is one everywhere, a new folder is none."""
    assert is_mount_point(Path("/"))
    assert not is_mount_point(tmp_path)


def test_without_a_table_the_file_is_named(tmp_path: Path) -> None:
    """Nothing is guessed."""
    with pytest.raises(WorldError, match="gone"):
        mounts(tmp_path / "gone")
