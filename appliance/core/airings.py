"""When the assets of a schedule air for the first time, as far as that can be told before they are here."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final

from appliance.core import records
from appliance.core.asset import Asset
from appliance.core.entry import Entry
from appliance.core.moment import US
from appliance.core.schedule import day_of, parse_schedule
from appliance.core.template import parse_template, schedule_on

WEEK_DAYS: Final = 7


def airings(body: records.Schedule, zone: str, channels: tuple[str, ...]) -> list[tuple[Asset, int]]:
    """The assets of a schedule, each with its first airing. What follows something of unknown length may air later."""
    known = {asset.digest: asset for asset in body.assets}
    starts = _starts(parse_schedule(bytes(body.document), zone, channels).entries, known)
    return [(known[digest], starts_us) for digest, starts_us in starts.items() if digest in known]


def airings_of_template(
    body: records.Template, zone: str, channels: tuple[str, ...], now_us: int
) -> list[tuple[Asset, int | None]]:
    """The assets of a template, each with its first airing from today on were there no schedule; None for the default
    programme's, which no day names."""
    template = parse_template(bytes(body.document), channels)
    known = {asset.digest: asset for asset in body.assets}
    starts: dict[str, int | None] = {}
    today = date.fromisoformat(day_of(now_us, zone))
    for ahead in range(WEEK_DAYS):
        planned = schedule_on(template, (today + timedelta(days=ahead)).isoformat(), zone)
        for digest, starts_us in _starts(planned.entries if planned is not None else (), known).items():
            starts.setdefault(digest, max(starts_us, now_us))
    for entry in template.default:
        starts.setdefault(entry.asset or "", None)
    return [(known[digest], starts_us) for digest, starts_us in starts.items() if digest in known]


def _starts(entries: Iterable[Entry], known: Mapping[str, Asset]) -> dict[str, int]:
    starts: dict[str, int] = {}
    moment_us = 0
    for entry in entries:
        moment_us = entry.start_us if entry.start_us is not None else moment_us
        if entry.asset is not None:
            starts.setdefault(entry.asset, moment_us)
        asset = known.get(entry.asset or "")
        length_s = entry.length_s if entry.length_s is not None else (asset.duration_s if asset else None)
        moment_us += round((length_s or 0) * US)
    return starts
