"""A stick that was put in: mounted for the box's user, below /run/media/songshan, where it is this box's business.

    mount(config, name, machine)     look at it read-only as the box's user; then mount it again, to be written to
    unmount(name, machine)           take it down

Root's part, kept small: systemd mounts and unmounts when it is asked (systemd-mount), so that every service sees it;
what is known of a device is read from udev's notes; what is on the stick is read as the box's user. Nothing is
formatted, checked or repaired, and nothing is written before it is known whose it is.
"""

import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import manifest, shut_out
from appliance import stick as sticks
from appliance.as_owner import as_owner_of
from appliance.config import Config
from appliance.core.errors import Refused, Text, WorldError
from appliance.heeding import heed
from appliance.mounts import mounts

PLACE: Final = Path("/run/media/songshan")
SYS_BLOCKS: Final = Path("/sys/class/block")
UDEV_NOTES: Final = Path("/run/udev/data")
KNOWN: Final = "sticks"
"""Beside appliance.toml: UUIDs of file systems that are to be mounted whatever lies on them, one a line."""
NAME: Final = re.compile(r"[sv]d[a-z]{1,2}[0-9]{0,3}")
KINDS: Final = frozenset({"vfat", "exfat"})
"""File systems without owners of their own: all on it can be handed to the box's user."""
SAFE: Final = "nodev,nosuid,noexec"
NOTE_BYTES_MAX: Final = 64 * 1024
KNOWN_BYTES_MAX: Final = 16 * 1024
MOUNT_S: Final = 30.0

Run = Callable[[Sequence[str]], None]
"""Runs a program to its end. Raises WorldError with what it said."""


@dataclass(frozen=True)
class Machine:
    """Where a stick shows, and who mounts it."""

    run: Run
    place: Path = PLACE
    sys_blocks: Path = SYS_BLOCKS
    udev_notes: Path = UDEV_NOTES


@dataclass(frozen=True)
class Plugged:
    """A file system on a USB device."""

    name: str
    kind: str
    uuid: str


def run(argv: Sequence[str]) -> None:
    """A program of systemd's, within its time."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=MOUNT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorldError(Text(f"{argv[0]}：{error}", f"{argv[0]}: {error}")) from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-300:] or f"exit status {done.returncode}"
        raise WorldError(Text(f"{argv[0]}：{said}", f"{argv[0]}: {said}"))


def mount(config: Config, name: str, known: Path, machine: Machine) -> Path:
    """Mount it and say where. Refused for what is none of ours; then it is not mounted and nothing was written."""
    stick = plugged(name, machine)
    point = machine.place / stick.name
    device = f"/dev/{stick.name}"
    if any(each.source == device for each in mounts()):
        raise Refused(Text(f"{device} 已挂载", f"{device} is mounted already"))
    owner = config.home.stat()
    options = f"{SAFE},uid={owner.st_uid},gid={owner.st_gid},fmask=0117,dmask=0007"
    _ask(machine, stick, point, f"ro,{options}")
    try:
        if stick.uuid not in known_uuids(known):
            as_owner_of(config.home, lambda: _check(config, point))
    except BaseException:
        unmount(name, machine)
        raise
    unmount(name, machine)
    _ask(machine, stick, point, f"rw,flush,{options}" if stick.kind == "vfat" else f"rw,{options}")
    return point


def unmount(name: str, machine: Machine) -> None:
    """Take it down; one that is not mounted is down."""
    _check_name(name)
    point = machine.place / name
    if any(each.point == str(point) for each in mounts()):
        machine.run(["systemd-umount", "--quiet", str(point)])
    with suppress(OSError):
        point.rmdir()


def plugged(name: str, machine: Machine) -> Plugged:
    """What udev knows of a device; Refused where it is no file system on USB that can be handed over."""
    _check_name(name)
    try:
        number = (machine.sys_blocks / name / "dev").read_text().strip()
        with (machine.udev_notes / f"b{number}").open("rb") as file:
            noted = file.read(NOTE_BYTES_MAX).decode(errors="replace")
    except OSError as error:
        raise WorldError(Text(f"没有设备 {name}：{error}", f"there is no device {name}: {error}")) from error
    lines = (line[2:].partition("=") for line in noted.splitlines() if line.startswith("E:"))
    facts = {key: value for key, _equals, value in lines}
    kind, uuid = facts.get("ID_FS_TYPE", ""), facts.get("ID_FS_UUID", "")
    if facts.get("ID_BUS") != "usb":
        raise Refused(Text(f"{name} 不是 USB 设备", f"{name} is not on USB"))
    if kind not in KINDS:
        raise Refused(
            Text(f"{name} 的文件系统是 {kind or '?'}", f"{name} has a file system {kind or '?'}"),
            hint=Text("移动盘请用 FAT32 或 exFAT，或手工挂载", "sticks are FAT32 or exFAT; others are mounted by hand"),
        )
    return Plugged(name, kind, uuid)


def known_uuids(path: Path) -> frozenset[str]:
    """Which file systems somebody has named; none without the file."""
    try:
        with path.open("rb") as file:
            lines = file.read(KNOWN_BYTES_MAX).decode(errors="replace").splitlines()
    except OSError:
        return frozenset()
    words = (line.partition("#")[0].strip() for line in lines)
    return frozenset(word for word in words if re.fullmatch(r"[0-9A-Fa-f-]{4,40}", word))


def _check(config: Config, point: Path) -> None:
    """As the box's user: this box's own, or empty. Whosever it is, the hub's word on who is shut out is heeded."""
    with sticks.opened(point) as stick:
        heed(config, stick)
    shut_out.check(config)
    found = manifest.look(config, point)
    if found.whose not in ("ours", "empty"):
        raise Refused(found.problem or Text("不是本站的盘", "it is not a stick of this site"), hint=found.hint)


def _ask(machine: Machine, stick: Plugged, point: Path, options: str) -> None:
    machine.run(
        [
            *("systemd-mount", "--quiet", "--collect", "--no-ask-password", "--fsck=no"),
            *(f"--type={stick.kind}", f"--options={options}", f"/dev/{stick.name}", str(point)),
        ]
    )


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Refused(Text(f"不是移动盘的设备名：{name[:40]!r}", f"no name of a stick's device: {name[:40]!r}"))
