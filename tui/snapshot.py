"""Reads the box for the screens: its config, its database read-only, its disk. Called on a worker thread.

Whatever is missing, locked or wrong is part of the reading: the screen starts on a box where nothing else does.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from appliance.config import Config, load
from appliance.core.errors import SongshanError
from appliance.store import facts
from tui.view import Reading


def gather(home: Path | None, environ: Mapping[str, str]) -> Reading:
    """How the box is now. Waits some seconds for a database that is being held; never raises for what is wrong."""
    try:
        config = load(home, environ)
    except SongshanError as error:
        return Reading(_now_us(), None, error.problems, error.hint)
    snapshot = facts.look(config, _now_us())
    return Reading(_now_us(), snapshot)


def zone_of(home: Path | None, environ: Mapping[str, str]) -> ZoneInfo:
    """The site's time zone; that of a box fresh from its carton where there is no good config."""
    try:
        return ZoneInfo(load(home, environ).zone)
    except SongshanError:
        return ZoneInfo(Config.zone)


def _now_us() -> int:
    return time.time_ns() // 1000
