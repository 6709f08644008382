"""The sender: every few milliseconds, what has become due on the air goes out. Read `send` first."""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from appliance import senders, slate
from appliance.config import ChannelConfig, Config
from appliance.core.airtime import Mark, air_now_us
from appliance.core.cbr import Rate
from appliance.core.errors import WorldError
from appliance.core.rundown import us_of
from appliance.core.sending import Sending
from appliance.core.ts import TICKS_PER_S
from appliance.notify import tell
from appliance.playout.lead import Lead
from appliance.playout.output import Output
from appliance.playout.shelf import Shelf

BATCH_US: Final = 20_000
"""How often packets go out: half of the jitter that DVB allows (ETSI TS 102 034). Each time costs processor time."""
FIRST_S: Final = 0.5
"""How long a start or a leap of the clock waits for the first segments."""


class AirClock:
    """What time it is on the air, as `store.air.now_us` says, and never back, also with no database to ask."""

    def __init__(self, config: Config) -> None:
        self.mark: Mark | None = None
        """What the agent noted last."""
        self._clock = config.clock
        self._own = Mark(self._clock.wall_us(), self._clock.running_us())
        self._latest_us = 0

    def now_us(self) -> int:
        """Microseconds since 1970."""
        mark = self.mark or self._own
        air_us = air_now_us(mark, self._clock.wall_us(), self._clock.running_us())
        self._latest_us = max(self._latest_us, air_us)
        return self._latest_us


def send(config: Config, channel: ChannelConfig, role: senders.Role, ended: threading.Event) -> None:
    """Send a channel until `ended`, whenever this sender has the lead. Raises WorldError when it cannot be begun."""
    clock, running_us = AirClock(config), config.clock.running_us
    sending = Sending(Rate(channel.udp_bits_per_s), slate.slate_path().read_bytes())
    outputs = [Output(to, channel.udp_from, channel.udp_ttl) for to in (channel.udp, channel.udp_copy) if to]
    lead = Lead(config.playout / f"{channel.id}.lead", running_us(), is_standby=role == "standby")
    shelf = Shelf(config, channel.id, clock.now_us)
    reporting = _Reporting(config, channel, role, sending, outputs, shelf)
    shelf.start()
    tell("READY=1")
    try:
        while not ended.is_set():
            clock.mark = shelf.mark
            now_us = clock.now_us()
            if sending.is_behind(now_us) and not shelf.reaches(now_us):
                shelf.hurry(FIRST_S)
            now_us = clock.now_us()
            sending.advance(now_us, running_us(), shelf.segments)
            leads = lead.is_ours(running_us())
            if leads:
                packets = sending.unsent(lead.slot, shelf.segments)
                for output in outputs:
                    output.send(packets, running_us())
                lead.beat(running_us(), sending.slot)
            reporting.tell_if_due(running_us(), leads=leads)
            _wait(clock.now_us)
    finally:
        lead.close()
        shelf.end()
        for output in outputs:
            output.close()


def _wait(now_us: Callable[[], int]) -> None:
    """Until the next batch. CPython waits with clock_nanosleep(2)."""
    time.sleep((BATCH_US - now_us() % BATCH_US) / 1_000_000)


class _Reporting:
    """Tells the watchdog that the loop turns, and everybody how the sender is."""

    def __init__(
        self,
        config: Config,
        channel: ChannelConfig,
        role: senders.Role,
        sending: Sending,
        outputs: list[Output],
        shelf: Shelf,
    ) -> None:
        self._config, self._channel, self._role = config, channel, role
        self._sending, self._outputs, self._shelf = sending, outputs, shelf
        self._started_at_us = config.clock.wall_us()
        self._due_us = 0
        self._leads: bool | None = None

    def tell_if_due(self, running_us: int, *, leads: bool) -> None:
        """Every second, and at once when the lead changes hands."""
        if running_us < self._due_us and leads is self._leads:
            return
        self._due_us, self._leads = running_us + senders.TOLD_EVERY_US, leads
        tell("WATCHDOG=1")
        try:
            senders.tell(self._config, self._channel.id, self._report(leads=leads))
        except WorldError:
            # Who reads it will notice that it is old; the air goes on.
            return

    def _report(self, *, leads: bool) -> senders.Sender:
        sending, counts, tally = self._sending, self._sending.counts, self._sending.tally
        network = [output.trouble for output in self._outputs if output.trouble is not None]
        return senders.Sender(
            role=self._role,
            pid=os.getpid(),
            leads=leads,
            at_us=self._config.clock.wall_us(),
            started_at_us=self._started_at_us,
            output=self._channel.udp,
            bits_per_s=sending.rate.bits_per_s,
            air_us=us_of(sending.rate.tick_of(sending.slot)),
            sent_datagrams=sum(output.sent_datagrams for output in self._outputs),
            lost_datagrams=sum(output.lost_datagrams for output in self._outputs),
            skipped_us=counts.skipped_us,
            skips=counts.skips,
            leaps=counts.leaps,
            pictures=tally.pictures,
            late_pictures=tally.late_pictures,
            lost_pictures=tally.lost_pictures,
            slate_segments=counts.slate_segments,
            margin_ms=round(tally.margin_ticks * 1000 / TICKS_PER_S, 1),
            network=network[0] if network else None,
            note=self._shelf.note,
            database=self._shelf.trouble,
        )
