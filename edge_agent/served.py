"""Keeps watch over who serves the channels: while nobody does, nobody vouches for what the ledger says."""

from typing import Final

from sqlite_utils import Database

from appliance import senders, serving
from appliance.config import Config
from appliance.core.health import Web
from appliance.core.moment import US
from appliance.store import asrun, facts

BRIDGED_US: Final = 10 * US
"""So long nginx goes on with what it has, and players with what they have: a restart is no hole in the log."""


def look(db: Database, config: Config, now_us: int) -> None:
    """Note whether the web server is there, and the time for which it was not. Inside a transaction.

    Who never was there is not missed: a box may have a modulator alone. Nor is it where a sender of the channel sends.
    """
    before = facts.web(db)
    try:
        is_up = serving.is_served(config)
    except OSError:
        # A disk that is full, or gives out: nothing can be told.
        return
    if not is_up and not before.is_known:
        return
    since_us = before.down_since_us if before.down_since_us is not None else now_us
    facts.set_status(db, Web(is_known=True, down_since_us=None if is_up else since_us), now_us)
    if now_us - since_us >= BRIDGED_US:
        for channel in _silent(config):
            asrun.unserved(db, channel, since_us, now_us)


def _silent(config: Config) -> list[str]:
    """The channels that no sender sends."""
    sent = {output.channel for output in senders.outputs(config, config.clock.wall_us()) if output.sender is not None}
    return [channel.id for channel in config.channels if channel.id not in sent]
