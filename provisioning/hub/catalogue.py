"""What the journals add up to: items published and offered, what was recalled, who took what. A fold, nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from appliance.core import moment, records
from appliance.core.asset import Asset
from appliance.core.item import Item
from provisioning.hub.index import INDEX_EVERY
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import digests_of
from provisioning.hub.stream import Place, Stream
from provisioning.hub.told import KEPT_EVERY, Told, absorb, fold, forget, fresh, keep, load

AIRED_KEPT_US: Final = 8 * 86_400 * moment.US
"""A day of broadcast, and a week in which a box that was away may still ask for what it is to catch up on."""
ENDED_KEPT_US: Final = 86_400 * moment.US
"""What an item shows can be had so long after its time is over: clocks differ."""


def is_over(item: Item, at_us: int) -> bool:
    """Whether the time in which an item is shown has gone by."""
    return item.until is not None and moment.to_us(item.until) + ENDED_KEPT_US <= at_us


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
    over: dict[str, dict[str, str]] = field(default_factory=dict)
    """By stream, then by schedule or insertion: when it is over, as `provisioning.hub.told` has it."""
    schedules: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By site, channel and day: the newest version sent."""
    told: dict[str, Told] = field(default_factory=dict)
    """By stream."""
    branches_cleared: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    """By stream: of how many branches that were given up which origins were last taken out."""
    _places: dict[str, Place] = field(default_factory=dict)

    def read(self, journals: HubJournals, sites: Iterable[str]) -> "Catalogue":
        """Take in what is new in the hub's streams and in the reports of these sites."""
        self._take_in(journals.stream("all/control"))
        self._take_in(journals.stream("all/content"))
        for site in sites:
            self._take_in(journals.stream(f"{site}/control"))
            self._take_in(journals.stream(f"{site}/content"))
            self._take_in(journals.stream(f"{site}/report"))
        self._forget_redacted(journals)
        return self

    def heads(self) -> dict[str, Place]:
        """How far each stream was read."""
        return dict(self._places)

    def airing(self, stream: str, at_us: int) -> list[Asset]:
        """What a stream's schedules, fillers and insertions name that are not over."""
        over = self.over.get(stream, {})
        return [
            asset
            for key, assets in self.aired.get(stream, {}).items()
            if key not in over or moment.to_us(over[key]) + AIRED_KEPT_US > at_us
            for asset in assets
        ]

    def to_redact(self) -> tuple[tuple[str, int, int], ...]:
        """Bodies that must go and were still there when they were read: stream, epoch and sequence."""
        places = ((stream, *place) for stream in self.told for place in self.redacted_in(stream))
        return tuple(sorted(each for each in places if self._is_told_of(*each)))

    def redacted_in(self, stream: str) -> set[tuple[int, int]]:
        """Places of a stream whose bodies must go, or are gone: where each record that is named stands."""
        named = self.told[stream].named
        found = {(epoch, seq) for name, epoch, seq, origin in self._redactions() if name == stream and not origin}
        return found.union(*(named.get(origin, ()) for origin in self.origins_redacted_in(stream)))

    def origins_redacted_in(self, stream: str) -> frozenset[str]:
        """The records of a stream, or those that they stand for, whose bodies must go, or are gone."""
        return frozenset(origin for name, _epoch, _seq, origin in self._redactions() if name == stream and origin)

    def _redactions(self) -> set[tuple[str, int, int, str]]:
        return set().union(*(told.redactions for told in self.told.values()))

    def _is_told_of(self, stream: str, epoch: int, seq: int) -> bool:
        """Whether the record was read, and had its body."""
        told, place = self.told.get(stream), self._places.get(stream)
        if told is None or place is None:
            return False
        return (epoch, seq) <= place.position.place and (epoch, seq) not in told.blank

    def _forget_redacted(self, journals: HubJournals) -> None:
        """What a redacted body said may be neither kept nor acted on: read the streams that had one again, and those in
        which nobody has looked yet for a record that is named."""
        streams = {stream for stream, _epoch, _seq in self.to_redact()}
        streams |= {name for name, told in self.told.items() if not self.origins_redacted_in(name) <= told.sought}
        if not streams:
            return
        for stream in streams:
            forget(journals.stream(stream))
            sought = self.origins_redacted_in(stream)
            self.told[stream], self._places[stream] = fresh(journals.stream(stream), sought)
        gathers = (self.published, self.offered, self.recalled, self.takers, self.aired, self.over, self.schedules)
        for gathered in gathers:
            gathered.clear()
        for stream, told in self.told.items():
            self._merge(stream, told)
        for stream in streams:
            self._take_in(journals.stream(stream))

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
        """Whether no recall stands against it: an item made after the recall of its id is another one.

        One that names a recalled asset goes on without it, here as on every box.
        """
        recalled_at = self.recalled.get(item.id)
        return recalled_at is None or moment.to_us(item.created_at) > moment.to_us(recalled_at)

    def made_us(self, item: str) -> int:
        """When the newest version of an item was made that is out; 0 for none."""
        copies = [*self.published.get(item, {}).values()]
        copies += [self.offered[item]] if item in self.offered else []
        return max((moment.to_us(each.created_at) for each in copies), default=0)

    def used_digests(self, besides: str = "") -> set[str]:
        """The digests that live items name and nobody recalled, renditions too; those of one item left out."""
        return {
            digest
            for name, copies in self.live_items().items()
            if name != besides
            for item in copies
            for digest in digests_of(asset for asset in item.assets if asset.digest not in self.recalled)
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

    def waiting(self, site: str) -> list[records.Submission]:
        """What a site sent up and nobody answered yet, the oldest first."""
        report, control = self.told.get(f"{site}/report"), self.told.get(f"{site}/control")
        if report is None:
            return []
        answered = control.receipts if control is not None else set()
        return [submission for name, submission in report.submissions.items() if name not in answered]

    def _take_in(self, stream: Stream) -> None:
        """Go on behind what is known of a stream; at first from what another process kept of it."""
        if stream.name not in self.told:
            told, place = load(stream)
            self.told[stream.name], self._places[stream.name] = told, place
            self._merge(stream.name, told)
        start = stream.start()
        if self._places[stream.name].position.place < start.position.place:
            # It was compacted since: what went and still counted is in the snapshot.
            told, self._places[stream.name] = fresh(stream, self.told[stream.name].sought)
            absorb(self.told[stream.name], told)
            self._merge(stream.name, told)
        told, place, count = self.told[stream.name], self._places[stream.name], 0
        passed: list[Place] = []
        while page := stream.page(place):
            later = Told(sought=told.sought)
            for record, place in page:
                fold(later, record)
                if place.position.seq % INDEX_EVERY == 0:
                    passed.append(place)
            absorb(told, later)
            self._merge(stream.name, later)
            self._places[stream.name] = place
            count += len(page)
        stream.remember(passed)
        if count >= KEPT_EVERY:
            keep(stream, told, place)

    def _merge(self, stream: str, told: Told) -> None:
        """Put what one stream says with what the others do."""
        site = stream.split("/")[0]
        for kind, name in told.gone:
            if kind == "offer":
                self.offered.pop(name, None)
            else:
                self.published.get(name, {}).pop(stream, None)
        self.offered.update(told.offers)
        self.recalled.update(told.recalls)
        for name, item in told.items.items():
            self.published.setdefault(name, {})[stream] = item
        for name, is_taken in told.takes.items():
            takers = self.takers.setdefault(name, set())
            (takers.add if is_taken else takers.discard)(site)
        self.aired.setdefault(stream, {}).update(told.aired)
        self.over.setdefault(stream, {}).update(told.over)
        self.schedules.update({(site, *day): version for day, version in told.schedules.items()})
