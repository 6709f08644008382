"""What every page knows of the box, and what the page on top reads besides. Called on a worker thread."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from appliance.config import Config, config_path, load
from appliance.core.errors import SongshanError, Text, WorldError
from appliance.store import desk, facts
from tui.gather.where import Where, where
from tui.page import Page
from tui.seen import Seen
from tui.view.reading import Reading
from tui.view.sheet import Asked

_NO_REASON: Final = Text("没有说明原因", "no reason was given")


def look_at(
    home: Path | None,
    environ: Mapping[str, str],
    page: Page,
    asked: Asked,
    followed: Collection[str] = (),
    notes: dict[str, Any] | None = None,
) -> Seen:
    """The box, one page of it, and what became of the commands `followed`.

    Waits some seconds for a database that is held; never raises for what is wrong.
    """
    here = where(home, environ, notes)
    reading = gather(here)
    found = None
    if page.gather is not None:
        with here.kept():
            found = page.gather(here, asked)
    return Seen(reading, asked, found, tuple(here.troubles), _outcomes(here, followed))


def gather(here: Where) -> Reading:
    """How the box is now."""
    if here.config is None:
        assert here.problem is not None
        return Reading(here.now_us, None, here.problem.problems, here.problem.hint)
    try:
        with here.database() as db:
            return Reading(here.now_us, facts.snapshot(db, here.config, here.now_us))
    except WorldError as error:
        return Reading(here.now_us, facts.without_database(here.config, here.now_us, error))


def _outcomes(here: Where, followed: Collection[str]) -> dict[str, Text | None]:
    """Of those that are through; none while the database cannot be read, which the page tells."""
    if not followed:
        return {}
    try:
        with here.database() as db:
            done = [desk.audited(db, name) for name in followed]
    except SongshanError:
        return {}
    return {
        each.name: (each.reason or _NO_REASON) if each.outcome == "refused" else None
        for each in done
        if each is not None
    }


def is_configured(home: Path | None) -> bool:
    """Whether there is a configuration at all; one that is wrong is one."""
    return config_path(home).exists()


def zone_of(home: Path | None, environ: Mapping[str, str]) -> ZoneInfo:
    """The site's time zone; that of a box fresh from its carton where there is no good config."""
    try:
        return ZoneInfo(load(home, environ).zone)
    except SongshanError:
        return ZoneInfo(Config.zone)
