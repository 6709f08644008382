"""What the journals add up to: items published and offered, what was recalled, who took what. A fold, nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.core import moment, records
from appliance.core.asset import Asset
from appliance.core.item import Item
from appliance.core.journal import Record
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import digests_of
from provisioning.hub.stream import Place, Stream


@dataclass
class Catalogue:
    """Filled by `read`; reading again takes only what is new."""

    published: dict[str, dict[str, Item]] = field(default_factory=dict)
    """By item id: the item as each content stream (`all/content`, `<site>/content`) has it."""
    offered: dict[str, Item] = field(default_factory=dict)
    recalled: dict[str, str] = field(default_factory=dict)
    """Item ids and digests that were recalled, and when."""
    takers: dict[str, set[str]] = field(default_factory=dict)
    """By item id: the sites that took it and did not give it back."""
    aired: dict[str, dict[str, tuple[Asset, ...]]] = field(default_factory=dict)
    """By stream, then by schedule, filler or insertion: the assets that it names."""
    schedules: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By site, channel and day: the newest version sent."""
    _places: dict[str, Place] = field(default_factory=dict)

    def read(self, journals: HubJournals, sites: Iterable[str]) -> "Catalogue":
        """Take in what is new in the hub's streams and in the reports of these sites."""
        self._take_in(journals.stream("all/control"))
        self._take_in(journals.stream("all/content"))
        for site in sites:
            self._take_in(journals.stream(f"{site}/control"))
            self._take_in(journals.stream(f"{site}/content"))
            self._take_in(journals.stream(f"{site}/report"))
        return self

    def live_items(self) -> dict[str, list[Item]]:
        """Everything that is out and not recalled, by id."""
        found: dict[str, list[Item]] = {}
        for item, streams in self.published.items():
            found.setdefault(item, []).extend(streams.values())
        for item, offer in self.offered.items():
            found.setdefault(item, []).append(offer)
        return {item: kept for item, copies in found.items() if (kept := [one for one in copies if self.is_live(one)])}

    def live_offer(self, item: str) -> Item | None:
        offer = self.offered.get(item)
        return offer if offer is not None and self.is_live(offer) else None

    def is_live(self, item: Item) -> bool:
        """Whether no recall stands against it: an item made after the recall of its id is another one."""
        recalled_at = self.recalled.get(item.id)
        if recalled_at is not None and moment.to_us(item.created_at) <= moment.to_us(recalled_at):
            return False
        return not any(asset.digest in self.recalled for asset in item.assets)

    def used_digests(self, besides: str = "") -> set[str]:
        """The digests that live items name, renditions too; those of one item left out."""
        return {
            digest
            for name, copies in self.live_items().items()
            if name != besides
            for item in copies
            for digest in digests_of(item.assets)
        }

    def assets_known(self) -> dict[str, Asset]:
        """Every asset that any record names, by digest, as the last one says it."""
        known: dict[str, Asset] = {}
        for streams in self.published.values():
            known |= {asset.digest: asset for item in streams.values() for asset in item.assets}
        known |= {asset.digest: asset for item in self.offered.values() for asset in item.assets}
        for entries in self.aired.values():
            known |= {asset.digest: asset for assets in entries.values() for asset in assets}
        return known

    def _take_in(self, stream: Stream) -> None:
        place = self._places.get(stream.name) or stream.start()
        while page := stream.page(place):
            for record, place in page:  # noqa: B007  # the next page begins behind the last record of this one
                self._fold(stream.name, record)
        self._places[stream.name] = place

    def _fold(self, stream: str, record: Record) -> None:
        try:
            body = records.decode(record)
        except (records.UnknownKind, records.BadBody):
            return
        site = stream.split("/")[0]
        match body:
            case Item() if record.header.kind == "offer":
                self.offered[body.id] = body
            case Item():
                self.published.setdefault(body.id, {})[stream] = body
            case records.Recall():
                self.recalled[body.target] = body.at
            case records.Take():
                self.takers.setdefault(body.item, set()).add(site)
            case records.Untake():
                self.takers.get(body.item, set()).discard(site)
            case records.Schedule():
                self.aired.setdefault(stream, {})[f"{body.channel} {body.date}"] = body.assets
                self.schedules[site, body.channel, body.date] = body.version
            case records.Insert():
                self.aired.setdefault(stream, {})[f"{body.channel} insert {body.id}"] = (body.asset,)
            case records.Filler():
                self.aired.setdefault(stream, {})[f"{body.channel} filler"] = body.assets
            case _:
                pass
