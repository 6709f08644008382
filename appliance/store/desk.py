"""The desk in the database: what was sent up, what the command desk asked, what citizens wrote, and every command.

A command of the spool is carried out once: its name is noted in the transaction that carries it out (`carry_out`).
"""

from collections.abc import Callable
from typing import Literal

import msgspec
from sqlite_utils import Database

from appliance.core.command import Command, about, kind_of
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.health import OrderFact, SubmissionFact
from appliance.core.item import Item
from appliance.core.moment import to_us
from appliance.core.records import Answer, Order
from appliance.store.database import Row, first, reason_of, rows, text_json, text_of, transaction

LISTED_MAX = 200

Sounds = Callable[[str], bool]
"""Whether a title sounds like what was typed, by somebody who cannot type Chinese: the initials of its pinyin."""

SubmissionState = Literal["waiting", "sending", "sent", "accepted", "refused"]


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """A command and what became of it."""

    name: str
    kind: str
    by: str
    via: str
    at_us: int
    outcome: Literal["done", "refused"]
    reason: Text | None = None
    """Why it was refused."""
    about: str = ""
    why: str = ""
    """Why the person wanted it."""


def carry_out(db: Database, name: str, command: Command, effect: Callable[[Database], None]) -> Audited:
    """Do what a command of the spool asks, once: `effect` and the note of it are one transaction.

    What was carried out before is not done again. When `effect` raises Refused or OperatorError nothing of it stays,
    and the refusal is noted with its reason. The caller may forget the file when this returns.
    """
    with transaction(db):
        before = audited(db, name)
        if before is not None:
            return before
        reason = _effect(db, effect)
        done = Audited(
            name=name,
            kind=kind_of(command),
            by=command.by,
            via=command.via,
            at_us=to_us(command.at),
            outcome="refused" if reason else "done",
            reason=reason,
            about=about(command),
            why=command.reason,
        )
        _note(db, done)
    return done


def note_unreadable(db: Database, name: str, reason: Text, now_us: int) -> None:
    """A file of the spool that held no command: it is on record too."""
    with transaction(db):
        if audited(db, name) is None:
            _note(db, Audited(name=name, kind="?", by="?", via="?", at_us=now_us, outcome="refused", reason=reason))


def audited(db: Database, name: str) -> Audited | None:
    """What became of a command; None when it was not carried out yet."""
    row = first(db, "SELECT * FROM commands WHERE name = ?", (name,))
    return _audited(row) if row else None


def audit(db: Database, limit: int = LISTED_MAX) -> tuple[Audited, ...]:
    """The last commands, newest first."""
    return tuple(_audited(row) for row in rows(db, "SELECT * FROM commands ORDER BY name DESC LIMIT ?", (limit,)))


def audit_page(db: Database, words: str, before: str, limit: int) -> tuple[Audited, ...]:
    """What people and programs asked for, newest first, from behind the command called `before` ("": from the newest).

    `words` are looked for in who, what, why and about what. What a probe notes by itself each minute is left out.
    """
    found = rows(
        db,
        "SELECT * FROM commands WHERE kind != 'observed' AND (? = '' OR name < ?)"
        " AND (? = '' OR instr(lower(by || ' ' || kind || ' ' || about || ' ' || why || ' ' || outcome), lower(?)))"
        " ORDER BY name DESC LIMIT ?",
        (before, before, words, words, limit),
    )
    return tuple(_audited(row) for row in found)


def add_submission(db: Database, submission_id: str, item: Item, file_name: str, now_us: int) -> None:
    """Something goes up; it waits until its assets have been sent. Nothing happens when it is known already."""
    db.conn.execute(
        "INSERT OR IGNORE INTO submissions (id, item, title, file_name, digest, state, created_at_us, changed_at_us,"
        " document) VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, ?)",
        (
            *(submission_id, item.id, item.title, file_name, item.assets[0].digest if item.assets else ""),
            *(now_us, now_us, msgspec.json.encode(item).decode()),
        ),
    )


def set_submission(
    db: Database, submission_id: str, state: SubmissionState, now_us: int, reason: Text | None = None
) -> None:
    """It has come further. What the hub has accepted or refused stays so."""
    db.conn.execute(
        "UPDATE submissions SET state = ?, changed_at_us = ?, reason = ? WHERE id = ? AND state != ?"
        " AND state NOT IN ('accepted', 'refused')",
        (state, now_us, text_json(reason), submission_id, state),
    )


def explain_waiting(db: Database, submission_id: str, reason: Text) -> None:
    """Why the hub may have to wait for it."""
    db.conn.execute(
        "UPDATE submissions SET reason = ? WHERE id = ? AND state = 'waiting'", (text_json(reason), submission_id)
    )


def submissions(db: Database, limit: int = LISTED_MAX) -> tuple[SubmissionFact, ...]:
    """What was sent up, newest first."""
    found = rows(db, "SELECT * FROM submissions ORDER BY created_at_us DESC, id LIMIT ?", (limit,))
    return tuple(msgspec.convert({**row, "reason": text_of(row["reason"])}, SubmissionFact) for row in found)


def in_no_way(_title: str) -> bool:
    """Only what is written counts."""
    return False


def submissions_page(
    db: Database,
    words: str = "",
    after: tuple[int, str] = (2**62, ""),
    limit: int = LISTED_MAX,
    sounds: Sounds = in_no_way,
) -> tuple[SubmissionFact, ...]:
    """What was sent up, newest first, behind a moment and id; those whose title or file name has `words` in it, or
    whose title `sounds` so."""
    db.conn.create_function("sounds", 1, sounds)
    found = rows(
        db,
        "SELECT * FROM submissions WHERE (created_at_us < :at_us OR (created_at_us = :at_us AND id > :id))"
        " AND (:words = '' OR instr(lower(title), lower(:words)) OR instr(lower(file_name), lower(:words))"
        " OR sounds(title))"
        " ORDER BY created_at_us DESC, id LIMIT :limit",
        {"at_us": after[0], "id": after[1], "words": words, "limit": limit},
    )
    return tuple(msgspec.convert({**row, "reason": text_of(row["reason"])}, SubmissionFact) for row in found)


def submission(db: Database, submission_id: str) -> tuple[SubmissionFact, Item | None] | None:
    """One of them with its item, None where its words were redacted; None when there is none."""
    row = first(db, "SELECT * FROM submissions WHERE id = ?", (submission_id,))
    if row is None:
        return None
    item = msgspec.json.decode(row["document"], type=Item) if row["document"] else None
    return msgspec.convert({**row, "reason": text_of(row["reason"])}, SubmissionFact), item


def open_submissions(db: Database) -> tuple[tuple[SubmissionFact, Item], ...]:
    """What the hub has given no receipt for, oldest first, with the items."""
    found = rows(db, "SELECT * FROM submissions WHERE state NOT IN ('accepted', 'refused') ORDER BY created_at_us, id")
    return tuple(
        (
            msgspec.convert({**row, "reason": text_of(row["reason"])}, SubmissionFact),
            msgspec.json.decode(row["document"], type=Item),
        )
        for row in found
    )


def receive_order(db: Database, order: Order, now_us: int) -> None:
    """An order has come; come again it changes its text and keeps its answer."""
    db.conn.execute(
        "INSERT INTO orders (id, title, body, due_us, state, received_at_us) VALUES (?, ?, ?, ?, 'new', ?)"
        " ON CONFLICT (id) DO UPDATE SET title = excluded.title, body = excluded.body, due_us = excluded.due_us",
        (order.id, order.title, order.body, to_us(order.due) if order.due is not None else None, now_us),
    )


def answer_order(db: Database, order_id: str, answer: str, note: str, by: str, now_us: int) -> None:
    """The site's answer, or a later one; Refused when there is no such order."""
    changed = db.conn.execute(
        "UPDATE orders SET state = 'answered', answer = ?, note = ?, answered_by = ?, answered_at_us = ?"
        " WHERE id = ? AND state != 'withdrawn'",
        (answer, note, by, now_us, order_id),
    )
    if changed.rowcount == 0:
        raise Refused(Text(f"没有调度指令 {order_id}", f"there is no order {order_id}"))


def has_order(db: Database, order_id: str) -> bool:
    """Whether it has come."""
    return first(db, "SELECT 1 FROM orders WHERE id = ?", (order_id,)) is not None


def orders(db: Database, limit: int = LISTED_MAX) -> tuple[OrderFact, ...]:
    """Orders, those without an answer first, then the newest."""
    found = rows(db, "SELECT * FROM orders ORDER BY state != 'new', received_at_us DESC, id LIMIT ?", (limit,))
    return tuple(msgspec.convert(row, OrderFact) for row in found)


def orders_page(
    db: Database,
    words: str = "",
    after: tuple[int, int, str] = (-1, 2**62, ""),
    limit: int = LISTED_MAX,
    sounds: Sounds = in_no_way,
) -> tuple[OrderFact, ...]:
    """Orders in that order, behind one: 1 where it needs no answer any more else 0, when it came, its id. Those with
    `words` in title, text or id, or whose title `sounds` so."""
    db.conn.create_function("sounds", 1, sounds)
    found = rows(
        db,
        "SELECT * FROM orders WHERE (state != 'new', -received_at_us, id) > (:rank, :minus_us, :id)"
        " AND (:words = '' OR instr(lower(title || char(10) || body || char(10) || id), lower(:words))"
        " OR sounds(title))"
        " ORDER BY state != 'new', received_at_us DESC, id LIMIT :limit",
        {"rank": after[0], "minus_us": -after[1], "id": after[2], "words": words, "limit": limit},
    )
    return tuple(msgspec.convert(row, OrderFact) for row in found)


def order(db: Database, order_id: str) -> OrderFact | None:
    """One of them; None when it has not come."""
    row = first(db, "SELECT * FROM orders WHERE id = ?", (order_id,))
    return msgspec.convert(row, OrderFact) if row else None


def add_tip(db: Database, tip_id: str, text: str, contact: str, at_us: int) -> None:
    """What a citizen wrote; kept here as well as sent up."""
    db.conn.execute(
        "INSERT OR IGNORE INTO tips (id, text, contact, at_us) VALUES (?, ?, ?, ?)", (tip_id, text, contact, at_us)
    )


def forget_tip(db: Database, tip_id: str) -> None:
    """It was redacted."""
    db.conn.execute("DELETE FROM tips WHERE id = ?", (tip_id,))


def blank_submission(db: Database, submission_id: str) -> None:
    """Its words were redacted; that there was one, and what became of it, stays."""
    db.conn.execute("UPDATE submissions SET title = '', file_name = '', document = '' WHERE id = ?", (submission_id,))


def blank_order(db: Database, order: Order) -> None:
    """The words of an order were redacted, unless a newer record has given it others."""
    db.conn.execute(
        "UPDATE orders SET title = '', body = '' WHERE id = ? AND title = ? AND body = ?",
        (order.id, order.title, order.body),
    )


def blank_answer(db: Database, answer: Answer) -> None:
    """The words of an answer were redacted, unless it was answered again."""
    db.conn.execute(
        "UPDATE orders SET note = '', answered_by = '' WHERE id = ? AND note = ? AND answered_by = ?",
        (answer.order, answer.note, answer.by),
    )


def _effect(db: Database, effect: Callable[[Database], None]) -> Text | None:
    try:
        with db.atomic():
            effect(db)
    except (Refused, OperatorError) as error:
        return reason_of(error)
    return None


def _note(db: Database, done: Audited) -> None:
    db.conn.execute(
        "INSERT INTO commands (name, kind, by, via, at_us, outcome, reason, about, why)"
        " VALUES (:name, :kind, :by, :via, :at_us, :outcome, :reason, :about, :why)",
        {**msgspec.structs.asdict(done), "reason": text_json(done.reason)},
    )


def _audited(row: Row) -> Audited:
    return msgspec.convert({**row, "reason": text_of(row["reason"])}, Audited)
