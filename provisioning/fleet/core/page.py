"""The page of the whole fleet: one row a county, the worst first, each alarm with its next step. Pure.

Everything that comes from a county goes through `shown`; there is no script, and the page forbids itself any.
"""

from html import escape
from typing import Final

from appliance.core.errors import Text
from provisioning.fleet.core import words
from provisioning.fleet.core.freshness import OPEN_TOO_LONG, REFRESH_S, STALE_MINUTES, rules
from provisioning.fleet.core.hub import Fleet, Hub
from provisioning.fleet.core.row import Airing, Level, Row, Told

OTHER: Final = {"zh": "en", "en": "zh"}
POLICY: Final = "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'"
COLUMNS: Final = (
    Text("县", "county"),
    Text("状态", "state"),
    Text("正在播出", "on air"),
    Text("线路", "link"),
    Text("备播", "next 24 h"),
    Text("磁盘剩余", "disk free"),
    Text("时钟", "clock"),
    Text("版本", "version"),
    Text("备份", "backup"),
    Text("待收", "uploads"),
)


def address(site: str, language: str) -> str:
    """The name of a page's file; "" is the fleet's. Chinese has the plain name."""
    plain = f"{site}.html" if site else "index.html"
    return plain if language == "zh" else f"{site}.en.html" if site else "en.html"


def fleet_page(fleet: Fleet, language: str) -> str:
    """The whole page as HTML."""
    head = (Text("各县一览", "All counties"), Text(f"嵩山云 {fleet.hub.id}", f"Songshan Cloud {fleet.hub.id}"))
    rows = "".join(_county(row, language) for row in fleet.sites)
    columns = "".join(f"<th scope=col>{shown(each, language)}</th>" for each in COLUMNS)
    empty = "" if fleet.sites else f"<p class=note>{shown(Text('还没有县级中心', 'no counties yet'), language)}</p>"
    main = f"""{_summary(fleet, language)}
{alarm_list(fleet.hub.alarms, language, with_ids=True)}
<table class=fleet><thead><tr>{columns}</tr></thead>
{rows}</table>{empty}
{_hub(fleet.hub, fleet.generated_at, language)}"""
    return document(head, main, fleet.generated_at, "", language)


def document(title: tuple[Text, Text], main: str, generated_at: str, site: str, language: str) -> str:
    """A page around its main part: head, age, the other language, what it says when it is stale."""
    other = OTHER[language]
    switch = {"zh": "English", "en": "中文"}[language]
    at = words.clock_text(generated_at)
    name, place = title
    return f"""<!doctype html>
<html lang={"zh-CN" if language == "zh" else "en"}>
<head>
<meta charset=utf-8>
<meta name=viewport content="width=device-width,initial-scale=1">
<meta http-equiv=refresh content={REFRESH_S}>
<meta http-equiv=Content-Security-Policy content="{POLICY}">
<meta name=referrer content=no-referrer>
<meta name=robots content=noindex>
<title>{shown(name, language)} · {shown(place, language)}</title>
<link rel=stylesheet href=fleet.css>
<style>
{OPEN_TOO_LONG}{rules(generated_at, language)}
</style>
</head>
<body>
<div class=stale role=alert><p>{shown(_STALE, language)}</p></div>
<header>
<h1>{shown(name, language)} <small class=dim>{shown(place, language)}</small></h1>
<span class=when><time datetime="{escape(generated_at)}">{shown(at, language)}</time><span class=age></span></span>
<a class=lang href="{address(site, other)}" lang={other}>{switch}</a>
<span class=ageless>{shown(_AGELESS, language)}</span>
</header>
<main>
{main}
</main>
<footer>{shown(_FOOT, language)} · <a href="fleet.json">fleet.json</a></footer>
</body>
</html>
"""


def shown(text: Text | str, language: str) -> str:
    """A text for HTML; nothing of it is markup, nor a word to the server."""
    return escape(text if isinstance(text, str) else text.in_language(language))


def pill(level: Level, text: Text, language: str) -> str:
    return f'<span class="pill {level}">{shown(text, language)}</span>'


def alarm_list(alarms: tuple[Told, ...], language: str, *, with_ids: bool = False) -> str:
    """Each with what it says and what to do."""
    if not alarms:
        return ""
    return f"<ul class=alarms>{''.join(_alarm(each, language, with_ids) for each in alarms)}</ul>"


def channel_lines(row: Row, language: str) -> str:
    """What each channel plays."""
    lines = "".join(f"<div>{_airing(each, len(row.channels) == 1, language)}</div>" for each in row.channels)
    return lines or f"<span class=dim>{shown(words.NOTHING, language)}</span>"


def _summary(fleet: Fleet, language: str) -> str:
    rows = fleet.sites
    here = [row for row in rows if row.state in ("approved", "fenced")]
    counts: tuple[tuple[Level, int, Text], ...] = (
        ("red", sum(row.level == "red" for row in rows), Text("紧急", "red")),
        ("amber", sum(row.level == "amber" for row in rows), Text("注意", "amber")),
        ("ok", sum(row.level == "ok" for row in rows), Text("正常", "ok")),
        ("ok", sum(row.link == "connected" for row in here), Text("在线", "connected")),
        ("info", sum(row.link == "away" for row in here), Text("离线", "away")),
        ("info", len(rows) - len([row for row in here if row.link != "never"]), Text("未入网、未见", "not in yet")),
    )
    cells = "".join(
        f'<li class="{level if count else "none"}"><b>{count}</b>{shown(word, language)}</li>'
        for level, count, word in counts
    )
    return f"<ul class=sum>{cells}</ul>"


def _county(row: Row, language: str) -> str:
    told = [each for each in row.alarms if each.severity != "info"]
    span = len(COLUMNS)
    alarms = f"<tr class=told><td colspan={span}>{alarm_list(tuple(told), language)}</td></tr>" if told else ""
    cells = "".join(
        f'<td class="{kind}" data-label="{shown(COLUMNS[number], language)}">{cell}</td>'
        for number, (kind, cell) in enumerate(_cells(row, language), start=3)
    )
    air = "air" if row.channels else "air nil"
    return f"""<tbody class={row.level}><tr class=row>
<td class=name><a href="{address(row.site, language)}">{shown(row.name, language)}</a>\
<small>{shown(row.site, language)}</small></td>
<td class=level>{pill(row.level, words.level_of(row), language)}</td>
<td class="{air}" data-label="{shown(COLUMNS[2], language)}">{channel_lines(row, language)}</td>
{cells}</tr>{alarms}</tbody>
"""


def _cells(row: Row, language: str) -> tuple[tuple[str, str], ...]:
    """Class and content of each. `minor`: a telephone shows it only where something is wrong; `nil`: not at all."""
    age = f" <small>{shown(words.ago(row.sync_age_s), language)}</small>" if row.sync_age_s is not None else ""
    low = row.disk_free_bytes is not None and row.disk_free_bytes < (row.disk_reserve_bytes or 0)
    clock_bad = row.clock_synchronised is False or abs(row.clock_offset_ms or 0) > 1000
    return (
        ("nowrap", shown(words.standing_of(row), language) + age),
        _cell("nowrap", words.ready_of(row), "warn" if row.not_ready else "", language),
        _cell("minor nowrap", words.disk_of(row), "warn" if low else "", language),
        _cell("minor nowrap", words.clock_of(row), "warn" if clock_bad else "", language),
        _cell("minor", words.version_of(row), "warn" if row.version_state == "rolled_back" else "", language),
        _cell("minor nowrap", words.ago(row.backup_age_s), "", language),
        _cell(
            "minor nowrap" if row.uploads else "minor nil nowrap",
            words.quota_of(row),
            "" if row.uploads else "dim",
            language,
        ),
    )


def _cell(kind: str, text: Text, mark: str, language: str) -> tuple[str, str]:
    if text == words.NOTHING:
        return f"{kind} nil", f"<span class=dim>{shown(text, language)}</span>"
    return kind, f"<span class={mark}>{shown(text, language)}</span>" if mark else shown(text, language)


def _airing(each: Airing, is_only: bool, language: str) -> str:
    title = words.playing(each)
    channel = "" if is_only else f"<small>{shown(Text(each.name, each.channel), language)}</small> "
    if each.planned is False and each.kind != "emergency":
        reason = each.reason or Text("原因未知", "for reasons unknown")
        return (
            f"{channel}<span class=warn>{shown(title, language)}</span>"
            f" <small>{shown(Text('计划外：', 'unplanned: '), language)}{shown(reason, language)}</small>"
        )
    return channel + shown(title, language)


def _alarm(alarm: Told, language: str, with_ids: bool) -> str:
    since = f" <span class=id>{shown(words.since(alarm.since), language)}</span>" if alarm.since else ""
    identity = f" <span class=id>{shown(alarm.id, language)}</span>" if with_ids else ""
    todo = f"<p class=todo>→ {shown(alarm.hint, language)}</p>" if alarm.hint.zh else ""
    word = pill(alarm.severity, words.SEVERITIES[alarm.severity], language)
    return f"<li class={alarm.severity}><p>{word} {shown(alarm.text, language)}{since}{identity}</p>{todo}</li>"


def _hub(hub: Hub, generated_at: str, language: str) -> str:
    signed = [
        head.signed_at for head in hub.heads if head.signed_at is not None and not head.stream.endswith("/report")
    ]
    facts = (
        (Text("磁盘剩余", "disk free"), words.free_of(hub.disk_free_bytes, hub.disk_total_bytes)),
        (Text("在线会话", "sessions"), _count(hub.sessions)),
        (Text("县里还没确认的记录", "records not acknowledged"), _count(hub.waiting_records)),
        (Text("待收文件", "files to accept"), _count(hub.uploads)),
        (Text("流水", "streams"), _count(len(hub.heads))),
        (Text("最近签名", "last signed"), words.time_of(max(signed, default=None))),
        (Text("待发告警", "alarms to send"), _count(hub.letters_waiting)),
        (Text("版本", "version"), Text(hub.version, hub.version)),
    )
    return f"<h2>{shown(Text('嵩山云本身', 'The hub itself'), language)}</h2>{fact_list(facts, language)}"


def fact_list(facts: tuple[tuple[Text, Text], ...], language: str) -> str:
    """Names with what they are."""
    cells = "".join(
        f"<div><dt>{shown(name, language)}</dt><dd>{shown(what, language)}</dd></div>" for name, what in facts
    )
    return f"<dl class=facts>{cells}</dl>"


def _count(number: int) -> Text:
    return Text(str(number), str(number))


_STALE: Final = Text(
    f"本页已过期：超过 {STALE_MINUTES} 分钟没有更新，下面是当时的情况。请看 systemctl status songshan-hub-fleet",
    f"This page is stale: not renewed for more than {STALE_MINUTES} minutes, what follows is how things were then."
    " See systemctl status songshan-hub-fleet",
)
_AGELESS: Final = Text(
    "这样打开的页面判断不了自己的新旧，请看左边的时间", "opened like this, the page cannot tell its age: mind the time"
)
_FOOT: Final = Text(
    "时间均为北京时间。离线是常态：县里照常播出，所报以最后一次联系为准",
    "Times are Beijing time. Being away is normal: a county is on the air all the same; what stands here it said last",
)
