"""A live source for some minutes: how far the air is behind it, what it costs, how soon a loss and a return are seen.

A box alone and its own programs, a source of two-second segments that tells its time. By the ledger: that is what every
reader shows, the sender at once, players some segments later.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from appliance.config import Config
from appliance.core.ledger import Stretch
from appliance.core.live import LOST
from appliance.core.rundown import tick_of, us_of
from appliance.core.ts import TARGET_DURATION_S
from appliance.store import database
from provisioning.demo.stage import until
from tests.bench.row import Row
from tests.edge_agent.relays import CHANNEL, agent_of, begins_in, relay, rows_of, shows, standing_alone
from tests.simulators.source import segments, source

BEFORE_S = 40
WELL_S = 120
SILENT_S = 20
SETTLED_S = 12
LASTS_S = 260
DELAY_S_MAX = 12
US = 1_000_000


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Well for a while, silent, well again."""
    config = standing_alone(folder / "box")
    well_s = 20 if quick else WELL_S
    segments()
    with source() as made:
        stop = threading.Event()
        threading.Thread(target=shows, args=(made, stop), daemon=True).start()
        start = begins_in(config, BEFORE_S, LASTS_S)
        assert start is not None, "not over midnight"
        start_us = relay(config, made.url, start, LASTS_S)
        end_us = start_us + LASTS_S * US
        with agent_of(config, folder / "agent.log") as agent:
            until("the source is on the air", lambda: _chunks(config, start_us, end_us), BEFORE_S + 60)
            began_us = time.time_ns() // 1000
            cpu = _cpu_s(agent.pid)
            time.sleep(max(0.0, (start_us - began_us) / US) + well_s)
            used = (_cpu_s(agent.pid) - cpu) / max(1e-9, time.time() - began_us / US)
            stop.set()
            stopped_us = time.time_ns() // 1000
            time.sleep(SILENT_S)
            gone = _chunks(config, start_us, end_us)
            stop.clear()
            threading.Thread(target=shows, args=(made, stop), daemon=True).start()
            back_us = time.time_ns() // 1000
            until("it is back", lambda: len(_chunks(config, start_us, end_us)) > len(gone) + 2, 120)
            found = rows_of(config, start_us, end_us)
            time.sleep(SETTLED_S)
            delays = _delays(config)
            stop.set()
    first = found[0]
    # The first chunks of a run hold the last pictures from before the silence, which were shown that long ago.
    settled = [run[-1] for run in delays]
    yield Row(
        "live source of 2 s segments: the air behind it, before and after a loss",
        ", ".join(f"{each:.1f} s" for each in settled),
        f"{len(delays)} runs of {', '.join(str(len(run)) for run in delays)} chunks",
        f"<= {DELAY_S_MAX} s",
        len(delays) == 2 and max(settled) <= DELAY_S_MAX,
        figures={"delay_s": delays},
    )
    yield Row(
        "from the first frame of its time on the air",
        "live" if first.kind == "live" else "filler",
        f"{us_of(first.start_tick) / US - start_us / US:+.2f} s",
        "live at +0.00 s",
        first.kind == "live" and first.start_tick == tick_of(start_us),
    )
    lost_us = us_of(gone[-1].end_tick)
    hole = next(row for row in found if row.start_tick == gone[-1].end_tick)
    yield Row(
        "the source stops: filler on the air after its last picture there",
        f"{(hole.start_tick - gone[-1].end_tick) / 90_000:.1f} s",
        f"{(lost_us - stopped_us) / US:.1f} s after the source fell silent",
        f"<= {1.5 * TARGET_DURATION_S} s",
        hole.kind in ("filler", "slate") and hole.reason == LOST,
    )
    again = [row for row in found if row.kind == "live" and row.start_tick > gone[-1].end_tick]
    yield Row(
        "it comes back: on the air again",
        f"{(us_of(again[0].start_tick) - back_us) / US:.1f} s",
        "2 new chunks and more, 30 s between two runs",
    )
    yield Row(
        "agent, import and encoder together",
        f"{100 * used:.0f} % of a core",
        "320x180 in, 1280x720 out",
    )
    yield Row(
        "its end",
        f"{(found[-1].end_tick - tick_of(end_us)) // 3600:+d} frames",
        "",
        "+0 frames",
        found[-1].end_tick == tick_of(end_us),
    )


def _chunks(config: Config, from_us: int, to_us: int) -> list[Stretch]:
    return [row for row in rows_of(config, from_us, to_us) if row.kind == "live"]


def _delays(config: Config) -> list[list[float]]:
    """Of each run, chunk by chunk."""
    runs: list[list[float]] = []
    with database.reading(config.database) as db:
        for row in database.rows(
            db,
            "SELECT start_tick, source_us, begins FROM live_chunks WHERE channel = ? AND start_tick IS NOT NULL"
            " AND source_us IS NOT NULL ORDER BY start_tick",
            (CHANNEL,),
        ):
            runs += [[]] if row["begins"] or not runs else []
            runs[-1].append(round((us_of(row["start_tick"]) - row["source_us"]) / US, 2))
    return runs


def _cpu_s(pid: int) -> float:
    """Of a process and all that it started and that still runs."""
    parts = [psutil.Process(pid)]
    parts += parts[0].children(recursive=True)
    return sum(sum(part.cpu_times()[:2]) for part in parts if part.is_running())
