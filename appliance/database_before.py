"""The database at an upgrade: copied before, and put back where the newer release has changed the tables. ADR 34.

All of it is done as the owner of the box's folder, with its agent stopped. Each deed may be done twice.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.alone import only_one
from appliance.config import Config
from appliance.core.errors import DiskFull, Refused, SongshanError, Text
from appliance.core.release import Undo
from appliance.durable import disk_errors, put_in_place, staged_beside, sync_folder
from appliance.store import at_rest

SPARE_BYTES: Final = 64 * 2**20
"""Beyond the copies of the database."""
AGENT_ENDS_S: Final = 40.0
"""How long the agent may take to let go of the box once its unit was stopped."""


def is_of_the_newer(config: Config, undo: Undo) -> bool:
    """Whether the newer release has changed the tables: else the database stays, with all that was said since."""
    if not undo.database or not (config.database.parent / undo.database).exists():
        return False
    try:
        return not set(at_rest.steps_of(config.database)) <= set(undo.steps)
    except (SongshanError, sqlite3.DatabaseError):
        # Missing or damaged: the copy is better.
        return True


def copy(config: Config, name: str) -> None:
    if not config.database.exists():
        return
    path = config.database.parent / name
    with disk_errors(path), staged_beside(path) as (descriptor, staged):
        at_rest.copy_as_it_is(config.database, staged)
        put_in_place(descriptor, staged, path)


def put_back(config: Config, undo: Undo, pause: Callable[[float], None]) -> None:
    """The copy in the place of what the newer release wrote, which is kept: `after-VERSION.db`."""
    folder = config.database.parent
    with _agent_has_ended(config, pause), disk_errors(folder):
        if config.database.exists():
            keep_newer(config, folder / f"after-{undo.new}.db")
        with staged_beside(config.database) as (descriptor, staged):
            _copy_or_take(folder / undo.database, staged)
            if config.hub is not None:
                at_rest.doubt_own_stream(staged, config.site)
            put_in_place(descriptor, staged, config.database)


def _copy_or_take(copy: Path, staged: Path) -> None:
    """On a disk that the newer release has filled there is no room for a copy of the copy: then it takes the place."""
    try:
        at_rest.copy_as_it_is(copy, staged)
    except DiskFull:
        staged.unlink()
        os.link(copy, staged)


def keep_newer(config: Config, aside: Path) -> None:
    """A second name for what the newer release wrote; at no moment is there no database, for an agent would make one.

    Its log goes: it would be read into the database that comes.
    """
    at_rest.fold_log_in(config.database)
    if not aside.exists():
        os.link(config.database, aside)
    for suffix in ("-wal", "-shm"):
        beside = config.database.with_name(config.database.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    sync_folder(aside.parent)


def let_go(config: Config, kept: set[str]) -> None:
    """Copies that earlier upgrades left."""
    for pattern in ("before-*.db", "after-*.db"):
        for path in config.database.parent.glob(pattern):
            if path.name not in kept:
                path.unlink(missing_ok=True)


def short_bytes(config: Config) -> int:
    """How much room is lacking for an upgrade; 0 or less where there is enough."""
    size_bytes = config.database.stat().st_size if config.database.exists() else 0
    with disk_errors(config.home):
        free_bytes = shutil.disk_usage(config.home).free
    return 3 * size_bytes + SPARE_BYTES - free_bytes


def check_room(config: Config) -> None:
    """Raises DiskFull where there is no room for the copy, and for one more to put it back."""
    short = short_bytes(config)
    if short > 0:
        lacking = f"{short / 1_000_000:.0f} MB"
        raise DiskFull(
            Text(f"磁盘空间不足，还差 {lacking}", f"no room to copy the database: {lacking} too few"),
            hint=Text("请清理磁盘，见 songshan cache", "free some space, see songshan cache"),
        )


@contextmanager
def _agent_has_ended(config: Config, pause: Callable[[float], None]) -> Iterator[None]:
    """Hold the box's lock, waited for a while. Raises Refused when somebody keeps it."""
    deadline_s = time.monotonic() + AGENT_ENDS_S
    while True:
        held = only_one(config.run, config.home)
        try:
            held.__enter__()
        except Refused:
            if time.monotonic() >= deadline_s:
                raise
            pause(0.2)
            continue
        try:
            yield
        finally:
            held.__exit__(None, None, None)
        return
