"""A county's own page: how it is, what is wrong and what to do, and what changed when. Pure."""

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from appliance.core.errors import Text
from provisioning.fleet.core import words
from provisioning.fleet.core.changes import Change
from provisioning.fleet.core.page import (
    address,
    alarm_list,
    channel_lines,
    document,
    fact_list,
    pill,
    shown,
)
from provisioning.fleet.core.row import Row

WHATS: Final = {
    "state": Text("身份", "standing"),
    "link": Text("线路", "link"),
    "version": Text("版本", "version"),
    "upgrade": Text("升级", "upgrade"),
    "air": Text("播出", "air"),
    "alarm": Text("告警", "alarm"),
    "over": Text("恢复", "over"),
}

_NOTHING_YET: Final = Text("值守以来没有变化", "nothing has changed since the watch began")


def county_page(row: Row, changes: tuple[Change, ...], hub: str, generated_at: str, language: str) -> str:
    """The whole page as HTML."""
    title = (Text(row.name, row.name), Text(f"{row.site} · 嵩山云 {hub}", f"{row.site} · Songshan Cloud {hub}"))
    back = Text("← 各县一览", "← all counties")
    quiet = Text("没有告警", "nothing is wrong")
    main = f"""<p class=note><a href="{address("", language)}">{shown(back, language)}</a></p>
<p>{pill(row.level, words.level_of(row), language)} {_heard(row, language)}</p>
{alarm_list(row.alarms, language, with_ids=True) or f"<p class=note>{shown(quiet, language)}</p>"}
<h2>{shown(Text("正在播出", "On air"), language)}</h2>
<div class="card air">{channel_lines(row, language)}</div>
<h2>{shown(Text("现状", "How it is"), language)}</h2>
{fact_list(_facts(row), language)}
<h2>{shown(Text("何时变了什么", "What changed when"), language)}</h2>
{_history(row, changes, language)}"""
    return document(title, main, generated_at, row.site, language)


def _heard(row: Row, language: str) -> str:
    if row.sync_age_s is None:
        return shown(Text("从未联系过", "was never heard"), language)
    heard, at = words.ago(row.sync_age_s), words.time_of(row.heard_at, _zone(row))
    text = Text(f"最后一次报告：{at.zh}（{heard.zh}）", f"last word: {at.en} ({heard.en})")
    if row.link == "away":
        text = Text(f"{text.zh}；以下是当时的情况", f"{text.en}; what follows is how it was then")
    return shown(text, language)


def _facts(row: Row) -> tuple[tuple[Text, Text], ...]:
    state = words.STATES.get(row.state, Text(row.state, row.state))
    moved = words.time_of(row.moved_at, _zone(row))
    return (
        (Text("线路", "link"), words.LINKS[row.link]),
        (Text("身份", "standing"), state),
        (Text("备播", "next 24 h"), words.ready_of(row)),
        (Text("磁盘剩余", "disk free"), words.disk_of(row)),
        (Text("时钟", "clock"), words.clock_of(row)),
        (Text("版本", "version"), words.version_of(row)),
        (Text("下次开机的版本", "version at next boot"), _word(row.version_next_boot)),
        (Text("最近备份", "last backup"), words.dated(row.backup_at, row.backup_age_s, _zone(row))),
        (Text("县里未送到的记录", "records not sent up"), _count(row.unsent_records)),
        (Text("县里未收到的记录", "records not received"), _count(row.waiting_records)),
        (Text("待收文件/上限", "files to accept, of"), words.quota_of(row)),
        *(((Text("另一台机器接替于", "another machine took over"), moved),) if row.moved_at is not None else ()),
    )


def _history(row: Row, changes: tuple[Change, ...], language: str) -> str:
    if not changes:
        return f"<p class=note>{shown(_NOTHING_YET, language)}</p>"
    lines = "".join(
        f"<tr><td class=nowrap>{shown(words.time_of(each.at, _zone(row)), language)}</td>"
        f"<td class=nowrap>{pill(each.level, WHATS[each.what], language)}</td>"
        f"<td>{shown(each.text, language)}</td></tr>"
        for each in changes
    )
    return f"<table class=rows><tbody>{lines}</tbody></table>"


def _zone(row: Row) -> ZoneInfo:
    try:
        return ZoneInfo(row.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return words.ZONE


def _word(text: str | None) -> Text:
    return Text(text, text) if text else words.NOTHING


def _count(number: int | None) -> Text:
    return words.NOTHING if number is None else Text(str(number), str(number))
