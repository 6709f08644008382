"""Alarms of streams that stand still, by stream: raised, and cleared when they are one history again."""

from collections.abc import Iterable

import structlog
from sqlite_utils import Database

from appliance.core.errors import Text
from appliance.core.judge import Verdict
from appliance.store import facts
from appliance.store.database import transaction
from edge_agent.recovery import stopped_alarm

log = structlog.get_logger()


class StreamAlarms:
    """`may_have`: streams that may have one, which the agent before us may have raised."""

    def __init__(self, db: Database, may_have: Iterable[str]) -> None:
        self._db, self.may_have = db, set(may_have)

    def raise_(self, stream: str, verdict: Verdict, reason: Text, now_us: int) -> None:
        """Nothing more is read of it, or said on it."""
        log.error("stream_stopped", stream=stream, verdict=verdict.value, reason=reason.en)
        self.may_have.add(stream)
        with transaction(self._db):
            facts.raise_alarm(self._db, stopped_alarm(stream, verdict, reason), now_us)

    def clear(self, stream: str, now_us: int) -> None:
        """It goes on."""
        if stream not in self.may_have:
            return
        self.may_have.remove(stream)
        with transaction(self._db):
            facts.clear_alarm(self._db, f"stream:{stream}", now_us)
