"""What does not fit in a day, told before it is on the air: what hard starts cut or drop, gaps that fillers leave open.

A schedule with any of these is taken all the same: a hard start is there to cut. But whoever made it shall know.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appliance.core.entry import EPOCH
from appliance.core.errors import Text
from appliance.core.filler import CLOSE_FRAMES
from appliance.core.health import Finding, LostEntry, RefusedPlan
from appliance.core.rundown import Day, Gap, Loss, Stock, gaps, losses, slots, us_of
from appliance.core.ts import FRAMES_PER_S

TOLD_MAX: Final = 100
LOST_S_TOLD: Final = 10.0
"""What loses less to a hard start is not told as wrong: endings are made to be cut."""
_TEMPLATE: Final = Text("日模板", "template")


def misfits(day: Day, lengths: Mapping[str, int], stock: Stock, zone: str) -> tuple[Text, ...]:
    """All that does not fit in a day, in words, at most TOLD_MAX of it; `stock` is what the channel will have then."""
    lost = losses([day], lengths)
    found = [*(told_loss(loss, zone) for loss in lost), *_of_gaps(gaps(slots([day], lengths), stock), stock, zone)]
    rest = len(found) - TOLD_MAX
    return (*found[:TOLD_MAX], *([Text(f"另有 {rest} 处", f"and {rest} more")] if rest > 0 else ()))


def told_loss(loss: Loss, zone: str) -> Text:
    """A lost entry in words."""
    name, at = loss.entry.title or loss.entry.id, clock_of(loss.start_tick, zone)
    if loss.by is None:
        return Text(
            f"{at} {name}（{loss.entry.id}）长度不明，不播",
            f"{at} {name} ({loss.entry.id}): of unknown length, dropped",
        )
    by = loss.by.title or loss.by.id
    lost_s = f"{loss.lost_frames / FRAMES_PER_S:.2f}"
    if loss.is_dropped:
        return Text(
            f"{at} {name}（{loss.entry.id}）被硬开始的 {by} 挤掉，不播",
            f"{at} {name} ({loss.entry.id}): dropped by the hard start of {by}",
        )
    return Text(
        f"{at} {name}（{loss.entry.id}）被硬开始的 {by} 截掉 {lost_s} 秒",
        f"{at} {name} ({loss.entry.id}): cut by {lost_s} s, by the hard start of {by}",
    )


def told_gap(gap: Gap, zone: str) -> Text:
    """How close fillers come in a gap, in words."""
    at, length, short = (
        clock_of(gap.start_tick, zone),
        f"{gap.frames / FRAMES_PER_S:.2f}",
        f"{gap.short_frames / FRAMES_PER_S:.2f}",
    )
    if gap.slate_frames:
        slate = f"{gap.slate_frames / FRAMES_PER_S:.2f}"
        return Text(
            f"{at} 空档 {length} 秒，其中 {slate} 秒无垫片可填，播静帧垫片",
            f"{at} gap of {length} s, {slate} s of it are left to the slate",
        )
    return Text(
        f"{at} 空档 {length} 秒，最后一条垫片截掉 {short} 秒",
        f"{at} gap of {length} s, its last filler is cut by {short} s",
    )


def of_plans(refused_plans: Iterable[RefusedPlan], lost: Iterable[LostEntry]) -> Iterator[Finding]:
    """What of the plans cannot be: versions that were refused, entries for which there is no time."""
    for refused in refused_plans:
        what = Text(f"{refused.date} 节目单", f"schedule for {refused.date}") if refused.date else _TEMPLATE
        stands = Text("没有可用的旧版", "there is no version before it")
        if refused.stands is not None:
            stands = Text(f"继续播第 {refused.stands} 版", f"version {refused.stands} goes on")
        because = refused.reason
        yield Finding(
            id=f"plan:{refused.channel}",
            severity="amber",
            text=Text(
                f"{refused.channel} 的{what.zh}第 {refused.version} 版不能用，{stands.zh}：{because.zh}",
                f"{refused.channel}: version {refused.version} of the {what.en} is refused, {stands.en}: {because.en}",
            ),
            hint=Text("请嵩山云重发节目单", "have the hub's operator send it anew, mended"),
        )
    yield from _of_lost([each for each in lost if each.is_dropped or each.lost_s >= LOST_S_TOLD])


def _of_lost(lost: Sequence[LostEntry]) -> Iterator[Finding]:
    dropped = [each for each in lost if each.is_dropped]
    if lost:
        first = min(dropped or lost, key=lambda each: each.start_us)
        cut = len(lost) - len(dropped)
        yield Finding(
            id="overfull",
            severity="amber" if dropped else "info",
            text=Text(
                f"节目单过满：{len(dropped)} 条被硬开始挤掉，{cut} 条被截短，最早《{first.title}》",
                f"hard starts drop {len(dropped)} entries and cut {cut}, first {first.title!r}",
            ),
            hint=Text(
                "请看 songshan readiness；请编排人员核对", "see songshan readiness; ask whoever made the schedule"
            ),
        )


def clock_of(tick: int, zone: str) -> str:
    """The zone's time of a tick, to the hundredth."""
    local = (EPOCH + timedelta(microseconds=us_of(tick))).astimezone(ZoneInfo(zone))
    return f"{local:%H:%M:%S}.{local.microsecond // 10_000:02d}"


def _of_gaps(found: Iterable[Gap], stock: Stock, zone: str) -> Iterator[Text]:
    """Gaps that are not closed within a frame; one word where there is no filler at all."""
    planned = [gap for gap in found if gap.reason is None]
    if planned and not _has_fillers(stock):
        seconds = sum(gap.frames for gap in planned) / FRAMES_PER_S
        yield Text(
            f"频道没有垫片：{len(planned)} 处空档共 {seconds:.0f} 秒播静帧垫片",
            f"the channel has no fillers: {len(planned)} gaps, {seconds:.0f} s in all, are left to the slate",
        )
        return
    yield from (told_gap(gap, zone) for gap in planned if gap.short_frames > CLOSE_FRAMES)


def _has_fillers(stock: Stock) -> bool:
    named: Sequence[str] = [*stock.fillers, *(entry.asset or "" for entry in stock.default)]
    return any(source in stock.ready for source in named)
