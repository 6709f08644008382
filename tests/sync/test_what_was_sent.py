"""What the hub has told a box is at the hub after a power cut, whoever wrote it and was killed."""

from contextlib import suppress
from pathlib import Path
from random import Random
from shutil import copytree

import pytest

from appliance.core import wire
from appliance.core.events import RecordsArrived
from appliance.core.journal import genesis
from appliance.core.session import Session
from provisioning.hub.conversation import Conversation
from tests.simulators.disk import Killed, SimulatedDisk, Volume
from tests.sync.pair import KEY, SITE, START_US, Hub, Ticking

STREAM = f"{SITE}/control"
STEPS = 24
"""More than writing a record takes."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with one approved site; tests work on copies."""
    hub = Hub(tmp_path_factory.mktemp("made") / "hub", Ticking())
    hub.make()
    hub.enrol(SITE, KEY)
    return hub.path


@pytest.mark.parametrize("draw", range(3))
@pytest.mark.parametrize("steps", range(STEPS))
def test_no_record_is_told_that_a_power_cut_takes(made: Path, tmp_path: Path, steps: int, draw: int) -> None:
    """A command at the hub is killed at this step; a session tells the box what it finds; then the power goes."""
    copytree(made, tmp_path / "hub", symlinks=True)
    hub, disk = Hub(tmp_path / "hub", Ticking()), SimulatedDisk()
    volume = Volume(hub.path)
    volume.boot()
    volume.kill_after(steps)
    with disk.in_force(), disk.on(volume):
        with suppress(Killed):
            hub.order(SITE, "o1")
        volume.boot()
        told = records_told(Conversation(hub.folder, SITE))
    volume.cut(Random(draw))
    assert set(told) <= set(hub.keys(STREAM))


def records_told(conversation: Conversation) -> list[str]:
    """The keys of what a box with nothing is told of the stream."""
    own = genesis(wire.stream_of_site(SITE))
    box = Session.box(SITE, {}, own, "test", START_US)
    conversation.receive(box.data_to_send())
    conversation.turn()
    heard = box.receive(conversation.data_to_send())
    arrived = [event for event in heard if isinstance(event, RecordsArrived) and event.stream == STREAM]
    return [record.header.key for event in arrived for record in event.records]
