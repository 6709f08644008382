"""Counts what the line carries while transfers run, each way by itself, and says so every few seconds."""

from dataclasses import dataclass, field
from typing import Final

from appliance.core.moment import US
from edge_agent.core.outcomes import Carried

SAY_EVERY_US: Final = 5 * US
LOOK_US_MAX: Final = 10 * US
"""Between two looks further apart something else happened: the machine slept, the agent was held up."""


@dataclass
class _Way:
    looked_us: int | None = None
    """When it was last looked at, with a transfer at work; None while there is none."""
    bytes: int = 0
    busy_us: int = 0


@dataclass
class Meter:
    """One for a run of the agent."""

    _ways: dict[bool, _Way] = field(default_factory=lambda: {False: _Way(), True: _Way()})

    def look(self, *, is_upload: bool, is_busy: bool, bytes_: int, now_us: int) -> Carried | None:
        """At least one transfer runs this way, or none; `bytes_` were carried since the look before."""
        way = self._ways[is_upload]
        if way.looked_us is not None and 0 < now_us - way.looked_us <= LOOK_US_MAX:
            way.busy_us += now_us - way.looked_us
            way.bytes += bytes_
        way.looked_us = now_us if is_busy else None
        if way.busy_us < SAY_EVERY_US:
            return None
        carried = Carried(is_upload, way.bytes, way.busy_us)
        way.bytes = way.busy_us = 0
        return carried
