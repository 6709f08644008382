"""What the page of the disks reads: sysfs, /dev/disk, the kernel's mounts, and SMART where smartctl may ask.

Bays and serial numbers are what is written on the machine: from the slot of an enclosure, else from the port under
/dev/disk/by-path; and from /dev/disk/by-id.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance import files
from appliance.config import Config
from appliance.core.errors import Text, WorldError
from appliance.mounts import Mount, is_mount_point, mount_of, mounts
from tui.gather.programs import ask
from tui.gather.where import Where
from tui.view.sheet import Asked
from tui.view.storage import Disk, FileSystem, Found, Health, MediaState, Role

DISKS_MAX: Final = 64
SYSTEMS_MAX: Final = 100
SMART_DISKS_MAX: Final = 16
SMART_TIMEOUT_S: Final = 5.0
SMART_S_MAX: Final = 10.0
"""For all disks together: a shelf full of failing ones must not keep the page away."""
SMART_KEPT_S: Final = 600.0
"""A disk is asked again after so long: asking wakes one that sleeps."""
DEPTH_MAX: Final = 5
SECTOR_BYTES: Final = 512
"""What /sys counts in, whatever the disk's own sectors are."""
NO_DISKS: Final = ("loop", "ram", "zram", "dm-", "md", "fd", "nbd", "sr")
NO_PLACES: Final = frozenset(
    {
        *("proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "overlay", "squashfs", "autofs"),
        *("nfs", "nfs4", "cifs", "fuse.sshfs"),
    }
)
"""What is no disk, and what may never answer when it is asked how full it is."""
_ID_KINDS: Final = ("ata-", "nvme-", "scsi-S", "virtio-", "usb-", "mmc-")
_PORT: Final = re.compile(r"(ata|nvme|sas|usb|virtio|scsi)-(.+)$")
_OPEN_FAILED: Final = 2
"""Bit of smartctl's exit status, smartctl(8): the device could not be opened."""


@dataclass(frozen=True)
class Machine:
    """Where the machine tells of itself; another folder in tests."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")


HERE: Final = Machine()


def gather(where: Where, _asked: Asked) -> Found:
    """Disks and file systems; works with everything of ours dead."""
    config, mounted, disks = where.config, tuple[Mount, ...](), tuple[Disk, ...]()
    with where.kept():
        mounted = mounts()
    roles = roles_of(config, mounted)
    with where.kept():
        disks = tuple(read_disks(HERE, mounted, roles, _smart_of(where.notes)))
    media: MediaState = "unknown"
    if config is not None:
        with where.kept():
            media = media_state(config)
    return Found(
        disks=disks,
        systems=tuple(_systems(mounted, roles, HERE)),
        media=media,
        media_path=os.path.realpath(config.media) if config is not None else "",
        strange=_strange(config) if config is not None and media == "foreign" else (),
    )


def media_state(config: Config) -> MediaState:
    """How the folder of the media is, by its mark and by what is mounted there."""
    if files.media_are_there(config):
        return "here"
    if not is_mount_point(config.media):
        return "away"
    return "foreign" if files.foreign_names(config) else "empty"


def roles_of(config: Config | None, mounted: tuple[Mount, ...]) -> dict[str, tuple[Role, ...]]:
    """Which mount point carries what of the box."""
    wanted: list[tuple[Role, Path]] = [("system", Path("/"))]
    if config is not None:
        wanted += [("state", config.database.parent), ("media", config.media)]
    found: dict[str, tuple[Role, ...]] = {}
    for role, path in wanted:
        mount = mount_of(path, mounted)
        if mount is not None:
            found[mount.point] = (*found.get(mount.point, ()), role)
    return found


def read_disks(
    machine: Machine,
    mounted: tuple[Mount, ...],
    roles: Mapping[str, tuple[Role, ...]],
    smart: Mapping[str, Health],
) -> Iterator[Disk]:
    """Every whole disk, in the order of the bays."""
    identities, ports = _links(machine.dev / "disk/by-id"), _links(machine.dev / "disk/by-path")
    points = [(disk_of(machine, mount.device), mount.point) for mount in mounted]
    found = []
    for folder in sorted((machine.sys / "block").iterdir())[:DISKS_MAX]:
        name, size = folder.name, _number(folder / "size") * SECTOR_BYTES
        if name.startswith(NO_DISKS) or not size:
            continue
        mine = tuple(point for disk, point in points if disk == name)
        found.append(
            Disk(
                name=name,
                size_bytes=size,
                bay=_slot(folder, name) or _bay(ports.get(name, [])),
                serial=_line(folder / "device/serial") or _line(folder / "serial") or _serial(identities.get(name, [])),
                model=_line(folder / "device/model"),
                is_rotating=_line(folder / "queue/rotational") == "1",
                is_removable=_line(folder / "removable") == "1" or "/usb" in os.path.realpath(folder),
                roles=tuple(dict.fromkeys(role for point in mine for role in roles.get(point, ()))),
                points=tuple(dict.fromkeys(mine))[:DISKS_MAX],
                health=smart.get(name, Health()),
            )
        )
    yield from sorted(found, key=lambda disk: (disk.is_removable, _natural(disk.bay), disk.name))


def disk_of(machine: Machine, device: str, depth: int = 0) -> str:
    """The whole disk under a device number, through partitions and what is laid over them; "" where there is none."""
    folder = Path(os.path.realpath(machine.sys / "dev/block" / device))
    if not folder.is_dir() or depth > DEPTH_MAX:
        return ""
    if (folder / "partition").exists():
        return folder.parent.name
    with suppress(OSError):
        for below in sorted((folder / "slaves").iterdir()):
            return disk_of(machine, _line(below / "dev"), depth + 1)
    return folder.name


def health_of(answer: str, status: int) -> Health:
    """What `smartctl -j -H -A` said."""
    try:
        said: dict[str, Any] = json.loads(answer)
    except ValueError:
        return Health(note=Text("smartctl 的回答读不懂", "smartctl said something else than JSON"))
    passed = said.get("smart_status", {}).get("passed")
    if passed is None:
        messages = said.get("smartctl", {}).get("messages", [])
        told = "; ".join(str(each.get("string", "")) for each in messages)[:200]
        if status & _OPEN_FAILED and not told:
            told = "the device cannot be opened"
        return Health(note=Text(f"SMART 不可用：{told or '-'}", f"no SMART: {told or '-'}"))
    attributes = {
        each.get("id"): each.get("raw", {}).get("value")
        for each in said.get("ata_smart_attributes", {}).get("table", [])
    }
    nvme = said.get("nvme_smart_health_information_log", {})
    return Health(
        is_good=bool(passed),
        temperature_c=_whole(said.get("temperature", {}).get("current")),
        power_on_h=_whole(said.get("power_on_time", {}).get("hours")),
        reallocated=_whole(attributes.get(5)),
        pending=_whole(attributes.get(197)),
        worn_percent=_whole(nvme.get("percentage_used")),
    )


def _smart_of(notes: dict[str, Any]) -> Mapping[str, Health]:
    """By name of the disk; asked again when what is kept is old."""
    kept = notes.get("smart")
    if kept is not None and time.monotonic() - kept[0] < SMART_KEPT_S:
        return dict(kept[1])
    found: dict[str, Health] = {}
    names = [path.name for path in sorted((HERE.sys / "block").iterdir()) if not path.name.startswith(NO_DISKS)]
    began_s = time.monotonic()
    for name in names[:SMART_DISKS_MAX]:
        if time.monotonic() - began_s > SMART_S_MAX:
            found[name] = Health(note=Text("来不及查问", "there was no time left to ask it"))
            continue
        try:
            said = ask(("smartctl", "-j", "-H", "-A", "-n", "standby", f"/dev/{name}"), SMART_TIMEOUT_S)
            found[name] = health_of(said.out, said.status)
        except WorldError as error:
            found[name] = Health(note=error.problems[0])
    notes["smart"] = (time.monotonic(), found)
    return found


def _systems(
    mounted: tuple[Mount, ...], roles: Mapping[str, tuple[Role, ...]], machine: Machine
) -> Iterator[FileSystem]:
    """What has a size and a place of its own; what carries the box first. The topmost of each place."""
    places = {mount.point: mount for mount in mounted if mount.kind not in NO_PLACES or mount.point in roles}
    found = []
    for mount in list(places.values())[:SYSTEMS_MAX]:
        try:
            told = os.statvfs(mount.point)
        except OSError:
            continue
        if not told.f_blocks or (mount.is_read_only and mount.point not in roles) or not Path(mount.point).is_dir():
            continue
        found.append(
            FileSystem(
                point=mount.point,
                kind=mount.kind,
                source=mount.source,
                disk=disk_of(machine, mount.device),
                total_bytes=told.f_blocks * told.f_frsize,
                free_bytes=told.f_bavail * told.f_frsize,
                free_files=told.f_favail / told.f_files if told.f_files else None,
                is_read_only=mount.is_read_only,
                roles=roles.get(mount.point, ()),
            )
        )
    yield from sorted(found, key=lambda each: (not each.roles, each.point))


def _strange(config: Config) -> tuple[str, ...]:
    with suppress(OSError):
        return files.foreign_names(config)
    return ()


def _links(folder: Path) -> dict[str, list[str]]:
    """By the name of the whole disk, what udev calls it there."""
    found: dict[str, list[str]] = {}
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            found.setdefault(Path(os.path.realpath(path)).name, []).append(path.name)
    return found


def _slot(folder: Path, name: str) -> str:
    """The slot of an enclosure that carries this disk, `slot 3`: what is printed beside the handle."""
    with suppress(OSError):
        for link in sorted((folder / "device").glob("enclosure_device:*")):
            return link.name.partition(":")[2].strip()
    return ""


def _bay(ports: list[str]) -> str:
    """`ata-3` of `pci-0000:00:17.0-ata-3`: the socket on the board."""
    for port in ports:
        found = _PORT.search(port)
        if found is not None:
            return f"{found[1]}-{found[2].partition('-part')[0].partition(':1.0')[0]}"
    return ""


def _serial(identities: list[str]) -> str:
    for identity in identities:
        if identity.startswith(_ID_KINDS):
            return re.sub(r"-\d:\d$", "", identity).rpartition("_")[2].rpartition("virtio-")[2]
    return ""


def _natural(text: str) -> list[tuple[int, str]]:
    """So that bay 10 comes behind bay 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").replace("\0", "").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _line(path)
    return int(text) if text.isdecimal() else 0


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
