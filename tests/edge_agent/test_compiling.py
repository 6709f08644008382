"""The ledger is committed before anybody acts on it, also on a box that is slow."""

from dataclasses import replace
from pathlib import Path

from appliance.config import Config
from appliance.core.air import ACTED_ON_TICKS, URGENT_TICKS
from appliance.core.health import Alarm
from appliance.core.ledger import segments_of
from appliance.core.rundown import tick_of
from appliance.store import air, facts
from appliance.store.database import transaction
from edge_agent import report
from edge_agent.children import Children
from tests.appliance.boxes import AT_US
from tests.appliance.core.air_box import SECOND, digest
from tests.appliance.store.test_air import stock
from tests.edge_agent.rig import Rig, rig
from tests.simulators.clock import SimulatedClock


class SlowClock:
    """Every look at it costs some time: a box that is busy with other things."""

    def __init__(self, wall_us: int, steps_us: list[int]) -> None:
        self.us, self._steps_us = wall_us, steps_us

    def wall_us(self) -> int:
        self.us += self._steps_us.pop(0) if self._steps_us else 0
        return self.us

    def running_us(self) -> int:
        return self.us


def broken_into(home: Path, steps_us: list[int]) -> tuple[int, int]:
    """A break-in while each look at the clock takes so long: when it was committed, and when it begins, both in ticks.

    What a reader acted on meanwhile must still be so.
    """
    with rig(home) as box:
        channel = box.config.channels[0].id
        clock = SlowClock(AT_US + 60 * SECOND, [])
        config = replace(box.config, clock=clock, channels=box.config.channels[:1])
        with transaction(box.db):
            stock(box.db, 1, 7777)
        report.compile_air(box.db, config)
        with transaction(box.db):
            air.add_insert(box.db, "i1", channel, digest(1), clock.us)
        now_tick = tick_of(clock.us)
        rows = air.stretches(box.db, channel, now_tick, now_tick + 60 * 90_000)
        clock._steps_us = steps_us
        report.compile_air(box.db, config)
        committed = tick_of(clock.us)
        acted_on = [one for row in rows for one in segments_of(row) if one.start_tick < committed + ACTED_ON_TICKS]
        after = air.stretches(box.db, channel, now_tick, now_tick + 60 * 90_000)
        told = [one for row in after for one in segments_of(row)]
        assert told[: len(acted_on)] == acted_on
        return committed, next(row.start_tick for row in after if row.kind == "emergency")


def test_a_box_that_keeps_up_breaks_in_at_once(tmp_path: Path) -> None:
    """The usual case: some milliseconds, and the next segment."""
    committed, begins = broken_into(tmp_path, [0, 20_000, 1000])
    assert begins - committed <= URGENT_TICKS + 2 * 90_000


def test_what_could_not_be_committed_in_time_is_compiled_anew_for_later(tmp_path: Path) -> None:
    """A disk that stalls for two seconds: the break-in comes later, and no segment that was sent is denied."""
    committed, begins = broken_into(tmp_path, [0, 2 * SECOND, 0, 2 * SECOND, 0])
    assert begins >= committed + ACTED_ON_TICKS


def test_a_disk_that_stalls_within_the_commit_is_an_alarm_for_an_hour(tmp_path: Path) -> None:
    """Nothing can be done about what was out already; whoever reads the log of the air must know of it."""
    with rig(tmp_path) as box:
        channel = box.config.channels[0].id
        clock = SlowClock(AT_US + 60 * SECOND, [])
        config = replace(box.config, clock=clock, channels=box.config.channels[:1])
        report.compile_air(box.db, config)
        with transaction(box.db):
            stock(box.db, 1, 7777)
            air.add_insert(box.db, "i1", channel, digest(1), clock.us)
        assert said(box, config) == []
        clock._steps_us = [0, 0, 5 * SECOND]
        report.compile_air(box.db, config)
        (told,) = said(box, config)
        assert told.id == f"raised:late-commit:{channel}" and "ms late" in told.text.en
        clock.us += 3599 * SECOND
        assert said(box, config) == [told]
        clock.us += 2 * SECOND
        assert said(box, config) == []


def said(box: Rig, config: Config) -> list[Alarm]:
    """The alarms of the air that the agent raised, as it notes how the box is."""
    report.keep_status(box.db, config, box.line, box.conversation, Children(), AT_US)
    return [
        alarm
        for alarm in facts.snapshot(box.db, config, config.clock.wall_us()).alarms
        if alarm.id.startswith(("raised:late", "raised:absence"))
    ]


def test_time_that_was_leapt_over_is_an_alarm_for_an_hour(tmp_path: Path) -> None:
    """A clock that was put forward: the channel makes it up, and what lay between has not aired."""
    with rig(tmp_path) as box:
        clock = SimulatedClock(AT_US + 60 * SECOND)
        config = replace(box.config, clock=clock)
        assert said(box, config) == []
        clock.pass_us(10 * SECOND)
        clock.step_to(clock.now_us + 300 * SECOND)
        (told,) = said(box, config)
        assert told.id == "raised:absence" and told.text.en.startswith("300 s between ")
        clock.pass_us(3000 * SECOND)
        assert said(box, config) == [told]
        clock.pass_us(700 * SECOND)
        assert said(box, config) == []


def test_a_box_that_gets_slower_and_slower_takes_the_freeze(tmp_path: Path) -> None:
    """It ends, and breaks in all the same."""
    committed, begins = broken_into(tmp_path, [0, 1 * SECOND, 0, 6 * SECOND, 0, 20 * SECOND, 0, 9 * SECOND, 0])
    assert begins >= committed + ACTED_ON_TICKS
