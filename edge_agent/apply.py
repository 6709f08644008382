"""What a record does to this box. Each is applied once, in the transaction that moves the cursor past it.

A record that cannot be applied is parked with the reason and changes nothing; the ones after it go on. One of a kind
that this version does not know is kept and tried again after an upgrade, unless a newer one has taken its place.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlite_utils import Database

from appliance.config import Config
from appliance.core import records
from appliance.core.airings import airings, airings_of_template
from appliance.core.errors import Refused, Text
from appliance.core.item import Item
from appliance.core.journal import Record
from appliance.core.moment import to_us
from appliance.core.records import decode
from appliance.core.rotation import is_proven
from appliance.core.template import assets_of
from appliance.store import air, desk, hub_keys, items, journals, needs, reasons
from appliance.store.needs import DAYS_BACK_US, FILLER_WITHIN_US, ITEM_WITHIN_US, READY_BEFORE_US
from edge_agent.faults import as_refusals
from edge_agent.redaction import come_without_words, redact
from edge_agent.retake import receive_receipt, retake

ALL: Final = "all/"
"""Streams that every site reads; what they say of a channel concerns the sites that have it."""
REPLACING: Final = frozenset({"item", "offer", "order", "filler"})
"""Kinds of which the last record of a key is all that counts."""


class Applying:
    """Applies records to one box. `air_changed` is set when the ledger is behind what is known; reset it yourself."""

    def __init__(self, config: Config, now_us: Callable[[], int]) -> None:
        self._config, self._now_us = config, now_us
        self._channels = tuple(channel.id for channel in config.channels)
        self.air_changed = False

    def __call__(self, db: Database, record: Record) -> None:
        """Do what it says; where its words were redacted, nothing but that no older ones stand in their place.

        Raises Refused or OperatorError when that cannot be done; then park it.
        """
        with as_refusals(f"{record.header.stream} {record.header.epoch}:{record.header.seq}"):
            if record.body is not None:
                self._apply(db, record, decode(record), self._now_us())
            else:
                come_without_words(db, record, self._now_us())

    def again(self, db: Database, record: Record) -> None:
        """Apply what was parked, now that this may be possible. What a newer record has said since stands.

        A schedule stands by its version; to go back to the schedule now because that was asked for then would end a
        break-in of today.
        """
        kind = record.header.kind
        if kind == "resume" or (kind in REPLACING and journals.has_newer(db, record)):
            return
        self(db, record)

    def _apply(self, db: Database, record: Record, body: records.Body, now_us: int) -> None:
        match body:
            case records.Recall():
                self._recall(db, body)
            case records.Rotate():
                self._rotate(db, record, body)
            case records.Redact():
                redact(db, body, now_us)
                self.air_changed = True
            case Item():
                self._item(db, record, body, now_us)
            case records.Order():
                desk.receive_order(db, body, now_us)
            case records.Receipt():
                receive_receipt(db, body, now_us)
            case records.Schedule():
                self._schedule(db, record, body, now_us)
            case records.Template() if self._concerns(record, body.channel):
                self._template(db, record, body, now_us)
            case records.Filler() if self._concerns(record, body.channel):
                self._filler(db, record, body, now_us)
            case records.Insert() if self._concerns(record, body.channel):
                self._insert(db, record, body, now_us)
            case records.Resume() if self._concerns(record, body.channel):
                air.resume(db, body.channel)
                self.air_changed = True
            case records.Template() | records.Filler() | records.Insert() | records.Resume():
                pass
            case _:
                retake(db, self._config.site, body, now_us)

    def _concerns(self, record: Record, channel: str) -> bool:
        """Whether it is about one of our channels. A record to this site alone about a channel it lacks is wrong."""
        if channel in self._channels:
            return True
        if record.header.stream.startswith(ALL):
            return False
        raise Refused(Text(f"本站没有频道 {channel}", f"this site has no channel {channel}"))

    def _recall(self, db: Database, body: records.Recall) -> None:
        """The item or asset vanishes from lists in this transaction, its links and files in this turn of the loop."""
        at_us = to_us(body.at)
        for kind in ("item", "taken"):
            reasons.end(db, f"{kind}:{body.target}")
        for digest in items.recall(db, body.target, body.reason, at_us):
            # A story of ours that shows the same picture still has to go up; unless the picture itself is recalled.
            if digest == body.target or not needs.goes_up(db, digest):
                needs.bury(db, digest, body.reason, at_us)
        self.air_changed = True

    def _rotate(self, db: Database, record: Record, body: records.Rotate) -> None:
        """Trust the next key of the hub's, if it follows the one that is trusted; a box that began later knows it."""
        hub = self._config.hub
        if hub is None or not is_proven(hub.id, body):
            raise Refused(Text("换钥记录的签名不对", "a change of the hub's key that its keys did not sign"))
        if body.former == hub_keys.trusted(db, hub.sign_key):
            hub_keys.follow(db, record, body)

    def _item(self, db: Database, record: Record, item: Item, now_us: int) -> None:
        """A story published to this site, or put into the supermarket; only what is shown here is fetched."""
        before = items.places_of(db, item.id)
        if items.stands(db, item):
            needs.unearth_with_item(db, item.assets)
        is_published = record.header.kind == "item"
        if not items.keep(db, item, "published" if is_published else "offered", now_us):
            return
        if is_published or items.is_ours(db, item.id):
            shown_us = max(now_us, to_us(item.publish_at)) if item.publish_at else now_us
            reasons.end(db, f"item:{item.id}")
            needs.want_item(db, item, "item", shown_us + ITEM_WITHIN_US, now_us)
            _note_replaced(db, before, items.places_of(db, item.id))
        needs.let_go(db, set(before.values()) - {asset.digest for asset in item.assets})
        self.air_changed = True

    def _schedule(self, db: Database, record: Record, body: records.Schedule, now_us: int) -> None:
        before = air.assets_of_entries(db, body.channel, body.date)
        air.receive_schedule(db, body, self._config.zone, self._channels, now_us)
        needs.unearth(db, body.assets, to_us(record.header.at))
        day = f"{body.channel}/{body.date}"
        reasons.end(db, f"air:{day}")
        for asset, starts_us in airings(body, self._config.zone, self._channels):
            if starts_us + DAYS_BACK_US > now_us and not items.is_recalled(db, asset.digest):
                needs.need_on_air(db, asset, "air", day, starts_us - READY_BEFORE_US, now_us)
        after = air.assets_of_entries(db, body.channel, body.date)
        _note_replaced(db, before, after)
        needs.let_go(db, set(before.values()) - set(after.values()))
        self.air_changed = True

    def _template(self, db: Database, record: Record, body: records.Template, now_us: int) -> None:
        before = air.template_of(db, body.channel)
        air.receive_template(db, body, self._channels, now_us)
        needs.unearth(db, body.assets, to_us(record.header.at))
        reasons.end(db, f"template:{body.channel}")
        for asset, starts_us in airings_of_template(body, self._config.zone, self._channels, now_us):
            if not items.is_recalled(db, asset.digest):
                deadline_us = now_us + FILLER_WITHIN_US if starts_us is None else starts_us - READY_BEFORE_US
                needs.need_on_air(db, asset, "template", body.channel, deadline_us, now_us)
        gone = set(assets_of(before) if before is not None else ()) - {asset.digest for asset in body.assets}
        needs.let_go(db, gone)
        self.air_changed = True

    def _filler(self, db: Database, record: Record, body: records.Filler, now_us: int) -> None:
        needs.unearth(db, body.assets, to_us(record.header.at))
        air.set_fillers(db, body.channel, [asset.digest for asset in body.assets])
        reasons.end(db, f"filler:{body.channel}")
        for asset in body.assets:
            needs.need_on_air(db, asset, "filler", body.channel, now_us + FILLER_WITHIN_US, now_us)
        self.air_changed = True

    def _insert(self, db: Database, record: Record, body: records.Insert, now_us: int) -> None:
        needs.unearth(db, (body.asset,), to_us(record.header.at))
        air.add_insert(db, body.id, body.channel, body.asset.digest, now_us, body.at, body.until, body.not_after)
        needs.need_on_air(db, body.asset, "insert", body.id, to_us(body.at) if body.at else now_us, now_us)
        self.air_changed = True


def _note_replaced(db: Database, before: Mapping[Any, str], after: Mapping[Any, str]) -> None:
    """Another asset in the same place: a new version, as a rule."""
    for place, digest in after.items():
        old = before.get(place)
        if old is not None and old != digest:
            needs.replaces(db, digest, old)
