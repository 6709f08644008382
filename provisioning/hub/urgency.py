"""Which assets a site's box will want for what the hub tells it, and by when: as the box itself reckons.

The margins are those of `appliance/store/needs.py`, by which the box orders its queue.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from appliance.core import journal, moment, records
from appliance.core.airings import airings, airings_of_template
from appliance.core.asset import Asset
from appliance.core.errors import SongshanError
from appliance.core.item import Item
from appliance.core.moment import US
from appliance.store.needs import FILLER_WITHIN_US, ITEM_WITHIN_US, READY_BEFORE_US
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.sites import Site

OVER_AFTER_US: Final = 86_400 * US
"""What aired for the first time so long ago is over, whatever its length."""


def note_needs(
    record: journal.Record, named: dict[str, int | None], site: Site, catalogue: Catalogue, at_us: int
) -> None:
    """Note in `named` which assets a record names, and by when each should be there; the earliest counts."""
    with suppress(records.UnknownKind, records.BadBody, SongshanError):
        for digest, by_us in _needs(record, records.decode(record), site, catalogue, at_us):
            known_us = named.get(digest)
            named[digest] = by_us if known_us is None else min(by_us, known_us)


def _needs(
    record: journal.Record, body: records.Body, site: Site, catalogue: Catalogue, at_us: int
) -> Iterator[tuple[str, int]]:
    """Which assets a box will want for a record, and by when: as the box itself reckons (appliance/store/needs.py)."""
    match body:
        case Item() if record.header.kind == "item" or site.site in catalogue.takers.get(body.id, ()):
            shown_us = max(at_us, moment.to_us(body.publish_at)) if body.publish_at else at_us
            # Of stories that are out already the newest come first.
            shown_us += max(0, at_us - moment.to_us(record.header.at))
            for asset in body.assets:
                yield asset.digest, shown_us + ITEM_WITHIN_US
                if asset.rendition is not None:
                    yield asset.rendition.digest, shown_us + ITEM_WITHIN_US + FILLER_WITHIN_US
        case records.Schedule():
            channels = tuple(channel.id for channel in site.channels)
            for asset, starts_us in airings(body, site.zone, channels):
                if starts_us > at_us - OVER_AFTER_US:
                    yield _on_air(asset), starts_us - READY_BEFORE_US
        case records.Template():
            channels = tuple(channel.id for channel in site.channels)
            for asset, first_us in airings_of_template(body, site.zone, channels, at_us):
                yield _on_air(asset), first_us - READY_BEFORE_US if first_us is not None else at_us + FILLER_WITHIN_US
        case records.Filler():
            yield from ((_on_air(asset), at_us + FILLER_WITHIN_US) for asset in body.assets)
        case records.Insert() if moment.to_us(body.not_after) > at_us:
            yield _on_air(body.asset), moment.to_us(body.at) if body.at else at_us
        case _:
            pass


def _on_air(asset: Asset) -> str:
    return asset.rendition.digest if asset.rendition is not None else asset.digest
