"""The technician's screens through a real pseudo-terminal: how soon they come and answer, what they cost."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from appliance.config import ChannelConfig, Config, config_path, load, render
from appliance.core.asset import Asset
from appliance.store import assets
from appliance.store.database import transaction, writing
from tests.bench.readying import CHANNELS, ZONE, made
from tests.bench.row import Row
from tests.tui.boxes import run_agent_once
from tests.tui.seat import Seat, seat
from tui.pages import PAGES

ASSETS = 100_000
ENTRIES_PER_DAY = 2500
"""Of each of two channels on each of two days."""
STARTS = 5
ANSWERS = 40
FIRST_PAINT_S_MAX = 1.0
ANSWER_S_MAX = 0.040
"""One frame of the television that it watches over."""
STEADY_BYTES_PER_S_MAX = 300
CHANGE_BYTES_MAX = 4096
MEMORY_BYTES_MAX = 80_000_000
GROWTH_BYTES_MAX = 2_000_000
QUIET_S = 0.25
SSH = "192.0.2.1 50000 192.0.2.2 22"


def rows(folder: Path, *, quick: bool, minutes: float) -> Iterator[Row]:
    """First a box as large as it gets; then the same program left alone."""
    box = _box(folder, 1000 if quick else ASSETS, 100 if quick else ENTRIES_PER_DAY)
    size = f"{1000 if quick else ASSETS:,} assets, {4 * (100 if quick else ENTRIES_PER_DAY):,} entries"
    firsts = [_first_paint_s(box) for _ in range(2 if quick else STARTS)]
    yield Row(
        f"screens: from the command to the first picture, {size}",
        f"{statistics.median(firsts):.2f} s (max {max(firsts):.2f})",
        "-",
        f"<= {FIRST_PAINT_S_MAX:.0f} s",
        quick or statistics.median(firsts) <= FIRST_PAINT_S_MAX,
        {"first_paint_s": firsts},
    )
    with seat(box, SSH_CONNECTION=SSH) as taken:
        taken.wait_for("登封")
        taken.read_for(3.0)
        yield from _answers(taken, size)
        yield from _changes(taken)
        taken.press(b"1", 2.0)
        yield from _left_alone(taken, 0.5 if quick else minutes)


def _box(folder: Path, count: int, entries: int) -> Path:
    home = folder / "box"
    home.mkdir()
    channels = tuple(ChannelConfig(each, each) for each in CHANNELS)
    text = render(Config(home=home, run=home / "run", site="dengfeng", name="登封", zone=ZONE, channels=channels))
    config_path(home).write_text(text)
    config = load(home, {})
    run_agent_once(config)
    with writing(config.database) as db:
        now_us = made(db, config, entries)
        many = [
            Asset(digest=f"sha256:{number:064x}", size_bytes=10**6, media_type="video/mp4", name=f"素材{number}.mp4")
            for number in range(1_000_000, 1_000_000 + count)
        ]
        with transaction(db):
            assets.want_all(db, many, "item", now_us)
            assets.all_arrived(db, [(each.digest, each.size_bytes) for each in many], now_us)
    return home


def _first_paint_s(box: Path) -> float:
    began = time.monotonic()
    with seat(box) as taken:
        while "播出" not in taken.shown:
            taken.read_for(0.01)
        return time.monotonic() - began


def _answers(taken: Seat, size: str) -> Iterator[Row]:
    """From a key to the last byte that it changes, where it only moves; on the page of the cache, full of rows."""
    taken.press(b":media cache\r", 4.0)
    spent = []
    for number in range(ANSWERS):
        spent.append(_answer_s(taken, b"j" if number < ANSWERS // 2 else b"k"))
        # Some keys fall into a look at the box, as they do in life.
        taken.read_for(0.05 * (number % 7))
    median, worst = statistics.median(spent), max(spent)
    yield Row(
        f"screens: from a key to its answer, {ANSWERS} keys, {size}",
        f"{median * 1000:.0f} ms (max {worst * 1000:.0f})",
        "-",
        f"<= {ANSWER_S_MAX * 1000:.0f} ms",
        median <= ANSWER_S_MAX,
        {"answer_s": spent},
    )


def _answer_s(taken: Seat, key: bytes) -> float:
    """Until the first byte comes; what is painted then is one write."""
    taken.press(b"", 0.05)
    began = time.monotonic()
    before = len(taken.written)
    taken.press(key, 0.0)
    while len(taken.written) == before and time.monotonic() - began < 2:
        taken.read_for(0.001)
    return time.monotonic() - began


def _changes(taken: Seat) -> Iterator[Row]:
    """Each page from the one before, first without and then with what it reads."""
    sizes: dict[str, int] = {}
    for page in PAGES:
        taken.press(b"\x1b", 0.3)
        taken.press(b":" + page.title.encode(), 0.5)
        got, quiet_since = len(taken.press(b"\r", 0.1)), time.monotonic()
        while time.monotonic() - quiet_since < 1.0:
            more = len(taken.read_for(QUIET_S))
            got, quiet_since = got + more, time.monotonic() if more else quiet_since
        sizes[page.name] = got
    largest = max(sizes, key=lambda name: sizes[name])
    yield Row(
        f"screens over SSH: bytes for a change of page, {len(PAGES)} pages",
        f"{statistics.median(sizes.values()):.0f} (max {sizes[largest]}, {largest})",
        "-",
        f"<= {CHANGE_BYTES_MAX}",
        sizes[largest] <= CHANGE_BYTES_MAX,
        {"change_bytes": sizes},
    )


def _left_alone(taken: Seat, minutes: float) -> Iterator[Row]:
    program = psutil.Process(taken.process.pid)
    taken.read_for(5.0)
    before, began_cpu_s = program.memory_info().rss, sum(program.cpu_times()[:2])
    sent = len(taken.read_for(minutes * 60))
    after, cpu_s = program.memory_info().rss, sum(program.cpu_times()[:2]) - began_cpu_s
    steady = sent / (minutes * 60)
    yield Row(
        f"screens over SSH, left alone for {minutes:g} min: bytes a second",
        f"{steady:.0f}",
        "-",
        f"<= {STEADY_BYTES_PER_S_MAX}",
        steady <= STEADY_BYTES_PER_S_MAX,
        {"steady_bytes_per_s": steady},
    )
    yield Row(
        "screens: memory, after all pages",
        f"{after / 1e6:.0f} MB",
        "-",
        f"<= {MEMORY_BYTES_MAX / 1e6:.0f} MB",
        after <= MEMORY_BYTES_MAX,
        {"rss_bytes": after, "cpu_share": cpu_s / (minutes * 60)},
    )
    yield Row(
        f"screens: growth in {minutes:g} min, and processor meanwhile",
        f"{(after - before) / 1e6:+.1f} MB, {cpu_s / (minutes * 60):.1%}",
        "-",
        f"<= {GROWTH_BYTES_MAX / 1e6:.0f} MB",
        after - before <= GROWTH_BYTES_MAX,
        {"growth_bytes": after - before},
    )
