"""The supermarket and what this site took, for somebody who looks through them, a page at a time.

Nothing here writes. A list is ordered by when a story is shown, newest first; `after` is the `place` of its last row.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from sqlite_utils import Database

from appliance.core.asset import Asset
from appliance.core.item import Item
from appliance.core.market import Part, Side, Story
from appliance.store.database import first, rows, text_of
from appliance.store.desk import Sounds, in_no_way

_OF_SIDE: Final[dict[Side, str]] = {
    "offered": "items.state = 'offered'",
    "taken": "taken = 1 AND items.state IN ('offered', 'published')",
    "sent": "items.state = 'published'",
}
_STORY: Final = """
    SELECT items.id, items.title, items.section, items.origin, items.state = 'published' AS is_sent,
        taken AS is_taken, shown_at_us, publish_at_us, until_us, count(item_assets.digest) AS assets,
        count(*) FILTER (WHERE assets.state = 'here') AS assets_here,
        coalesce(sum(coalesce(assets.size_bytes, (SELECT value ->> 'size_bytes'
            FROM json_each(document, '$.assets') WHERE value ->> 'digest' = item_assets.digest))), 0) AS size_bytes,
        coalesce(sum(CASE WHEN assets.state = 'here' THEN assets.size_bytes ELSE done_bytes END), 0) AS here_bytes,
        count(*) FILTER (WHERE transfers.state = 'failed') AS failed
    FROM items LEFT JOIN item_assets ON item = items.id LEFT JOIN assets USING (digest)
        LEFT JOIN transfers ON transfers.digest = item_assets.digest AND direction = 'down'
"""


def stories(
    db: Database,
    side: Side,
    section: str = "",
    words: str = "",
    after: str = "",
    limit: int = 200,
    sounds: Sounds = in_no_way,
) -> tuple[Story, ...]:
    """A page of one side; of a section where one is named, and with `words` in title, summary or text, or a title that
    `sounds` so."""
    shown_at_us, identity = _place(after)
    db.conn.create_function("sounds", 1, sounds)
    # The page is found first: what is counted is counted of its rows alone.
    found = rows(
        db,
        f"{_STORY} WHERE items.id IN (SELECT id FROM items WHERE {_OF_SIDE[side]}"  # noqa: S608  # a text of our own
        " AND (shown_at_us < :shown_at_us OR (shown_at_us = :shown_at_us AND id > :id))"
        " AND :section IN ('', section) AND (instr(search, :words) OR sounds(title))"
        " ORDER BY shown_at_us DESC, id LIMIT :limit)"
        " GROUP BY items.id ORDER BY shown_at_us DESC, items.id",
        {
            "shown_at_us": shown_at_us,
            "id": identity,
            "section": section,
            "words": " ".join(words.casefold().split()),
            "limit": limit,
        },
    )
    return tuple(_story(row) for row in found)


def count(db: Database, side: Side) -> int:
    """All of one side."""
    return int(rows(db, f"SELECT count(*) AS n FROM items WHERE {_OF_SIDE[side]}")[0]["n"])  # noqa: S608


def story(db: Database, item_id: str) -> tuple[Story, Item, tuple[Part, ...]] | None:
    """One story with all that it says and how far each of its assets is; None when it is not here any more."""
    row = first(db, "SELECT document FROM items WHERE id = ? AND document != ''", (item_id,))
    if row is None:
        return None
    item = msgspec.json.decode(row["document"], type=Item)
    counted = rows(db, f"{_STORY} WHERE items.id = ? GROUP BY items.id", (item_id,))[0]
    left = {each["digest"] for each in rows(db, "SELECT digest FROM item_assets WHERE item = ?", (item_id,))}
    return _story(counted), item, parts(db, [asset for asset in item.assets if asset.digest in left], "down")


def parts(db: Database, assets: Sequence[Asset], direction: Literal["down", "up"]) -> tuple[Part, ...]:
    """How far each of these assets is on its way."""
    known = {
        row["digest"]: row
        for row in rows(
            db,
            "SELECT named.value AS digest, assets.state, transfers.state AS moving, done_bytes, transfers.reason"
            " FROM json_each(?) AS named LEFT JOIN assets ON assets.digest = named.value"
            " LEFT JOIN transfers ON transfers.digest = named.value AND direction = ?",
            (msgspec.json.encode([asset.digest for asset in assets]).decode(), direction),
        )
    }
    return tuple(
        Part(
            digest=asset.digest,
            name=asset.name,
            role=asset.role,
            size_bytes=asset.size_bytes,
            state=known[asset.digest]["state"] or "",
            moving=known[asset.digest]["moving"] or "",
            done_bytes=known[asset.digest]["done_bytes"] or 0,
            reason=text_of(known[asset.digest]["reason"]),
        )
        for asset in assets
    )


def _place(after: str) -> tuple[int, str]:
    shown_at_us, _, identity = after.partition(" ")
    return (int(shown_at_us), identity) if after else (2**62, "")


def _story(row: dict[str, object]) -> Story:
    return msgspec.convert({**row, "is_sent": bool(row["is_sent"]), "is_taken": bool(row["is_taken"])}, Story)
