"""Readiness (备播): for each coming entry, whether what it needs is here, or when it will be, or why not.

    rows(entries, stock) -> tuple[Ready, ...]

An entry needs the rendition of its asset on disk. What is on its way is forecast from the queue: the line carries the
most urgent first, at the rate it was measured at, as far as the timetable lets it; what waits after a failure lets the
others go first; what is here and not yet in house format takes its turn at packaging. Nothing is promised that depends
on a line that is down. At risk is what will be ready in time by this, and not if little goes wrong.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.findings import Finding, of_entry, refusal
from appliance.core.health import NotReady
from appliance.core.live import Answer
from appliance.core.moment import US
from appliance.core.stock import Holding, RenditionState, Transfer
from appliance.core.ts import FRAMES_PER_S

PACKAGING_S_PER_S: Final = 1.0
"""Packaging is promised at the speed of the programme itself: a forecast that comes true early does no harm."""

RISK_US: Final = 15 * 60 * US
"""What is ready so short before its start is at risk: half an hour was meant to be left, and half of that is gone."""

ANSWER_COUNTS_US: Final = 10 * 60 * US
"""What a live source said longer ago says nothing of how it is."""

State = Literal["ready", "ready_by", "late_by", "cannot"]


class ComingEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a schedule, when it starts and when it ends, as far as can be told."""

    channel: str
    date: str
    """The broadcast day, in which its id is the only one."""
    entry_id: str
    title: str
    kind: str
    start_us: int
    end_us: int
    asset: str | None = None
    cut_s: float = 0.0
    """So much of it a hard start takes away; all of it, if it is dropped."""
    is_dropped: bool = False
    url: str | None = None
    """Of a live source."""
    in_s: float = 0.0
    out_s: float | None = None
    duration_s: float | None = None
    """What the schedule claims."""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """An entry and how ready it is. `late_by_s` is how much too late it will be ready; None unless late."""

    channel: str
    date: str
    """The broadcast day, in which its id is the only one."""
    entry_id: str
    title: str
    kind: str
    start_us: int
    end_us: int
    """Until when it has the air, as far as can be told; its start where it is dropped."""
    state: State
    asset: str | None = None
    ready_at_us: int | None = None
    late_by_s: float | None = None
    reason: Text | None = None
    todo: Text | None = None
    """What somebody can do about it."""
    verified_at_us: int | None = None
    """When what will air was last read and compared with its digest; None where it is not here."""
    is_packaged: bool = False
    """It is in house format, and known by its segments."""
    cut_s: float = 0.0
    """So much of it a hard start takes away; all of it, if it is dropped."""
    is_dropped: bool = False
    is_at_risk: bool = False
    """It will be ready, but so late that little may come between; or not if the line gets as bad as it has been."""
    findings: tuple[Finding, ...] = ()
    """What the technical check found of its asset, and what the schedule claims of it that is not so."""


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """All that readiness depends on. `renditions` by their source, of the one profile that the channels air.

    `rate_bytes_per_s` is what the line carries; None while it is down.
    """

    now_us: int
    holdings: Mapping[str, Holding] = {}
    renditions: Mapping[str, RenditionState] = {}
    transfers: Sequence[Transfer] = ()
    recalled: Collection[str] = ()
    rate_bytes_per_s: float | None = None
    worst_bytes_per_s: float | None = None
    """What the line carried in its slowest hour of late."""
    sources: Mapping[str, Answer] = {}
    """What each live source said when it was last asked, by its address."""
    packaged_us: Mapping[str, int] = {}
    """When those that are being packaged now will have been, by what the packager says."""
    allowed: Sequence[tuple[int, int]] = ()
    """From which moment on how many bytes a second the timetable allows, 0 for all there is; in order."""


class Forecast(msgspec.Struct, frozen=True):
    """When an asset is ready to air; with `at_us` None it will not be, for the reason."""

    at_us: int | None
    reason: Text | None = None


def rows(entries: Sequence[ComingEntry], stock: Stock) -> tuple[Ready, ...]:
    """How ready each entry is, in the order of the entries."""
    arrivals = arrivals_us(stock)
    worst = stock.worst_bytes_per_s
    slow = stock
    if stock.rate_bytes_per_s is not None and worst is not None and worst < stock.rate_bytes_per_s:
        slow = msgspec.structs.replace(stock, rate_bytes_per_s=worst)
    late_arrivals = arrivals if slow is stock else arrivals_us(slow)
    found = []
    for entry in entries:
        row = _row(entry, stock, arrivals)
        if row.state == "ready_by":
            at_worst = _row(entry, slow, late_arrivals)
            is_tight = row.ready_at_us is not None and entry.start_us - row.ready_at_us < RISK_US
            # What is only being checked or packaged here does not hang on the line; a short while of it is no risk.
            is_tight &= row.ready_at_us is not None and row.ready_at_us - stock.now_us > US
            row = msgspec.structs.replace(row, is_at_risk=is_tight or at_worst.state != "ready_by")
        found.append(row)
    return tuple(found)


def not_ready(found: Sequence[Ready]) -> tuple[NotReady, ...]:
    """Those that are not, as the overview shows them."""
    return tuple(
        NotReady(
            channel=row.channel,
            title=row.title,
            start_us=row.start_us,
            state=row.state,
            reason=row.reason,
            todo=row.todo,
            is_at_risk=row.is_at_risk,
        )
        for row in found
        if row.state != "ready"
    )


def forecast(asset: str, stock: Stock, arrivals: Mapping[str, Forecast]) -> Forecast:
    """When this asset can air. `arrivals` is what `arrivals_us` says of the same stock."""
    if asset in stock.recalled:
        return Forecast(None, _RECALLED)
    rendition = stock.renditions.get(asset)
    if rendition is not None:
        if rendition.check is not None and rendition.check.is_red:
            return Forecast(None, refusal(rendition.check.findings)[0])
        if rendition.state == "here":
            return Forecast(stock.now_us)
        if rendition.state == "failed":
            return Forecast(None, rendition.reason or _UNUSABLE)
        if rendition.state == "packaging" and rendition.digest is not None:
            return Forecast(stock.now_us + 1, _CHECKING)
        if rendition.digest is not None and rendition.state == "wanted":
            return arrivals.get(rendition.digest, _unplanned(rendition.digest, stock))
    return _after_packaging(asset, stock, arrivals)


def arrivals_us(stock: Stock) -> dict[str, Forecast]:
    """When each asset that is on its way down will be here: the queue in order of deadline, one after the other."""
    coming = [transfer for transfer in stock.transfers if transfer.direction == "down" and transfer.state != "done"]
    if stock.rate_bytes_per_s is None or stock.rate_bytes_per_s <= 0:
        return {transfer.digest: Forecast(None, _LINE_DOWN) for transfer in coming}
    waiting = sorted(coming, key=_urgency, reverse=True)
    free_at_us, arrivals = stock.now_us, dict[str, Forecast]()
    while waiting:
        # What waits after a failure does not keep the line from the others.
        due = next((at for at in reversed(range(len(waiting))) if waiting[at].not_before_us <= free_at_us), None)
        if due is None:
            free_at_us = min(each.not_before_us for each in waiting)
            continue
        transfer = waiting.pop(due)
        free_at_us = _carried_us(max(0, transfer.size_bytes - transfer.done_bytes), free_at_us, stock)
        arrivals[transfer.digest] = Forecast(free_at_us, transfer.reason or _ON_ITS_WAY)
    return arrivals


def _carried_us(left_bytes: int, from_us: int, stock: Stock) -> int:
    """When so much has been carried from a moment on, at the line's rate and within what the timetable allows."""
    assert stock.rate_bytes_per_s is not None, "nothing is carried while the line is down"
    left, now_us = float(left_bytes), from_us
    steps = stock.allowed or ((0, 0),)
    for number, (_since_us, allowed) in enumerate(steps):
        until_us = steps[number + 1][0] if number + 1 < len(steps) else None
        if until_us is not None and until_us <= now_us:
            continue
        rate = min(stock.rate_bytes_per_s, allowed or stock.rate_bytes_per_s)
        ends_us = now_us + round(left / rate * US)
        if until_us is None or ends_us <= until_us:
            return ends_us
        left -= (until_us - now_us) / US * rate
        now_us = until_us
    raise AssertionError("the last step has no end")


def _row(entry: ComingEntry, stock: Stock, arrivals: Mapping[str, Forecast]) -> Ready:
    found = _forecast_entry(entry, stock, arrivals)
    state: State = "cannot"
    late_by_s = None
    if found.at_us is not None and found.at_us <= stock.now_us:
        state = "ready"
    elif found.at_us is not None and found.at_us <= entry.start_us:
        state = "ready_by"
    elif found.at_us is not None:
        state, late_by_s = "late_by", (found.at_us - entry.start_us) / US
    made = stock.renditions.get(entry.asset) if entry.asset is not None else None
    file = stock.holdings.get(made.digest) if made is not None and made.digest is not None else None
    return Ready(
        findings=_findings_of(entry, stock),
        channel=entry.channel,
        date=entry.date,
        entry_id=entry.entry_id,
        title=entry.title,
        kind=entry.kind,
        start_us=entry.start_us,
        end_us=entry.end_us,
        state=state,
        asset=entry.asset,
        cut_s=entry.cut_s,
        is_dropped=entry.is_dropped,
        ready_at_us=found.at_us,
        late_by_s=late_by_s,
        reason=found.reason,
        todo=None if state == "ready" else _todo(state, found.reason),
        verified_at_us=file.verified_at_us if file is not None and file.state == "here" else None,
        is_packaged=made is not None and made.state == "here",
    )


def _findings_of(entry: ComingEntry, stock: Stock) -> tuple[Finding, ...]:
    made = stock.renditions.get(entry.asset) if entry.asset is not None else None
    if made is None:
        return ()
    length_s = made.frames / FRAMES_PER_S if made.frames else None
    claimed = of_entry(entry.in_s, entry.out_s, entry.duration_s, length_s)
    return (*claimed, *(made.check.findings if made.check is not None else ()))


def _forecast_entry(entry: ComingEntry, stock: Stock, arrivals: Mapping[str, Forecast]) -> Forecast:
    if entry.asset is not None:
        return forecast(entry.asset, stock, arrivals)
    if entry.url is not None:
        answer = stock.sources.get(entry.url)
        if answer is None or answer.asked_us + ANSWER_COUNTS_US < stock.now_us:
            return Forecast(stock.now_us, _UNASKED)
        return Forecast(stock.now_us) if answer.reason is None else Forecast(None, answer.reason)
    return Forecast(stock.now_us)


def _after_packaging(asset: str, stock: Stock, arrivals: Mapping[str, Forecast]) -> Forecast:
    """The source is here or comes; then it takes its own length to bring it to house format."""
    holding = stock.holdings.get(asset)
    if holding is None:
        return Forecast(None, _UNKNOWN)
    here = Forecast(stock.now_us) if holding.state == "here" else arrivals.get(asset, _unplanned(asset, stock))
    if here.at_us is None:
        return here
    if asset in stock.packaged_us:
        return Forecast(max(stock.packaged_us[asset], stock.now_us + 1), _PACKAGING)
    takes_us = round((holding.duration_s or 0) * PACKAGING_S_PER_S * US)
    # At least a moment: what is not packaged is not ready now.
    return Forecast(here.at_us + max(takes_us, 1), _PACKAGING if holding.state == "here" else here.reason)


def _unplanned(digest: str, stock: Stock) -> Forecast:
    """Not here, and no transfer of it: it is here as soon as somebody notes so, or nobody has asked for it yet."""
    holding = stock.holdings.get(digest)
    if holding is not None and holding.state == "here":
        return Forecast(stock.now_us)
    return Forecast(None, _BAD if holding is not None and holding.state == "bad" else _NOT_ASKED)


def _urgency(transfer: Transfer) -> tuple[bool, int, str]:
    """What airs soonest first; what has no deadline last. The order is the agent's own."""
    return transfer.deadline_us is None, transfer.deadline_us or 0, transfer.digest


_RECALLED: Final = Text("已撤稿", "recalled")
_UNUSABLE: Final = Text("不能转为播出格式", "it cannot be brought to house format")
_LINE_DOWN: Final = Text("等待与嵩山云的线路恢复", "waits for the line to the hub")
_ON_ITS_WAY: Final = Text("正在传输", "on its way")
_UNASKED: Final = Text("开播前半小时开始检查直播源", "its source is asked from half an hour before on")
_UNKNOWN: Final = Text("没有收到过这个媒资", "this asset was never announced to the box")
_CHECKING: Final = Text("已到，正在检查", "here, being checked")
_PACKAGING: Final = Text("正在转为播出格式", "being brought to house format")
_BAD: Final = Text("文件损坏，等待重新传输", "the file went bad and waits to be fetched again")
_NOT_ASKED: Final = Text("尚未排入传输", "not in the transfer queue yet")

_IN_ITS_PLACE: Final = Text(
    "换一个已就绪的节目，或请重新提供", "put something that is ready in its place, or ask for it again"
)
_TODO: Final[Mapping[Text, Text]] = {
    _RECALLED: Text("此节目已撤，请改节目单", "it was recalled: change the schedule"),
    _UNUSABLE: Text("请重新提供完好的文件", "provide a sound file"),
    _LINE_DOWN: Text(
        "检查线路，或用移动盘送来：songshan usb import", "see to the line, or carry it: songshan usb import"
    ),
    _ON_ITS_WAY: Text("让出线路，或放宽 [[timetable]]", "free the line, or widen [[timetable]]"),
    _UNKNOWN: Text("请发布此媒资，或改节目单", "have the asset published, or change the schedule"),
    _CHECKING: Text("稍候，自动完成", "wait: it goes by itself"),
    _PACKAGING: Text("稍候，自动完成；来不及请换节目", "wait: it goes by itself; if that is too late, replace it"),
    _BAD: Text("自动重新传输；反复出现请查磁盘", "it is fetched again by itself; if it recurs, see to the disk"),
    _NOT_ASKED: Text("稍候；一直如此请看 songshan doctor", "wait; if it stays so, see songshan doctor"),
}


def _todo(state: State, reason: Text | None) -> Text:
    """What to do about an entry that is not ready: nothing, as long as it will be in time by itself."""
    if state == "ready_by":
        return Text("无需操作", "nothing to do")
    return _TODO.get(reason, _IN_ITS_PLACE) if reason is not None else _IN_ITS_PLACE


def describe(row: Ready) -> Text:
    """One row in words: what and why, without its own time; and what a hard start takes of it."""
    found = _describe(row)
    if row.is_dropped:
        return Text(f"被硬开始挤掉，不播（{found.zh}）", f"dropped by a hard start ({found.en})")
    if row.cut_s:
        return Text(
            f"{found.zh}；被硬开始截掉 {row.cut_s:.2f} 秒", f"{found.en}; cut by {row.cut_s:.2f} s by a hard start"
        )
    return found


def _describe(row: Ready) -> Text:
    if row.state == "ready":
        more = (f"：{row.reason.zh}", f": {row.reason.en}") if row.reason else ("", "")
        return Text(f"就绪{more[0]}", f"ready{more[1]}")
    because = row.reason or Text("原因不明", "for no known reason")
    if row.late_by_s is not None:
        return Text(f"将迟 {row.late_by_s:.0f} 秒：{because.zh}", f"late by {row.late_by_s:.0f} s: {because.en}")
    if row.ready_at_us is not None:
        ahead_s = (row.start_us - row.ready_at_us) / US
        risk = Text("，有风险" if row.is_at_risk else "", ", at risk" if row.is_at_risk else "")
        return Text(
            f"开播前 {ahead_s:.0f} 秒就绪{risk.zh}：{because.zh}",
            f"ready {ahead_s:.0f} s before its start{risk.en}: {because.en}",
        )
    return Text(f"不能播：{because.zh}", f"cannot air: {because.en}")
