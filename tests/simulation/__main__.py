"""`make sim SEEDS=N [FROM=K]` plays N seeds on all cores; `make sim SEED=K` plays one and shows what happens."""

import argparse
import multiprocessing.util
import os
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.run import run
from tests.simulation.sides import template

SEEDS_PER_TASK = 50
FAILURES_SHOWN = 20
LOOK_EVERY_S = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one, and show each action")
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="play so many")
    parser.add_argument("--first", type=int, default=1, metavar="K", help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes; else all cores")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _play_one(asked.seed)
    return _play_many(asked.first, asked.seeds, asked.jobs)


@dataclass(frozen=True)
class Failure:
    """A seed that broke something."""

    seed: int
    what: str


def _play_one(seed: int) -> int:
    with template() as root:
        try:
            run(root, seed, is_traced=True)
        except Exception:
            traceback.print_exc()
            return 1
    print(f"seed {seed}: everything held")
    return 0


def _play_many(first: int, seeds: int, jobs: int) -> int:
    began_s = told_s = time.monotonic()
    failures: list[Failure] = []
    done = 0
    with ProcessPoolExecutor(jobs, initializer=_begin) as pool:
        tasks = [pool.submit(_play, *task) for task in _tasks(first, seeds)]
        for task in as_completed(tasks):
            count, found = task.result()
            done += count
            for failure in found[: max(0, FAILURES_SHOWN - len(failures))]:
                print(f"seed {failure.seed}: {failure.what}\n  make sim SEED={failure.seed}", flush=True)
            failures += found
            now_s = time.monotonic()
            if now_s - told_s >= LOOK_EVERY_S:
                told_s = now_s
                left_s = (now_s - began_s) / done * (seeds - done)
                end = time.strftime("%H:%M:%S", time.localtime(time.time() + left_s))
                print(f"{done} of {seeds} seeds, {len(failures)} failed, done at {end}", flush=True)
    passed_s = time.monotonic() - began_s
    print(
        f"{seeds} seeds from {first}: {len(failures)} failed; {passed_s:.0f} s, {seeds / passed_s:.1f} seeds a second"
    )
    return 1 if failures else 0


def _tasks(first: int, seeds: int) -> Iterator[tuple[int, int]]:
    for begin in range(first, first + seeds, SEEDS_PER_TASK):
        yield begin, min(begin + SEEDS_PER_TASK, first + seeds)


_kept = ExitStack()
_roots: list[Path] = []


def _begin() -> None:
    """Each process makes its own template, once."""
    _roots.append(_kept.enter_context(template()))
    multiprocessing.util.Finalize(None, _kept.close, exitpriority=10)


def _play(begin: int, end: int) -> tuple[int, list[Failure]]:
    failures = []
    for seed in range(begin, end):
        try:
            run(_roots[0], seed)
        except Exception as error:
            failures.append(Failure(seed, f"{type(error).__name__}: {error}"[:300]))
    return end - begin, failures


if __name__ == "__main__":
    sys.exit(main())
