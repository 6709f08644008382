"""The loop: observe, plan, execute, record. Read this file first.

    observe   hear what the hub said and what children left behind, note it, look at the world   edge_agent/observe.py
    plan      decide, purely                                                                     edge_agent/core/plan.py
    execute   do it, or begin it in a child process                                              edge_agent/execute.py
    record    write down what came of it, and tell the hub                                       edge_agent/record.py

One thread does all of this. It waits only for somebody to wake it: the hub's line, a child that ends, a watched folder,
a signal, the next moment at which something is due. Where it is killed, the next one goes on from database and disk.

systemd's watchdog is fed from within the turn and from the wait: a step that hangs feeds nothing, and is ended.
"""

import random
import select
from collections.abc import Iterator
from typing import Final

import structlog

from appliance import shut_out, spool
from appliance.core.errors import WorldError
from appliance.core.moment import US
from appliance.notify import Life
from appliance.store import air, redactions
from edge_agent import live
from edge_agent.apply import Applying
from edge_agent.core.observation import Observation, Policy
from edge_agent.core.outcomes import Outcome
from edge_agent.core.plan import is_idle, next_look_us, plan
from edge_agent.core.steps import AskFor, Discard, Remove, Step, Stop, Withdraw
from edge_agent.endings import of_child
from edge_agent.execute import World, execute
from edge_agent.given import take_in
from edge_agent.observe import observe, progress
from edge_agent.record import Recording
from edge_agent.watch import Wake

WITHOUT_DATABASE: Final = (Withdraw, Remove, Discard, Stop)
"""Steps that may be taken while nothing can be written: they take things away."""
STUCK_PAUSE_US: Final = 1 * US
REPEATED_PAUSE_US: Final = 250_000
"""Steps that are planned again as they were had no effect: there is no hurry to try them a third time."""
COMPANY_MIN: Final = 16
"""More small assets than these come in packets; a turn for each packet would be a turn for each asset."""
COMPANY_S: Final = 0.01

log = structlog.get_logger()


class Agent:
    """One run. Made by `edge_agent.boot.running`."""

    def __init__(self, world: World, applying: Applying, wake: Wake, policy: Policy, life: Life, *, once: bool) -> None:
        self._world, self._applying, self._wake, self._policy, self._once = world, applying, wake, policy, once
        self._life = life
        self._recording = Recording(world, applying, self._now_us())
        self._is_stuck = False
        self._before: tuple[Step, ...] = ()
        self._is_told_to_end = False
        self._happened: list[Outcome] = []

    @property
    def world(self) -> World:
        """What it works on."""
        return self._world

    def run(self) -> None:
        """Turn until told to end, or shut out; with `once` until nothing is left that can be done now."""
        while not self._is_told_to_end and not shut_out.is_shut_out(self._world.config):
            seen, steps = self.turn()
            if self._once and is_idle(seen, steps) and not self._is_stuck:
                return
            self._wait(seen, steps)

    def end(self) -> None:
        """End after this turn. May be called from a signal handler."""
        self._is_told_to_end = True
        self._wake.wake()

    def turn(self) -> tuple[Observation, tuple[Step, ...]]:
        """Once around."""
        self._wake.drain()
        self._life.goes_on()
        seen = self.observe()
        steps = plan(seen, self._policy)
        self._life.goes_on()
        self.record(self.execute(seen, steps))
        return seen, steps

    def observe(self) -> Observation:
        """Hear what happened, note it, and look at the world as it is now."""
        world, now_us = self._world, self._now_us()
        happened = [*self._happened, *world.conversation.listen(now_us, _jitter())]
        self._happened = []
        for ended in world.children.look():
            if ended.status:
                log.info("child_failed", work=ended.child.work, status=ended.status, said=ended.complained[-200:])
            happened += of_child(ended, world.config, world.memory)
        given = world.conversation.given
        happened += take_in(given, world.config, world.db, world.children.running(), now_us)
        happened += progress(world.config, world.db, world.memory, world.children, given, now_us)
        happened += live.heard(world.config, world.children)
        self.record(iter(happened))
        now_us = self._now_us()
        if given.is_under_way:
            # Assets that were taken in kept us from asking for others.
            self.record(iter(world.conversation.listen(now_us, _jitter())))
        return observe(
            world.config,
            world.db,
            world.memory,
            world.children,
            world.conversation,
            now_us,
            link_state=world.line.fact.state,
            air_changed=self._applying.air_changed,
        )

    def execute(self, seen: Observation, steps: tuple[Step, ...]) -> Iterator[Outcome]:
        """Do what was planned, as far as what comes of it can be written down."""
        self._world.conversation.given.go_on_with((), 0)
        deadlines = {wanted.digest: wanted.deadline_us for wanted in seen.wanted}
        for step in steps:
            if not self._is_stuck or isinstance(step, WITHOUT_DATABASE):
                yield from execute(step, self._world, deadlines)
                self._life.goes_on()

    def record(self, outcomes: Iterator[Outcome]) -> None:
        """Write down what came of it, and say to the hub what there is to say."""
        now_us = self._now_us()
        try:
            self._recording.record(outcomes, now_us, _jitter())
            self._world.conversation.own.vouch(now_us)
            self._wipe()
            self._is_stuck = False
            self._world.conversation.speak(now_us, _jitter(), settle=self._once)
        except WorldError as error:
            # Nothing is lost: what could not be written is still known, and written when there is room again.
            if not self._is_stuck:
                log.error("not_recorded", problem=str(error))
            self._is_stuck = True

    def _wipe(self) -> None:
        """What was redacted is in no file any more, nor in half a command that says it too and was never put."""
        if not redactions.is_wiped(self._world.db):
            spool.sweep_half_written(self._world.config)
            redactions.wipe(self._world.db)

    def close(self) -> None:
        """Leave nothing running."""
        self._world.children.stop_all()
        self._world.conversation.close()

    def _wait(self, seen: Observation, steps: tuple[Step, ...]) -> None:
        """Sleep until somebody wakes us or something is due; not at all after a turn that did something."""
        now_us = self._now_us()
        until_us = next_look_us(seen, self._policy)
        # What the hub was asked for wakes us when it comes.
        acted = tuple(step for step in steps if not isinstance(step, AskFor))
        if self._is_stuck:
            until_us = now_us + STUCK_PAUSE_US
        elif acted and acted == self._before:
            until_us = min(until_us, now_us + REPEATED_PAUSE_US)
        elif acted:
            until_us = now_us
        self._before = acted
        awaited = [self._wake.fileno(), *self._world.children.filenos()]
        while True:
            self._life.goes_on()
            left_s = max(0, until_us - self._now_us()) / US
            wait_s = min(left_s, self._life.wait_s_max)
            has_company = len(self._world.conversation.given.digests) > COMPANY_MIN
            if has_company and select.select(awaited, [], [], min(wait_s, COMPANY_S))[0]:
                return
            line = self._world.line.filenos()
            ready = select.select([*awaited, *line], [], [], wait_s)[0]
            if not ready and wait_s < left_s:
                continue
            if not set(ready) & set(line) or set(ready) & set(awaited) or not self._hears_assets_alone():
                return

    def _hears_assets_alone(self) -> bool:
        """Whether assets came that the hub was asked for, nothing else, and a turn can wait until there are more."""
        conversation, now_us = self._world.conversation, self._now_us()
        if self._is_stuck or not conversation.given.is_under_way:
            return False
        news = conversation.news
        self._happened += conversation.listen(now_us, _jitter())
        return conversation.news == news and not self._happened and not conversation.given.is_due(now_us)

    def _now_us(self) -> int:
        return air.now_us(self._world.db, self._world.config.clock)


def _jitter() -> float:
    return random.random()  # noqa: S311  # spreads retries; nobody gains by guessing it
