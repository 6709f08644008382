"""The line to the hub over one run of the agent: away, being dialled, open; and when to try again.

Being offline is a state like any other. Reaching the hub can take as long as its name is looked up and nobody answers;
a thread waits for that (edge_agent/dial.py), the loop does not.
"""

from collections.abc import Callable
from typing import Final, Literal, Protocol

import msgspec
import structlog

from appliance.core.errors import HubUnreachable, LockedOut, WorldError
from appliance.core.health import Link as LinkFact
from appliance.core.moment import US
from edge_agent.core import retry

STEADY_US: Final = 30 * US
"""A session that lasted so long was a good one. One that ends at once, each time, is begun later each time."""

log = structlog.get_logger()


class Link(Protocol):
    """A session that is up: `edge_agent.hub_ssh.HubLink`, or the simulator's."""

    def fileno(self) -> int:
        """Readable when something came in, or the line is gone."""
        ...

    def read(self) -> bytes:
        """What came in, b"" when nothing did; raises WorldError when the line is gone."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it; raises WorldError when the line is gone."""
        ...

    def close(self) -> None:
        """End it; harmless when it has ended."""
        ...


class Dialling(Protocol):
    """An attempt to reach the hub: `edge_agent.dial.Dial`, or the simulator's."""

    def answer(self) -> Link | HubUnreachable | LockedOut | None:
        """What came of it; None while it is not known."""
        ...

    def give_up(self) -> None:
        """A link that comes now is closed at once."""
        ...


class Line:
    """`fact` is what screens show of it."""

    def __init__(self, hub: str | None, dial: Callable[[], Dialling]) -> None:
        self._hub, self._begin = hub, dial
        self._dial: Dialling | None = None
        self._link: Link | None = None
        self._failures = 0
        self.next_attempt_us = 0
        self.fact = LinkFact(state="connecting" if hub else "alone", hub=hub or "")

    @property
    def state(self) -> Literal["alone", "away", "dialling", "open"]:
        """Where it stands."""
        if self._hub is None:
            return "alone"
        if self._dial is not None:
            return "dialling"
        return "open" if self._link is not None else "away"

    def filenos(self) -> list[int]:
        """Readable when something came in, or the line is gone."""
        return [self._link.fileno()] if self._link else []

    def dial(self) -> None:
        """Begin to reach the hub; the loop is woken when it is known what came of it."""
        assert self.state == "away"
        self._dial = self._begin()

    def dial_now(self) -> None:
        """What was in the way is not any more: do not wait."""
        self._failures = 0
        self.next_attempt_us = 0

    def pick_up(self) -> bool:
        """Whether the line has come up since the last look; raises WorldError when it could not be had."""
        answer = self._dial.answer() if self._dial else None
        if answer is None:
            return False
        self._dial = None
        if isinstance(answer, HubUnreachable | LockedOut):
            raise answer
        self._link = answer
        return True

    def greeted(self, hub: str, now_us: int) -> None:
        """Whoever answers is the hub, and speaks with us."""
        self.fact = LinkFact(state="connected", hub=hub, since_us=now_us)
        log.info("hub_reached", hub=hub)

    def measured(self, round_trip_us: int) -> None:
        """So long took a question and its answer."""
        self.fact = msgspec.structs.replace(self.fact, round_trip_ms=round(round_trip_us / 1000, 1))

    def read(self) -> bytes:
        """What came in, b"" when nothing did; raises WorldError when the line is gone."""
        return self._link.read() if self._link else b""

    def write(self, data: bytes) -> None:
        """Send all of it; raises WorldError when the line is gone."""
        if data and self._link is not None:
            self._link.write(data)

    def lost(self, error: WorldError, now_us: int, jitter: float) -> None:
        """The line is gone, or could not be had: close what is left of it, and wait."""
        if self._link is not None:
            self._link.close()
            self._link = None
        since_us = self.fact.since_us if self.fact.state == "connected" else None
        if since_us is not None and now_us >= since_us + STEADY_US:
            self._failures = 0
        self._failures += 1
        is_locked_out = isinstance(error, LockedOut)
        backoff = retry.LOCKED_OUT if is_locked_out else retry.LINK
        self.next_attempt_us = retry.next_attempt_us(now_us, self._failures, jitter, backoff)
        state: Literal["locked_out", "offline"] = "locked_out" if is_locked_out else "offline"
        if self.fact.state != state:
            log.warning("hub_lost", state=state, reason=error.problems[0].en)
        self.fact = LinkFact(
            state=state,
            hub=self.fact.hub,
            since_us=self.fact.since_us if self.fact.state == state else now_us,
            reason=error.problems[0],
            next_try_us=self.next_attempt_us,
        )

    def close(self) -> None:
        """The agent ends."""
        if self._dial is not None:
            self._dial.give_up()
        if self._link is not None:
            self._link.close()
