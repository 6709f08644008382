"""What people and programs ask of the box, by the spool or the drop folder: what each does to the database.

What the hub must know of it becomes a record of this site's own stream, in the same transaction.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance.config import Config
from appliance.core import command as commands
from appliance.core import records, wire
from appliance.core.air import URGENT_TICKS
from appliance.core.asrun import Sighting
from appliance.core.asset import Asset, parse_digest
from appliance.core.command import Command
from appliance.core.engine import EngineRow, library_name, problems_of_rows
from appliance.core.errors import Refused, Text, WorldError
from appliance.core.incident import Ended
from appliance.core.item import SECTIONS, Item, problems_of
from appliance.core.moment import US, to_text, to_us
from appliance.core.rundown import tick_of, us_of
from appliance.core.ts import SEGMENT_TICKS, TICKS_PER_FRAME
from appliance.files import take_new_disk
from appliance.store import air, asrun, assets, desk, items, journals, needs, reasons, repackaging, waiting
from appliance.store.needs import TAKEN_WITHIN_US
from edge_agent import alarms, redaction
from edge_agent.faults import as_refusals
from edge_agent.library import links_of

GOOD_FOR_US: Final = 15 * 60 * US
"""A break-in that was asked for is off when it could not be carried out for so long: nobody waits for it any more."""

Effect = Callable[[Database], None]


def effect_of(
    config: Config,
    name: str,
    command: Command,
    files: Sequence[Asset],
    now_us: int,
    again: journals.Apply | None = None,
) -> Effect:
    """What a command does. `files` came with it and are here; `name` is that of the command, given once.

    `again` applies a record that was parked; only what asks for that needs it.

    The effect raises Refused or OperatorError when the answer is no.
    """

    def effect(db: Database) -> None:
        with as_refusals(name):
            _do(db, config, name, command, files, now_us, again)

    return effect


def _do(
    db: Database,
    config: Config,
    name: str,
    command: Command,
    files: Sequence[Asset],
    now_us: int,
    again: journals.Apply | None,
) -> None:
    match command:
        case commands.Submit():
            _submit(db, config, name, command, files, now_us)
        case commands.Take(item=item):
            _take(db, config, item, now_us)
        case commands.Untake(item=item):
            _untake(db, config, item, now_us)
        case commands.Answer():
            _answer(db, config, command, now_us)
        case commands.Redact():
            _redact(db, config, command, now_us)
        case commands.Tip():
            _tip(db, config, name, command, now_us)
        case commands.Insert():
            _insert(db, config, name, command, now_us)
        case commands.Resume(channel=channel):
            _resume(db, config, channel)
        case commands.Asrun():
            _asrun(db, config, command, now_us)
        case commands.Observed():
            _observed(db, config, command, now_us)
        case commands.Retry(digest=digest, direction=direction):
            if needs.try_again(db, digest, direction, now_us) == 0:
                raise Refused(Text("没有失败或等待重试的传输", "no transfer has failed or waits to be tried again"))
        case commands.Repackage(digest=digest):
            repackaging.package_again(db, digest)
        case commands.Reapply(stream=stream, epoch=epoch, seq=seq):
            assert again is not None, "whoever carries commands out can apply records"
            waiting.reapply(db, stream, epoch, seq, again)
        case commands.Import():
            # What it brings was kept page by page (edge_agent/carry.py); this notes that it is over.
            pass
        case commands.Newdisk():
            # Done twice it does nothing; the stock is taken when the next look finds the disk there.
            _take_new_disk(config)
        case commands.Did():
            # It was done elsewhere; that it is on record is all.
            pass
        case commands.Incident(unit=unit, result=result, code=code, status=status):
            alarms.of_incident(db, unit, Ended(result, code, status), now_us)


def _submit(
    db: Database, config: Config, name: str, command: commands.Submit, files: Sequence[Asset], now_us: int
) -> None:
    """Send an item up: its record in the stream, its assets in the queue, and a row that shows where it stands.

    Its id is made of the command's name, so that the hub knows it again whatever happened in between.
    """
    identity = f"{config.site}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    assert command.section in SECTIONS, "commands are checked when they are read"
    item = Item(
        id=identity,
        title=command.title,
        section=command.section,  # type: ignore[arg-type]
        origin=config.site,
        created_at=to_text(now_us),
        summary=command.summary,
        assets=tuple({asset.digest: asset for asset in files}.values()),
    )
    problems = problems_of(item)
    if problems:
        raise Refused(*problems)
    for asset in item.assets:
        _have(db, asset, now_us)
        needs.queue_up(db, asset.digest, asset.size_bytes, now_us)
    desk.add_submission(db, identity, item, command.files[0], now_us)
    say(db, config, "submission", identity, records.Submission(identity, item), now_us)


def say(db: Database, config: Config, kind: str, key: str, body: records.Body, now_us: int) -> None:
    """Append to this site's own stream, inside the transaction that does what the record tells."""
    journals.append_own(db, wire.stream_of_site(config.site), [(kind, key, records.encode(body))], now_us)


def _have(db: Database, asset: Asset, now_us: int) -> None:
    """Note a file that was taken in here, and have a clip brought to house format."""
    if items.is_recalled(db, asset.digest):
        raise Refused(Text(f"{asset.name} 已被撤回", f"{asset.name} was recalled"))
    assets.want(db, asset, "submission", now_us)
    assets.arrived(db, asset.digest, asset.size_bytes, now_us)
    if asset.role in needs.CLIP_ROLES:
        needs.need_packaging(db, asset.digest)


def _take(db: Database, config: Config, item_id: str, now_us: int) -> None:
    was_ours = items.is_ours(db, item_id)
    item = items.take(db, item_id, now_us)
    needs.want_item(db, item, "taken", now_us + TAKEN_WITHIN_US, now_us)
    if not was_ours:
        say(db, config, "take", item_id, records.Take(item_id), now_us)


def _untake(db: Database, config: Config, item_id: str, now_us: int) -> None:
    items.untake(db, item_id, now_us)
    reasons.end(db, f"taken:{item_id}")
    needs.let_go(db, items.assets_of(db, item_id))
    say(db, config, "untake", item_id, records.Untake(item_id), now_us)


def _answer(db: Database, config: Config, command: commands.Answer, now_us: int) -> None:
    desk.answer_order(db, command.order, command.answer, command.note, command.by, now_us)
    body = records.Answer(
        order=command.order, answer=command.answer, by=command.by, at=to_text(now_us), note=command.note
    )
    say(db, config, "answer", command.order, body, now_us)


def _tip(db: Database, config: Config, name: str, command: commands.Tip, now_us: int) -> None:
    identity = f"tip-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    desk.add_tip(db, identity, command.text, command.contact, now_us)
    body = records.Tip(id=identity, text=command.text, at=to_text(now_us), contact=command.contact)
    say(db, config, "tip", identity, body, now_us)


def _redact(db: Database, config: Config, command: commands.Redact, now_us: int) -> None:
    """The body goes here at once, and at the hub when the record that says so has come there."""
    own = wire.stream_of_site(config.site)
    at = to_text(now_us)
    asked = records.Redact(own, command.epoch, command.seq, command.reason, at, command.hash)
    meant = redaction.check(db, asked)
    epoch, seq = meant.header.place
    body = records.Redact(own, epoch, seq, command.reason, at, meant.origin)
    redaction.redact(db, body, now_us)
    say(db, config, "redact", f"{own} {epoch}:{seq}", body, now_us)


def _insert(db: Database, config: Config, name: str, command: commands.Insert, now_us: int) -> None:
    """Only what is ready to air can break in, while it still can: who presses the button must see it happen."""
    _check_channel(config, command.channel)
    if command.digest not in air.ready_assets(db):
        raise Refused(Text("此媒资未备播", "this asset is not ready to air"))
    not_after_us = to_us(command.at_air or command.at) + GOOD_FOR_US
    last_us = min(not_after_us, to_us(command.until) if command.until is not None else not_after_us)
    if now_us + us_of(URGENT_TICKS + SEGMENT_TICKS) >= last_us:
        raise Refused(Text("执行时已过时，未插播", "it was carried out when its time had gone by: nothing broke in"))
    not_after = to_text(not_after_us)
    air.add_insert(db, name, command.channel, command.digest, now_us, command.at_air, command.until, not_after)


def _resume(db: Database, config: Config, channel: str) -> None:
    _check_channel(config, channel)
    air.resume(db, channel)


def _asrun(db: Database, config: Config, command: commands.Asrun, now_us: int) -> None:
    """What an engine says it aired is evidence here, and goes up as it came; only a row of ours has a place in the log.

    Raises Refused for a row of another shape.
    """
    _check_channel(config, command.channel)
    try:
        rows = tuple(msgspec.convert(row, EngineRow) for row in command.rows)
    except msgspec.ValidationError as error:
        raise Refused(Text(f"报告格式不对：{error}", f"not a report: {error}")) from error
    problems = problems_of_rows(rows)
    if problems:
        raise Refused(*problems)
    names = links_of(config)
    for row in rows:
        digest = row.asset if row.asset is not None else names.get(library_name(row.file or ""))
        seen = Sighting(
            start_tick=tick_of(row.start_us),
            end_tick=tick_of(row.end_us),
            evidence="engine_callback",
            asset=assets.source_of(db, parse_digest(digest)) if digest is not None else None,
        )
        asrun.see(db, command.channel, seen, now_us)
    told = tuple({**msgspec.to_builtins(row), "evidence": "engine_callback", "by": command.by} for row in rows)
    say(db, config, "asrun", command.channel, records.AsRun(command.channel, told), now_us)


def _observed(db: Database, config: Config, command: commands.Observed, now_us: int) -> None:
    _check_channel(config, command.channel)
    seen = Sighting(
        start_tick=command.first_tick,
        end_tick=command.last_tick + TICKS_PER_FRAME,
        evidence="ts_probe",
        errors=command.continuity_errors,
        output=command.output,
    )
    asrun.see(db, command.channel, seen, now_us)


def _take_new_disk(config: Config) -> None:
    """A disk that cannot be written is a no, and nothing to try again by itself: a person stands before the machine."""
    try:
        take_new_disk(config)
    except WorldError as error:
        raise Refused(*error.problems) from error


def _check_channel(config: Config, channel: str) -> None:
    if config.channel(channel) is None:
        raise Refused(Text(f"本站没有频道 {channel}", f"this site has no channel {channel}"))
