"""A newsroom at work while the power goes: what is published, submitted, written in; what of it was acknowledged.

Acknowledged is what somebody was told is safe: a command that ended with status 0, a tip that the web server took with
202. All of that has to be where it belongs in the end, whatever was cut off meanwhile (`Load.missing`). What broke off
without an answer may be there or not; what was refused while nothing was cut is a fault (`Load.refused`).
"""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from tests.machines.pair import CHANNEL, SITE, Pair
from tests.machines.places import PATIENCE
from tests.machines.shell import CommandFailed

REST_S: Final = 0.5
_ANSWER_S: Final = 20 * PATIENCE
_ACT_S_MAX: Final = 90 * PATIENCE
_END_S_MAX: Final = 120 * PATIENCE
_SAID_NO: Final = (1, 2)
_WORDS_MAX: Final = 600
_STATION: Final = "/srv/songshan-hub/sites/" + SITE

T = TypeVar("T")
Act = Callable[[str], None]


@dataclass
class Acknowledged:
    """By kind: marks or ids that somebody was told are safe, with the round in which it was said."""

    published: dict[str, int] = field(default_factory=dict)
    submitted: dict[str, int] = field(default_factory=dict)
    tips: dict[str, int] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    schedules: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """The newest of these schedules by date."""

    def counts(self) -> dict[str, int]:
        """How much of each."""
        return {
            "published": len(self.published),
            "submitted": len(self.submitted),
            "tips": len(self.tips),
            "orders": len(self.orders),
            "schedules": len(self.schedules),
        }


class Load:
    """Works on both machines between `start` and `stop`; each worker goes on with its next act when one broke off."""

    def __init__(self, pair: Pair, mark: str, schedule: Callable[[int], str]) -> None:
        self._pair = pair
        self._mark = mark
        self._schedule = schedule
        """The schedule file of a version."""
        self.acknowledged = Acknowledged()
        self.refused: list[str] = []
        """What a machine that was on would not do, with its words."""
        self._number = 0
        self._version = 1
        self._round = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._workers: list[threading.Thread] = []

    def start(self, round_: int) -> None:
        self._round = round_
        self._ended.clear()
        # A command of the hub takes an emulated one as long as a round lasts, so each has its turn to be the first.
        hub = turned((self._publish, self._reschedule, self._order), round_)
        self._workers = [
            threading.Thread(target=self._work, args=(each,), daemon=True)
            for each in (hub, (self._submit,), (self._tip,))
        ]
        for worker in self._workers:
            worker.start()

    def ends(self) -> None:
        """Right before a cut: nothing new is begun, and what breaks off is no fault."""
        self._ended.set()

    def stop(self) -> None:
        """After a cut: what hangs on a machine that is gone ends by its own bounds."""
        for worker in self._workers:
            worker.join(_END_S_MAX)
            assert not worker.is_alive(), "a worker of the load does not end"

    def _work(self, acts: tuple[Act, ...]) -> None:
        while not self._ended.is_set():
            for act in acts:
                # What is cut off was not acknowledged.
                try:
                    act(self._next())
                except (CommandFailed, OSError, AssertionError) as failed:
                    self._refusal(failed)
                if self._ended.wait(REST_S):
                    return

    def _refusal(self, failed: Exception) -> None:
        """A command that ran to its end and said no, while both machines were on."""
        if not self._ended.is_set() and said_no(failed):
            self.refused.append(f"round {self._round}: {failed}"[:_WORDS_MAX])

    def _next(self) -> str:
        with self._lock:
            self._number += 1
            return f"{self._mark}-{self._number:05d}"

    # What people do

    def _publish(self, mark: str) -> None:
        path = f"/var/tmp/clips/{mark}.html"
        self._pair.hub.shell.write(path, f"<p>{mark}</p>")
        told = self._pair.hub_command("publish", "--to", SITE, "--title", mark, "--body", path, timeout_s=_ACT_S_MAX)
        self.acknowledged.published[told.out.split()[0]] = self._round

    def _reschedule(self, mark: str) -> None:
        # One that broke off may be there: its number is not given again.
        self._version += 1
        text = self._schedule(self._version)
        path = f"/var/tmp/clips/{mark}.json"
        self._pair.hub.shell.write(path, text)
        self._pair.hub_command("schedule", SITE, CHANNEL, path, timeout_s=_ACT_S_MAX)
        told = json.loads(text)
        self.acknowledged.schedules[mark] = self._round
        self.acknowledged.versions[told["date"]] = told["version"]

    def _order(self, mark: str) -> None:
        self._pair.hub_command("order", SITE, "--title", mark, timeout_s=_ACT_S_MAX)
        self.acknowledged.orders[mark] = self._round

    def _submit(self, mark: str) -> None:
        path = f"/var/tmp/{mark}.txt"
        self._pair.box.shell.write(path, f"{mark}\n")
        self._pair.box_command("submit", path, "--title", mark, timeout_s=_ACT_S_MAX)
        self.acknowledged.submitted[mark] = self._round

    def _tip(self, mark: str) -> None:
        request = urllib.request.Request(
            f"{self._pair.box.http}/api/v1/tips",
            data=json.dumps({"text": mark}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
                if answer.status == 202:
                    self.acknowledged.tips[mark] = self._round
        except urllib.error.HTTPError as refused:
            # Five at once, then one in half a minute: the door is a narrow one.
            time.sleep(REST_S if refused.code == 429 else 0)
            raise

    # What came of it

    def missing(self) -> dict[str, int]:
        """What was acknowledged and is not where it belongs now, with the round in which it was said."""
        given = self.acknowledged
        found = self._pair.hub.shell.run(f"grep -rhoaE '{self._mark}-[0-9]{{5}}' {_STATION} | sort -u").out.split()
        lost = {mark: at for mark, at in {**given.submitted, **given.tips}.items() if mark not in found}
        lost |= {item: at for item, at in given.published.items() if not self._is_served(item)}
        there = self._pair.box_command("orders", "--json").out
        lost |= {mark: at for mark, at in given.orders.items() if mark not in there}
        newest = max(given.schedules.values(), default=0)
        lost |= {date: newest for date, version in given.versions.items() if self._plays(date) < version}
        return lost

    def _plays(self, date: str) -> int:
        """The version of a day's schedule by which the channel is committed to play its last minutes; 0: by none."""
        last = ("--from", f"{date}T23:50", "--to", f"{date}T23:59:59")
        rows = json.loads(self._pair.box_command("ledger", CHANNEL, *last, "--json").out)["rows"]
        return max((row["version"] or 0 for row in rows if row["date"] == date), default=0)

    def _is_served(self, item: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self._pair.box.http}/api/v1/items/{item}", timeout=_ANSWER_S) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def turned(acts: tuple[T, ...], round_: int) -> tuple[T, ...]:
    """The same in the same order, beginning with another one each round."""
    first = round_ % len(acts)
    return acts[first:] + acts[:first]


def said_no(failed: Exception) -> bool:
    """Whether a command came to its end with an answer: not where nobody was reached, or it was not done in time."""
    return isinstance(failed, CommandFailed) and failed.status in _SAID_NO
