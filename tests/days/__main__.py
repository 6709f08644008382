"""`make air-sim`: one history whole, or many on all cores. Exit status 1 where one of them breaks a rule."""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.days.history import Plan, Seen, play


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.days", description="days of a channel, every second polled")
    parser.add_argument("--seed", type=int, help="play one history")
    parser.add_argument("--seeds", type=int, default=1, help="how many, on all cores")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--hours", type=float, default=48)
    asked = parser.parse_args()
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    with ProcessPoolExecutor(min(len(seeds), os.cpu_count() or 1)) as pool:
        results = list(pool.map(_play, seeds, [asked.hours] * len(seeds)))
    return 0 if all(results) else 1


def scaled(hours: float) -> Plan:
    """As much as happens in 48 hours, for its share of them."""
    return Plan(hours, *(max(1, round(count * hours / 48)) for count in (500, 50, 10)))


def _play(seed: int, hours: float) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="songshan-days-") as folder:
        try:
            seen = play(seed, scaled(hours), Path(folder))
        except AssertionError as error:
            told = "; ".join([str(error), *getattr(error, "__notes__", ())])
            print(f"seed {seed}: {told}\n  make air-sim SEED={seed} HOURS={hours:g}", flush=True)
            return False
    print(f"seed {seed}: {told_of(seen)}; {time.monotonic() - began:.0f} s", flush=True)
    return True


def told_of(seen: Seen) -> str:
    """One line."""
    events = ", ".join(f"{name} {count}" for name, count in sorted(seen.events.items()))
    return (
        f"no violation in {seen.polls} polls, {seen.segments} segments fetched, {seen.midnights} midnights,"
        f" {seen.wraps} turns of the clock; each list as the twin's; {events}"
    )


if __name__ == "__main__":
    sys.exit(main())
