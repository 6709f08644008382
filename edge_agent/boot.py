"""What is done once before the first turn, and undone after the last: one agent for each home, folders, database, keys.

What the agent before us left half done is found here: by what lies on the disk, not by what anybody remembers.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from appliance import durable, files, spool
from appliance.alone import only_one
from appliance.config import Config, HubAddress
from appliance.durable import unlink_durably
from appliance.keys import read_sign_key
from appliance.notify import Life
from appliance.store import air, journals
from appliance.store.database import transaction, writing
from edge_agent import alarms, transfer
from edge_agent.agent import Agent
from edge_agent.apply import Applying
from edge_agent.arriving import SNAPSHOT_SUFFIX
from edge_agent.children import Children
from edge_agent.conversation import Conversation
from edge_agent.core.observation import Policy
from edge_agent.dial import Dial
from edge_agent.execute import World
from edge_agent.line import Dialling, Line
from edge_agent.memory import Memory
from edge_agent.serving import Serving
from edge_agent.standing import doubt_if_new, this_machine
from edge_agent.stocktaking import take_stock
from edge_agent.watch import Wake, watched


@dataclass(frozen=True)
class Machine:
    """What an agent stands on: programs that it starts, the line that it dials, who tells it of files. A simulated
    machine has its own; the disk and the clock are the kernel's and the config's."""

    children: Callable[[], Children] = Children
    dial: Callable[[HubAddress, Path, Wake], Dialling] = Dial
    watched: Callable[[Sequence[Path], Wake], AbstractContextManager[OSError | None]] = watched
    fingerprint: Callable[[], str] = this_machine


THIS_MACHINE: Final = Machine()


@contextmanager
def running(config: Config, *, once: bool, machine: Machine = THIS_MACHINE) -> Iterator[Agent]:
    """An agent that is ready to turn; nothing of it is left running at the end.

    Raises Refused when another one runs in this home, OperatorError when the keys are missing, WorldError for the disk.
    """
    with ExitStack() as stack:
        files.make_folders(config, with_media=False)
        spool.make_folders(config)
        stack.enter_context(only_one(config.run, config.home))
        _sweep(config)
        key = read_sign_key(config.sign_key)
        db = stack.enter_context(writing(config.database))
        wake = Wake()
        stack.callback(wake.close)
        problem = stack.enter_context(machine.watched((config.spool / "new", config.drop), wake))
        line = line_to_hub(config, wake, machine.dial)
        stack.callback(line.close)
        if line.state == "away":
            # The hub is a second away, and what follows takes as long where much is held.
            line.dial()
        now_us = _set_right(config, db, problem)
        applying = Applying(config, lambda: air.now_us(db, config.clock))
        doubt_if_new(db, config, machine.fingerprint())
        journals.apply_parked(db, applying.again)
        applying.air_changed = True
        world = World(
            config=config,
            db=db,
            memory=_memory(config),
            children=machine.children(),
            line=line,
            conversation=Conversation(config, db, key, line, applying, machine.fingerprint()),
            route=transfer.route_to(config),
            environ=environ_of(config, os.environ),
        )
        spool.sweep(config, now_us / 1_000_000)
        agent = Agent(world, applying, wake, Policy(), Life(os.environ), once=once)
        stack.callback(agent.close)
        yield agent


def _sweep(config: Config) -> None:
    """Take away what was half written when its writer was killed; where the media are they are swept with them."""
    for folder in (config.home, config.database.parent, config.keys, config.drop, config.library, config.run):
        durable.sweep(folder)
    for left in config.database.parent.glob(f"*{SNAPSHOT_SUFFIX}"):
        unlink_durably(left)


def _memory(config: Config) -> Memory:
    if files.media_are_there(config):
        return Memory(serving=Serving(files.served(config)))
    return Memory(media="away")


def line_to_hub(config: Config, wake: Wake, dial: Callable[[HubAddress, Path, Wake], Dialling] = Dial) -> Line:
    """The line over SSH; one that is never up for a box without a hub."""
    hub = config.hub
    if hub is None:
        return Line(None, _nobody)
    return Line(hub.id, lambda: dial(hub, config.ssh_key, wake))


def _nobody() -> Dialling:
    raise AssertionError("a box that stands alone does not dial")


def environ_of(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """For children that are programs of ours: the same box, whatever option named it."""
    named = {} if config.run != config.home / "run" else {"SONGSHAN_HOME": str(config.home)}
    return {**environ, **named}


def _set_right(config: Config, db: Database, problem: OSError | None) -> int:
    """The disk's word against the database's."""
    with transaction(db):
        now_us = air.keep_clock(db, config.clock)
        for channel in config.channels:
            air.ensure_channel(db, channel.id, config.zone, now_us)
        alarms.of_watch(db, problem, now_us)
        alarms.of_room(db, 0, now_us)
    if files.media_are_there(config):
        take_stock(config, db, now_us)
    return now_us
