"""Files that somebody brought to this machine, on a mounted stick or in their home folder; found by name."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from appliance.core.errors import SongshanError
from appliance.mounts import mounts
from tui.gather.where import Where

STICKS: Final = ("/media/*", "/media/*/*", "/mnt", "/mnt/*", "/run/media/*", "/run/media/*/*")
"""Where sticks are mounted, by hand and by desktops."""
STICKS_MAX: Final = 12
LOOKED_AT_MAX: Final = 500
FILES_MAX: Final = 50


def sticks(*, to_write: bool = False) -> list[Path]:
    """Where sticks are mounted now; with `to_write` those that take something."""
    points: list[Path] = []
    with suppress(SongshanError):
        points = [Path(mount.point) for mount in mounts() if not (to_write and mount.is_read_only)]
    return [point for point in points if any(point.match(stick) for stick in STICKS)][:STICKS_MAX]


def files_called(where: Where, pattern: str, beside: Iterable[Path] = ()) -> list[Path]:
    """Files of that name on sticks, in `beside` and in the person's folders, one folder deep."""
    places = [*sticks(), *beside]
    if where.environ.get("HOME", "").startswith("/"):
        places.append(Path(where.environ["HOME"]))
    with suppress(OSError):
        places.append(Path.cwd())
    found: list[Path] = []
    for place in dict.fromkeys(places):
        with suppress(OSError):
            found += sorted(islice((*place.glob(pattern), *place.glob(f"*/{pattern}")), LOOKED_AT_MAX))
    return list(dict.fromkeys(found))[:FILES_MAX]
