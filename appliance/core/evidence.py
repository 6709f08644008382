"""What a probe heard, as evidence for the as-run log: stretches of air that came whole, a command for each."""

from collections.abc import Iterator
from typing import Final

from appliance.core.command import Observed
from appliance.core.moment import to_text
from appliance.core.probe import Listening
from appliance.core.rundown import tick_of
from appliance.core.ts import PTS_MODULO, TICKS_PER_S

STRETCH_TICKS: Final = 60 * TICKS_PER_S
"""One command a minute, and one when errors begin."""


class Evidence:
    """Asked every second. A stretch ends where the output breaks off, before errors begin, and after a minute."""

    def __init__(self, channel: str, output: str) -> None:
        self._channel, self._output = channel, output
        self._first: int | None = None
        self._last = 0
        self._errors = self._errors_before = self._breaks = 0

    def of(self, listening: Listening, now_us: int) -> Iterator[Observed]:
        """What is to be told now."""
        heard = listening.heard
        errors = heard.continuity_errors + heard.pcr_steps + heard.sync_errors
        new_errors, self._errors_before = errors - self._errors_before, errors
        # Nobody vouches for what was not heard, whoever was to blame.
        breaks = heard.blackouts + heard.missed_datagrams
        is_broken, self._breaks = breaks > self._breaks, breaks
        tick = None if listening.tick is None else _near(listening.tick, tick_of(now_us))
        if self._first is not None and (is_broken or tick is None or tick <= self._last):
            yield from self._told(now_us)
            self._first = None
            return
        if tick is None:
            return
        if self._first is None:
            self._first, self._last, self._errors = tick, tick, 0
            return
        if new_errors and not self._errors:
            yield from self._told(now_us)
            self._first = self._last
        self._errors, self._last = self._errors + new_errors, tick
        if self._last - self._first >= STRETCH_TICKS:
            yield from self._told(now_us)
            self._first, self._errors = self._last, 0

    def rest(self, now_us: int) -> Iterator[Observed]:
        """What is left to be told when the probe ends."""
        yield from self._told(now_us)
        self._first = None

    def _told(self, now_us: int) -> Iterator[Observed]:
        if self._first is not None and self._last > self._first:
            yield Observed(
                channel=self._channel,
                first_tick=self._first,
                last_tick=self._last,
                continuity_errors=self._errors,
                output=self._output,
                by="probe",
                via="playout",
                at=to_text(now_us),
            )


def _near(wrapped: int, tick: int) -> int:
    """The moment nearest to `tick` that looks so on a clock of 33 bits."""
    return tick + (wrapped - tick + PTS_MODULO // 2) % PTS_MODULO - PTS_MODULO // 2
