"""One small change at the hub, and how long until the box has it, where a session stands open; medians of some tries.

Counted from the moment at which the change is made: for ours, the record stands in the hub's journal. The programs that
keep no session are run at that moment; Syncthing, which does, is told at once to look, instead of waiting its second.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from tests.bench import ours, sync, syncthing
from tests.bench.corpus import Corpus, small
from tests.bench.oneshot import account
from tests.bench.program import CHANGED_BYTES, Arrived, Program, shown_s, wait
from tests.bench.row import Row
from tests.simulators.link import link

TRIES = 7
FILES = 1000
LIMIT_S = 30
POLL_S = 0.002
TRIPS_MAX = 1.5
BESIDES_S = 0.05
PAUSE_S = 1.0
"""Between two tries, and before the first, so that each meets two ends at rest."""


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Over the thin line: a story's text, which the record carries, and a small file, which has to be fetched."""
    corpus = small(folder / "corpus", FILES)
    tries = 2 if quick else TRIES
    found: dict[str, dict[str, float]] = {}
    with account(folder / "account") as ssh_account:
        for name in sync.chosen(quick=quick):
            try:
                with sync.own_folder(folder / name) as own, closing(sync.made(own, name, ssh_account)) as one:
                    found[name] = _medians(one, corpus, tries)
            except sync.PEER_FAILS as error:
                if name == "ours":
                    raise
                print(f"  {name} failed, no figures of it: {error}", flush=True)
    limit_s = TRIPS_MAX * sync.LINE.round_trip_s + BESIDES_S
    peers = "; ".join(f"{name} {shown_s(taken['file'])}" for name, taken in found.items() if name != "ours")
    for what, key in ((f"a story's text of {CHANGED_BYTES} B", "text"), (f"a file of {CHANGED_BYTES} B", "file")):
        taken_s = found["ours"][key]
        figures = {name: {"seconds": round(taken[key], 4)} for name, taken in found.items() if key in taken}
        title = f"{what} changed at the hub, connected, {sync.LINE.name} ({tries} tries, {FILES:,} files there)"
        shown = f"<= {TRIPS_MAX} trips + {BESIDES_S * 1000:.0f} ms"
        yield Row(title, f"{shown_s(taken_s)} median", peers or "-", shown, taken_s <= limit_s, figures)


def _medians(one: Program, corpus: Corpus, tries: int) -> dict[str, float]:
    one.connect(one.server_port)
    one.stock(corpus)
    one.seed(corpus)
    with link(one.server_port, sync.LINE.round_trip_s, sync.LINE.rate_bytes_per_s) as line:
        one.connect(line.port)
        if isinstance(one, ours.Ours):
            one.start()
            _median_s(one.change, _nothing, 1)
            changes: dict[str, Callable[[int], Arrived]] = {"text": one.change_text, "file": one.change}
            return {key: _median_s(change, _nothing, tries) for key, change in changes.items()}
        if isinstance(one, syncthing.Syncthing):
            one.start()
            _median_s(one.change, one.hub.scan, 1)
            return {"file": _median_s(one.change, one.hub.scan, tries)}
        return {"file": _median_s(one.change, lambda: one.sync(LIMIT_S), tries)}


def _median_s(change: Callable[[int], Arrived], carry: Callable[[], None], tries: int) -> float:
    taken = []
    for number in range(tries):
        arrived = change(number + 1)
        began = time.monotonic()
        carry()
        wait(arrived, LIMIT_S, POLL_S)
        taken.append(time.monotonic() - began)
        time.sleep(PAUSE_S)
    return statistics.median(taken)


def _nothing() -> None:
    """An agent that is connected is told by the hub."""
