"""`make appliance-test`: hub and box as real machines, from bare to on the air and through what a county lives through.

    python -m tests.machines.trial                    every scenario but the one of a stick
    python -m tests.machines.trial --only stick       that one, which makes another box from bare
    python -m tests.machines.trial --only cuts --cuts 3
    python -m tests.machines.trial --seed 7           other cuts

Each scenario has a bound in time, and says how far it is and by when it ends. What failed does not keep the next ones
from being played, where there is a box to play them with. The disks of hub and box are kept once they are on the air
(`kept-made`), and each scenario that needs them as they were begins from there; `--keep` begins from those of an
earlier run.
"""

import argparse
import importlib.util
import json
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType
from typing import Any, Final

from tests.machines.debian import image
from tests.machines.machine import ACCEL, NotInTime, wires
from tests.machines.modulator import Modulator
from tests.machines.monitor import MonitorError
from tests.machines.pair import Pair
from tests.machines.places import PATIENCE, TABLE, must_be_root
from tests.machines.table import Row, document, exit_status, table
from tests.machines.witness import Witness

AIR_S_MAX: Final = 300 * PATIENCE
MADE: Final = "made"


class TimeUp(Exception):
    """A scenario's bound is over."""


@dataclass
class Trial:
    """What a scenario works with. What it measures goes into `figures`, under names with their unit."""

    pair: Pair
    modulator: Modulator
    witness: Witness
    seed: str
    cuts: int
    figures: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """How far it is."""
        print(f"{datetime.now().astimezone():%H:%M:%S}   {text}", flush=True)

    def switch_on(self) -> None:
        """Both machines are on and let their operator in."""
        for machine in self.pair.machines:
            if machine.running() is None:
                if machine is self.pair.box:
                    self.modulator.reset()
                machine.power_on(seed=self.seed)
        for machine in self.pair.machines:
            machine.wait_for_ssh()

    def as_made(self) -> None:
        """Both machines are off, with the disks that they had when they were first on the air."""
        self.pair.power_off()
        for machine in self.pair.machines:
            machine.load(MADE)

    def on_air(self, since: float, within_s: float = AIR_S_MAX) -> float:
        """Waits for pictures that began after `since`, and last. Returns how many seconds after. Raises NotInTime."""
        deadline = time.monotonic() + within_s
        while (began := self.modulator.on_air_since(since)) is None:
            if time.monotonic() > deadline:
                console = self.pair.box.console()[-2000:]
                raise NotInTime(
                    f"no pictures at the modulator within {within_s:.0f} s; {self.modulator.heard()}\n{console}"
                )
            time.sleep(0.1)
        return began - since

    def until(self, what: str, holds: Callable[[], object], within_s: float, every_s: float = 2.0) -> float:
        """Waits for something to hold. Returns how many seconds it took. Raises NotInTime."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > within_s * PATIENCE:
                raise NotInTime(f"not within {within_s:.0f} s: {what}")
            time.sleep(every_s)
        return time.monotonic() - began


@dataclass(frozen=True)
class Scenario:
    """Played by `play` of the module `tests.machines.scenarios.NAME`, or of tests.machines.NAME."""

    name: str
    title: str
    bound_s: int
    module: str
    needs_made: bool = True
    by_itself: bool = False
    """Played only where it is named: `make stick-test`."""

    def play(self) -> Callable[[Trial], None] | None:
        """None where nobody has written it."""
        found = importlib.util.find_spec(self.module)
        return importlib.import_module(self.module).play if found is not None else None


_HERE: Final = "tests.machines.scenarios."
SCENARIOS: Final = (
    Scenario("make", "裸机到播出 / from bare to on the air, by hub.yml and box.yml", 3600, _HERE + "make", False),
    Scenario("cold", "断网冷启动 / a cold boot without a network goes on the air", 600, _HERE + "cold"),
    Scenario("units", "运行中的单元 / properties of the running units", 1200, _HERE + "units"),
    Scenario("sandboxes", "沙箱里的程序 / what runs inside the sandboxes", 1800, "tests.machines.sandboxes"),
    Scenario("clock", "1970 年的时钟 / a clock of 1970", 600, _HERE + "clock"),
    Scenario("full", "磁盘满 / the disk is full", 900, _HERE + "full"),
    Scenario("upgrades", "升级、坏版本与回退 / upgrade, broken upgrade, rollback", 3600, "tests.machines.upgrades"),
    Scenario("revoked", "吊销 / a revoked key", 900, _HERE + "revoked"),
    Scenario(
        "stick", "一个移动盘装出一台 / a box from a stick alone, the hub away", 5400, _HERE + "stick", by_itself=True
    ),
    Scenario("cuts", "三十次断电 / thirty power cuts under load", 5400, _HERE + "cuts"),
    Scenario("again", "再跑一遍不改任何东西 / a second run changes nothing", 2400, _HERE + "again"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.machines.trial", description=__doc__.splitlines()[0])
    names = [each.name for each in SCENARIOS]
    whole = [each.name for each in SCENARIOS if not each.by_itself]
    parser.add_argument("--only", nargs="*", choices=names, default=whole, help="some of the scenarios")
    parser.add_argument("--cuts", type=int, default=30, help="how often the power goes")
    parser.add_argument("--seed", default="1", help="of the moments at which it goes, and of what is lost by it")
    parser.add_argument("--keep", action="store_true", help="begin from the machines that an earlier run has made")
    given = parser.parse_args()
    must_be_root()
    chosen = _with_what_they_need([each for each in SCENARIOS if each.name in given.only], given.keep)
    began = time.monotonic()
    rows = play(chosen, given.seed, given.cuts)
    print(table(rows))
    about = {
        "accel": ACCEL,
        "seed": given.seed,
        "seconds": round(time.monotonic() - began),
        "python": platform.python_version(),
    }
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps(document(rows, about), ensure_ascii=False, indent=2) + "\n")
    sys.exit(exit_status(rows))


def play(chosen: list[Scenario], seed: str, cuts: int) -> list[Row]:
    """Plays them in their order on a pair of machines that are off in the end, whatever happens."""
    pair = Pair(image())
    pair.power_off()
    rows: list[Row] = []
    with Modulator(wires().modulator) as modulator, Witness() as witness, _ended_by_a_signal():
        trial = Trial(pair, modulator, witness, seed, cuts)
        try:
            for number, scenario in enumerate(chosen, start=1):
                ends = datetime.now().astimezone() + timedelta(seconds=scenario.bound_s * PATIENCE)
                trial.say(f"{number}/{len(chosen)} {scenario.name}: {scenario.title}; 最迟 / by {ends:%H:%M:%S}")
                rows.append(_row(scenario, trial))
                trial.say(f"{number}/{len(chosen)} {scenario.name}: {rows[-1].outcome}, {rows[-1].seconds:.0f} s")
                trial.say(f"{rows[-1].figures}")
        finally:
            pair.power_off()
    return rows


def _row(scenario: Scenario, trial: Trial) -> Row:
    trial.figures = {}
    play_it = scenario.play()
    if play_it is None:
        return Row(scenario.name, scenario.title, "not there", why=f"there is no {scenario.module}")
    if scenario.needs_made and not trial.pair.box.kept(MADE).exists():
        return Row(scenario.name, scenario.title, "not played", why="no box was made to play it with")
    began = time.monotonic()
    outcome, why = "passed", ""
    try:
        with _within(scenario.bound_s * PATIENCE):
            play_it(trial)
    except (Exception, TimeUp) as failed:
        outcome, why = "failed", f"{type(failed).__name__}: {failed}"
        traceback.print_exc()
    trial.figures |= _translated_anew(trial.pair)
    return Row(scenario.name, scenario.title, outcome, time.monotonic() - began, trial.figures, why)  # type: ignore[arg-type]


def _translated_anew(pair: Pair) -> dict[str, int]:
    """Of the machines that are on, where there was no room for what they translate."""
    found = {}
    for machine in pair.machines:
        with suppress(OSError, MonitorError):
            if machine.running() is not None and (count := machine.thrown_away()):
                found[f"{machine.name}_translated_anew"] = count
    return found


def _with_what_they_need(chosen: list[Scenario], keep: bool) -> list[Scenario]:
    first = SCENARIOS[0]
    if first in chosen or (keep and Pair(image()).box.kept(MADE).exists()):
        return chosen
    return [first, *chosen]


@contextmanager
def _within(bound_s: float) -> Iterator[None]:
    """Raises TimeUp wherever the main thread is when the time is over."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeUp(f"not done within {bound_s:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, bound_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """A trial that is told to end leaves no machine running."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    main()
