"""Which key of the hub this box trusts: the one it was told when it joined, or the last of those that followed it."""

from sqlite_utils import Database

from appliance.core.journal import Record
from appliance.core.records import Rotate
from appliance.core.rotation import chain_from
from appliance.store.database import rows


def keys(db: Database, original: str) -> tuple[str, ...]:
    """The key of the bundle and those that followed it; only the last one counts now."""
    found = rows(db, "SELECT former, sign_key FROM hub_keys")
    return chain_from(original, {row["former"]: row["sign_key"] for row in found})


def trusted(db: Database, original: str) -> str:
    """The one key by which anything of the hub's is judged."""
    return keys(db, original)[-1]


def follow(db: Database, record: Record, body: Rotate) -> None:
    """From now on another key counts. A key is followed by one other, once."""
    place = record.header.place
    db.conn.execute(
        "INSERT OR IGNORE INTO hub_keys (former, sign_key, epoch, seq) VALUES (?, ?, ?, ?)",
        (body.former, body.sign_key, *place),
    )
