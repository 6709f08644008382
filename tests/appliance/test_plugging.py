"""A stick that is put in, up to what systemd is asked for. Real mounts of folders stand for those of devices here;
`make appliance-test` has a machine with udev and file systems of sticks."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from appliance import plugging
from appliance import stick as sticks
from appliance.config import Config, HubAddress
from appliance.core.carry import Label
from appliance.core.errors import Refused, SongshanError, WorldError
from appliance.mounts import mounts
from appliance.plugging import Machine

UUID = "5E1A-77C0"
NOBODY = 65534
HUB = HubAddress("songshan", "127.0.0.1", 22, "songshan", ("ssh-ed25519 AAAA",), "A" * 43 + "=")


class Systemd:
    """Does what it is asked for with a folder in the place of the device, and remembers what that was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options: list[str] = []

    def __call__(self, argv: Sequence[str]) -> None:
        point = argv[-1]
        if argv[0] == "systemd-umount":
            subprocess.run(["umount", point], check=True, timeout=20)
            return
        (options,) = (word.removeprefix("--options=") for word in argv if word.startswith("--options="))
        self.options.append(options)
        Path(point).mkdir(parents=True)
        subprocess.run(["mount", "--bind", str(self.folder), point], check=True, timeout=20)
        how = "remount,bind,ro" if options.startswith("ro,") else "remount,bind,rw"
        subprocess.run(["mount", "-o", how, point], check=True, timeout=20)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """What is on it: FAT knows no owners, so the box's user may do everything."""
    made = tmp_path / "stick"
    made.mkdir(mode=0o777)
    made.chmod(0o777)
    return made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    tmp_path.chmod(0o755)
    # One folder more than else, where tests run side by side.
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    made = Config(home=tmp_path / "box", run=tmp_path / "run", site="dengfeng", name="登封市融媒体中心", hub=HUB)
    made.home.mkdir()
    (made.home / "state").mkdir()
    if os.getuid() == 0:
        shutil.chown(made.home, NOBODY, NOBODY)
        shutil.chown(made.home / "state", NOBODY, NOBODY)
    return made


@pytest.fixture
def machine(tmp_path: Path, stick: Path) -> Iterator[Machine]:
    """A machine with one stick, `sdb1`."""
    blocks, notes = tmp_path / "block", tmp_path / "udev"
    (blocks / "sdb1").mkdir(parents=True)
    (blocks / "sdb1/dev").write_text("8:17\n")
    notes.mkdir()
    place = tmp_path / "place"
    note(notes, ID_BUS="usb", ID_FS_TYPE="vfat", ID_FS_UUID=UUID)
    yield Machine(Systemd(stick), place, blocks, notes)
    for each in mounts():
        if each.point.startswith(str(place)):
            subprocess.run(["umount", "-l", each.point], check=False, timeout=20)


def note(notes: Path, **facts: str) -> None:
    (notes / "b8:17").write_text("S:disk/by-uuid/x\n" + "".join(f"E:{key}={value}\n" for key, value in facts.items()))


def labelled(stick: Path, site: str = "dengfeng") -> None:
    with sticks.opened(stick, to_write=True) as opened:
        sticks.label(opened, Label(1, "0" * 32, site, "songshan", "hub", "2026-11-26T00:00:00Z"))


def asked(machine: Machine) -> list[str]:
    assert isinstance(machine.run, Systemd)
    return [options.partition(",")[0] for options in machine.run.options]


@pytest.mark.root
def test_an_own_stick_is_looked_at_before_it_may_be_written(config: Config, machine: Machine, stick: Path) -> None:
    """And nothing on it can be run, nor be a device."""
    labelled(stick)
    point = plugging.mount(config, "sdb1", config.home / "sticks", machine)
    assert asked(machine) == ["ro", "rw"]
    assert isinstance(machine.run, Systemd)
    assert all(f",{plugging.SAFE}," in f",{options}," for options in machine.run.options)
    assert f"uid={NOBODY}" in machine.run.options[-1]
    (point / "written").write_text("")
    plugging.unmount("sdb1", machine)
    assert not any(each.point == str(point) for each in mounts())


@pytest.mark.root
def test_another_sites_stick_is_never_mounted_to_be_written(config: Config, machine: Machine, stick: Path) -> None:
    """FAT notes a mount on the disk itself: what is not ours is not touched, and not left mounted."""
    labelled(stick, "zhongmu")
    with pytest.raises(SongshanError):
        plugging.mount(config, "sdb1", config.home / "sticks", machine)
    (stick / "songshan-stick.json").unlink(missing_ok=True)
    for path in stick.iterdir():
        path.unlink()
    (stick / "photos").mkdir()
    with pytest.raises(SongshanError, match="no label"):
        plugging.mount(config, "sdb1", config.home / "sticks", machine)
    assert asked(machine) == ["ro", "ro"]
    assert not any(each.point.startswith(str(machine.place)) for each in mounts())


@pytest.mark.root
def test_an_empty_stick_and_one_that_somebody_named_are_mounted(config: Config, machine: Machine, stick: Path) -> None:
    """To be labelled; to bring clips from another house."""
    plugging.mount(config, "sdb1", config.home / "sticks", machine)
    plugging.unmount("sdb1", machine)
    (stick / "clips").mkdir()
    known = config.home / "sticks"
    known.write_text(f"# 电视台的盘\n{UUID}  # of the studio\n")
    plugging.mount(config, "sdb1", known, machine)
    assert asked(machine) == ["ro", "rw", "ro", "rw"]


@pytest.mark.parametrize(
    "facts",
    [
        {"ID_BUS": "ata", "ID_FS_TYPE": "vfat", "ID_FS_UUID": UUID},
        {"ID_BUS": "usb", "ID_FS_TYPE": "ext4", "ID_FS_UUID": UUID},
        {"ID_BUS": "usb"},
        {},
    ],
)
def test_what_is_no_stick_is_refused(config: Config, machine: Machine, facts: dict[str, str]) -> None:
    """A disk of the machine; a file system with owners of its own; no file system."""
    note(machine.udev_notes, **facts)
    with pytest.raises(Refused):
        plugging.mount(config, "sdb1", config.home / "sticks", machine)
    assert asked(machine) == []


@pytest.mark.parametrize("name", ["", "sdb1/../x", "/dev/sdb1", "nvme0n1", "loop0", "sdb1 -o suid"])
def test_a_name_that_is_none_leads_nowhere(config: Config, machine: Machine, name: str) -> None:
    """It comes from udev, and from whoever types it; it becomes a part of paths."""
    for act in (lambda: plugging.plugged(name, machine), lambda: plugging.unmount(name, machine)):
        with pytest.raises(Refused):
            act()


def test_a_stick_that_is_gone_already_says_so(config: Config, machine: Machine) -> None:
    """Pulled out while the unit was starting."""
    with pytest.raises(WorldError, match="no device sdz9"):
        plugging.mount(config, "sdz9", config.home / "sticks", machine)


def test_the_list_of_known_sticks_is_read_line_by_line(tmp_path: Path) -> None:
    """What is no UUID names no stick; no file names none."""
    assert plugging.known_uuids(tmp_path / "none") == frozenset()
    (tmp_path / "sticks").write_bytes(b"\xff\xfe\n5E1A-77C0\n*\n#DEAD-BEEF\n 1234-5678 # x\n" + os.urandom(100))
    assert {"5E1A-77C0", "1234-5678"} <= plugging.known_uuids(tmp_path / "sticks")
    assert "*" not in plugging.known_uuids(tmp_path / "sticks")
