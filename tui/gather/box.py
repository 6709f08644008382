"""What every page knows of the box, and what the page on top reads besides. Called on a worker thread."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from appliance.config import Config, load
from appliance.core.errors import SongshanError
from appliance.store import facts
from tui.gather.where import Where, where
from tui.pages import Page
from tui.seen import Seen
from tui.view.reading import Reading, Trouble, troubles_of
from tui.view.sheet import Asked


def look_at(
    home: Path | None, environ: Mapping[str, str], page: Page, asked: Asked, notes: dict[str, Any] | None = None
) -> Seen:
    """The box and one page of it. Waits some seconds for a database that is held; never raises for what is wrong."""
    here = where(home, environ, notes)
    reading = gather(here)
    found, raised = None, tuple[Trouble, ...]()
    if page.gather is not None:
        try:
            found = page.gather(here, asked)
        except SongshanError as error:
            raised = troubles_of(error.problems, error.hint)
    return Seen(reading, asked, found, (*raised, *here.troubles))


def gather(here: Where) -> Reading:
    """How the box is now."""
    if here.config is None:
        assert here.problem is not None
        return Reading(here.now_us, None, here.problem.problems, here.problem.hint)
    return Reading(here.now_us, facts.look(here.config, here.now_us))


def zone_of(home: Path | None, environ: Mapping[str, str]) -> ZoneInfo:
    """The site's time zone; that of a box fresh from its carton where there is no good config."""
    try:
        return ZoneInfo(load(home, environ).zone)
    except SongshanError:
        return ZoneInfo(Config.zone)
