"""Looks at the world: database, disk, spool, drop folder, children, line; what it finds is planned from."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from sqlite_utils import Database

from appliance import files, spool
from appliance.config import Config
from appliance.core import timetable
from appliance.core.cache import order_of_eviction, over_quota_bytes, quarantine_over
from appliance.core.clip import made_by
from appliance.core.line_rate import is_of_limit
from appliance.core.moment import US
from appliance.core.scrub import next_reading
from appliance.store import cache, items, work
from appliance.store.line_rates import rate_of
from appliance.store.shown import held_bytes
from edge_agent import backing_up, basis, drop, live
from edge_agent.children import Children
from edge_agent.conversation import Conversation
from edge_agent.core import retry
from edge_agent.core.basis import SIZE_BYTES_MIN, Candidate, basis_of
from edge_agent.core.journey import to_copy
from edge_agent.core.observation import Child, Observation, Outgoing, Space, Unpackaged, Waiting, Wanted
from edge_agent.core.outcomes import Moved, Outcome
from edge_agent.core.steps import RenewKeys
from edge_agent.given import Given
from edge_agent.memory import Known, Memory, Wantings
from edge_agent.transfer import percent_done

ASK_AGAIN_US: Final = 30 * US
"""Some answers of the database change as time goes by: what was recalled leaves the window of the live lists."""
PROGRESS_EVERY_US: Final = 1 * US
COMMANDS_PER_TURN: Final = 50
DAY_US: Final = 86_400 * US


def observe(
    config: Config,
    db: Database,
    memory: Memory,
    children: Children,
    conversation: Conversation,
    now_us: int,
    *,
    link_state: str,
    air_changed: bool,
) -> Observation:
    """What the world looks like at `now_us`. `link_state` is what screens are to show of the line."""
    if not files.media_are_there(config):
        memory.media = "told" if memory.media == "told" else "away"
    if memory.media != "here":
        return _without_media(config, memory, children, conversation, now_us, link_state, air_changed)
    link = conversation.state()
    shown = work.GIVEN_SHOWN if link.gives_bytes_max else work.FETCHES_SHOWN
    known = memory.known = _known(config, db, memory, now_us, shown)
    if not any(child.work == "verify" for child in children.running()):
        _look_at_reading(config, db, memory, now_us)
    settled_us = round(config.limits.drop_settled_s * US)
    memory.drops = drop.look(config.drop, memory.drops, memory.refused_drops, now_us, settled_us)
    memory.forget_what_is_over(now_us)
    staged, laid = _staged(config.incoming), _staged(basis.folder_of(config))
    bad = _staged(config.quarantine)
    wanted = _all_wanted(known, staged, laid, bad, memory, now_us)
    space = _space(config, db, memory, wanted, sum((*staged.values(), *bad.values())), now_us)
    return Observation(
        now_us=now_us,
        space=space,
        link=link,
        must_renew_keys=_must_renew_keys(memory, conversation, now_us),
        children=children.running(),
        commands=tuple(
            Waiting(name, is_due=memory.is_due(name, now_us)) for name in spool.pending(config)[:COMMANDS_PER_TURN]
        ),
        drops=tuple(
            Waiting(entry.key, entry.size_bytes, memory.is_due(entry.key, now_us)) for entry in memory.drops.settled
        ),
        drops_to_tell=memory.told_drops != tuple(entry.key for entry in memory.drops.refused),
        is_settling=any(entry.since_us + settled_us > now_us for entry in memory.drops.settling),
        wanted=wanted,
        outgoing=(
            *(
                Outgoing(
                    digest=sending.digest,
                    size_bytes=sending.size_bytes,
                    is_there=sending.is_taken or sending.done_bytes >= sending.size_bytes,
                    is_told=sending.digest in conversation.told,
                    has_failed=sending.attempts > 0,
                    is_due=retry.is_due(sending.not_before_us, now_us, retry.TRANSFER),
                )
                for sending in known.to_send
            ),
            *backing_up.outgoing(config, memory, conversation.told, now_us, keeps_backups=conversation.keeps_backups),
        ),
        unpackaged=tuple(
            Unpackaged(each.source, each.size_bytes, is_due=memory.is_due(each.source, now_us))
            for each in known.to_package
        ),
        airing=live.airing(known.live, memory, now_us),
        unasked=live.unasked(known.live, memory, now_us),
        live_over=live.over(config, db, memory, now_us),
        servable=memory.serving.hidden - {each for each in memory.failures if not memory.is_due(each, now_us)},
        served=memory.serving.overt,
        allowance=config.allowance_at(now_us),
        rate_bytes_per_s=known.rate_bytes_per_s,
        recalled=known.recalled,
        unwanted_staged=tuple(
            digest
            for digest in sorted((staged.keys() | laid.keys()) - {each.digest for each in wanted})
            if work.transfer(db, digest, "down") is None
        ),
        unverified=tuple(digest for digest in memory.reading_again.digests if memory.is_due(digest, now_us)),
        verify_bytes_per_s=memory.reading_again.bytes_per_s,
        quarantine_over=_quarantine_over(config, db, wanted, space, now_us),
        air_changed=air_changed,
        compiled_us=memory.compiled_us,
        arranged_us=memory.arranged_us,
        aired_us=memory.aired_us,
        reported_us=memory.reported_us if memory.reported_link == link_state else 0,
        changed_us=memory.changed_us,
        next_moment_us=min(_moments(config, memory, known, now_us), default=None),
    )


def _without_media(
    config: Config,
    memory: Memory,
    children: Children,
    conversation: Conversation,
    now_us: int,
    link_state: str,
    air_changed: bool,
) -> Observation:
    """The same where the disk of the assets is not mounted, or was not a moment ago."""
    memory.forget_what_is_over(now_us)
    return Observation(
        now_us=now_us,
        space=Space(0, 0),
        media="back" if files.media_are_there(config) else memory.media,
        link=conversation.state(),
        must_renew_keys=_must_renew_keys(memory, conversation, now_us),
        children=children.running(),
        commands=tuple(
            Waiting(name, is_due=memory.is_due(name, now_us)) for name in spool.pending(config)[:COMMANDS_PER_TURN]
        ),
        air_changed=air_changed,
        compiled_us=memory.compiled_us,
        aired_us=memory.aired_us,
        reported_us=memory.reported_us if memory.reported_link == link_state else 0,
        changed_us=memory.changed_us,
    )


def _must_renew_keys(memory: Memory, conversation: Conversation, now_us: int) -> bool:
    return conversation.must_renew_keys and memory.is_due(RenewKeys.__name__, now_us)


def progress(
    config: Config, db: Database, memory: Memory, children: Children, given: Given, now_us: int
) -> list[Outcome]:
    """How far the running transfers are and what the line carried, about once a second."""
    if now_us < memory.progress_us + PROGRESS_EVERY_US:
        return []
    memory.progress_us = now_us
    moved: list[Outcome] = []
    for is_upload in (False, True):
        works = ("upload",) if is_upload else ("fetch", "carry")
        running = [child for child in children.running() if child.work in works]
        carried_bytes, is_busy = 0, any(child.work != "carry" for child in running)
        for child in running:
            # What is found to be the same grows too, and what comes from a stick; neither is carried by the line.
            is_by_line = child.work != "carry" and not basis.path_of(config, child.subjects[0]).exists()
            for digest, done_bytes in _done_bytes(config, db, children, child):
                before = memory.progress.get(digest)
                if before is not None and done_bytes != before[0]:
                    rate = max(0.0, (done_bytes - before[0]) * US / max(1, now_us - before[1]))
                    moved.append(Moved(digest, is_upload, done_bytes, rate))
                    carried_bytes += max(0, done_bytes - before[0]) * is_by_line
                memory.progress[digest] = (done_bytes, now_us)
        if not is_upload:
            is_giving, given_bytes = given.metered()
            is_busy, carried_bytes = is_busy or is_giving, carried_bytes + given_bytes
        carried = memory.meter.look(is_upload=is_upload, is_busy=is_busy, bytes_=carried_bytes, now_us=now_us)
        limit = (
            config.allowance_at(now_us).up_bytes_per_s if is_upload else config.allowance_at(now_us).down_bytes_per_s
        )
        if carried is not None and not is_of_limit(carried.bytes * US / carried.busy_us, limit):
            moved.append(carried)
    return moved


def _done_bytes(config: Config, db: Database, children: Children, child: Child) -> Iterator[tuple[str, int]]:
    """A fetched file shows it by its size; of uploads only rsync knows, which sends them in the order of names."""
    if child.work != "upload":
        staged = _staged(config.incoming)
        yield from ((digest, staged[digest]) for digest in child.subjects if digest in staged)
        return
    sizes = work.sizes_of(db, child.subjects)
    left_bytes = sum(sizes.values()) * percent_done(children.said(child)) // 100
    for digest in sorted(sizes):
        yield digest, min(sizes[digest], left_bytes)
        left_bytes -= min(sizes[digest], left_bytes)


def _known(config: Config, db: Database, memory: Memory, now_us: int, shown: int) -> Known:
    """Ask the database only when it may answer otherwise than before."""
    before, version = memory.known, db.conn.total_changes
    if version == before.version and now_us < before.until_us and shown == before.fetches_shown:
        return before
    memory.serving.look(db, now_us)
    version = db.conn.total_changes
    next_change_us = items.next_change_us(db, now_us)
    return Known(
        version=version,
        until_us=min(now_us + ASK_AGAIN_US, next_change_us if next_change_us is not None else now_us + ASK_AGAIN_US),
        fetches_shown=shown,
        to_fetch=work.to_fetch(db, shown),
        alike=_alike(db),
        to_send=work.to_send(db),
        rate_bytes_per_s=rate_of(db, "down").now_bytes_per_s,
        to_package=work.to_package(db, made_by(config.air.loudness_lufs), now_us),
        live=live.entries_of(config, db, now_us),
        recalled=work.recalled_here(db, now_us),
        held_bytes=held_bytes(db),
        next_change_us=next_change_us,
    )


def _alike(db: Database) -> dict[str, tuple[Candidate, ...]]:
    alike: dict[str, tuple[Candidate, ...]] = {}
    for each in work.alike(db, SIZE_BYTES_MIN):
        candidate = Candidate(each.held, each.size_bytes, is_replaced=each.is_replaced)
        alike[each.wanted] = (*alike.get(each.wanted, ()), candidate)
    return alike


def _staged(folder: Path) -> dict[str, int]:
    """What lies in a folder under a digest, and how much of it."""
    staged = {}
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            if len(entry.name) == 64:
                with suppress(FileNotFoundError):
                    staged[f"sha256:{entry.name}"] = entry.stat(follow_symlinks=False).st_size
    return staged


def _all_wanted(
    known: Known, staged: dict[str, int], laid: dict[str, int], bad: dict[str, int], memory: Memory, now_us: int
) -> tuple[Wanted, ...]:
    """In a flood of small assets nothing costs a turn more, and it seldom changes."""
    waits = any(each.not_before_us > now_us for each in known.to_fetch)
    seen = None if waits or memory.journey else (staged, laid, bad, frozenset(memory.failures))
    before = memory.wanted
    if before is not None and before.known is known and seen is not None and before.seen == seen:
        return before.wanted
    wanted = tuple(_wanted(known, staged, laid, bad, memory, now_us))
    memory.wanted = Wantings(known, seen, wanted)
    return wanted


def _wanted(
    known: Known, staged: dict[str, int], laid: dict[str, int], bad: dict[str, int], memory: Memory, now_us: int
) -> Iterator[Wanted]:
    on_stick = to_copy(memory.journey, {each.digest for each in known.to_fetch})
    for each in known.to_fetch:
        alike = known.alike.get(each.digest, ())
        if each.digest in bad:
            alike = (*alike, Candidate(each.digest, bad[each.digest], is_own=True))
        yield Wanted(
            digest=each.digest,
            size_bytes=each.size_bytes,
            staged_bytes=staged.get(each.digest, -1),
            deadline_us=each.deadline_us,
            is_for_air=each.is_for_air,
            has_failed=each.has_failed,
            # Where it could not be laid, the asset travels whole.
            base=basis_of(each.size_bytes, alike) if each.digest not in memory.failures else None,
            has_basis=each.digest in laid,
            is_on_stick=each.digest in on_stick,
            is_due=retry.is_due(each.not_before_us, now_us, retry.TRANSFER),
        )


def _space(
    config: Config, db: Database, memory: Memory, wanted: tuple[Wanted, ...], staged_bytes: int, now_us: int
) -> Space:
    """What could be let go of is only asked where room is short."""
    space = Space(
        files.free_bytes(config),
        config.limits.reserve_bytes,
        is_told=memory.room_told,
        full_until_us=memory.full_until_us,
        cache_bytes=memory.known.held_bytes + staged_bytes,
        cache_bytes_max=config.limits.cache_bytes_max,
    )
    needed = [each.size_bytes - max(0, each.staged_bytes) for each in wanted]
    needed += [each.size_bytes for each in memory.known.to_package]
    needed += [entry.size_bytes for entry in memory.drops.settled]
    has_room = space.free_bytes - space.reserve_bytes >= max(needed, default=0)
    if has_room and not over_quota_bytes(space.cache_bytes + sum(needed), space.cache_bytes_max):
        return space
    pinned = cache.pinned(db, now_us, config.limits.catchup_days)
    loose = order_of_eviction(cache.on_disk(db, now_us), pinned)
    return msgspec.structs.replace(space, evictable=tuple((each.digest, each.size_bytes) for each in loose))


def _quarantine_over(
    config: Config, db: Database, wanted: tuple[Wanted, ...], space: Space, now_us: int
) -> tuple[str, ...]:
    held = files.quarantined(config)
    # What has just been set aside still counts as here until that is noted; its file tells.
    healed = {each.digest for each in held if files.is_there(config, each.digest) and cache.is_here(db, each.digest)}
    is_short = bool(space.evictable) or space.free_bytes < space.reserve_bytes or space.is_told
    return quarantine_over(held, {each.digest for each in wanted}, healed, now_us, is_short=is_short)


def _look_at_reading(config: Config, db: Database, memory: Memory, now_us: int) -> None:
    """What to read again now; asked of all that is here, and so only now and then."""
    if now_us < memory.reading_again.look_again_us:
        return
    period_us = config.limits.verify_days * DAY_US
    hour = datetime.fromtimestamp(now_us / US, ZoneInfo(config.zone)).hour
    memory.reading_again = next_reading(cache.unread(db, now_us), memory.read_ended, now_us, period_us, hour)


def _moments(config: Config, memory: Memory, known: Known, now_us: int) -> Iterator[int]:
    """When something changes by itself."""
    change_us = timetable.next_change_us(config.timetable, config.zone, now_us)
    if change_us is not None:
        yield change_us
    if known.next_change_us is not None:
        yield known.next_change_us
    if memory.drops.settles_at_us is not None:
        yield memory.drops.settles_at_us
    yield from live.moments(known.live, memory, now_us)
    yield from (fetch.not_before_us for fetch in known.to_fetch if fetch.not_before_us > now_us)
    yield from (sending.not_before_us for sending in known.to_send if sending.not_before_us > now_us)
    if memory.full_until_us > now_us:
        yield memory.full_until_us
    yield from (failures.not_before_us for failures in memory.failures.values() if failures.not_before_us > now_us)
