"""Which disks of a new machine are looked into, which claim is used, and how long it waits for a line."""

import pytest

from appliance.core.errors import Text
from appliance.core.first_boot import (
    DEVICES_MAX,
    PAUSE_MAX_S,
    Claim,
    Device,
    Told,
    candidates,
    choose,
    mark_of,
    pause_s,
)

HERE = Claim("/etc/songshan/join.bundle", "dengfeng", "key", "a")
STICK = Claim("/dev/sdb1:dengfeng.bundle", "dengfeng", "key", "b")
OTHER_SITE = Claim("/dev/sdc1:gongyi.bundle", "gongyi", "key", "c")
OTHER_HUB = Claim("/dev/sdc1:x.bundle", "dengfeng", "another key", "d")


def test_sticks_and_seeds_are_looked_into_and_the_machines_own_disks_are_not() -> None:
    """Mounting is root's, and what lies on the machine's own disks is nobody's claim."""
    own = Device(
        "/dev/sda", children=(Device("/dev/sda1", "ext4", "root", mountpoints=("/",)), Device("/dev/sda2", "ext4"))
    )
    stick = Device("/dev/sdb", rm=True, hotplug=True, children=(Device("/dev/sdb1", "vfat", "KINGSTON", True, True),))
    whole = Device("/dev/sdd", "exfat", "", True)
    seed = Device("/dev/vdb", "iso9660", "CIDATA")
    mounted = Device("/dev/sdc1", "vfat", "X", True, True, ("/media/usb",))
    strange = Device("/dev/sde1", "btrfs", "SONGSHAN", True, True)
    assert [each.path for each in candidates((own, stick, whole, seed, mounted, strange))] == [
        "/dev/vdb",
        "/dev/sdb1",
        "/dev/sdd",
    ]
    many = tuple(Device(f"/dev/sd{number}", "vfat", "", True) for number in range(100))
    assert len(candidates(many)) == DEVICES_MAX


@pytest.mark.parametrize(
    ("found", "told", "hub_key", "expected"),
    [
        ((), Told(), "", None),
        ((HERE, STICK), Told(), "", HERE),
        ((HERE, STICK), Told(refused=("a",)), "", STICK),
        ((HERE, STICK), Told(locked_out=("a",)), "", STICK),
        ((HERE,), Told(locked_out=("a",)), "", HERE),
        ((HERE,), Told(refused=("a",)), "", None),
        ((OTHER_HUB, HERE), Told(), "key", HERE),
        ((HERE, OTHER_HUB), Told(), "", HERE),
    ],
)  # fmt: skip
def test_the_claim_that_can_be_used_is_used(
    found: tuple[Claim, ...], told: Told, hub_key: str, expected: Claim | None
) -> None:
    """What was refused is spent; what was not known may be known by and by, but another one goes before it."""
    assert choose(found, told, hub_key) == expected


def test_a_person_decides_between_counties_and_nobody_joins_another_hub() -> None:
    """A stick with the bundles of the whole fleet must not make this machine the first of them."""
    said = choose((HERE, OTHER_SITE), Told(), "")
    assert isinstance(said, Text) and "dengfeng, gongyi" in said.en
    strange = choose((OTHER_HUB,), Told(), "key")
    assert isinstance(strange, Text) and "another hub" in strange.en


def test_pauses_grow_and_end_and_are_spread() -> None:
    """After a power cut in the city sixteen boxes must not come in one second, nor one wait for a day."""
    longest = [pause_s(failures, 1.0) for failures in range(1, 1000)]
    assert longest[:3] == [2.0, 4.0, 8.0] and longest[-1] == PAUSE_MAX_S
    assert pause_s(9, 0.0) == pause_s(9, 1.0) / 2


def test_a_mark_tells_nothing_of_the_secret() -> None:
    """It stands where everybody may read."""
    assert len(mark_of(b"secret")) == 16 and mark_of(b"secret") != mark_of(b"Secret")
