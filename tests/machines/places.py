"""Where the machines live on this one: all under build/machines, and nothing of it in the tree."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build" / "machines"
TABLE: Final = ROOT / "build" / "appliance-test.json"
KEY: Final = BUILD / "key"
"""The operator's key: made once, in every image."""

PATIENCE: Final = float(os.environ.get("MACHINES_PATIENCE", "1"))
"""By how much every bound in time is longer: for a machine that others work on too."""

_ENOUGH_RIGHTS: Final = 0


def key() -> Path:
    """The private key that every machine lets in as root; made where there is none."""
    BUILD.mkdir(parents=True, exist_ok=True)
    if not KEY.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", KEY]
        subprocess.run(argv, check=True, timeout=60, capture_output=True)
    return KEY


def must_be_root() -> None:
    """debootstrap makes device files and users; without root there is no image."""
    if os.geteuid() != _ENOUGH_RIGHTS:
        sys.stderr.write("需要 root：debootstrap 制作系统镜像 / needs root: debootstrap makes the image\n")
        sys.exit(2)
