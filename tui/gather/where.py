"""What a page's `gather` is given: the box, its database for one look, and a place for what went wrong.

def gather(where: Where, asked: Asked) -> Found:
    with where.database() as db:                 # raises: then the page is the trouble, with its next step
        queue = ...
    disks = ()
    with where.kept():                           # goes on without: the trouble stands above the page
        disks = read_disks()
    return Found(queue, disks)
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from appliance.config import Config, load
from appliance.core.errors import Held, SongshanError
from appliance.durable import world_error
from appliance.store.database import reading
from tui.view.reading import Trouble, troubles_of


@dataclass
class Where:
    """One look at a box. `config` is None where it cannot be read; `box` then raises why."""

    home: Path | None
    environ: Mapping[str, str]
    now_us: int
    config: Config | None = None
    problem: SongshanError | None = None
    troubles: list[Trouble] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    """What pages and deeds keep from one look to the next, by a name of theirs: what came of a test, figures over time.
    It lives as long as the program; deeds are given the same as looks."""
    held: Held | None = None
    """Somebody has the database and it was waited for; one look waits once."""

    @property
    def box(self) -> Config:
        """The configuration; OperatorError with all that is wrong with it."""
        if self.config is None:
            assert self.problem is not None, "there is a configuration or what is wrong with it"
            raise self.problem
        return self.config

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The box's database, read-only. Waits some seconds for one that is held; WorldError with the next step."""
        if self.held is not None:
            raise self.held
        try:
            with reading(self.box.database) as db:
                yield db
        except Held as error:
            self.held = error
            raise

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What goes wrong inside is noted as a trouble of the page, and the page goes on."""
        try:
            yield
        except SongshanError as error:
            self.troubles += troubles_of(error.problems, error.hint)
        except OSError as error:
            kept = world_error(error, Path(error.filename or "."))
            self.troubles += troubles_of(kept.problems, kept.hint)


def where(home: Path | None, environ: Mapping[str, str], notes: dict[str, Any] | None = None) -> Where:
    """The box as it stands now."""
    now_us, kept = time.time_ns() // 1000, {} if notes is None else notes
    try:
        return Where(home, environ, now_us, load(home, environ), notes=kept)
    except SongshanError as error:
        return Where(home, environ, now_us, None, error, notes=kept)
