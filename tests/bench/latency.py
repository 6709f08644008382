"""How long a record takes from the hub's journal to the box, and a recall to a 404, on an open session."""

import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator

from provisioning.demo.stage import Stage, fetch, until
from tests.bench.row import Row
from tests.simulators.link import link

TRIES = 15
LIMIT_S = 1.0
ROUND_TRIP_S = 0.4
WAIT_S = 10.0
POLL_S = 0.001


def rows(stage: Stage) -> Iterator[Row]:
    """Medians, counted from the moment the hub's command had returned or the record stood in the journal."""
    records = [_order_arrives_s(stage, number) for number in range(TRIES)]
    yield _round_trips(stage, statistics.median(records))
    recalls = [_recall_bites_s(stage, number) for number in range(TRIES)]
    for what, taken in (("a record, hub journal to box.db", records), ("a recall, hub journal to 404", recalls)):
        median = statistics.median(taken)
        yield Row(
            f"{what}, connected, loopback ({TRIES} tries)",
            f"{median * 1000:.0f} ms median, {max(taken) * 1000:.0f} max",
            "-",
            f"<= {LIMIT_S:.0f} s",
            median <= LIMIT_S,
        )


def _round_trips(stage: Stage, loopback_s: float) -> Row:
    """The same over a line with a long round trip: what it takes longer than on loopback, in round trips."""
    site = stage.sites[0]
    configured = site.home / "appliance.toml"
    before = configured.read_text()
    with link(stage.hub_port, ROUND_TRIP_S) as line:
        stage.kill(f"{site.id}-agent")
        configured.write_text(before.replace(f"port = {stage.hub_port}", f"port = {line.port}"))
        stage.start_agent(site)
        until("a session over the line", lambda: stage.box_facts(site, "status")["link"]["state"] == "connected")
        taken = [_order_arrives_s(stage, number) for number in range(TRIES)]
        stage.kill(f"{site.id}-agent")
    configured.write_text(before)
    stage.start_agent(site)
    trips = (statistics.median(taken) - loopback_s) / ROUND_TRIP_S
    return Row(f"a record over a round trip of {ROUND_TRIP_S * 1000:.0f} ms", f"{trips:.2f} round trips", "-")


def _order_arrives_s(stage: Stage, number: int) -> float:
    """From the fsynced journal line (its file's mtime) to the committed row (seen by a reader of the database)."""
    title = f"bench {number} {time.monotonic_ns()}"
    with sqlite3.connect(f"file:{stage.sites[0].home / 'state' / 'box.db'}?mode=ro", uri=True) as box:
        stage.hub_command("order", stage.sites[0].id, "--title", title)
        _await(lambda: box.execute("SELECT 1 FROM orders WHERE title = ?", (title,)).fetchone() is not None)
        received_us = box.execute("SELECT received_at_us FROM orders WHERE title = ?", (title,)).fetchone()[0]
    journals = (stage.hub / "journals").rglob("*.records")
    written_ns = max(path.stat().st_mtime_ns for path in journals)
    return float(received_us) / 1e6 - written_ns / 1e9


def _recall_bites_s(stage: Stage, number: int) -> float:
    """From the recall's line in the journal to the first 404 of its media."""
    site = stage.sites[0]
    picture = stage.folder / f"bench-{number}.bin"
    picture.write_bytes(str(time.monotonic_ns()).encode() * 100)
    item = stage.hub_command(
        "publish", "--to", "all", "--section", "news", "--title", f"bench {number}", str(picture)
    ).split()[0]
    address = f"{site.address}/api/v1/items/{item}"
    _await(lambda: fetch(address).status == 200)
    started_ns = max(path.stat().st_mtime_ns for path in (stage.hub / "journals").rglob("*.records"))
    gone = _first_gone(stage, item, address)
    written_ns = max(path.stat().st_mtime_ns for path in (stage.hub / "journals").rglob("*.records"))
    assert written_ns > started_ns, "the recall stands in the journal"
    return gone - written_ns / 1e9


def _first_gone(stage: Stage, item: str, address: str) -> float:
    """The wall clock at the first answer that is not the item; asked while the recall command is still ending."""
    moments: list[float] = []

    def ask() -> None:
        _await(lambda: fetch(address).status in (404, 410))
        moments.append(time.time())

    asking = threading.Thread(target=ask)
    asking.start()
    stage.hub_command("recall", item, "--reason", "bench")
    asking.join(WAIT_S * 2)
    return moments[0]


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "not seen in time"
        time.sleep(POLL_S)
