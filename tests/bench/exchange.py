"""One question and its answer on an open control session: what it takes a box to know that nothing is new.

The agent asks it every ten seconds, and the hub pushes what is new without being asked. Here the same state machine
speaks with the same gate over the ssh program, so that one exchange can be measured by itself.
"""

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from appliance import config
from appliance.core import wire
from appliance.core.events import Event, Greeted, Pong
from appliance.core.session import Session
from appliance.store import journals
from appliance.store.database import reading
from edge_agent import transfer
from tests.bench.ours import SITE, Ours

LIMIT_S = 60
QUIET_S = 0.5


@dataclass
class Exchange:
    """An open session on which all has been said."""

    session: Session
    process: subprocess.Popen[bytes]
    asked: int = 0

    def ask(self) -> None:
        """Ask, and wait for the answer: by then everything that the hub had before it has come."""
        self.asked += 1
        self.session.ping(self.asked)
        self._until(Pong)

    def settle(self) -> None:
        """Read what the hub says by itself after the greeting."""
        self._until(Greeted)
        deadline = time.monotonic() + QUIET_S
        while time.monotonic() < deadline:
            self._pump(0.05)

    def _until(self, kind: type[Event]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not any(isinstance(event, kind) for event in self._pump(LIMIT_S)):
            assert time.monotonic() < deadline, "the hub does not answer"

    def _pump(self, wait_s: float) -> list[Event]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(self.session.data_to_send())
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], wait_s)[0]:
            return []
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        assert data, "the session ended"
        return self.session.receive(data)


@contextmanager
def exchange(ours: Ours) -> Iterator[Exchange]:
    """A session of the box's with its own key, from where the box stands; its agent must not run."""
    box = config.load(ours.site.home, {})
    route = transfer.route_to(box)
    assert route is not None
    with reading(box.database) as db:
        have = {name: journals.cursor(db, name).position for name in wire.streams_of_hub(SITE)}
        own = journals.cursor(db, wire.stream_of_site(SITE)).position
    argv = [*transfer.ssh_argv(route), transfer.HOST, "session"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            session = Session.box(SITE, have, own, "bench", time.time_ns() // 1000)
            opened = Exchange(session, process)
            opened.settle()
            yield opened
        finally:
            process.kill()
