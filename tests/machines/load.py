"""A newsroom at work while the power goes: what is published, submitted, written in; what of it was acknowledged.

Acknowledged is what somebody was told is safe: a command that ended with status 0, a tip that the web server took with
202. All of that has to be where it belongs in the end, whatever was cut off meanwhile (`Load.missing`). What broke off
without an answer may be there or not.
"""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from tests.machines.pair import CHANNEL, SITE, Pair
from tests.machines.places import PATIENCE
from tests.machines.shell import CommandFailed

REST_S: Final = 0.5
_ANSWER_S: Final = 20 * PATIENCE
_ACT_S_MAX: Final = 90 * PATIENCE
_END_S_MAX: Final = 120 * PATIENCE
_STATION: Final = "/srv/songshan-hub/sites/" + SITE


@dataclass
class Acknowledged:
    """By kind: marks or ids that somebody was told are safe, with the round in which it was said."""

    published: dict[str, int] = field(default_factory=dict)
    submitted: dict[str, int] = field(default_factory=dict)
    tips: dict[str, int] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    schedule_version: int = 1

    def counts(self) -> dict[str, int]:
        """How much of each."""
        return {
            "published": len(self.published),
            "submitted": len(self.submitted),
            "tips": len(self.tips),
            "orders": len(self.orders),
            "schedules": self.schedule_version - 1,
        }


class Load:
    """Works on both machines between `start` and `stop`; each worker goes on with its next act when one broke off."""

    def __init__(self, pair: Pair, mark: str, schedule: Callable[[int], str]) -> None:
        self._pair = pair
        self._mark = mark
        self._schedule = schedule
        """The schedule file of a version."""
        self.acknowledged = Acknowledged()
        self._number = 0
        self._round = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._workers: list[threading.Thread] = []

    def start(self, round_: int) -> None:
        self._round = round_
        self._ended.clear()
        acts = ((self._publish, self._reschedule, self._order), (self._submit,), (self._tip,))
        self._workers = [threading.Thread(target=self._work, args=(each,), daemon=True) for each in acts]
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """After a cut: what hangs on a machine that is gone ends by its own bounds."""
        self._ended.set()
        for worker in self._workers:
            worker.join(_END_S_MAX)
            assert not worker.is_alive(), "a worker of the load does not end"

    def _work(self, acts: tuple[Callable[[str], None], ...]) -> None:
        while not self._ended.is_set():
            for act in acts:
                # What is cut off was not acknowledged.
                with suppress(CommandFailed, OSError, AssertionError):
                    act(self._next())
                if self._ended.wait(REST_S):
                    return

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
        version = self.acknowledged.schedule_version + 1
        path = f"/var/tmp/clips/{mark}.json"
        self._pair.hub.shell.write(path, self._schedule(version))
        self._pair.hub_command("schedule", SITE, CHANNEL, path, timeout_s=_ACT_S_MAX)
        self.acknowledged.schedule_version = version

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
        return lost

    def _is_served(self, item: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self._pair.box.http}/api/v1/items/{item}", timeout=_ANSWER_S) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
