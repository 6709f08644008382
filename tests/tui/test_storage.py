"""The page of the disks: which is which, which one to pull, and what a new one is taken for."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import files
from appliance.core.command import Newdisk
from appliance.core.errors import Text
from appliance.mounts import Mount
from tests.appliance.boxes import small_disk
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import DISK_FULL, GB, HEALTHY, LOOKS, NO_CONFIG, changed
from tui.gather.storage import Machine, disk_of, gather, health_of, media_state, read_disks, roles_of
from tui.gather.where import where
from tui.rows import Level
from tui.view.acts import Case
from tui.view.reading import Trouble
from tui.view.sheet import Asked
from tui.view.storage import FILES, REPLACE, Disk, FileSystem, Found, Health, level_of, to_pull
from tui.view.storage_acts import ACTS

MEDIA = "/var/lib/songshan/media"
SYSTEM = Disk(
    "sda", 480 * GB, "slot 1", "S4CNNX0R412345", "SAMSUNG MZ7LH480", roles=("system", "state"), points=("/", "/boot")
)
STORE = Disk(
    "sdb",
    4000 * GB,
    "slot 2",
    "ZC1A2B3C",
    "ST4000NM0035",
    is_rotating=True,
    roles=("media",),
    points=(MEDIA,),
    health=Health(True, 38, 21_500, 0, 0),
)
STICK = Disk("sdc", 32 * GB, "", "AA00000000000489", "DataTraveler 3.0", is_removable=True)
FAILING = replace(STORE, health=Health(False, 61, 43_100, 128, 8))
ASLEEP = replace(SYSTEM, health=Health(note=Text("SMART 不可用：Permission denied", "no SMART: Permission denied")))
ROOT = FileSystem("/", "ext4", "/dev/sda2", "sda", 470 * GB, 410 * GB, 0.97, roles=("system", "state"))
LIBRARY = FileSystem(MEDIA, "ext4", "/dev/sdb1", "sdb", 3900 * GB, 1200 * GB, 0.99, roles=("media",))
FOUND = Found((ASLEEP, STORE, STICK), (ROOT, LIBRARY), "here", MEDIA)
BAD = Found((ASLEEP, FAILING, STICK), (ROOT, replace(LIBRARY, is_read_only=True)), "here", MEDIA)
AWAY = Found((SYSTEM, STICK), (ROOT,), "away", MEDIA)
EMPTY = Found(
    (SYSTEM, replace(STORE, serial="ZC9NEW01")), (ROOT, replace(LIBRARY, free_bytes=3890 * GB)), "empty", MEDIA
)
FOREIGN = replace(EMPTY, media="foreign", strange=("照片", "财务.xlsx"))
NO_ROOM = replace(FOUND, systems=(ROOT, replace(LIBRARY, free_bytes=GB)))
STATES = {
    **with_faults(
        FOUND,
        FOUND,
        disk_full=NO_ROOM,
        no_configuration=Found((SYSTEM,), (replace(ROOT, roles=("system",)),)),
    ),
    "a disk fails": seen(BAD),
    "media away": seen(AWAY),
    "a new disk": seen(EMPTY),
    "somebody else's disk": seen(FOREIGN),
    "steps, nothing wrong": seen(FOUND, asked=Asked(tab=REPLACE)),
    "steps, away": seen(AWAY, asked=Asked(tab=REPLACE)),
    "steps, a new disk": seen(EMPTY, asked=Asked(tab=REPLACE)),
    "disk full, file systems": seen(NO_ROOM, DISK_FULL, asked=Asked(tab=FILES)),
    "file systems": seen(BAD, asked=Asked(tab=FILES)),
    "a disk opened": seen(FOUND, asked=Asked(opened="sda")),
    "a failing disk opened": seen(BAD, asked=Asked(opened="sdb")),
    "a file system opened": seen(BAD, asked=Asked(tab=FILES, opened=MEDIA)),
    "gone since": seen(FOUND, asked=Asked(opened="sdx")),
    "nothing could be read": seen(Found(), NO_CONFIG, Trouble(Text("读不到 /sys", "/sys cannot be read"))),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("storage", STATES)


def test_the_disk_to_pull_is_the_one_that_fails() -> None:
    """Pulled the wrong one, the county is off the air: a mere suspicion of another disk points to none."""
    assert to_pull(FOUND, HEALTHY) == ""
    assert to_pull(BAD, HEALTHY) == "sdb"
    assert level_of(FAILING, "sdb") is Level.BAD
    assert level_of(replace(STORE, health=Health(True, pending=3)), "") is Level.WARN


def test_an_alarm_of_the_media_points_to_a_disk_that_holds_nothing_else() -> None:
    """Where media and system share a disk nobody is told to pull it."""
    from appliance.core.health import Alarm

    text = Text("媒资盘读写出错", "the disk of the media fails")
    wrong = changed(alarms=(Alarm(id="raised:media-disk", severity="red", text=text, hint=text, since_us=0),))
    assert to_pull(FOUND, wrong) == "sdb"
    assert to_pull(replace(FOUND, disks=(replace(SYSTEM, roles=("system", "state", "media")),)), wrong) == ""


@pytest.mark.parametrize(
    ("found", "refused"), [(FOUND, "here"), (AWAY, "no disk"), (FOREIGN, "not taken"), (None, "known")]
)
def test_a_disk_is_taken_only_where_it_is_new(found: Found | None, refused: str) -> None:
    """The agent refuses it as well; here it is said before anybody types."""
    (act,) = ACTS
    reason = act.refusal(Case(found, HEALTHY, LOOKS["en"], Asked()))
    assert reason is not None and refused in reason.en


def test_taking_the_new_disk_names_it_and_is_a_command() -> None:
    """Which one is taken stands above the yes."""
    (act,) = ACTS
    case = Case(EMPTY, HEALTHY, LOOKS["en"], Asked(), by="张工", at="2026-11-24T06:03:00Z", reason="坏盘")
    assert act.refusal(case) is None
    assert "sdb ZC9NEW01 4000 GB" in act.preview(case)[0] or "ZC9NEW01" in act.preview(case)[0]
    assert act.command is not None
    assert act.command(case) == Newdisk(by="张工", via="tui", at="2026-11-24T06:03:00Z", reason="坏盘")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two disks in an enclosure, one with a partition under a mapped volume, a stick, and what is no disk."""
    sys, dev = tmp_path / "sys", tmp_path / "dev"
    for name, size, port in (
        ("sda", 937703088, "ata-1"),
        ("sdb", 7814037168, "ata-2"),
        ("sdc", 62500000, "usb-0:3:1.0-scsi-0:0:0:0"),
        ("loop0", 8, ""),
    ):
        real = sys / "devices" / (f"usb1/{name}" if name == "sdc" else name) / "block" / name
        (real / "device").mkdir(parents=True)
        (real / "queue").mkdir()
        (real / "size").write_text(f"{size}\n")
        (real / "queue/rotational").write_text("1\n" if name == "sdb" else "0\n")
        (real / "removable").write_text("0\n")
        (real / "device/model").write_text(f"MODEL {name}\n")
        (sys / "block").mkdir(exist_ok=True)
        (sys / "block" / name).symlink_to(real)
        for folder, link in (("by-path", f"pci-0000:00:17.0-{port}"), ("by-id", f"ata-MODEL_{name}_SER{name.upper()}")):
            (dev / "disk" / folder).mkdir(parents=True, exist_ok=True)
            if port:
                (dev / name).touch()
                (dev / "disk" / folder / link).symlink_to(dev / name)
    partition = sys / "devices/sdb/block/sdb/sdb1"
    partition.mkdir()
    (partition / "partition").write_text("1\n")
    (partition / "dev").write_text("8:17\n")
    mapped = sys / "devices/virtual/block/dm-0"
    (mapped / "slaves").mkdir(parents=True)
    (mapped / "slaves/sdb1").symlink_to(partition)
    (sys / "dev/block").mkdir(parents=True)
    (sys / "dev/block/8:17").symlink_to(partition)
    (sys / "dev/block/254:0").symlink_to(mapped)
    return Machine(sys, dev)


def test_disks_are_told_apart_by_what_is_written_on_the_machine(machine: Machine) -> None:
    """Names like sdb change from one start to the next; bay and serial number do not."""
    mounted = (Mount("254:0", MEDIA, "ext4", "/dev/dm-0", False),)
    found = list(read_disks(machine, mounted, {MEDIA: ("media",)}, {"sdb": Health(True)}))
    assert [(disk.name, disk.bay, disk.serial, disk.roles) for disk in found] == [
        ("sda", "ata-1", "SERSDA", ()),
        ("sdb", "ata-2", "SERSDB", ("media",)),
        ("sdc", "usb-0:3", "SERSDC", ()),
    ]
    assert found[1].is_rotating and found[1].size_bytes == 7814037168 * 512 and found[1].health.is_good
    assert found[2].is_removable
    assert disk_of(machine, "0:42") == ""


def test_smart_is_read_as_smartctl_says_it() -> None:
    """What it may not read is no fault of the disk."""
    table = [{"id": 5, "raw": {"value": 8}}, {"id": 197, "raw": {"value": 1}}]
    said = {
        "smart_status": {"passed": False},
        "temperature": {"current": 41},
        "power_on_time": {"hours": 9},
        "ata_smart_attributes": {"table": table},
    }
    assert health_of(json.dumps(said), 8) == Health(False, 41, 9, 8, 1)
    closed = {"smartctl": {"messages": [{"string": "Smartctl open device: /dev/sda failed: Permission denied"}]}}
    found = health_of(json.dumps(closed), 2)
    assert found.is_good is None and found.note is not None and "Permission denied" in found.note.en
    assert health_of("", 1).note is not None


def test_the_place_of_the_media_is_known_by_its_mark(tmp_path: Path) -> None:
    """Away, and the bare folder under it, are one thing; the disk of this box is another."""
    config = make_box(tmp_path)
    files.make_folders(config)
    assert media_state(config) == "here"
    (config.media / files.MARK).unlink()
    assert media_state(config) == "away"
    found = gather(where(tmp_path, {}), Asked())
    assert (found.media, found.media_path) == ("away", os.path.realpath(config.media))
    assert any("system" in each.roles for each in found.systems)


@pytest.mark.root
def test_a_new_disk_and_somebody_elses_are_told_apart(tmp_path: Path) -> None:
    """Only the empty one is offered."""
    config = make_box(tmp_path)
    files.make_folders(config)
    for path in sorted(config.media.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    config.media.rmdir()
    with small_disk(config.media):
        assert media_state(config) == "empty"
        (config.media / "照片").mkdir()
        assert media_state(config) == "foreign"
        assert gather(where(tmp_path, {}), Asked()).strange == ("照片",)


def test_what_lies_on_one_disk_has_all_its_roles() -> None:
    """A box with a single disk: it is never the one to pull."""
    mounted = (Mount("8:2", "/", "ext4", "/dev/sda2", False),)
    assert roles_of(None, mounted) == {"/": ("system",)}
