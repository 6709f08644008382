"""When the assets of a schedule air for the first time, as far as that can be told before they are here."""

from appliance.core import records
from appliance.core.asset import Asset
from appliance.core.moment import US
from appliance.core.schedule import parse_schedule


def airings(body: records.Schedule, zone: str, channels: tuple[str, ...]) -> list[tuple[Asset, int]]:
    """The assets of a schedule, each with its first airing. What follows something of unknown length may air later."""
    known = {asset.digest: asset for asset in body.assets}
    starts: dict[str, int] = {}
    moment_us = 0
    for entry in parse_schedule(bytes(body.document), zone, channels).entries:
        moment_us = entry.start_us if entry.start_us is not None else moment_us
        if entry.asset is not None:
            starts.setdefault(entry.asset, moment_us)
        asset = known.get(entry.asset or "")
        length_s = entry.length_s if entry.length_s is not None else (asset.duration_s if asset else None)
        moment_us += round((length_s or 0) * US)
    return [(known[digest], starts_us) for digest, starts_us in starts.items() if digest in known]
