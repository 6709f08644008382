"""`songshan ledger`, `asrun` and `air`: what a channel will play, what it played, and breaking into it."""

import re
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec

from appliance.command import Box, pass_box, say, say_json
from appliance.commands.desk import hand_over, when, who
from appliance.commands.overview import clock_of, plan_of
from appliance.config import ChannelConfig, Config
from appliance.core.accidents import KIND_NAMES as KIND_NAMES_OF_ACCIDENTS
from appliance.core.accidents import KINDS, Tally, tally
from appliance.core.asrun import AiredRow, later_words
from appliance.core.asset import parse_digest
from appliance.core.command import Insert, Resume
from appliance.core.errors import OperatorError, Text
from appliance.core.exports.asrun_csv import asrun_csv
from appliance.core.filler import CLOSE_FRAMES
from appliance.core.ledger import KIND_NAMES, Stretch
from appliance.core.misfits import TOLD_MAX, told_gap, told_loss
from appliance.core.moment import to_text, to_us
from appliance.core.rundown import Gap, Loss, gaps, tick_of, us_of
from appliance.core.schedule import day_bounds_us, day_of
from appliance.core.ts import FRAMES_PER_S
from appliance.store import air as store
from appliance.store import asrun as log
from appliance.store.database import reading

FIT_US: Final = 3 * 86_400 * 1_000_000
"""How far what does not fit is told."""
FAR_US: Final = 400 * 86_400 * 1_000_000
_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2}[T ])?\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII)


@click.command()
@click.argument("channel")
@click.option("--from", "begin", help="a time; now when not given")
@click.option("--to", "end", help="a time; the ledger's end when not given")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def ledger(box: Box, channel: str, begin: str | None, end: str | None, as_json: bool) -> None:
    """播出账：频道已定的播出内容。 What the channel has committed to play.

    Times are RFC 3339, or the site's own: 19:00, 19:00:00, 2026-11-24T19:00.

    Example: songshan ledger dengfeng-1 --from 18:55 --to 19:05
    """
    config = box.config
    check_channel(config, channel)
    with reading(config.database) as db:
        now_us = store.now_us(db)
        from_us = _moment(config, begin, now_us) if begin is not None else now_us
        seen = store.on_air(db, _named(config, channel), now_us)
        last = seen.ledger_until_us
        to_us_ = _moment(config, end, now_us) if end is not None else max(last or 0, from_us + 1_000_000)
        if not from_us < to_us_ <= from_us + FAR_US:
            raise OperatorError(
                Text("--from 须早于 --to，且不超过 400 天", "--from must be before --to, by 400 days at most")
            )
        found = store.stretches(db, channel, tick_of(from_us), tick_of(to_us_))
        planned, lost = store.channel_rundown(db, channel, config.zone, from_us, min(to_us_, from_us + FIT_US))
        open_gaps = tuple(gaps(planned, store.stock_of(db, channel)))
    lost = tuple(each for each in lost if tick_of(from_us) <= each.start_tick < tick_of(to_us_))
    open_gaps = tuple(each for each in open_gaps if tick_of(from_us) <= each.start_tick < tick_of(to_us_))
    if as_json:
        rows = [_stretch_facts(stretch) for stretch in found]
        at_us = seen.next_version_at_us
        on_air: dict[str, Any] = {
            "plan": seen.plan,
            "version": seen.schedule_version,
            "next_version": seen.next_version,
            "next_version_at": to_text(at_us) if at_us is not None else None,
        }
        say_json(
            {
                "channel": channel,
                "now": to_text(now_us),
                "on_air": on_air,
                "rows": rows,
                "losses": [_loss_facts(each) for each in lost],
                "gaps": [_gap_facts(each) for each in open_gaps],
            }
        )
        return
    if (plan_on_air := plan_of(seen, config.zone)) is not None:
        say(Text(f"在播：{plan_on_air.zh}", f"on air: {plan_on_air.en}"))
    for stretch in found:
        _say_stretch(stretch, config.zone)
    notes = [told_loss(each, config.zone) for each in lost]
    notes += [told_gap(each, config.zone) for each in open_gaps if each.short_frames > CLOSE_FRAMES and not each.reason]
    for note in notes[:TOLD_MAX]:
        say(Text(f"注意：{note.zh}", f"note: {note.en}"))


@click.command()
@click.argument("channel")
@click.option("--date", help="the broadcast day, 2026-11-24; today when not given")
@click.option("--csv", "as_csv", is_flag=True, help="a table for spreadsheets")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def asrun(box: Box, channel: str, date: str | None, as_csv: bool, as_json: bool) -> None:
    """播出日志：频道实际播出了什么，与计划有何不同，事故次数与时长。 What really aired, how it compares with the plan,
    and the accidents of the day.

    Example: songshan asrun dengfeng-1 --date 2026-11-24
    """
    config = box.config
    check_channel(config, channel)
    with reading(config.database) as db:
        day = date if date is not None else day_of(store.now_us(db), config.zone)
        begin_us, end_us = day_bounds_us(day, config.zone)
        found = log.aired(db, channel, begin_us, end_us)
        later = later_words(found, log.sightings(db, channel, tick_of(begin_us), tick_of(end_us)))
    counted = tally(found, begin_us, end_us)
    if as_csv:
        click.echo(asrun_csv(found, config.zone, later), nl=False)
        return
    if as_json:
        say_json({"channel": channel, "date": day, "rows": found, "evidence_later": later, "tally": counted})
        return
    for row in found:
        _say_aired(row, config.zone)
    if found:
        _say_tally(counted)
    if not found:
        say(Text(f"{day} 没有播出记录", f"nothing is logged for {day}"))


@click.group()
def air() -> None:
    """应急插播与恢复。 Break into a channel, and let it go back to its schedule.

    Example: songshan air insert dengfeng-1 sha256:…
    """


@air.command()
@click.argument("channel")
@click.argument("digest")
@click.option("--at", help="a time; at once when not given")
@click.option("--until", help="a time; the asset's end when not given, else it is repeated")
@click.option("--reason", default="", help="why, for the audit log")
@pass_box
def insert(box: Box, channel: str, digest: str, at: str | None, until: str | None, reason: str) -> None:
    """应急插播：立即或定时播出一个媒资，到时自动恢复。 Emergency insertion; works with the line to the hub cut.

    Example: songshan air insert dengfeng-1 sha256:9f86d0… --reason 防汛预警
    """
    config = box.config
    check_channel(config, channel)
    asked_us = to_us(when())
    command = Insert(
        channel=channel,
        digest=parse_digest(digest),
        reason=reason,
        at_air=to_text(_moment(config, at, asked_us)) if at is not None else None,
        until=to_text(_moment(config, until, asked_us)) if until is not None else None,
        by=who(),
        via="cli",
        at=to_text(asked_us),
    )
    hand_over(config, command)


@air.command()
@click.argument("channel")
@click.option("--reason", default="", help="why, for the audit log")
@pass_box
def resume(box: Box, channel: str, reason: str) -> None:
    """结束应急插播，回到节目单的当前位置。 End every insertion; the channel goes on where the wall clock is.

    Example: songshan air resume dengfeng-1
    """
    check_channel(box.config, channel)
    hand_over(box.config, Resume(channel=channel, reason=reason, by=who(), via="cli", at=when()))


def _stretch_facts(stretch: Stretch) -> dict[str, Any]:
    """The row as it stands, its times as moments, and the numbers of its first and last segment."""
    facts = msgspec.structs.asdict(stretch)
    del facts["start_tick"]
    return {
        "start": to_text(us_of(stretch.start_tick)),
        "end": to_text(us_of(stretch.end_tick)),
        "duration_s": stretch.frames / FRAMES_PER_S,
        **facts,
        "last_msn": stretch.next_msn - 1,
    }


def _loss_facts(loss: Loss) -> dict[str, Any]:
    return {
        "entry_id": loss.entry.id,
        "title": loss.entry.title,
        "start": to_text(us_of(loss.start_tick)),
        "dropped": loss.is_dropped,
        "cut_s": loss.lost_frames / FRAMES_PER_S,
        "by": loss.by.id if loss.by is not None else None,
    }


def _gap_facts(gap: Gap) -> dict[str, Any]:
    return {
        "start": to_text(us_of(gap.start_tick)),
        "duration_s": gap.frames / FRAMES_PER_S,
        "slate_frames": gap.slate_frames,
        "short_frames": gap.short_frames,
        "entry_id": gap.entry.id if gap.entry is not None else None,
        "planned": gap.reason is None,
    }


def _say_stretch(stretch: Stretch, zone: str) -> None:
    start = clock_of(us_of(stretch.start_tick), zone)
    length = f"{stretch.frames / FRAMES_PER_S:.2f}"
    kind, reason = KIND_NAMES[stretch.kind], stretch.reason
    say(
        Text(
            f"{start} {length:>9} 秒 {kind.zh} {stretch.title}" + (f"（{reason.zh}）" if reason else ""),
            f"{start} {length:>9} s {kind.en} {stretch.title}" + (f" ({reason.en})" if reason else ""),
        )
    )


def _say_aired(row: AiredRow, zone: str) -> None:
    start, status, kind = clock_of(to_us(row.start), zone), ", ".join(row.status), KIND_NAMES.get(row.kind)
    named = kind if kind is not None else Text(row.kind, row.kind)
    say(
        Text(
            f"{start} {row.duration_s:>9.2f} 秒 {named.zh} {row.title} {status}",
            f"{start} {row.duration_s:>9.2f} s {named.en} {row.title} {status}",
        )
    )


def _say_tally(counted: Tally) -> None:
    for kind in KINDS:
        count, name = getattr(counted, kind), KIND_NAMES_OF_ACCIDENTS[kind]
        say(
            Text(
                f"{name.zh} {count.count} 次，共 {count.duration_s:.2f} 秒",
                f"{name.en}: {count.count}, together {count.duration_s:.2f} s",
            )
        )
    say(
        Text(
            f"有记录 {counted.accounted_s:.2f} 秒，其中无人证实 {counted.unvouched_s:.2f} 秒",
            f"accounted for {counted.accounted_s:.2f} s, {counted.unvouched_s:.2f} s of it vouched for by nobody",
        )
    )


def check_channel(config: Config, channel: str) -> ChannelConfig:
    """The channel; OperatorError where this box has none such."""
    found = config.channel(channel)
    if found is None:
        known = [each.id for each in config.channels]
        raise OperatorError(
            Text(f"没有频道 {channel}", f"there is no channel {channel}"), hint=Text("、".join(known), ", ".join(known))
        )
    return found


def _named(config: Config, channel: str) -> store.Named:
    found = config.channel(channel)
    assert found is not None, "the channel was checked"
    return found


def _moment(config: Config, text: str, now_us: int) -> int:
    """A moment as a person writes it; without a zone it is the site's, without a date it is today's."""
    day = day_of(now_us, config.zone)
    written = _TIME.fullmatch(text)
    try:
        if written is None:
            raise ValueError(text)
        local = datetime.fromisoformat(text if written[1] else f"{day}T{text}")
    except ValueError as error:
        raise OperatorError(
            Text(f"不是时间：{text[:40]!r}", f"not a time: {text[:40]!r}"),
            hint=Text("例：19:00:00 或 2026-11-24T19:00", "for example 19:00:00 or 2026-11-24T19:00"),
        ) from error
    return to_us((local if local.tzinfo else local.replace(tzinfo=ZoneInfo(config.zone))).isoformat())
