"""A web server that is dead while the agent lives: an alarm, and no claim in the log for that time."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from appliance import senders
from appliance.config import ChannelConfig, Config
from appliance.core.asrun import UNSERVED
from appliance.serving import Lamp, is_served, lock_of
from appliance.store import air, asrun, facts
from appliance.store.database import transaction
from edge_agent import report
from edge_agent.children import Children
from edge_agent.served import BRIDGED_US
from tests.appliance.boxes import AT_US
from tests.appliance.core.air_box import SECOND
from tests.appliance.test_senders import SENDER
from tests.edge_agent.rig import Rig, rig
from tests.simulators.clock import SimulatedClock

CHANNEL = "dengfeng-1"


@contextmanager
def worker(config: Config) -> Iterator[None]:
    """A process that holds the lock as the web server's do, killed in the end. The agent was there before it."""
    assert not is_served(config)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        Lamp(lock_of(config)).light()
        os.write(writing, b"x")
        signal.pause()
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    os.close(writing)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def passes(box: Rig, config: Config, clock: SimulatedClock, seconds: int) -> None:
    """Time, and the agent that notes how the box is, once a second."""
    for _second in range(seconds):
        clock.pass_us(SECOND)
        report.keep_status(box.db, config, box.line, box.conversation, Children(), AT_US)


def unserved(box: Rig, clock: SimulatedClock) -> list[tuple[int, int]]:
    found = air.absences_between(box.db, 0, clock.now_us, CHANNEL)
    return [(each.start_us, each.end_us) for each in found if each.kind == "unserved"]


def alarmed(box: Rig, config: Config) -> bool:
    snapshot = facts.snapshot(box.db, config, config.clock.wall_us())
    return "web" in {alarm.id for alarm in snapshot.alarms}


def test_time_without_a_web_server_is_vouched_for_by_nobody(tmp_path: Path) -> None:
    """The ledger went on and nobody gave it to viewers: the log must not say that it aired."""
    clock = SimulatedClock(AT_US)
    with rig(tmp_path) as box:
        config = replace(box.config, clock=clock)
        with worker(config):
            assert is_served(config)
            report.compile_air(box.db, config)
            passes(box, config, clock, 3)
            assert not alarmed(box, config)
        passes(box, config, clock, 1)
        died_us = clock.now_us
        passes(box, config, clock, 6)
        assert alarmed(box, config)
        passes(box, config, clock, 24)
        assert unserved(box, clock) == [(died_us, clock.now_us)]
        with worker(config):
            passes(box, config, clock, 1)
            back_us = clock.now_us
            assert not alarmed(box, config) and unserved(box, clock) == [(died_us, back_us)]
            passes(box, config, clock, 30)
        with transaction(box.db):
            asrun.log_aired(box.db, CHANNEL, back_us + 26 * 3600 * SECOND)
        rows = asrun.aired(box.db, CHANNEL, died_us + SECOND, back_us - SECOND)
    assert {(row.status, row.reason, row.evidence) for row in rows} == {(("Unknown",), UNSERVED, ())}
    assert sum(row.duration_s for row in rows) == (back_us - died_us) / SECOND


def test_a_restart_is_no_hole(tmp_path: Path) -> None:
    """nginx and the players bridge it; and what was never there is not missed."""
    clock = SimulatedClock(AT_US)
    with rig(tmp_path) as box:
        config = replace(box.config, clock=clock)
        passes(box, config, clock, 60)
        assert unserved(box, clock) == [] and not alarmed(box, config)
        with worker(config):
            passes(box, config, clock, 2)
        passes(box, config, clock, BRIDGED_US // SECOND - 1)
        with worker(config):
            passes(box, config, clock, 2)
        assert unserved(box, clock) == []


def test_a_channel_that_a_sender_sends_has_aired(tmp_path: Path) -> None:
    """The modulator has it, whatever becomes of the pages."""
    clock = SimulatedClock(AT_US)
    with rig(tmp_path) as box:
        channels = (ChannelConfig(CHANNEL, "登封综合", udp="127.0.0.1:5000"), ChannelConfig("dengfeng-2", "登封生活"))
        config = replace(box.config, clock=clock, channels=channels)
        with worker(config):
            passes(box, config, clock, 2)
        for _second in range(30):
            senders.tell(config, CHANNEL, msgspec.structs.replace(SENDER, at_us=clock.now_us))
            passes(box, config, clock, 1)
        assert unserved(box, clock) == []
        other = air.absences_between(box.db, 0, clock.now_us, "dengfeng-2")
        assert [each.kind for each in other] == ["unserved"]


def test_a_worker_takes_the_lock_when_its_file_comes_or_is_another(tmp_path: Path) -> None:
    """It may be there before the agent's first start, and after a restore."""
    with rig(tmp_path) as box:
        path, lamp = lock_of(box.config), Lamp(lock_of(box.config))
        lamp.light()
        assert not path.exists()
        assert not is_served(box.config)
        lamp.light()
        assert is_served(box.config)
        path.unlink()
        assert not is_served(box.config)
        lamp.light()
        assert is_served(box.config)
