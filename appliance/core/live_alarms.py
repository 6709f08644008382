"""What is wrong with live entries, now or soon, and what to do about it. Pure."""

from collections.abc import Iterable, Iterator

from appliance.core.errors import Text
from appliance.core.health import Finding, LiveFact


def of_live(facts: Iterable[LiveFact]) -> Iterator[Finding]:
    """A live entry without its source: on the air now, or soon."""
    for fact in facts:
        because = fact.reason or Text("", "")
        if fact.state in ("lost", "waiting"):
            what = Text("中断", "is lost") if fact.state == "lost" else Text("未接入", "has not come")
            yield Finding(
                id=f"live:{fact.channel}",
                severity="red",
                text=Text(
                    f"《{fact.title}》的直播源{what.zh}，正在播垫片：{because.zh}",
                    f"the source of {fact.title!r} {what.en}, a filler plays: {because.en}",
                ),
                hint=Text(
                    f"请查信号源 {fact.url}；恢复后自动切回，时长不变",
                    f"look at {fact.url}; it returns by itself when it is back, and ends at its time",
                ),
            )
        elif fact.state == "unreachable":
            yield Finding(
                id=f"live-source:{fact.channel}",
                severity="red",
                text=Text(
                    f"即将直播的《{fact.title}》连不上：{because.zh}",
                    f"the source of {fact.title!r}, which is next, does not answer: {because.en}",
                ),
                hint=Text(
                    f"请查信号源 {fact.url} 与线路，或换源重发节目单",
                    f"look at {fact.url} and the line, or send a schedule with another source",
                ),
            )
