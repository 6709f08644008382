"""Where a claim may lie on a machine that has just been installed: its folder, cloud-init's seed, sticks as disks.

Disks are mounted by systemd, which is asked, read only and without devices, programs or rights, and taken off again; so
root needs no right of its own for it. Only regular files are read, one folder deep, and only so far as a bundle is
long.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from appliance.core.errors import SongshanError
from appliance.core.first_boot import Claim, Device, candidates, mark_of
from appliance.durable import regular_file
from appliance.joining import BUNDLE_BYTES_MAX, parse_bundle

SEEDS: Final = (Path("/var/lib/cloud/seed/nocloud"), Path("/var/lib/cloud/seed/nocloud-net"))
MOUNTED_AT: Final = Path("/run/songshan-first-boot/stick")
ENDING: Final = "*.bundle"
SAFE: Final = "ro,nodev,nosuid,noexec"
FILES_MAX: Final = 200
PROGRAM_TIMEOUT_S: Final = 30.0
LSBLK: Final = ("lsblk", "--json", "--output", "PATH,FSTYPE,LABEL,RM,HOTPLUG,MOUNTPOINTS")


@dataclass(frozen=True)
class Found:
    """A claim, and the bytes of its bundle."""

    claim: Claim
    data: bytes


class _Listed(msgspec.Struct, frozen=True):
    blockdevices: tuple[Device, ...]


def look(own: Path, places: Sequence[Path]) -> list[Found]:
    """All claims, what lies at `own` first; of one file in two places the first. With `places` no disk is looked at."""
    found = [each for each in (kept(own),) if each]
    if places:
        found += [each for place in places for each in _in_folder(place, "")]
    else:
        found += [each for place in SEEDS for each in _in_folder(place, "")]
        for device in candidates(_devices()):
            with suppress(SongshanError, OSError, subprocess.SubprocessError), _mounted(device) as folder:
                found += _in_folder(folder, f"{device.path}:")
    return list({each.claim.mark: each for each in reversed(found)}.values())[::-1]


def kept(own: Path) -> Found | None:
    """The claim that the machine itself has; None where there is none, or something else."""
    return next(_read(own, str(own)), None)


def _in_folder(folder: Path, said: str) -> Iterator[Found]:
    """Files that are called so and are bundles to join with."""
    with suppress(OSError):
        for path in islice((*folder.glob(ENDING), *folder.glob(f"*/{ENDING}")), FILES_MAX):
            yield from _read(path, f"{said}{path.relative_to(folder)}" if said else str(path))


def _read(path: Path, place: str) -> Iterator[Found]:
    with suppress(SongshanError), regular_file(path) as descriptor:
        data = os.read(descriptor, BUNDLE_BYTES_MAX + 1)
        bundle = parse_bundle(data, place)
        yield Found(Claim(place, bundle.site, bundle.hub.sign_key, mark_of(data)), data)


def _devices() -> tuple[Device, ...]:
    """What lsblk knows; nothing where it cannot say."""
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        done = subprocess.run(LSBLK, capture_output=True, timeout=PROGRAM_TIMEOUT_S, check=True)
        return msgspec.json.decode(done.stdout, type=_Listed).blockdevices
    return ()


@contextmanager
def _mounted(device: Device) -> Iterator[Path]:
    options = ("--quiet", "--collect", "--no-ask-password", "--fsck=no", f"--type={device.fstype}", f"--options={SAFE}")
    words = ["systemd-mount", *options, device.path, str(MOUNTED_AT)]
    subprocess.run(words, capture_output=True, timeout=PROGRAM_TIMEOUT_S, check=True)
    try:
        yield MOUNTED_AT
    finally:
        words = ["systemd-umount", "--quiet", str(MOUNTED_AT)]
        subprocess.run(words, capture_output=True, timeout=PROGRAM_TIMEOUT_S, check=False)
