"""What the demo publishes: a dozen items in four sections, and a day's schedule from the clips there are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Asia/Shanghai")
PROGRAMMES_PER_BLOCK: Final = 8
BLOCK_S: Final = 300
"""Every five minutes of the demo's schedule begin with a hard start, so that one is soon seen."""


@dataclass(frozen=True)
class Story:
    """An item of the demo; `clip` says which of the clips it shows, None for a picture only."""

    section: str
    title: str
    summary: str
    paragraphs: tuple[str, ...]
    clip: int | None = None

    def body_html(self) -> str:
        return "".join(f"<p>{paragraph}</p>" for paragraph in self.paragraphs)


STORIES: Final = (
    Story(
        "news",
        "市县融媒签约 十六个县区共建融媒体中心",
        "中央厨房·新闻超市向县区开放，稿件一次采集、多元传播。",
        (
            "郑州市十六个县区的融媒体中心集中签约，以“中央厨房·新闻超市”为支撑，融合市县两级媒体资源。",
            "稿件由县区编辑选用，也可回传市级平台。",
        ),
        clip=0,
    ),
    Story(
        "news",
        "嵩山深处秋色正浓",
        "红叶进入最佳观赏期，景区提醒错峰出行。",
        ("连日来气温下降，山间红叶层层渐染。", "景区增开了两条接驳线路。"),
        clip=1,
    ),
    Story(
        "news",
        "县城新建三处口袋公园",
        "步行十分钟可达，年底前全部开放。",
        ("新建的口袋公园利用边角地块，增设座椅、健身器材和夜间照明。",),
    ),
    Story(
        "government",
        "政务服务大厅延时服务时间公布",
        "工作日中午不打烊，周六上午照常办理。",
        ("社保、不动产登记等十二类事项可在延时服务时段办理。",),
    ),
    Story(
        "government",
        "冬季清洁取暖补贴开始申领",
        "线上线下均可办理，十二月底截止。",
        ("申领人携带身份证和缴费凭证，到所在乡镇便民服务中心办理。",),
    ),
    Story(
        "government",
        "一图读懂：县级重点民生实事",
        "十件实事的进展和时间表。",
        ("道路改造、学校扩建、饮水安全等项目按月公布进度。",),
        clip=2,
    ),
    Story(
        "service",
        "未来三天天气：晴到多云，早晚温差大",
        "最低气温零下二度，注意防寒。",
        ("北风三到四级，夜间有霜冻，大棚注意保温。",),
        clip=2,
    ),
    Story(
        "service",
        "农技专家：小麦越冬前管理要点",
        "适时镇压，查苗补种。",
        ("土壤墒情较好的地块，宜在日平均气温三度左右浇越冬水。",),
        clip=3,
    ),
    Story(
        "service",
        "停水通知：城区北部管网检修",
        "周四二十二时至次日五时，请提前储水。",
        ("检修期间提供应急送水，电话见政务服务栏目。",),
    ),
    Story("shop", "助农专区：本地红薯、柿饼上新", "产地直发，县内次日达。", ("由合作社统一分拣包装，附溯源码。",)),
    Story("shop", "老字号面馆团购", "烩面套餐限时优惠。", ("到店出示券码即可使用，周末通用。",)),
    Story(
        "shop",
        "豫剧下乡演出票务",
        "凭身份证免费领取，先到先得。",
        ("演出在县文化中心大剧场举行，提前三十分钟入场。",),
        clip=5,
    ),
)


def schedule_documents(
    channel: str, digests: Sequence[str], titles: Sequence[str], now: datetime
) -> tuple[bytes, bytes]:
    """Schedules for the rest of today and for tomorrow: blocks of programmes, each begun by a hard start; the gaps that
    are left are the fillers' business."""
    today = now.astimezone(ZONE).replace(second=0, microsecond=0)
    midnight = (today + timedelta(days=1)).replace(hour=0, minute=0)
    return (
        _day(channel, digests, titles, today, midnight),
        _day(channel, digests, titles, midnight, midnight + timedelta(days=1)),
    )


def _day(channel: str, digests: Sequence[str], titles: Sequence[str], start: datetime, end: datetime) -> bytes:
    entries: list[dict[str, Any]] = []
    block, length = start, timedelta(seconds=BLOCK_S)
    # What the next day's hard start would drop is not planned; but a day has an entry.
    while not entries or block + length <= end:
        entries += block_entries(len(entries), block, digests, titles)
        block += length
    return _document(channel, start, 1, entries)


def block_entries(first: int, start: datetime, digests: Sequence[str], titles: Sequence[str]) -> list[dict[str, Any]]:
    """One block: a hard start, then the rest following it."""
    entries: list[dict[str, Any]] = []
    for number in range(PROGRAMMES_PER_BLOCK):
        entry: dict[str, Any] = {
            "id": f"e{first + number + 1}",
            "start_type": "follow",
            "kind": "programme",
            "title": titles[number % len(titles)],
            "asset": digests[number % len(digests)],
        }
        if number == 0:
            entry |= {"start": f"{start:%H:%M:%S}", "start_type": "hard"}
        entries.append(entry)
    return entries


def single_entry_document(channel: str, digest: str, title: str, at: datetime, version: int) -> bytes:
    """A schedule with one programme at a given moment, hard."""
    local = at.astimezone(ZONE)
    entry = {"id": "e1", "start": f"{local:%H:%M:%S}", "start_type": "hard", "kind": "programme", "title": title}
    return _document(channel, local, version, [{**entry, "asset": digest}])


def now_utc() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def _document(channel: str, local: datetime, version: int, entries: list[dict[str, Any]]) -> bytes:
    document = {"channel": channel, "date": f"{local:%Y-%m-%d}", "version": version, "entries": entries}
    return json.dumps(document, ensure_ascii=False).encode()
