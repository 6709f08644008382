"""The bare machine: Debian 12 as the installer leaves it, with sshd, Python and an operator's key, and nothing of ours.

Made by debootstrap from the mirror that this machine's own apt uses, laid into a file system by `mkfs.ext4 -d` (no loop
device, no mount), and started by its own kernel and initramfs, handed over by QEMU: there is no boot loader. Kept under
a name that is the hash of its recipe, so that a change of the recipe makes a new one.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.machines.places import BUILD, key

SUITE: Final = "bookworm"
PACKAGES: Final = (
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "systemd-sysv",
    "udev",
    "openssh-server",
    "python3",
    "iproute2",
    "dbus",
)
DISK_BYTES: Final = 20 * 1024**3
"""Sparse: it takes what is in it."""
BUILD_S_MAX: Final = 1800

_NETWORKS: Final = {
    # The operator's way in: QEMU's own network, from which nothing leads out. Not by DHCP: where udev renames the card
    # late, networkd 252 gives its client up ("Device or resource busy"), and nobody gets in.
    "mgmt": ("44", "[Network]\nAddress=10.0.2.15/24\n"),
    # Between hub and box; the address of each is below.
    "line": ("45", ""),
    # To the modulator.
    "air": ("46", "[Network]\nAddress=10.45.0.2/24\n[Route]\nDestination=224.0.0.0/4\n"),
}
_NUMBERS: Final = (1, 2)
"""Of hub and box: the last byte of a card's address, and of a machine's address on the line."""


def mac(network: str, number: int) -> str:
    """The address of a machine's card; by it the card has the network's name."""
    return f"52:54:00:{_NETWORKS[network][0]}:00:{number:02d}"


def _network_files() -> Iterator[tuple[str, str]]:
    for name, (_byte, settings) in _NETWORKS.items():
        cards = " ".join(mac(name, number) for number in _NUMBERS)
        yield f"10-{name}.link", f"[Match]\nMACAddress={cards}\n[Link]\nName={name}\n"
        if settings:
            yield f"20-{name}.network", f"[Match]\nName={name}\n{settings}"
    for number in _NUMBERS:
        match = f"[Match]\nMACAddress={mac('line', number)}\n"
        yield f"20-line-{number}.network", f"{match}[Network]\nAddress=10.44.0.{number}/24\n"


FILES: Final = {
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "etc/hostname": "debian\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n",
    "etc/machine-id": "",
    # Installed without a mirror: what is not in the bundle cannot be had.
    "etc/apt/sources.list": "",
    "etc/resolv.conf": "",
    "etc/initramfs-tools/conf.d/virtual": "MODULES=list\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
    **{f"etc/systemd/network/{name}": text for name, text in _network_files()},
}
_IN_THE_ROOT: Final = (
    ("systemctl", "enable", "systemd-networkd.service"),
    ("systemctl", "disable", "systemd-networkd-wait-online.service"),
    ("rm", "-f", "/var/lib/dbus/machine-id"),
    ("update-initramfs", "-u"),
    ("apt-get", "clean"),
)


@dataclass(frozen=True)
class Image:
    """A bare machine: what a first disk is copied from, and what starts it."""

    disk: Path
    kernel: Path
    initrd: Path
    host_key: str
    """`ssh-ed25519 <base64>`: by which the operator knows it."""


def recipe() -> str:
    """All that decides what the image is, but for what Debian has changed meanwhile."""
    parts = [SUITE, *PACKAGES, str(DISK_BYTES), *(f"{path}\n{text}" for path, text in sorted(FILES.items()))]
    parts += [" ".join(command) for command in _IN_THE_ROOT]
    parts.append(key().with_suffix(".pub").read_text())
    return "\n".join(parts)


def image() -> Image:
    """The bare machine, made where it is not there yet: a minute or two. What was done is in debootstrap.log."""
    folder = BUILD / f"debian-{hashlib.sha256(recipe().encode()).hexdigest()[:12]}"
    if not folder.exists():
        _make(folder)
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    return Image(folder / "disk", folder / "vmlinuz", folder / "initrd.img", host_key)


def mirror() -> str:
    """Where this machine's apt gets Debian from."""
    argv = [
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN) $(COMPONENT) $(LABEL) $(REPO_URI)",
        "Created-By: Packages",
    ]
    told = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    for line in told.splitlines():
        origin, component, label, uri = line.split(maxsplit=3)
        if (origin, component, label) == ("Debian", "main", "Debian"):
            return uri
    raise LookupError("先运行 apt-get update / run apt-get update first: apt knows no Debian mirror")


def _make(folder: Path) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="making-") as name:
        made, root = Path(name) / "image", Path(name) / "root"
        made.mkdir()
        log = BUILD / "debootstrap.log"
        include = f"--include={','.join(PACKAGES)}"
        # apt and its keyring want a folder for all users.
        environ = {**os.environ, "TMPDIR": "/var/tmp", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        with log.open("w") as said:
            for argv in (
                ["debootstrap", "--variant=minbase", include, SUITE, str(root), mirror()],
                ["sh", "-c", 'cd "$0" && rm -f var/lib/apt/lists/*_* var/cache/apt/archives/*.deb', str(root)],
            ):
                subprocess.run(argv, check=True, stdout=said, stderr=said, timeout=BUILD_S_MAX, env=environ)
            _furnish(root)
            for command in _IN_THE_ROOT:
                argv = ["chroot", str(root), *command]
                subprocess.run(argv, check=True, stdout=said, stderr=said, timeout=BUILD_S_MAX, env=environ)
            _take_out(root, made)
            with (made / "disk").open("wb") as disk:
                disk.truncate(DISK_BYTES)
            whole = "lazy_itable_init=0,lazy_journal_init=0"
            argv = ["mkfs.ext4", "-q", "-F", "-L", "root", "-E", whole, "-d", str(root), str(made / "disk")]
            subprocess.run(argv, check=True, stdout=said, stderr=said, timeout=BUILD_S_MAX, env=environ)
        made.rename(folder)


def _furnish(root: Path) -> None:
    for path, text in FILES.items():
        there = root / path
        there.parent.mkdir(parents=True, exist_ok=True)
        there.unlink(missing_ok=True)
        there.write_text(text)
    keys = root / "root/.ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(key().with_suffix(".pub"), keys)
    keys.chmod(0o600)


def _take_out(root: Path, made: Path) -> None:
    """What QEMU and ssh need of the image beside its disk."""
    shutil.copy(next((root / "boot").glob("vmlinuz-*")), made / "vmlinuz")
    shutil.copy(next((root / "boot").glob("initrd.img-*")), made / "initrd.img")
    shutil.copy(root / "etc/ssh/ssh_host_ed25519_key.pub", made / "host.pub")
