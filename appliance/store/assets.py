"""Assets, their renditions and transfers in the database: what the box wants, has, and is moving.

A rendition's bytes are an asset too (role `rendition`), so that fetching, verifying and evicting know one kind of
thing. Whether a file is there is the disk's word; these rows say what it was when it was last looked at.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlite_utils import Database

from appliance.core.asset import Asset
from appliance.core.findings import Check
from appliance.core.stock import Holding, RenditionState, Transfer
from appliance.store.database import Row, first, rows, text_json, text_of

RENDITION_TYPE: Final = "video/mp2t"


def want(db: Database, asset: Asset, why: str, now_us: int) -> None:
    """Note that an asset must come here, and the rendition that the hub made of it; what is known already stays."""
    _want(
        db,
        Holding(
            digest=asset.digest,
            size_bytes=asset.size_bytes,
            media_type=asset.media_type,
            name=asset.name,
            role=asset.role,
            why=why,
            last_used_us=now_us,
            duration_s=asset.duration_s,
        ),
    )
    want_rendition(db, asset, why, now_us)


def want_all(db: Database, assets: Sequence[Asset], why: str, now_us: int) -> None:
    """The same of many that have no rendition."""
    db.conn.executemany(
        _WANT,
        [
            (*(each.digest, each.size_bytes, each.media_type, each.name, each.role, why, now_us, each.duration_s),)
            for each in assets
        ],
    )


def want_rendition(db: Database, asset: Asset, why: str, now_us: int) -> None:
    """Note that only the rendition of an asset must come here, as for the air; nothing happens where it has none."""
    made = asset.rendition
    if made is None:
        return
    _want(
        db,
        Holding(
            digest=made.digest,
            size_bytes=made.size_bytes,
            media_type=RENDITION_TYPE,
            name=asset.name,
            role="rendition",
            why=why,
            last_used_us=now_us,
            duration_s=asset.duration_s,
        ),
    )
    known, bytes_here = rendition(db, asset.digest, made.profile), holding(db, made.digest)
    if known is not None and (known.state == "here" or known.digest == made.digest):
        if known.digest == made.digest and asset.check is not None:
            _keep_check(db, asset.digest, made.profile, asset.check)
        return
    set_rendition(
        db,
        RenditionState(
            source=asset.digest,
            profile=made.profile,
            digest=made.digest,
            size_bytes=made.size_bytes,
            frames=made.frames,
            check=asset.check,
            state="here" if bytes_here is not None and bytes_here.state == "here" else "wanted",
        ),
    )


def arrived(db: Database, digest: str, size_bytes: int, now_us: int) -> None:
    """A wanted asset is on disk and verified; so is every rendition that is these bytes."""
    all_arrived(db, ((digest, size_bytes),), now_us)


def all_arrived(db: Database, sizes_bytes: Sequence[tuple[str, int]], now_us: int) -> None:
    """The same of many, by digest."""
    values = {"came": msgspec.json.encode(sizes_bytes).decode(), "now_us": now_us}
    db.conn.execute(
        "UPDATE assets SET state = 'here', size_bytes = came.value ->> 1, verified_at_us = :now_us,"
        " last_used_us = max(last_used_us, :now_us) FROM json_each(:came) AS came WHERE digest = came.value ->> 0",
        values,
    )
    among = "IN (SELECT value ->> 0 FROM json_each(:came))"
    db.conn.execute(f"UPDATE renditions SET state = 'here', reason = NULL WHERE digest {among}", values)  # noqa: S608
    db.conn.execute(f"DELETE FROM transfers WHERE digest {among} AND direction = 'down'", values)  # noqa: S608


def verified(db: Database, digest: str, now_us: int) -> None:
    """An asset was read again and is what it should be."""
    db.conn.execute("UPDATE assets SET verified_at_us = ? WHERE digest = ?", (now_us, digest))


def doubt(db: Database, digest: str) -> None:
    """Somebody found an asset other than it should be: it is read again before all others."""
    db.conn.execute("UPDATE assets SET verified_at_us = 0 WHERE digest = ? AND state = 'here'", (digest,))


def gone_bad(db: Database, digest: str) -> None:
    """An asset was not what it should be, or is not on disk any more: it must come again before anything uses it."""
    db.conn.execute("UPDATE assets SET state = 'bad', verified_at_us = NULL WHERE digest = ?", (digest,))
    db.conn.execute("UPDATE renditions SET state = 'wanted' WHERE digest = ? AND state = 'here'", (digest,))


def forget(db: Database, digest: str) -> None:
    """Nothing wants an asset any more, and its file is gone."""
    db.conn.execute("DELETE FROM assets WHERE digest = ?", (digest,))
    db.conn.execute("DELETE FROM renditions WHERE source = ? OR digest = ?", (digest, digest))
    db.conn.execute("DELETE FROM transfers WHERE digest = ?", (digest,))


def touch(db: Database, digests: Iterable[str], now_us: int) -> None:
    """These were used now."""
    db.conn.executemany("UPDATE assets SET last_used_us = ? WHERE digest = ?", [(now_us, each) for each in digests])


def describe(db: Database, digest: str, duration_s: float | None) -> None:
    """How long an asset turned out to be."""
    db.conn.execute("UPDATE assets SET duration_s = ? WHERE digest = ?", (duration_s, digest))


def holding(db: Database, digest: str) -> Holding | None:
    """What is known of an asset; None when the box neither has nor wants it."""
    row = first(db, "SELECT * FROM assets WHERE digest = ?", (digest,))
    return _holding(row) if row else None


def holdings(db: Database, among: Iterable[str] | None = None) -> dict[str, Holding]:
    """Everything that the box has or wants, by digest; with `among` only what is among these."""
    if among is None:
        return {row["digest"]: _holding(row) for row in rows(db, "SELECT * FROM assets")}
    listed = msgspec.json.encode(tuple(among)).decode()
    found = rows(db, "SELECT * FROM assets WHERE digest IN (SELECT value FROM json_each(?))", (listed,))
    return {row["digest"]: _holding(row) for row in found}


def source_of(db: Database, digest: str) -> str:
    """The asset that a rendition was made of; an asset itself."""
    row = first(db, "SELECT source FROM renditions WHERE digest = ?", (digest,))
    return str(row["source"]) if row is not None else digest


def set_rendition(db: Database, made: RenditionState, segments: bytes | None = None) -> None:
    """How far an asset's rendition is. `segments` is the table of its segments, kept where None is given."""
    db.conn.execute(
        "INSERT INTO renditions (source, profile, digest, size_bytes, frames, state, reason, segments, checked,"
        " severity, made_by) VALUES (:source, :profile, :digest, :size_bytes, :frames, :state, :reason, :segments,"
        " :checked, :severity, :made_by)"
        " ON CONFLICT (source, profile) DO UPDATE SET digest = excluded.digest, size_bytes = excluded.size_bytes,"
        " frames = excluded.frames, state = excluded.state, reason = excluded.reason,"
        " segments = coalesce(excluded.segments, segments), checked = excluded.checked, severity = excluded.severity,"
        " made_by = excluded.made_by",
        {**_columns(made), "segments": segments, **_of_check(made.check)},
    )


def rendition(db: Database, source: str, profile: str) -> RenditionState | None:
    """The rendition of an asset, None when nobody ever asked for one."""
    row = first(db, "SELECT * FROM renditions WHERE source = ? AND profile = ?", (source, profile))
    return _rendition(row) if row else None


def renditions(db: Database, profile: str) -> dict[str, RenditionState]:
    """All renditions of a profile, by their source."""
    return {
        row["source"]: _rendition(row) for row in rows(db, "SELECT * FROM renditions WHERE profile = ?", (profile,))
    }


def checks(db: Database, sources: Iterable[str], profile: str) -> dict[str, Check]:
    """What the technical check found of these assets, by their digest; without those that nobody has checked."""
    listed = msgspec.json.encode(tuple(sources)).decode()
    found = rows(
        db,
        "SELECT source, checked FROM renditions WHERE profile = ? AND checked IS NOT NULL"
        " AND source IN (SELECT value FROM json_each(?))",
        (profile, listed),
    )
    return {row["source"]: msgspec.json.decode(row["checked"], type=Check) for row in found}


def segments_of(db: Database, digest: str) -> bytes | None:
    """The table of segments of a rendition, by the rendition's own digest."""
    row = first(db, "SELECT segments FROM renditions WHERE digest = ? AND segments IS NOT NULL", (digest,))
    return row["segments"] if row else None


def set_transfer(db: Database, transfer: Transfer) -> None:
    """Where a transfer stands; the one row of its asset and direction."""
    db.conn.execute(
        # Not OR REPLACE: that deletes the row first, and with it goes why it comes.
        "INSERT INTO transfers (digest, direction, state, deadline_us, size_bytes, done_bytes,"
        " rate_bytes_per_s, attempts, not_before_us, reason, replaces)"
        " VALUES (:digest, :direction, :state, :deadline_us, :size_bytes, :done_bytes,"
        " :rate_bytes_per_s, :attempts, :not_before_us, :reason, :replaces)"
        " ON CONFLICT (digest, direction) DO UPDATE SET state = excluded.state, deadline_us = excluded.deadline_us,"
        " size_bytes = excluded.size_bytes, done_bytes = excluded.done_bytes,"
        " rate_bytes_per_s = excluded.rate_bytes_per_s, attempts = excluded.attempts,"
        " not_before_us = excluded.not_before_us, reason = excluded.reason, replaces = excluded.replaces",
        _columns(transfer),
    )


def drop_transfer(db: Database, digest: str, direction: str) -> None:
    """It need not travel any more."""
    db.conn.execute("DELETE FROM transfers WHERE digest = ? AND direction = ?", (digest, direction))


def transfers(db: Database) -> tuple[Transfer, ...]:
    """What is on its way, both directions; most urgent first."""
    return _transfers(rows(db, "SELECT * FROM transfers ORDER BY deadline_us IS NULL, deadline_us, digest, direction"))


def transfers_up_to(db: Database, digests: Iterable[str]) -> tuple[Transfer, ...]:
    """What comes down of these and all that is due before the last of them; nothing is read where none comes."""
    listed = msgspec.json.encode(tuple(digests)).decode()
    last = first(
        db,
        "SELECT max(deadline_us IS NULL) AS is_never, max(deadline_us) AS deadline_us FROM transfers"
        " WHERE direction = 'down' AND digest IN (SELECT value FROM json_each(?)) HAVING count(*)",
        (listed,),
    )
    if last is None:
        return ()
    return _transfers(
        rows(
            db,
            "SELECT * FROM transfers WHERE direction = 'down' AND (:is_never OR deadline_us <= :deadline_us)"
            " ORDER BY deadline_us IS NULL, deadline_us, digest",
            last,
        )
    )


def _transfers(found: Iterable[Row]) -> tuple[Transfer, ...]:
    return tuple(msgspec.convert({**row, "reason": text_of(row["reason"])}, Transfer) for row in found)


def _want(db: Database, wanted: Holding) -> None:
    values = (wanted.digest, wanted.size_bytes, wanted.media_type, wanted.name, wanted.role, wanted.why)
    db.conn.execute(_WANT, (*values, wanted.last_used_us, wanted.duration_s))


_WANT: Final = (
    "INSERT INTO assets (digest, size_bytes, media_type, name, role, state, why, last_used_us, duration_s)"
    " VALUES (?, ?, ?, ?, ?, 'wanted', ?, ?, ?) ON CONFLICT (digest) DO NOTHING"
)


def _keep_check(db: Database, source: str, profile: str, check: Check) -> None:
    db.conn.execute(
        "UPDATE renditions SET checked = :checked, severity = :severity, made_by = :made_by"
        " WHERE source = :source AND profile = :profile",
        {"source": source, "profile": profile, **_of_check(check)},
    )


def _of_check(check: Check | None) -> dict[str, str | None]:
    """The columns: all of it as JSON, and what is asked for in SQL."""
    if check is None:
        return {"checked": None, "severity": None, "made_by": None}
    checked = msgspec.json.encode(check).decode()
    return {"checked": checked, "severity": check.severity, "made_by": check.made_by or None}


def _holding(row: Row) -> Holding:
    return msgspec.convert(row, Holding)


def _rendition(row: Row) -> RenditionState:
    check = msgspec.json.decode(row["checked"], type=Check) if row["checked"] else None
    return msgspec.convert({**row, "reason": text_of(row["reason"]), "check": check}, RenditionState)


def _columns(value: RenditionState | Transfer) -> dict[str, Any]:
    columns = {**msgspec.structs.asdict(value), "reason": text_json(value.reason)}
    columns.pop("check", None)
    return columns
