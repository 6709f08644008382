"""What was wrong and is over: from when to when, bounded, the newest last to go. And when nobody kept watch.

ended(db, alarms, now_us)      for the agent, inside its transaction
history(db, ...)               for whoever looks back, a page at a time
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlite_utils import Database

from appliance.core.ended import Ended
from appliance.core.health import Alarm
from appliance.core.moment import US
from appliance.store.database import first, rows, text_json, text_of

KEPT_MAX: Final = 5000
"""Rows. A box has a few a day; where something flaps, it is one row that counts how often."""
JOINED_US: Final = 5 * 60 * US
"""What comes back so soon is the same trouble, not over yet."""


def ended(db: Database, alarms: Iterable[Alarm], now_us: int) -> None:
    """These are over now."""
    for alarm in alarms:
        before = first(
            db,
            "SELECT since_us FROM alarm_log WHERE id = ? AND ended_us >= ? ORDER BY ended_us DESC LIMIT 1",
            (alarm.id, alarm.since_us - JOINED_US),
        )
        if before is not None:
            db.conn.execute(
                "UPDATE alarm_log SET severity = :severity, text = :text, hint = :hint, ended_us = :ended_us,"
                " times = times + 1 WHERE id = :id AND since_us = :since_us",
                {**_columns(alarm, now_us), "since_us": before["since_us"]},
            )
        else:
            db.conn.execute(
                "INSERT OR REPLACE INTO alarm_log (id, severity, text, hint, since_us, ended_us)"
                " VALUES (:id, :severity, :text, :hint, :since_us, :ended_us)",
                _columns(alarm, now_us),
            )
            db.conn.execute(
                "DELETE FROM alarm_log WHERE rowid IN"
                " (SELECT rowid FROM alarm_log ORDER BY ended_us DESC, id LIMIT -1 OFFSET ?)",
                (KEPT_MAX,),
            )


def history(
    db: Database, words: str = "", before: tuple[int, str] = (2**62, ""), limit: int = 200
) -> tuple[Ended, ...]:
    """What is over, the newest first, after a place; those whose text or id has `words` in it."""
    found = rows(
        db,
        "SELECT * FROM ("
        " SELECT 'alarm' AS kind, id, severity, text, hint, since_us, ended_us, times FROM alarm_log"
        "  WHERE ended_us <= :ended_us"
        "  AND (:words = '' OR instr(lower((text ->> 'zh') || (text ->> 'en') || id), lower(:words)))"
        " UNION ALL SELECT kind, kind || ':' || start_us, NULL, NULL, NULL, start_us, end_us, 1 FROM absences"
        "  WHERE end_us <= :ended_us AND :words = '')"
        " WHERE ended_us < :ended_us OR id > :id ORDER BY ended_us DESC, id LIMIT :limit",
        {"words": words, "ended_us": before[0], "id": before[1], "limit": limit},
    )
    return tuple(
        msgspec.convert({**row, "text": text_of(row["text"]), "hint": text_of(row["hint"])}, Ended) for row in found
    )


def _columns(alarm: Alarm, now_us: int) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(alarm),
        "text": text_json(alarm.text),
        "hint": text_json(alarm.hint),
        "ended_us": now_us,
    }
