"""A box as far as its channel goes: a database written as the agent writes it, a web worker, and kills."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from sqlite_utils import Database

from appliance import files
from appliance.clock import Clock
from appliance.config import ChannelConfig, Config
from appliance.core import playlist
from appliance.core.asset import Asset
from appliance.core.rundown import tick_of
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, assets
from appliance.store.database import open_for_writing, transaction
from appliance.web.front import Request
from appliance.web.live import Live
from appliance.web.reading import Reading
from tests.days.stock import clips

CHANNEL = ChannelConfig("ch-1", "登封综合")
LIVE = f"/live/{CHANNEL.id}"
ZONE = "Asia/Shanghai"
Change = Callable[[Database, int], None]
"""What comes to be known, at a moment."""


class Box:
    """`db` is the agent's connection, while it lives."""

    def __init__(self, home: Path, clock: Clock, hours: int) -> None:
        self.config = Config(
            home=home, run=home / "run", site="dengfeng", name="登封", channels=(CHANNEL,), clock=clock
        )
        self.hours = hours
        files.make_folders(self.config)
        for clip in clips():
            path = files.path_of(self.config, clip.digest)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(clip.data)
        self.db: Database | None = None
        self.start_agent()
        self.restart_web()
        self.commit(_have_everything, clock.wall_us())

    @property
    def air_us(self) -> int:
        """The air's time, as every reader reckons it."""
        with self.reading.look() as db:
            return air.now_us(db, self.config.clock)

    def start_agent(self) -> None:
        self.db = open_for_writing(self.config.database)

    def end_agent(self) -> None:
        if self.db is not None:
            self.db.close()
        self.db = None

    def restart_web(self) -> None:
        """A new worker, which remembers nothing."""
        self.reading = Reading(self.config.database)
        self.live = Live(self.config, self.reading)

    def commit(self, change: Change | None, at_us: int) -> None:
        """What is new, and the ledger brought in line with it, as the agent does."""
        assert self.db is not None
        self._write(self.db, change, at_us)

    def killed(self, change: Change | None, at_us: int, step: int) -> bool:
        """The same in a process that a SIGKILL ends before its statement number `step`; whether it came so far.

        The agent is dead then. What it had committed before is there; all else it must do again.
        """
        self.end_agent()
        child = os.fork()
        if child == 0:
            try:
                self._die_writing(change, at_us, step)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "what was to die failed by itself"
        return os.WIFSIGNALED(status)

    def _die_writing(self, change: Change | None, at_us: int, step: int) -> None:
        db, left = open_for_writing(self.config.database), [step]

        def count(_statement: str) -> None:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

        db.conn.set_trace_callback(count)
        self._write(db, change, at_us)
        os._exit(0)

    def _write(self, db: Database, change: Change | None, at_us: int) -> None:
        with transaction(db):
            air.keep_clock(db, self.config.clock)
            if change is not None:
                change(db, at_us)
            air.ensure_channel(db, CHANNEL.id, ZONE, at_us)
            air.recompile(db, CHANNEL.id, at_us, self.hours)

    def get(self, path: str) -> bytes | None:
        """What the worker answers; None for anything but 200."""
        reply = self.live.answer(Request("GET", path, {}))
        assert isinstance(reply.body, bytes)
        return reply.body if reply.status == "200 OK" else None

    def told_at(self, moment_us: int, window_s: int = playlist.LIVE_WINDOW_S) -> str:
        """The list at a moment, whatever the clock says."""
        assert self.db is not None
        now_tick = tick_of(moment_us)
        rows = air.stretches(self.db, CHANNEL.id, now_tick - playlist.reach_ticks(window_s), now_tick)
        return (playlist.live if window_s == playlist.LIVE_WINDOW_S else playlist.dvr)(rows, now_tick)


def _have_everything(db: Database, at_us: int) -> None:
    for clip in clips():
        assets.want(db, Asset(clip.digest, len(clip.data), role="file"), "test", at_us)
        assets.arrived(db, clip.digest, len(clip.data), at_us)
        state = RenditionState(
            source=clip.source, profile=HOUSE_PROFILE, state="here", digest=clip.digest, size_bytes=len(clip.data),
            frames=clip.frames,
        )  # fmt: skip
        assets.set_rendition(db, state, clip.table)
