"""What may be served, and how much is held, followed from change to change: of 100,000 assets only those are asked for
whose items changed.

    Shown            what came and went of `items.servable` since the last look
    held_bytes(db)   all assets that are here, together

From the first look on the connection notes what changes, in tables and triggers of its own memory. What a transaction
noted goes with it where it is rolled back; a killed process leaves nothing of this behind. (There is no OR IGNORE: what
a trigger does about a conflict is what the statement does that set it off.)
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.store.database import first

_FOLLOW: Final = """
    PRAGMA temp_store = MEMORY;
    CREATE TEMP TABLE IF NOT EXISTS changed_items (id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TEMP TABLE IF NOT EXISTS held_now (size_bytes INTEGER NOT NULL);
    DELETE FROM held_now;
    INSERT INTO held_now SELECT coalesce(sum(size_bytes), 0) FROM assets WHERE state = 'here';

    CREATE TEMP TRIGGER IF NOT EXISTS item_came AFTER INSERT ON main.items
    BEGIN INSERT INTO changed_items SELECT NEW.id WHERE NEW.id NOT IN changed_items; END;
    CREATE TEMP TRIGGER IF NOT EXISTS item_changed AFTER UPDATE OF state, taken, publish_at_us, until_us ON main.items
    BEGIN INSERT INTO changed_items SELECT NEW.id WHERE NEW.id NOT IN changed_items; END;
    CREATE TEMP TRIGGER IF NOT EXISTS item_went AFTER DELETE ON main.items
    BEGIN INSERT INTO changed_items SELECT OLD.id WHERE OLD.id NOT IN changed_items; END;
    CREATE TEMP TRIGGER IF NOT EXISTS part_came AFTER INSERT ON main.item_assets
    BEGIN INSERT INTO changed_items SELECT NEW.item WHERE NEW.item NOT IN changed_items; END;
    CREATE TEMP TRIGGER IF NOT EXISTS part_went AFTER DELETE ON main.item_assets
    BEGIN INSERT INTO changed_items SELECT OLD.item WHERE OLD.item NOT IN changed_items; END;

    CREATE TEMP TRIGGER IF NOT EXISTS asset_came AFTER INSERT ON main.assets WHEN NEW.state != 'wanted'
    BEGIN
        INSERT INTO changed_items SELECT item FROM item_assets
            WHERE digest = NEW.digest AND item NOT IN changed_items;
        UPDATE held_now SET size_bytes = size_bytes + NEW.size_bytes * (NEW.state = 'here');
    END;
    CREATE TEMP TRIGGER IF NOT EXISTS asset_changed AFTER UPDATE OF state, size_bytes ON main.assets
    WHEN NEW.state != OLD.state OR NEW.size_bytes != OLD.size_bytes
    BEGIN
        INSERT INTO changed_items SELECT item FROM item_assets
            WHERE digest = NEW.digest AND item NOT IN changed_items;
        UPDATE held_now SET size_bytes
            = size_bytes + NEW.size_bytes * (NEW.state = 'here') - OLD.size_bytes * (OLD.state = 'here');
    END;
    CREATE TEMP TRIGGER IF NOT EXISTS asset_went AFTER DELETE ON main.assets WHEN OLD.state != 'wanted'
    BEGIN
        INSERT INTO changed_items SELECT item FROM item_assets
            WHERE digest = OLD.digest AND item NOT IN changed_items;
        UPDATE held_now SET size_bytes = size_bytes - OLD.size_bytes * (OLD.state = 'here');
    END;
"""


class Shown:
    """The digests that may be served, by the last look. There is one for a connection."""

    def __init__(self) -> None:
        self._of_items: dict[str, tuple[str, ...]] = {}
        self._uses: dict[str, int] = {}
        self._looked_us: int | None = None

    def __contains__(self, digest: str) -> bool:
        return digest in self._uses

    def look(self, db: Database, now_us: int) -> frozenset[str]:
        """Take in what has changed since the last look, by a record or by the clock; the digests that it was about."""
        if self._looked_us is None:
            db.executescript(_FOLLOW)
        changed = self._changed(db, now_us)
        self._looked_us = now_us
        if changed is None:
            found = self._shown(db, now_us, "1")
        elif changed:
            listed = msgspec.json.encode(changed).decode()
            found = self._shown(db, now_us, "id IN (SELECT value FROM json_each(:listed))", listed)
        else:
            return frozenset()
        touched: set[str] = set()
        for item in self._of_items.keys() & changed if changed is not None else tuple(self._of_items):
            touched.update(self._drop(item))
        for item, digests in found.items():
            self._of_items[item] = tuple(digests)
            touched.update(digests)
            for digest in digests:
                self._uses[digest] = self._uses.get(digest, 0) + 1
        return frozenset(touched)

    def _drop(self, item: str) -> Iterable[str]:
        digests = self._of_items.pop(item)
        for digest in digests:
            self._uses[digest] -= 1
            if not self._uses[digest]:
                del self._uses[digest]
        return digests

    def _changed(self, db: Database, now_us: int) -> frozenset[str] | None:
        """The items to look at; None: all of them."""
        noted = frozenset(item for (item,) in db.conn.execute("SELECT id FROM changed_items"))
        if noted:
            db.conn.execute("DELETE FROM changed_items")
        if self._looked_us is None:
            return None
        if self._looked_us == now_us:
            return noted
        # The clock may have been set back.
        since_us, until_us = sorted((self._looked_us, now_us))
        by_time = db.conn.execute(
            "SELECT id FROM items WHERE publish_at_us > :since_us AND publish_at_us <= :until_us"
            " UNION SELECT id FROM items WHERE until_us > :since_us AND until_us <= :until_us",
            {"since_us": since_us, "until_us": until_us},
        )
        return noted.union(item for (item,) in by_time)

    def _shown(self, db: Database, now_us: int, where: str, listed: str = "[]") -> dict[str, list[str]]:
        """The shown ones among some items, with the digests of theirs that may be served."""
        found = db.conn.execute(
            "WITH shown AS MATERIALIZED"  # noqa: S608  # a text of our own
            f" (SELECT id FROM items_whole WHERE {where} AND is_open AND from_us <= :now_us AND :now_us < to_us)"
            " SELECT shown.id, item_assets.digest FROM shown JOIN item_assets ON item = shown.id"
            " LEFT JOIN assets USING (digest) WHERE coalesce(state, '') != 'bad'",
            {"now_us": now_us, "listed": listed},
        )
        shown: dict[str, list[str]] = {}
        for item, digest in found:
            shown.setdefault(item, []).append(digest)
        return shown


def held_bytes(db: Database) -> int:
    """All assets that are here, together; behind the first look."""
    found = first(db, "SELECT size_bytes FROM held_now")
    assert found is not None, "the connection follows"
    return int(found["size_bytes"])
