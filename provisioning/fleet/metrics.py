"""The fleet as figures for Prometheus: a text file beside the page, which a scrape or node_exporter's textfile
collector takes. Each site is a label, so that one rule holds for all of them."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from appliance.core import moment
from provisioning.fleet.core.hub import Fleet
from provisioning.fleet.core.letters import Book
from provisioning.fleet.core.row import Row

SEVERITIES: Final = ("red", "amber", "info")
_IN: Final = frozenset({"approved", "fenced"})


def figures(fleet: Fleet, book: Book) -> bytes:
    """The exposition, in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(fleet, book))
    return generate_latest(registry)


class _Figures:
    """All of it at one moment."""

    def __init__(self, fleet: Fleet, book: Book) -> None:
        self._fleet, self._book = fleet, book

    def collect(self) -> Iterator[Metric]:
        fleet = self._fleet
        at_s = moment.to_us(fleet.generated_at) / moment.US
        yield _gauge("songshan_fleet_generated_timestamp_seconds", "When the watch last looked", at_s)
        yield InfoMetricFamily(
            "songshan_hub", "Which hub and which software", value={"hub": fleet.hub.id, "version": fleet.hub.version}
        )
        yield from _of_sites(fleet)
        yield from _of_hub(fleet)
        yield from _of_ways(self._book, at_s)


def _of_sites(fleet: Fleet) -> Iterator[Metric]:
    inside = [row for row in fleet.sites if row.state in _IN]
    told: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
        ("up", "Whether its control session stands", lambda row: float(row.link == "connected")),
        ("status_age_seconds", "Since its box last said how it is", lambda row: row.sync_age_s),
        ("not_ready_entries", "Entries of the coming day that are late or cannot be", lambda row: row.not_ready),
        ("unplanned_channels", "Channels that play what was not planned", lambda row: row.unplanned),
        ("disk_free_bytes", "Free on the disk of its media", lambda row: row.disk_free_bytes),
        ("disk_bytes", "The disk of its media", lambda row: row.disk_total_bytes),
        ("clock_offset_seconds", "How far the hub's clock is ahead of its own", _offset_s),
        ("clock_synchronised", "Whether its clock follows a time server", _synchronised),
        ("backup_age_seconds", "Since its last nightly backup", lambda row: row.backup_age_s),
        ("unsent_records", "Records that it has not got through to the hub", lambda row: row.unsent_records),
        ("waiting_records", "The hub's records that it has not acknowledged", lambda row: row.waiting_records),
        ("uploads", "Its files that lie unaccepted at the hub", lambda row: row.uploads),
        ("uploads_max", "How many of them may", lambda row: row.uploads_max),
        ("waiting_bytes", "What they take up", lambda row: row.waiting_bytes),
        ("waiting_bytes_max", "What they may take up", lambda row: row.waiting_bytes_max),
    )
    for name, what, of in told:
        family = GaugeMetricFamily(f"songshan_site_{name}", what, labels=["site"])
        for row in inside:
            value = of(row)
            if value is not None:
                family.add_metric([row.site], float(value))
        yield family
    alarms = GaugeMetricFamily("songshan_site_alarms", "Alarms that stand", labels=["site", "severity"])
    info = InfoMetricFamily("songshan_site", "Which site and which software", labels=["site"])
    for row in fleet.sites:
        for severity in SEVERITIES:
            alarms.add_metric([row.site, severity], float(sum(each.severity == severity for each in row.alarms)))
        info.add_metric(
            [row.site],
            {
                "name": row.name,
                "state": row.state,
                "version": row.version or "",
                "upgrade": row.version_state or "",
                "version_new": row.version_new or "",
            },
        )
    yield alarms
    yield info


def _of_hub(fleet: Fleet) -> Iterator[Metric]:
    hub = fleet.hub
    heads = GaugeMetricFamily("songshan_hub_journal_head", "Sequence of the newest record", labels=["stream"])
    epochs = GaugeMetricFamily("songshan_hub_journal_epoch", "The epoch that it stands in", labels=["stream"])
    signed = GaugeMetricFamily(
        "songshan_hub_journal_signed_timestamp_seconds", "When its head was last signed", labels=["stream"]
    )
    for head in hub.heads:
        heads.add_metric([head.stream], float(head.seq))
        epochs.add_metric([head.stream], float(head.epoch))
        if head.signed_at is not None:
            signed.add_metric([head.stream], moment.to_us(head.signed_at) / moment.US)
    yield from (heads, epochs, signed)
    if hub.disk_free_bytes is not None and hub.disk_total_bytes is not None:
        yield _gauge("songshan_hub_disk_free_bytes", "Free on the hub's disk", hub.disk_free_bytes)
        yield _gauge("songshan_hub_disk_bytes", "The hub's disk", hub.disk_total_bytes)
    yield _gauge("songshan_hub_sessions", "Sites whose control session stands", hub.sessions)
    yield _gauge("songshan_hub_waiting_records", "Records that sites have not acknowledged", hub.waiting_records)
    yield _gauge("songshan_hub_uploads", "Files that lie unaccepted", hub.uploads)
    alarms = GaugeMetricFamily("songshan_hub_alarms", "Alarms of the hub itself", labels=["severity"])
    for severity in SEVERITIES:
        alarms.add_metric([severity], float(sum(each.severity == severity for each in hub.alarms)))
    yield alarms


def _of_ways(book: Book, at_s: float) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("songshan_hub_letters", "Alarm messages that wait to leave", labels=["way"])
    failing = GaugeMetricFamily("songshan_hub_letters_failing_seconds", "Since when none leaves", labels=["way"])
    sent = CounterMetricFamily("songshan_hub_letters_sent", "Alarm messages that arrived", labels=["way"])
    lost = CounterMetricFamily("songshan_hub_letters_lost", "Alarm messages that were given up", labels=["way"])
    for way in book.ways:
        waiting.add_metric([way.way], float(sum(each.way == way.way for each in book.letters)))
        since_us = way.failing_since_us
        failing.add_metric([way.way], max(0.0, at_s - since_us / moment.US) if since_us is not None else 0.0)
        sent.add_metric([way.way], float(way.sent))
        lost.add_metric([way.way], float(way.lost))
    yield from (waiting, failing, sent, lost)


def _offset_s(row: Row) -> float | None:
    return None if row.clock_offset_ms is None else row.clock_offset_ms / 1000


def _synchronised(row: Row) -> float | None:
    return None if row.clock_synchronised is None else float(row.clock_synchronised)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))
