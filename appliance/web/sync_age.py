"""How fresh what a box shows is: whether the hub is there, and since when it is not."""

import time
from typing import Final

from appliance.config import Config
from appliance.core.health import Link
from appliance.store import facts
from appliance.web.reading import Reading

LOOKED_S: Final = 5.0
"""A page tells minutes; it need not ask anew for each reader."""


class SyncAge:
    """The line to the hub as pages tell it."""

    def __init__(self, config: Config, reading: Reading) -> None:
        self._config = config
        self._reading = reading
        self._seen: tuple[float, Link] | None = None

    def link(self) -> Link:
        """As of a few seconds ago at most. Raises WorldError when there is no database."""
        seen = self._seen
        if seen is None or time.monotonic() - seen[0] > LOOKED_S:
            with self._reading.look() as db:
                found = facts.snapshot(db, self._config, time.time_ns() // 1000).link
            self._seen = seen = (time.monotonic(), found)
        return seen[1]
