"""What must be on this box and by when: what a record or command that names assets changes in stock and queue.

    need_item, need_on_air     something was learned that needs an asset: want it, put it into the queue
    begun, moved, reached      how the queue gets on; try_again: a person does not want to wait
    let_go, bury, unearth      nothing needs it any more; it was recalled; it may be used again
    lost, reconcile            it is not on disk any more; once, at the start: the disk's word against these rows

The queue is ordered by deadline alone, the earliest of all reasons (`appliance.store.reasons`): what airs has that of
its first airing less a margin, what is published an hour, what was taken two, fillers three. All of these are called
inside `with transaction(db)`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.item import Item
from appliance.core.moment import US, to_us
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import items
from appliance.store.assets import forget, gone_bad, holding, rendition, set_rendition, want, want_all, want_rendition
from appliance.store.database import first, rows, text_json
from appliance.store.reasons import LOST, MADE, queue, queue_all

READY_BEFORE_US: Final = 30 * 60 * US
"""What airs is to be here half an hour before."""
ITEM_WITHIN_US: Final = 1 * 3600 * US
TAKEN_WITHIN_US: Final = 2 * 3600 * US
FILLER_WITHIN_US: Final = 3 * 3600 * US
DAYS_BACK_US: Final = 2 * 86_400 * US
"""Schedules of days before this are over in every zone."""
GIVEN_BACK_WITHIN_US: Final = 24 * 3600 * US
"""What the hub lost goes up to it behind all that is news."""
MADE_HERE: Final = "packaged"
"""Why a rendition is wanted that no hub has: it was made here."""
CLIP_ROLES: Final = ("video", "audio")
COMING: Final = """
    SELECT entry.value ->> 'asset' AS digest FROM schedules,
        json_each(cast(schedules.document AS TEXT), '$.entries') AS entry
    WHERE date >= date(:since_us / 1000000, 'unixepoch') AND entry.value ->> 'asset' IS NOT NULL
        AND version = (SELECT max(version) FROM schedules AS newest
            WHERE newest.channel = schedules.channel AND newest.date = schedules.date)
    UNION SELECT asset.value FROM templates, json_each(assets) AS asset
        WHERE version = (SELECT max(version) FROM templates AS newest WHERE newest.channel = templates.channel)
    UNION SELECT digest FROM fillers
    UNION SELECT digest FROM inserts WHERE state IN ('waiting', 'placed')
"""
"""The assets that the newest schedules since a moment (`since_us`) name, the templates, the fillers, the insertions
not over."""
SUBMITTED: Final = """
    SELECT asset.value ->> 'digest' AS digest FROM submissions, json_each(document, '$.assets') AS asset
    WHERE submissions.state NOT IN ('accepted', 'refused')
"""
"""The assets of submissions that wait for their receipt."""
_HUB_HAS: Final = """
    SELECT 1 FROM item_assets JOIN items ON items.id = item
        WHERE digest = :digest AND (items.state = 'published' OR (items.state = 'offered' AND taken = 1))
    UNION ALL SELECT 1 FROM transfers WHERE digest = :digest AND direction = 'up' AND state = 'done'
"""
_ONLY_COPY_BAD: Final = Text(
    "文件在送达前于本机磁盘上损坏，请重新投稿",
    "the file went bad on this disk before it had gone up; please send it again",
)


def need_item(db: Database, asset: Asset, why: str, about: str, deadline_us: int, now_us: int) -> None:
    """An item that is shown here needs an asset as it is, and in house format so that it can air.

    `why` is the kind of reason and `about` what it is about, as `reasons.end` is told when it is over.
    """
    want(db, asset, why, now_us)
    _share_table(db, asset)
    queue(db, asset.digest, f"{why}:{about}", deadline_us)
    if asset.rendition is not None:
        _queue_rendition(db, asset, f"{why}:{about}", deadline_us + FILLER_WITHIN_US)
    elif asset.role in CLIP_ROLES:
        need_packaging(db, asset.digest)


def need_on_air(db: Database, asset: Asset, why: str, about: str, deadline_us: int, now_us: int) -> None:
    """A channel needs an asset in house format; its source only where the rendition has to be made here."""
    if asset.rendition is None:
        need_item(db, msgspec.structs.replace(asset, role="video"), why, about, deadline_us, now_us)
    else:
        want_rendition(db, asset, why, now_us)
        _share_table(db, asset)
        # Of several reasons the air is the one that counts: it is never slowed down.
        db.conn.execute("UPDATE assets SET why = ? WHERE digest = ?", (why, asset.rendition.digest))
        _queue_rendition(db, asset, f"{why}:{about}", deadline_us)


def need_packaging(db: Database, source: str) -> None:
    """A clip that nobody brought to house format: to be done here, unless it was tried."""
    if rendition(db, source, HOUSE_PROFILE) is None:
        set_rendition(db, RenditionState(source=source, profile=HOUSE_PROFILE))


def made_here(db: Database, asset: Asset, now_us: int) -> None:
    """The rendition of an asset was made on this box, and lies staged. One that an older recipe made gives way."""
    assert asset.rendition is not None
    made = asset.rendition
    known = rendition(db, asset.digest, made.profile)
    if known is not None and known.state == "here" and known.digest != made.digest and _is_older(known, asset):
        _retire(db, known)
        known = None
    elif known is not None and known.state == "here" and known.digest == made.digest:
        # The recipe has another name and gives the same bytes.
        set_rendition(db, msgspec.structs.replace(known, check=asset.check))
    if known is None or known.state != "here":
        db.conn.execute("DELETE FROM renditions WHERE source = ? AND profile = ?", (asset.digest, made.profile))
        want_rendition(db, asset, MADE_HERE, now_us)
        _share_table(db, asset)
        queue(db, asset.rendition.digest, MADE, now_us)


def is_in_house_format(db: Database, asset: Asset, segments: bytes) -> None:
    """An asset that is here needs no rendition: it is one itself."""
    made = asset.rendition
    assert made is not None and made.digest == asset.digest
    known = rendition(db, asset.digest, made.profile)
    if known is None or known.state != "here":
        state = RenditionState(
            source=asset.digest,
            profile=made.profile,
            state="here",
            digest=made.digest,
            size_bytes=made.size_bytes,
            frames=made.frames,
            check=asset.check,
        )
        set_rendition(db, state, segments)


def replaces(db: Database, digest: str, old: str) -> None:
    """A record put an asset in the place of another: it and its rendition are probably much like that."""
    db.conn.execute("UPDATE transfers SET replaces = ? WHERE digest = ? AND direction = 'down'", (old, digest))
    db.conn.execute(
        "UPDATE transfers SET replaces = (SELECT digest FROM renditions WHERE source = ? AND digest IS NOT NULL)"
        " WHERE direction = 'down' AND digest IN (SELECT digest FROM renditions WHERE source = ?)",
        (old, digest),
    )


def begun(db: Database, digest: str, direction: str) -> None:
    """It travels now."""
    db.conn.execute(
        "UPDATE transfers SET state = 'running', reason = NULL WHERE digest = ? AND direction = ? AND state != 'done'",
        (digest, direction),
    )


def moved(db: Database, digest: str, direction: str, done_bytes: int, rate_bytes_per_s: float) -> None:
    """It has come so far, lately at this rate."""
    db.conn.execute(
        "UPDATE transfers SET done_bytes = ?, rate_bytes_per_s = ? WHERE digest = ? AND direction = ?",
        (done_bytes, rate_bytes_per_s, digest, direction),
    )


def reached(db: Database) -> None:
    """The line is back: what waited for it need not wait longer."""
    db.conn.execute("UPDATE transfers SET not_before_us = 0, attempts = 0 WHERE state = 'queued'")


def try_again(db: Database, digest: str, direction: str, now_us: int) -> int:
    """What failed or waits need not wait longer: of one asset and direction, "" for all; how many transfers."""
    changed = db.conn.execute(
        "UPDATE transfers SET state = 'queued', not_before_us = 0, attempts = 0, reason = NULL"
        " WHERE (state = 'failed' OR (state = 'queued' AND not_before_us > :now_us))"
        " AND :digest IN ('', digest) AND :direction IN ('', direction)",
        {"now_us": now_us, "digest": digest, "direction": direction},
    )
    return changed.rowcount


def gone(db: Database, digest: str) -> None:
    """An asset's file is not here any more, by our own will. A rendition made of it stays what it is."""
    db.conn.execute("DELETE FROM assets WHERE digest = ?", (digest,))
    db.conn.execute("DELETE FROM transfers WHERE digest = ? AND direction = 'down'", (digest,))
    db.conn.execute("DELETE FROM renditions WHERE digest = ? OR (source = ? AND state != 'here')", (digest, digest))


def packed(db: Database, digest: str, frames: int, segments: bytes) -> None:
    """The table of a rendition that has arrived."""
    db.conn.execute("UPDATE renditions SET frames = ?, segments = ? WHERE digest = ?", (frames, segments, digest))


def unusable(db: Database, digest: str, reason: Text) -> None:
    """A rendition that cannot be aired."""
    db.conn.execute("UPDATE renditions SET state = 'failed', reason = ? WHERE digest = ?", (text_json(reason), digest))


def let_go(db: Database, digests: Iterable[str]) -> None:
    """Forget those that are not here and that nothing needs any more; what is here stays until room is needed."""
    for digest in digests:
        if not _is_needed(db, digest):
            for each in (digest, *_renditions_of(db, digest)):
                known = holding(db, each)
                if known is not None and known.state != "here":
                    forget(db, each)


def goes_up(db: Database, digest: str) -> bool:
    """Whether an asset belongs to a submission that waits for its receipt: then this may be the only copy."""
    return first(db, f"SELECT 1 FROM ({SUBMITTED}) WHERE digest = ?", (digest,)) is not None  # noqa: S608


def bury(db: Database, digest: str, reason: str, at_us: int) -> None:
    """An asset that was only in what was recalled: nothing may use it, here and on the air."""
    db.conn.execute(
        "INSERT INTO tombstones (target, reason, recalled_at_us, with_item) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (target) DO UPDATE SET recalled_at_us = max(recalled_at_us, excluded.recalled_at_us)",
        (digest, reason, at_us),
    )
    for each in (digest, *_renditions_of(db, digest)):
        db.conn.execute("DELETE FROM transfers WHERE digest = ? AND direction = 'down'", (each,))
        known = holding(db, each)
        if known is not None and known.state != "here":
            db.conn.execute("DELETE FROM assets WHERE digest = ?", (each,))


def unearth(db: Database, assets: Sequence[Asset], made_at_us: int) -> None:
    """What was made for the air after the recall of an item may use its assets again. One that was recalled by itself
    may not be used any more, whatever a clock says: the hub refuses it."""
    db.conn.executemany(
        "DELETE FROM tombstones WHERE target = ? AND with_item AND recalled_at_us < ?",
        [(each, made_at_us) for each in _named(assets)],
    )


def unearth_with_item(db: Database, assets: Iterable[Asset]) -> None:
    """An item that stands names these: that another one, which was recalled, had them too is nothing against them.

    It may have been written before that recall and still come after it, for control goes before content.
    """
    db.conn.executemany("DELETE FROM tombstones WHERE target = ? AND with_item", [(each,) for each in _named(assets)])


def _named(assets: Iterable[Asset]) -> Iterator[str]:
    """What these are called, in their own form and in the channel's."""
    for asset in assets:
        yield asset.digest
        if asset.rendition is not None:
            yield asset.rendition.digest


def want_item(db: Database, item: Item, why: str, deadline_us: int, now_us: int) -> None:
    """Have the assets of an item that is shown here brought here; not of one whose time is over already."""
    if item.until is not None and to_us(item.until) <= now_us:
        return
    recalled = items.recalled_among(db, (asset.digest for asset in item.assets))
    needed = [asset for asset in item.assets if asset.digest not in recalled]
    plain = [asset for asset in needed if _is_plain(asset)]
    want_all(db, plain, why, now_us)
    queue_all(db, [asset.digest for asset in plain], f"{why}:{item.id}", deadline_us)
    for asset in needed:
        if not _is_plain(asset):
            need_item(db, asset, why, item.id, deadline_us, now_us)


def _is_plain(asset: Asset) -> bool:
    """Nothing of it ever airs."""
    return asset.rendition is None and asset.role not in CLIP_ROLES


def queue_up(db: Database, digest: str, size_bytes: int, now_us: int) -> None:
    """A submission's asset has to go up."""
    db.conn.execute(
        "INSERT INTO transfers (digest, direction, state, deadline_us, size_bytes) VALUES (?, 'up', 'queued', ?, ?)"
        " ON CONFLICT (digest, direction) DO NOTHING",
        (digest, now_us, size_bytes),
    )


def give_back(db: Database, digests: Iterable[str], now_us: int) -> None:
    """The hub has lost these; what is here of them goes up, behind what the site itself sends."""
    for digest in digests:
        known = holding(db, digest)
        if known is not None and known.state == "here":
            queue_up(db, digest, known.size_bytes, now_us + GIVEN_BACK_WITHIN_US)


def reconcile(db: Database, held: frozenset[str], now_us: int) -> tuple[str, ...]:
    """Hold these rows against what is on disk, after a start. Returns what is on disk though it was never noted as
    arrived: it has to be checked and taken in like something staged.

    What is noted and not there must come again; what is there and unknown may be used, or go when room is needed.
    """
    db.conn.execute("UPDATE transfers SET state = 'queued' WHERE state = 'running'")
    db.conn.execute("UPDATE renditions SET state = 'wanted' WHERE state = 'packaging'")
    known = dict[str, str](db.conn.execute("SELECT digest, state FROM assets"))
    for digest in [digest for digest, state in known.items() if state == "here" and digest not in held]:
        lost(db, digest, now_us)
    for digest in sorted(held - known.keys()):
        want(db, Asset(digest, 0), "found", now_us)
        db.conn.execute("UPDATE assets SET state = 'here' WHERE digest = ?", (digest,))
    return tuple(sorted(digest for digest, state in known.items() if state in ("wanted", "bad") and digest in held))


def lost(db: Database, digest: str, now_us: int) -> None:
    """An asset is not on disk any more, or not what it was: it must come again if anything needs it."""
    gone_bad(db, digest)
    _give_up_submissions(db, digest, now_us)
    made_here = first(db, "SELECT 1 FROM assets WHERE digest = ? AND why = ?", (digest, MADE_HERE))
    if made_here is not None:
        db.conn.execute("UPDATE renditions SET digest = NULL, segments = NULL WHERE digest = ?", (digest,))
        forget(db, digest)
    elif _is_needed(db, digest):
        queue(db, digest, LOST, 0)
    else:
        forget(db, digest)


def _give_up_submissions(db: Database, digest: str, now_us: int) -> None:
    """What was to go up and was on this disk alone is gone: whoever sent it is told, instead of waiting for ever."""
    if first(db, _HUB_HAS, {"digest": digest}) is not None:
        return
    db.conn.execute(
        "UPDATE submissions SET state = 'refused', reason = ?, changed_at_us = ?"
        " WHERE state NOT IN ('accepted', 'refused')"
        " AND EXISTS (SELECT 1 FROM json_each(document, '$.assets') AS asset WHERE asset.value ->> 'digest' = ?)",
        (text_json(_ONLY_COPY_BAD), now_us, digest),
    )
    db.conn.execute(f"DELETE FROM transfers WHERE direction = 'up' AND digest NOT IN ({SUBMITTED})")  # noqa: S608


def _queue_rendition(db: Database, asset: Asset, reason: str, deadline_us: int) -> None:
    """Only the one that this box will use: it may have made its own before the hub did."""
    assert asset.rendition is not None
    known = rendition(db, asset.digest, asset.rendition.profile)
    if known is None or known.digest == asset.rendition.digest:
        queue(db, asset.rendition.digest, reason, deadline_us)


def _is_older(known: RenditionState, asset: Asset) -> bool:
    """Whether a rendition was made by another recipe than that of `asset`."""
    before, after = known.check, asset.check
    return after is not None and (before is None or before.made_by != after.made_by)


def _retire(db: Database, known: RenditionState) -> None:
    """Keep a rendition under its digest, for what has aired of it and may be asked for; it airs no more."""
    db.conn.execute(
        "UPDATE OR REPLACE renditions SET profile = profile || '/' || digest WHERE source = ? AND profile = ?",
        (known.source, known.profile),
    )


def _share_table(db: Database, asset: Asset) -> None:
    """Two assets can have one rendition: clips that differ in what is not shown. It has one table."""
    if asset.rendition is not None:
        db.conn.execute(
            "UPDATE renditions SET segments = (SELECT other.segments FROM renditions AS other"
            " WHERE other.digest = renditions.digest AND other.segments IS NOT NULL LIMIT 1)"
            " WHERE digest = ? AND segments IS NULL",
            (asset.rendition.digest,),
        )


def _renditions_of(db: Database, source: str) -> tuple[str, ...]:
    found = rows(db, "SELECT digest FROM renditions WHERE source = ? AND digest IS NOT NULL", (source,))
    return tuple(row["digest"] for row in found)


def _is_needed(db: Database, digest: str) -> bool:
    """Whether an item that is shown, a channel or a submission uses an asset, or that of which it is a rendition."""
    return first(db, _NEEDED, {"digest": digest, "since_us": 0, "now_us": 0}) is not None


def is_over(db: Database, digest: str, now_us: int) -> bool:
    """Whether the time of all that needed an asset has gone by."""
    values = {"digest": digest, "since_us": now_us - DAYS_BACK_US, "now_us": now_us}
    return first(db, _NEEDED, values) is None


_NEEDED: Final = f"""
    SELECT 1 FROM (SELECT :digest AS name UNION SELECT source FROM renditions WHERE digest = :digest)
    WHERE name IN (SELECT digest FROM item_assets JOIN items ON items.id = item
            WHERE (items.state = 'published' OR (items.state = 'offered' AND taken = 1))
                AND (until_us IS NULL OR until_us > :now_us))
        OR name IN ({COMING}) OR name IN ({SUBMITTED})
"""  # noqa: S608
