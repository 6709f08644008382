"""Redaction at the box: a body goes, and with it all that was made of it: a tip, a story, an order, an answer.

Not what aired: the as-run log is the supervisor's, and holds titles that were on the air for all to see.
"""

import msgspec
from sqlite_utils import Database

from appliance.core import records
from appliance.core.errors import Refused, Text
from appliance.core.item import Item
from appliance.core.journal import Record
from appliance.core.records import decode
from appliance.store import assets, desk, items, needs, redactions

_REDACTED = Text("已抹除", "redacted")


def redact(db: Database, body: records.Redact, now_us: int) -> None:
    """Carry out a redaction, inside a transaction. A record that is not here yet will come in without its body.

    Where another record has the place by now, that one stays: the words that were meant are not here, or come without.
    """
    for record in redactions.redact(db, body):
        _undo(db, record, now_us)


def come_without_words(db: Database, record: Record, now_us: int) -> None:
    """A version of a story came in without its body: the version before does not stand in its place, here as where both
    had come before that."""
    if record.header.kind in ("item", "offer"):
        before = redactions.before(db, record)
        if before is not None:
            _undo(db, before, now_us)


def check(db: Database, asked: records.Redact) -> Record:
    """The record that a person wants redacted, wherever it stands by now. Refused when there is nothing to redact."""
    found = redactions.find(db, asked)
    name = f"{asked.stream} {asked.epoch}:{asked.seq}"
    if not found and asked.hash and redactions.find(db, msgspec.structs.replace(asked, hash="")):
        raise Refused(Text(f"{name} 现在是另一条记录", f"{name} is another record by now"))
    if not found:
        raise Refused(Text(f"没有记录 {name}", f"there is no record {name}"))
    if found[0].body is None:
        raise Refused(Text(f"{name} 已抹除", f"{name} is redacted already"))
    if found[0].header.kind == "redact":
        raise Refused(Text("抹除记录本身不能抹除", "a redaction cannot itself be redacted"))
    return found[0]


def _undo(db: Database, record: Record, now_us: int) -> None:
    """Take back what the record's words became; a newer record of the same thing keeps what it said."""
    try:
        body = decode(record)
    except (records.UnknownKind, records.BadBody):
        return
    match body:
        case records.Tip():
            desk.forget_tip(db, body.id)
        case records.Submission():
            _forget_submission(db, body, now_us)
        case Item():
            used = items.assets_of(db, body.id)
            if items.forget(db, body):
                needs.let_go(db, used)
        case records.Order():
            desk.blank_order(db, body)
        case records.Answer():
            desk.blank_answer(db, body)
        case _:
            pass


def _forget_submission(db: Database, body: records.Submission, now_us: int) -> None:
    """Nothing of it goes up any more."""
    desk.set_submission(db, body.id, "refused", now_us, _REDACTED)
    desk.blank_submission(db, body.id)
    still_sent = {asset.digest for _other, item in desk.open_submissions(db) for asset in item.assets}
    for asset in body.item.assets:
        if asset.digest not in still_sent:
            assets.drop_transfer(db, asset.digest, "up")
