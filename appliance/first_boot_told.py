"""What the unit of the first boot did, as it lies in /run for the screens: read by anybody, nothing secret in it."""

from pathlib import Path
from typing import Final

import msgspec

from appliance.core.first_boot import Told
from appliance.durable import make_folder, write_atomically

INSTALLED_TOLD: Final = Path("/run/songshan-first-boot/told.json")
TOLD_BYTES_MAX: Final = 64 * 1024


def read_told(path: Path) -> Told | None:
    """None where it never ran since the boot, or what lies there is none."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(TOLD_BYTES_MAX), type=Told)
    except (OSError, ValueError):
        return None


def write_told(path: Path, told: Told) -> None:
    """Whoever looks sees the old or the new."""
    make_folder(path.parent, 0o755)
    write_atomically(path, msgspec.json.encode(told), 0o644)
