"""What this box saw of the hub's streams, said in its own, lest a hub show a county one history, an auditor another.

Once a day, if anything has changed. The hub holds the word and cannot change it; `songshan-hub verify` on any copy of
the hub's folder holds it against the chains.
"""

from typing import Final

from sqlite_utils import Database

from appliance.config import Config
from appliance.core import records, wire
from appliance.core.journal import Record
from appliance.core.moment import US, to_text, to_us
from appliance.store import histories, journals
from edge_agent.desk import say

SEEN_EVERY_US: Final = 86_400 * US
KEY: Final = "hub"


class Witness:
    """For one run of the agent: the next word is due at `due_us`; 0 before the database was asked."""

    def __init__(self, db: Database, config: Config) -> None:
        self._db, self._config = db, config
        self._own = wire.stream_of_site(config.site)
        self._due_us = 0

    def tell(self, now_us: int) -> None:
        """Say what was seen, if that is due. Call it inside a transaction."""
        if now_us < self._due_us or self._config.hub is None:
            return
        before = histories.last_seen(self._db, self._own)
        began = before or next(iter(journals.read_from(self._db, self._own, (0, 0), 1)), None)
        if began is None:
            return
        self._due_us = to_us(began.header.at) + SEEN_EVERY_US
        if now_us < self._due_us:
            return
        self._due_us = now_us + SEEN_EVERY_US
        positions = {name: journals.cursor(self._db, name).position for name in wire.streams_of_hub(self._config.site)}
        heads = {name: records.SeenHead(*at.place, at.head) for name, at in positions.items() if at.seq}
        if before is None or _heads(before) != heads:
            say(self._db, self._config, "seen", KEY, records.Seen(heads, to_text(now_us)), now_us)


def _heads(record: Record) -> dict[str, records.SeenHead]:
    body = records.decode(record)
    assert isinstance(body, records.Seen), "a kind has one shape"
    return body.heads
