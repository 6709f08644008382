"""The first boot of a box: where a claim may lie, which is used, how long until the next try, what people see. Pure.

    candidates(devices)     the parts of disks that are looked into
    choose(found, told)     the claim to join with, or why none
    pause_s(failures, ...)  until the next try, while there is no line

No clock decides anything here: on a new machine it may say 1970. Whether a claim has run out is the hub's to say.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from appliance.core.errors import Text

LABELS: Final = frozenset({"SONGSHAN", "CIDATA", "cidata"})
"""File systems that are looked into also on a disk that stays in the machine: ours, and cloud-init's NoCloud."""
FILE_SYSTEMS: Final = frozenset({"vfat", "exfat", "ext4", "iso9660"})
DEVICES_MAX: Final = 16
PAUSE_FIRST_S: Final = 2.0
PAUSE_MAX_S: Final = 300.0
DOUBLINGS_MAX: Final = 10
REFUSED_MAX: Final = 32

Phase = Literal["looking", "joining", "waiting", "refused", "joined"]
WORDS: Final[dict[Phase, Text]] = {
    "looking": Text("寻找加入包：移动盘或 cloud-init", "looking for a bundle to join with: a stick, or cloud-init"),
    "joining": Text("正在入网", "joining"),
    "waiting": Text("连不上嵩山云，稍后再试", "the hub cannot be reached; it is tried again"),
    "refused": Text("嵩山云不接受此加入包，请换新的", "the hub does not take this bundle: bring a new one"),
    "joined": Text("已入网", "joined"),
}


class Device(msgspec.Struct, frozen=True):
    """A part of a disk, as lsblk tells it."""

    path: str
    fstype: str | None = None
    label: str | None = None
    rm: bool = False
    hotplug: bool = False
    mountpoints: tuple[str | None, ...] = ()
    children: tuple["Device", ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """A bundle to join with that was found. `mark` tells it from others and says nothing of the secret in it."""

    place: str
    site: str
    sign_key: str
    mark: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the unit did, for the screens: /run/songshan-first-boot/told.json. There is nothing secret in it."""

    phase: Phase = "looking"
    at_us: int = 0
    """By this machine's clock, whatever it says."""
    place: str = ""
    """Where the claim was found."""
    site: str = ""
    name: str = ""
    hub: str = ""
    tries: int = 0
    next_try_s: float | None = None
    fingerprint: str = ""
    is_approved: bool = False
    problem: Text | None = None
    refused: tuple[str, ...] = ()
    """Marks of claims that the hub did not take: they are not used again."""
    locked_out: tuple[str, ...] = ()
    """Marks of claims whose key it did not accept: that may be the hub's own fault, so another one goes first."""


def candidates(devices: Iterable[Device]) -> tuple[Device, ...]:
    """What may be a stick or a seed, in the order of its name; not what is mounted, nor a disk of the machine's own."""
    parts = [part for device in devices for part in (device, *device.children)]
    fit = [
        part
        for part in parts
        if part.fstype in FILE_SYSTEMS
        and not any(part.mountpoints)
        and (part.rm or part.hotplug or part.label in LABELS)
    ]
    return tuple(sorted(fit, key=lambda part: (part.label not in LABELS, part.path))[:DEVICES_MAX])


def mark_of(data: bytes) -> str:
    """Of the bytes of a bundle."""
    return hashlib.sha256(data).hexdigest()[:16]


def choose(found: Sequence[Claim], told: Told, hub_key: str) -> Claim | Text | None:
    """The one to join with; None where there is none, words where a person must decide.

    `hub_key` is the hub that this machine was installed for, "" for any.
    """
    fresh = [claim for claim in found if claim.mark not in told.refused]
    fresh.sort(key=lambda claim: claim.mark in told.locked_out)
    if not fresh:
        return None
    strange = [claim for claim in fresh if hub_key and claim.sign_key != hub_key]
    fresh = [claim for claim in fresh if claim not in strange]
    if not fresh:
        place = strange[0].place
        return Text(f"{place} 是另一个嵩山云的加入包", f"{place} is of another hub than this machine was installed for")
    sites = sorted({claim.site for claim in fresh})
    if len(sites) > 1:
        names = ", ".join(sites)
        return Text(f"加入包不止一个中心：{names}", f"there are bundles of several sites: {names}")
    return fresh[0]


def pause_s(failures: int, jitter: float) -> float:
    """Until the next try after so many that failed; `jitter` from 0 to 1 spreads sixteen boxes after one power cut."""
    longest = min(PAUSE_MAX_S, PAUSE_FIRST_S * float(1 << min(max(0, failures - 1), DOUBLINGS_MAX)))
    return longest * (0.5 + 0.5 * jitter)
