"""What this site said itself, done again on a box that had forgotten it: its own records, given back by the hub.

A new machine with the old keys, or one that came back from an older copy, so has again what was taken, answered and
sent up. What the hub has said on it meanwhile counts. The log of what aired goes on where the hub has it.
"""

from typing import Final

from sqlite_utils import Database

from appliance.core import records
from appliance.core.asset import Asset
from appliance.core.errors import MissingParent, Text
from appliance.core.item import Item
from appliance.core.moment import to_us
from appliance.store import asrun, assets, desk, histories, items, needs
from appliance.store.needs import TAKEN_WITHIN_US


def retake(db: Database, site: str, body: records.FromSite, now_us: int) -> None:
    """Do it, as far as it is not done. Raises MissingParent when what it is about has not come yet."""
    match body:
        case records.Take(item=item):
            _take(db, item, now_us)
        case records.Untake(item=item):
            if items.is_ours(db, item):
                items.untake(db, item, now_us)
        case records.Answer():
            _answer(db, body)
        case records.Tip():
            desk.add_tip(db, body.id, body.text, body.contact, to_us(body.at))
        case records.Submission():
            _submission(db, site, body, now_us)
        case records.AsRun():
            asrun.take_back(db, body)


def receive_receipt(db: Database, body: records.Receipt, now_us: int) -> None:
    """The hub has decided on a submission: nothing of it need go up any more."""
    for submission, item in desk.open_submissions(db):
        if submission.id == body.submission:
            reason = body.reason if body.verdict == "refused" else None
            desk.set_submission(db, body.submission, body.verdict, now_us, reason)
            _stop_sending(db, item)


def _take(db: Database, item_id: str, now_us: int) -> None:
    if not items.is_known(db, item_id):
        raise MissingParent(f"item:{item_id}", Text(f"稿件 {item_id} 还没有到", f"item {item_id} has not come yet"))
    if items.may_be_taken(db, item_id):
        item = items.take(db, item_id, now_us)
        needs.want_item(db, item, "taken", now_us + TAKEN_WITHIN_US, now_us)


def _answer(db: Database, body: records.Answer) -> None:
    if not desk.has_order(db, body.order):
        raise MissingParent(
            f"order:{body.order}", Text(f"调度指令 {body.order} 还没有到", f"order {body.order} has not come yet")
        )
    desk.answer_order(db, body.order, body.answer, body.note, body.by, to_us(body.at))


def _submission(db: Database, site: str, body: records.Submission, now_us: int) -> None:
    """It stands in the list again; what is here of it goes up, unless the hub has decided already."""
    desk.add_submission(db, body.id, body.item, body.item.assets[0].name if body.item.assets else "", now_us)
    for record in histories.of_key(db, f"{site}/control", "receipt", body.id):
        receipt = records.decode(record)
        assert isinstance(receipt, records.Receipt), "a kind has one shape"
        receive_receipt(db, receipt, now_us)
        return
    for asset in body.item.assets:
        if _is_here(db, asset):
            needs.queue_up(db, asset.digest, asset.size_bytes, now_us)
        else:
            # It may have come up whole before; then its receipt is on the way.
            desk.explain_waiting(db, body.id, _NOT_HERE)


_NOT_HERE: Final = Text(
    "本机恢复后没有这个文件；若迟迟没有回执，请重新投稿",
    "since this box was restored the file is not on it; if no receipt comes, please send it again",
)


def _is_here(db: Database, asset: Asset) -> bool:
    known = assets.holding(db, asset.digest)
    return known is not None and known.state == "here"


def _stop_sending(db: Database, item: Item) -> None:
    still_sent = {asset.digest for _other, open_item in desk.open_submissions(db) for asset in open_item.assets}
    for asset in item.assets:
        if asset.digest not in still_sent:
            assets.drop_transfer(db, asset.digest, "up")
