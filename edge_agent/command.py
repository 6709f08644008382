"""`songshan agent`: the loop, as a service or once."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click
import structlog

from appliance import resetting, restoring
from appliance.alone import only_one
from appliance.command import Box, pass_box
from appliance.config import INSTALLED_HOME, INSTALLED_RUN
from appliance.notify import tell


@click.command()
@click.option("--once", is_flag=True, help="end when nothing is left that can be done now")
@pass_box
def agent(box: Box, once: bool) -> None:
    """运行节点的 agent：与嵩山云同步、备播、排播、发布。 Run the agent of this box until SIGTERM or Ctrl-C.

    Without the hub it goes on: what is to be sent waits. Example: songshan --home /srv/dengfeng agent --once
    """
    from edge_agent.boot import running
    from edge_agent.standing_still import stand_still

    tell_on_stderr()
    finish_restore(box.home)
    ending = Ending()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ending.end)
    stand_still(box.config, lambda: ending.is_told, once=once)
    if not ending.is_told:
        with running(box.config, once=once) as running_agent:
            ending.tell(running_agent.end)
            tell("READY=1")
            running_agent.run()
            tell("STOPPING=1")


class Ending:
    """Whether somebody told this process to end, and whom that is passed on to."""

    def __init__(self) -> None:
        self.is_told = False
        self._pass_on: Callable[[], None] | None = None

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """The signal's handler."""
        self.is_told = True
        if self._pass_on is not None:
            self._pass_on()

    def tell(self, pass_on: Callable[[], None]) -> None:
        """From now on this is told too; at once where the signal came before."""
        self._pass_on = pass_on
        if self.is_told:
            pass_on()


def finish_restore(home: Path | None) -> None:
    """What a restore or a reset had begun when the power went is finished, before anything of the box is read."""
    root, run = home or INSTALLED_HOME, home / "run" if home else INSTALLED_RUN
    if (root / restoring.STAGE).exists() or (root / resetting.MARK).exists():
        with only_one(run, root):
            resetting.finish(home)
            restoring.finish(home)


def tell_on_stderr() -> None:
    """One line for each event, `event key=value`; the journal of the machine adds the time and keeps it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["event", "level"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: _Stderr(),
    )


class _Stderr:
    """Where lines go; one that cannot be written, as to a full disk, is dropped: the loop must not end for it."""

    def msg(self, line: str) -> None:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), line.encode(errors="replace") + b"\n")

    info = warning = error = msg
