"""Live entries of the schedules that run or come, and how it stands with each: for the agent and for screens."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.errors import Text
from appliance.core.health import LiveFact
from appliance.core.live import LOST, Answer
from appliance.core.moment import US
from appliance.core.rundown import tick_of, us_of
from appliance.core.source_url import shown
from appliance.store import live
from appliance.store.air import Named, channel_slots, stretches
from appliance.store.database import first

ASKED_BEFORE_US: Final = 30 * 60 * US
"""So long before it begins a source is asked for the first time: a gateway can still be mended, a guest be called."""


class LiveEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A live entry and the time that it has."""

    channel: str
    date: str
    entry_id: str
    title: str
    url: str
    start_us: int
    end_us: int

    @property
    def key(self) -> str:
        return f"{self.channel}/{self.date}/{self.entry_id}"


def live_entries(db: Database, channels: Iterable[Named], now_us: int) -> tuple[LiveEntry, ...]:
    """Those that run now or begin within half an hour, in the order in which they begin."""
    found = []
    for channel in channels:
        facts = first(db, "SELECT zone FROM channels WHERE id = ?", (channel.id,))
        if facts is None:
            continue
        until_us = now_us + ASKED_BEFORE_US
        for slot in channel_slots(db, channel.id, facts["zone"], now_us, until_us):
            entry, start_us, end_us = slot.entry, us_of(slot.start_tick), us_of(slot.end_tick)
            if entry is None or entry.url is None or end_us <= now_us or start_us >= until_us:
                continue
            found.append(
                LiveEntry(
                    channel=channel.id,
                    date=slot.date,
                    entry_id=entry.id,
                    title=entry.title,
                    url=entry.url,
                    start_us=start_us,
                    end_us=end_us,
                )
            )
    return tuple(sorted(found, key=lambda entry: (entry.start_us, entry.key)))


def live_facts(db: Database, channels: Iterable[Named], now_us: int) -> tuple[LiveFact, ...]:
    """How it stands with each of them."""
    entries = live_entries(db, channels, now_us)
    answers = live.answers(db) if entries else {}
    return tuple(_fact(db, entry, answers.get(entry.url), now_us) for entry in entries)


def _fact(db: Database, entry: LiveEntry, answer: Answer | None, now_us: int) -> LiveFact:
    fact = LiveFact(
        channel=entry.channel,
        entry_id=entry.entry_id,
        title=entry.title,
        url=shown(entry.url),
        state="unasked" if answer is None else "reachable" if answer.reason is None else "unreachable",
        start_us=entry.start_us,
        until_us=entry.end_us,
        asked_us=answer.asked_us if answer else None,
        reason=answer.reason if answer else None,
    )
    if now_us < entry.start_us:
        return fact
    row = next(iter(stretches(db, entry.channel, tick_of(now_us), tick_of(now_us) + 1)), None)
    if row is not None and row.kind == "live":
        return msgspec.structs.replace(fact, state="on", reason=None, delay_s=_delay_s(db, entry, row.start_tick))
    reason = fact.reason or (row.reason if row is not None else None)
    is_lost = row is not None and row.reason == LOST
    return msgspec.structs.replace(fact, state="lost" if is_lost else "waiting", reason=reason or _NOTHING)


def _delay_s(db: Database, entry: LiveEntry, start_tick: int) -> float | None:
    """How far the air is behind the source, where that says what time it has."""
    row = first(
        db,
        "SELECT source_us FROM live_chunks WHERE channel = ? AND date = ? AND entry_id = ? AND start_tick = ?",
        (entry.channel, entry.date, entry.entry_id, start_tick),
    )
    return round((us_of(start_tick) - row["source_us"]) / US, 1) if row and row["source_us"] is not None else None


_NOTHING: Final = Text("没有收到数据", "nothing comes from it")
