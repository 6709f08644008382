"""Items (稿件) in the database: what is shown now, what the supermarket offers, what was recalled.

An item is shown when it was published to this site, or offered and taken; when its time has come and not gone; and when
all its assets have arrived. A recall leaves a tombstone: what was made before it does not come back, in whatever order
the records arrive.
"""

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from sqlite_utils import Database

from appliance.core.asset import Digest
from appliance.core.errors import Refused, Text
from appliance.core.item import Item
from appliance.core.moment import to_us
from appliance.store.database import Row, first, rows


class Offer(msgspec.Struct, frozen=True):
    """An item of the supermarket; `is_shown` once it was taken and is all here."""

    item: Item
    taken: bool
    is_shown: bool


def keep(db: Database, item: Item, state: Literal["offered", "published"], now_us: int) -> bool:
    """Take in an item, or a new version of one. False when it was recalled, and is not newer than that.

    Raises Refused when nobody has signed it off. An item published to this site stays so when it is offered too.
    """
    if not item.is_signed_off():
        raise Refused(Text(f"稿件 {item.id} 未经签发", f"item {item.id} was not signed off"))
    created_at_us = to_us(item.created_at)
    if created_at_us <= _recalled_at_us(db, item.id):
        return False
    known = first(db, "SELECT state, taken FROM items WHERE id = ?", (item.id,)) or {"state": state, "taken": 0}
    db.conn.execute(
        "INSERT INTO items (id, state, taken, section, title, origin, publish_at_us, until_us, created_at_us,"
        " changed_at_us, shown_at_us, search, document) VALUES (:id, :state, :taken, :section, :title, :origin,"
        " :publish_at_us, :until_us, :created_at_us, :changed_at_us, :shown_at_us, :search, :document)"
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state, section = excluded.section, title = excluded.title,"
        " origin = excluded.origin, publish_at_us = excluded.publish_at_us, until_us = excluded.until_us,"
        " created_at_us = excluded.created_at_us, changed_at_us = excluded.changed_at_us,"
        " shown_at_us = excluded.shown_at_us, search = excluded.search, document = excluded.document",
        {
            **_values(item, now_us),
            "state": "published" if "published" in (known["state"], state) else state,
            "taken": known["taken"],
        },
    )
    db.conn.execute("DELETE FROM item_assets WHERE item = ?", (item.id,))
    recalled = recalled_among(db, (asset.digest for asset in item.assets))
    db.conn.executemany(
        "INSERT OR IGNORE INTO item_assets (item, digest, role, ordinal) VALUES (?, ?, ?, ?)",
        [
            (item.id, asset.digest, asset.role, ordinal)
            for ordinal, asset in enumerate(item.assets)
            if asset.digest not in recalled
        ],
    )
    return True


def recall(db: Database, target: str, reason: str, at_us: int) -> tuple[Digest, ...]:
    """Let an item, or an asset wherever it stands, vanish. The digests that no item uses any more: unlink them at once.

    An item without one of its assets goes on without it.
    """
    db.conn.execute(
        "INSERT INTO tombstones (target, reason, recalled_at_us) VALUES (?, ?, ?) ON CONFLICT (target) DO UPDATE"
        " SET reason = excluded.reason, recalled_at_us = max(recalled_at_us, excluded.recalled_at_us), with_item = 0",
        (target, reason, at_us),
    )
    if target.startswith("sha256:"):
        db.conn.execute("DELETE FROM item_assets WHERE digest = ?", (target,))
        return (Digest(target),)
    row = first(db, "SELECT created_at_us FROM items WHERE id = ?", (target,))
    if row is None or row["created_at_us"] > at_us:
        return ()
    digests = [each["digest"] for each in rows(db, "SELECT digest FROM item_assets WHERE item = ?", (target,))]
    db.conn.execute("DELETE FROM item_assets WHERE item = ?", (target,))
    db.conn.execute(
        "UPDATE items SET state = 'recalled', taken = 0, document = '', search = '' WHERE id = ?", (target,)
    )
    return tuple(Digest(digest) for digest in digests if not _is_used(db, digest))


def forget(db: Database, item: Item) -> bool:
    """Remove an item whose words were redacted; False when a newer record has given it others, which stay."""
    removed = db.conn.execute("DELETE FROM items WHERE id = ? AND document = ?", (item.id, _document(item)))
    return removed.rowcount > 0


def take(db: Database, item_id: str, now_us: int) -> Item:
    """Take an item from the supermarket; Refused when it is not offered."""
    row = first(db, "SELECT * FROM items_whole WHERE id = ? AND state IN ('offered', 'published')", (item_id,))
    if row is None:
        raise Refused(Text(f"新闻超市里没有稿件 {item_id}", f"the supermarket offers no item {item_id}"))
    db.conn.execute("UPDATE items SET taken = 1, changed_at_us = ? WHERE id = ?", (now_us, item_id))
    return _item(row)


def is_known(db: Database, item_id: str) -> bool:
    """Whether an item ever came, or was recalled before it did."""
    return first(db, "SELECT 1 FROM items WHERE id = ?", (item_id,)) is not None or is_recalled(db, item_id)


def may_be_taken(db: Database, item_id: str) -> bool:
    """Whether it is on offer, or published to this site."""
    found = first(db, "SELECT 1 FROM items WHERE id = ? AND state IN ('offered', 'published')", (item_id,))
    return found is not None


def untake(db: Database, item_id: str, now_us: int) -> None:
    """Give it back; Refused when it was not taken."""
    changed = db.conn.execute(
        "UPDATE items SET taken = 0, changed_at_us = ? WHERE id = ? AND taken = 1", (now_us, item_id)
    )
    if changed.rowcount == 0:
        raise Refused(Text(f"没有选用过稿件 {item_id}", f"item {item_id} was not taken"))


def published(
    db: Database, now_us: int, section: str | None = None, query: str | None = None, limit: int = 20, offset: int = 0
) -> list[Item]:
    """What is shown now, newest first."""
    found = rows(
        db,
        "SELECT * FROM items_whole WHERE is_open AND from_us <= :now_us AND :now_us < to_us"
        " AND (:section IS NULL OR section = :section) AND instr(search, :query)"
        " ORDER BY shown_at_us DESC, id LIMIT :limit OFFSET :offset",
        {**_filter(now_us, section, query), "limit": limit, "offset": offset},
    )
    return [_item(row) for row in found]


def count_published(db: Database, now_us: int, section: str | None = None, query: str | None = None) -> int:
    """How many there are on all pages."""
    found = rows(
        db,
        "SELECT count(*) AS items FROM items_whole WHERE is_open AND from_us <= :now_us AND :now_us < to_us"
        " AND (:section IS NULL OR section = :section) AND instr(search, :query)",
        _filter(now_us, section, query),
    )
    return int(found[0]["items"])


def one(db: Database, item_id: str, now_us: int) -> Item | None:
    """An item that is shown now; None for any other."""
    row = first(
        db,
        "SELECT * FROM items_whole WHERE id = :id AND is_open AND from_us <= :now_us AND :now_us < to_us",
        {"id": item_id, "now_us": now_us},
    )
    return _item(row) if row else None


def offered(db: Database, now_us: int, query: str | None = None, limit: int = 100, offset: int = 0) -> list[Offer]:
    """The supermarket, newest first."""
    found = rows(
        db,
        "SELECT *, is_open AND from_us <= :now_us AND :now_us < to_us AS is_shown FROM items_whole"
        " WHERE state = 'offered' AND instr(search, :query) ORDER BY created_at_us DESC, id"
        " LIMIT :limit OFFSET :offset",
        {**_filter(now_us, None, query), "limit": limit, "offset": offset},
    )
    return [Offer(_item(row), bool(row["taken"]), bool(row["is_shown"])) for row in found]


def servable(db: Database, now_us: int) -> frozenset[Digest]:
    """The digests that HTTP may serve now: of what is shown."""
    # Joined the other way round, whether an item is whole would be asked once for each of its assets; and of one that
    # is whole nothing is still wanted. The agent asks this after every change, of boxes that hold 100,000 assets.
    found = db.conn.execute(
        "WITH shown AS MATERIALIZED"
        " (SELECT id FROM items_whole WHERE is_open AND from_us <= :now_us AND :now_us < to_us)"
        " SELECT digest FROM shown JOIN item_assets ON item = shown.id"
        " WHERE digest NOT IN (SELECT digest FROM assets WHERE state = 'bad')",
        {"now_us": now_us},
    )
    return frozenset(digest for (digest,) in found)


def wanted(db: Database, now_us: int) -> frozenset[Digest]:
    """The digests of everything published here or taken, whose time has not gone: they must be on disk."""
    found = rows(
        db,
        "SELECT DISTINCT digest FROM item_assets JOIN items ON items.id = item"
        " WHERE (state = 'published' OR (state = 'offered' AND taken = 1)) AND (until_us IS NULL OR until_us > ?)",
        (now_us,),
    )
    return frozenset(Digest(row["digest"]) for row in found)


def assets_of(db: Database, item_id: str) -> frozenset[Digest]:
    """The digests of an item that were not recalled; none of an item that is not known."""
    found = rows(db, "SELECT digest FROM item_assets WHERE item = ?", (item_id,))
    return frozenset(Digest(row["digest"]) for row in found)


def places_of(db: Database, item_id: str) -> dict[tuple[str, int], str]:
    """The digests of an item by their place in it: role and position."""
    found = rows(db, "SELECT role, ordinal, digest FROM item_assets WHERE item = ?", (item_id,))
    return {(row["role"], row["ordinal"]): row["digest"] for row in found}


def is_ours(db: Database, item_id: str) -> bool:
    """Whether an item was published to this site or is taken, and so needs its assets here."""
    row = first(
        db,
        "SELECT 1 FROM items WHERE id = ? AND (state = 'published' OR (state = 'offered' AND taken = 1))",
        (item_id,),
    )
    return row is not None


def next_change_us(db: Database, now_us: int) -> int | None:
    """When an item next appears or goes by its own times."""
    # Two questions, each of which an index answers without reading the items.
    found = db.conn.execute(
        "SELECT min(publish_at_us) FROM items WHERE publish_at_us > :now_us UNION ALL"
        " SELECT min(until_us) FROM items WHERE until_us > :now_us",
        {"now_us": now_us},
    )
    return min((moment_us for (moment_us,) in found if moment_us is not None), default=None)


def stands(db: Database, item: Item) -> bool:
    """Whether no recall of its id stands against an item: one made after that is another one."""
    return to_us(item.created_at) > _recalled_at_us(db, item.id)


def is_recalled(db: Database, target: str) -> bool:
    """Whether an item or asset was ever recalled."""
    return first(db, "SELECT 1 FROM tombstones WHERE target = ?", (target,)) is not None


def recalled_among(db: Database, targets: Iterable[str]) -> frozenset[str]:
    """Those of these that were recalled."""
    found = db.conn.execute(
        "SELECT target FROM tombstones WHERE target IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(tuple(targets)).decode(),),
    )
    return frozenset(target for (target,) in found)


def _filter(now_us: int, section: str | None, query: str | None) -> dict[str, Any]:
    """Every text contains the empty one."""
    return {"now_us": now_us, "section": section, "query": _folded(query or "")}


def _values(item: Item, now_us: int) -> dict[str, Any]:
    publish_at_us = to_us(item.publish_at) if item.publish_at is not None else None
    created_at_us = to_us(item.created_at)
    prose = re.sub(r"<[^>]*>", " ", item.body_html)
    return {
        "id": item.id,
        "section": item.section,
        "title": item.title,
        "origin": item.origin,
        "publish_at_us": publish_at_us,
        "until_us": to_us(item.until) if item.until is not None else None,
        "created_at_us": created_at_us,
        "changed_at_us": now_us,
        "shown_at_us": publish_at_us if publish_at_us is not None else created_at_us,
        "search": _folded(f"{item.title}\n{item.summary}\n{prose}"),
        "document": _document(item),
    }


def _document(item: Item) -> str:
    """The item as it is kept."""
    return msgspec.json.encode(item).decode()


def _item(row: Row) -> Item:
    """The item with those of its assets that were not recalled."""
    item = msgspec.json.decode(row["document"], type=Item)
    left = set(msgspec.json.decode(row["digests"], type=list[str]))
    return msgspec.structs.replace(item, assets=tuple(asset for asset in item.assets if asset.digest in left))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _recalled_at_us(db: Database, target: str) -> int:
    row = first(db, "SELECT recalled_at_us FROM tombstones WHERE target = ?", (target,))
    return int(row["recalled_at_us"]) if row else -(2**62)


def _is_used(db: Database, digest: str) -> bool:
    return first(db, "SELECT 1 FROM item_assets WHERE digest = ?", (digest,)) is not None
