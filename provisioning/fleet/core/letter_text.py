"""A message as a mail: its subject, and its body, first in Chinese and then in English. Pure."""

from typing import Final

from appliance.core.errors import Text
from appliance.core.moment import US, to_text
from provisioning.fleet.core.telling import Kind, Line, Message, counted
from provisioning.fleet.core.words import SEVERITIES, ZONE, span, time_of

SUBJECT_CHARS_MAX: Final = 120
KINDS: Final[dict[Kind, Text]] = {
    "begins": Text("新告警", "new"),
    "worsens": Text("加重", "worse"),
    "ends": Text("已恢复", "over"),
    "reminder": Text("仍未恢复", "still there"),
    "test": Text("测试", "test"),
}


def subject(message: Message) -> str:
    """What a telephone shows: how bad, where, what."""
    first, count = message.lines[0], len(message.lines) + message.more
    kind = KINDS[first.kind]
    level = "" if first.kind == "test" else SEVERITIES[first.severity].zh
    if count == 1:
        told = f"{level}{kind.zh}：{_place(first).zh} {first.text.zh}"
    else:
        each = "，".join(f"{KINDS[kind].zh} {number}" for kind, number in counted(message.lines).items())
        told = f"{level}{kind.zh}：{_place(first).zh} {first.text.zh[:40]} 等 {count} 条（{each}）"
    words = f"[嵩山云] {told}"
    return words if len(words) <= SUBJECT_CHARS_MAX else f"{words[: SUBJECT_CHARS_MAX - 1]}…"


def body(message: Message, page_url: str = "") -> str:
    """Every line with what to do; then how many more, what stands, and where to look."""
    return "\n".join((*_body(message, page_url, "zh"), "", "-" * 40, "", *_body(message, page_url, "en"), ""))


def _body(message: Message, page_url: str, language: str) -> list[str]:
    at = time_of(to_text(message.at_us), ZONE).zh
    head = Text(f"嵩山云告警 {at}（北京时间）", f"Songshan Cloud, {at} (Beijing time)")
    lines = [head.in_language(language), ""]
    for line in message.lines:
        lines += [*(text.in_language(language) for text in _line(line)), ""]
    if message.more:
        lines += [
            Text(f"另有 {message.more} 条，见页面", f"and {message.more} more, see the page").in_language(language),
            "",
        ]
    standing = Text(
        f"现有告警：紧急 {message.red}，注意 {message.amber}",
        f"standing now: {message.red} red, {message.amber} amber",
    )
    lines.append(standing.in_language(language))
    if page_url:
        lines.append(Text(f"页面：{page_url}", f"the page: {page_url}").in_language(language))
    lines.append(Text(f"编号：{message.id}", f"message {message.id}").in_language(language))
    return lines


def _line(line: Line) -> tuple[Text, ...]:
    kind, level, place = KINDS[line.kind], SEVERITIES[line.severity], _place(line)
    since = time_of(to_text(line.since_us), ZONE).zh
    told = [
        Text(f"【{level.zh}·{kind.zh}】{place.zh}", f"[{level.en}, {kind.en}] {place.en}"),
        Text(f"  {line.text.zh}", f"  {line.text.en}"),
    ]
    if line.kind == "ends" and line.until_us is not None:
        lasted = span((line.until_us - line.since_us) / US)
        told.append(
            Text(f"  自 {since} 起，历时 {lasted.zh}；{line.id}", f"  from {since}, for {lasted.en}; {line.id}")
        )
    else:
        if line.hint.zh or line.hint.en:
            told.append(Text(f"  对策：{line.hint.zh}", f"  to do: {line.hint.en}"))
        told.append(Text(f"  自 {since} 起；{line.id}", f"  since {since}; {line.id}"))
    return tuple(told)


def _place(line: Line) -> Text:
    if not line.site:
        return Text(f"嵩山云本身（{line.name}）", f"the hub itself ({line.name})")
    return Text(f"{line.name}（{line.site}）", f"{line.site} ({line.name})")
