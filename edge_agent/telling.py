"""What the log says of what happened: INFO tells the story of a night in a page."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from appliance.core.errors import Text
from appliance.core.source_url import shown
from edge_agent.core.outcomes import (
    Began,
    Carried,
    Ceased,
    ChunkCame,
    CommandRead,
    DropsToTell,
    Due,
    Looked,
    Moved,
    Outcome,
    Reached,
)

LINES_MAX: Final = 5
"""More of a kind at once are one line of the log."""

NO_NEWS: Final = (Due, Moved, Carried, Began, Reached, DropsToTell, CommandRead, Looked, ChunkCame)

log = structlog.get_logger()


def tell(outcomes: Sequence[Outcome]) -> None:
    """A line of the log for each thing that happened, or one for many of a kind; what recurs every few seconds is no
    news."""
    news = [each for each in outcomes if not isinstance(each, NO_NEWS)]
    kinds = Counter(map(_event, news))
    for event, count in kinds.items():
        if count > LINES_MAX:
            alike = [each for each in news if _event(each) == event]
            log.info(f"many_{event}", count=count, bytes=sum(getattr(each, "size_bytes", 0) for each in alike))
    for outcome in news:
        if kinds[_event(outcome)] <= LINES_MAX:
            log.info(_event(outcome), **_told(outcome))


def _event(outcome: Outcome) -> str:
    """Its name; of transfers that ended, those that ended well apart from the others."""
    event = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(outcome).__name__).lower()
    return f"{event}_{outcome.result.value}" if isinstance(outcome, Ceased) else event


def _told(outcome: Outcome) -> dict[str, object]:
    told: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(outcome).items():
        if isinstance(value, Text):
            told[name] = value.en
        elif name == "url":
            told[name] = shown(value)
        elif isinstance(value, str | int | bool) and value != "":
            told[name] = value
    return told
