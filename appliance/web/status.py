"""How the box is, for machines: alive, ready and why not, and figures for Prometheus."""

import os
import time
from collections.abc import Callable, Iterator

import msgspec
from flask import Blueprint, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric

from appliance.config import Config
from appliance.core.errors import Text, WorldError
from appliance.core.health import OutputFact, Queue, Snapshot
from appliance.core.moment import US, to_text
from appliance.store import facts
from appliance.web.reading import Reading


class Readiness(msgspec.Struct, frozen=True):
    """`ready` is whether pages and every channel can be served as planned; `reasons` is empty when it is."""

    ready: bool
    reasons: list[Text]
    at: str


def blueprint(config: Config, reading: Reading) -> Blueprint:
    """`/healthz`, `/readyz`, `/metrics`."""
    routes = Blueprint("status", __name__)

    @routes.get("/healthz")
    def is_alive() -> Response:
        # Asks nobody: a server that answers is alive, whatever became of disk, agent and hub.
        return _answer(b"ok\n", "text/plain; charset=utf-8")

    @routes.get("/readyz")
    def is_ready() -> Response:
        now_us = time.time_ns() // 1000
        reasons = reasons_against(config, reading, now_us)
        found = Readiness(not reasons, reasons, to_text(now_us))
        return _answer(msgspec.json.encode(found), "application/json", 503 if reasons else 200)

    @routes.get("/metrics")
    def tell_figures() -> Response:
        now_us = time.time_ns() // 1000
        registry = CollectorRegistry(auto_describe=False)
        try:
            figures = _Figures(_snapshot(config, reading, now_us))
        except WorldError:
            figures = _Figures(None)
        registry.register(figures)
        return _answer(generate_latest(registry), CONTENT_TYPE_LATEST)

    return routes


def reasons_against(config: Config, reading: Reading, now_us: int) -> list[Text]:
    """Why this box cannot serve as planned; [] when it can. An absent hub is none: that is what a box is for."""
    reasons = []
    if not os.access(config.public, os.R_OK | os.X_OK):
        reasons.append(Text(f"读不到媒资目录 {config.public}", f"cannot read the folder {config.public}"))
    try:
        snapshot = _snapshot(config, reading, now_us)
    except WorldError as error:
        return [*reasons, *error.problems]
    ended = [channel.name for channel in snapshot.on_air if (channel.ledger_until_us or 0) <= now_us]
    return [
        *reasons,
        *(
            Text(f"{name}：播出账已到尽头，正在播垫片", f"{name}: the air ledger has ended; the slate is on")
            for name in ended
        ),
    ]


class _Figures:
    """The snapshot of one moment as gauges. Made for each scrape, so all workers tell the same."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot
        yield _gauge("songshan_database_readable", "Whether box.db can be read", float(snapshot is not None))
        if snapshot is None:
            return
        information = {"site": snapshot.site, "version": snapshot.version}
        yield InfoMetricFamily("songshan_box", "Which box and which software", value=information)
        yield _gauge(
            "songshan_hub_connected", "Whether the session with the hub stands", snapshot.link.state == "connected"
        )
        yield _gauge("songshan_agent_running", "Whether the agent says that it runs", snapshot.agent.state == "running")
        yield from _of_channels(snapshot)
        yield from _of_outputs(snapshot)
        yield from _of_sync(snapshot)
        yield from _of_storage(snapshot)
        alarms = GaugeMetricFamily("songshan_alarms", "Alarms that stand", labels=["severity"])
        for severity in ("red", "amber", "info"):
            alarms.add_metric([severity], sum(alarm.severity == severity for alarm in snapshot.alarms))
        yield alarms


def _of_channels(snapshot: Snapshot) -> Iterator[Metric]:
    planned = GaugeMetricFamily("songshan_on_air_planned", "Whether what is on was planned", labels=["channel"])
    ahead = GaugeMetricFamily("songshan_ledger_ahead_seconds", "How far the air ledger reaches", labels=["channel"])
    for channel in snapshot.on_air:
        planned.add_metric([channel.channel], float(channel.planned))
        until_us = channel.ledger_until_us or snapshot.now_us
        ahead.add_metric([channel.channel], max(0.0, (until_us - snapshot.now_us) / US))
    yield planned
    yield ahead


def _of_outputs(snapshot: Snapshot) -> Iterator[Metric]:
    told: tuple[tuple[str, str, Callable[[OutputFact], float | None]], ...] = (
        ("sending", "Whether a sender sends to the modulator", lambda output: float(output.sender is not None)),
        ("standby_ready", "Whether another sender would take over", lambda output: float(output.standby == "ready")),
        ("lost_datagrams", "Datagrams that the network did not take", lambda output: output.lost_datagrams),
        ("late_pictures", "Pictures left out because the rate is too low", lambda output: output.late_pictures),
        ("skipped_seconds", "Air that was not sent because it was late", lambda output: output.skipped_ms / 1000),
        ("continuity_errors", "What the probe counted", lambda output: output.continuity_errors),
        ("pcr_interval_max_ms", "The longest between two PCRs in a second", lambda output: output.pcr_interval_max_ms),
    )
    for name, what, of in told:
        family = GaugeMetricFamily(f"songshan_output_{name}", what, labels=["channel"])
        for output in snapshot.outputs:
            value = of(output)
            if value is not None:
                family.add_metric([output.channel], value)
        yield family


def _of_sync(snapshot: Snapshot) -> Iterator[Metric]:
    sync = snapshot.sync
    yield _gauge("songshan_unsent_records", "Own records that the hub has not acknowledged", sync.unsent_records)
    yield _gauge("songshan_parked_records", "Records that could not be applied", sync.parked_records)
    yield _gauge("songshan_spool_waiting", "Commands that wait for the agent", sync.spool_waiting)
    assets = GaugeMetricFamily("songshan_transfers", "Assets that travel", labels=["direction", "state"])
    left = GaugeMetricFamily("songshan_transfer_left_bytes", "What of them is still to go", labels=["direction"])
    queues: tuple[tuple[str, Queue], ...] = (("down", sync.down), ("up", sync.up))
    for direction, queue in queues:
        for state in ("waiting", "running", "failed"):
            assets.add_metric([direction, state], getattr(queue, state))
        left.add_metric([direction], queue.left_bytes)
    yield assets
    yield left


def _of_storage(snapshot: Snapshot) -> Iterator[Metric]:
    if snapshot.storage is not None:
        yield _gauge("songshan_media_free_bytes", "Free on the disk of the media", snapshot.storage.free_bytes)
        yield _gauge("songshan_media_bytes", "Taken by media", snapshot.storage.media_bytes)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))


def _snapshot(config: Config, reading: Reading, now_us: int) -> Snapshot:
    with reading.look() as db:
        return facts.snapshot(db, config, now_us)


def _answer(body: bytes, media_type: str, status: int = 200) -> Response:
    response = Response(body, status, content_type=media_type)
    response.headers["Cache-Control"] = "no-store"
    return response
