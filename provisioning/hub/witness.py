"""What boxes say that they saw of the hub's streams, held against the chains that lie here."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from appliance.core import records
from appliance.core.errors import Text
from appliance.core.journal import Broken, Position, Record, parse_record
from provisioning.hub import forks
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.sites import Site
from provisioning.hub.stream import Stream

MARK: Final = b'"kind":"seen"'
"""In the header of such a record, as a box writes it."""


def contradictions(folder: HubFolder, sites: Iterable[Site]) -> Iterator[Text]:
    """Every place that a box was shown, under the hub's signature, and that is in no history of this hub.

    One in a branch that the hub gave up and kept as evidence is no contradiction, nor one that a snapshot stands for.
    """
    journals = HubJournals(folder)
    for site in sites:
        for record in _said(journals.stream(f"{site.site}/report")):
            try:
                body = records.decode(record)
            except records.BadBody:
                continue
            assert isinstance(body, records.Seen), "a kind has one shape"
            for name, seen in body.heads.items():
                if name in streams_of(site.site):
                    yield from _held_against(journals, site.site, Position(name, seen.epoch, seen.seq, seen.head))


def _said(report: Stream) -> Iterator[Record]:
    """What a site saw, found by its bytes among a million; a body that looks like a header is none."""
    for path in sorted(report.folder.glob("*.records")):
        with path.open("rb") as file:
            for line in file:
                if MARK in line:
                    yield from _confirmed(report, line[:-1])


def _confirmed(report: Stream, header_bytes: bytes) -> Iterator[Record]:
    with suppress(Broken):
        header = parse_record(header_bytes, None).header
        before = report.before(*header.place)
        page = report.page(before, records_max=1) if before is not None else []
        yield from (record for record, _place in page if record.header_bytes == header_bytes)


def _held_against(journals: HubJournals, site: str, seen: Position) -> Iterator[Text]:
    stream = journals.stream(seen.stream)
    is_older = seen.place < stream.start().position.place
    if is_older or stream.find(seen) is not None or forks.has_kept(stream, seen):
        return
    at = f"{seen.stream} {seen.epoch}:{seen.seq}"
    yield Text(f"{site} 见过的 {at} 不在此历史中", f"{site} was shown {at}, which is in no history here")
