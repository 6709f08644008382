"""How fast the line was, so that a forecast after a restart knows it; `appliance.core.line_rate` reads it."""

from typing import Literal

from sqlite_utils import Database

from appliance.core.line_rate import KEPT_US, SLOT_US, LineRate, Slot, line_rate
from appliance.store.database import rows

Direction = Literal["down", "up"]


def carried(db: Database, direction: Direction, bytes_: int, busy_us: int, now_us: int) -> None:
    """So much was carried in so much time, just now. What is older than KEPT_US goes. Inside `with transaction(db)`."""
    db.conn.execute(
        "INSERT INTO line_rates (direction, slot_us, bytes, busy_us) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (direction, slot_us)"
        " DO UPDATE SET bytes = bytes + excluded.bytes, busy_us = busy_us + excluded.busy_us",
        (direction, now_us // SLOT_US * SLOT_US, bytes_, busy_us),
    )
    db.conn.execute("DELETE FROM line_rates WHERE slot_us < ?", (now_us - KEPT_US,))


def rate_of(db: Database, direction: Direction) -> LineRate:
    """How fast it is, and was at its worst."""
    found = rows(db, "SELECT slot_us, bytes, busy_us FROM line_rates WHERE direction = ?", (direction,))
    return line_rate(Slot(**row) for row in found)


def carried_since(db: Database, direction: Direction, since_us: int) -> dict[int, int]:
    """The bytes that were carried, by the beginning of each ten minutes; where nothing travelled there is none."""
    found = db.conn.execute(
        "SELECT slot_us, bytes FROM line_rates WHERE direction = ? AND slot_us >= ?", (direction, since_us)
    )
    return dict(found.fetchall())
