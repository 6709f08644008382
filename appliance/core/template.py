"""Day templates (日模板) and the default programme (默认节目): what plays on a day for which nobody made a schedule.

A template has the entries of a weekday, at times of the site's clocks; the default programme is a list of clips that is
played from the day's first moment, again and again. Both stand in one file, a new version of which replaces the one
before whole. docs/formats.md, section 7.

    the day's schedule -> the template of its weekday -> the default programme -> fillers -> the slate
"""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any, Final, Literal, get_args

import msgspec

from appliance.core.entry import (
    ENTRIES_MAX,
    Entry,
    local_us,
    problems_of_channel,
    problems_of_count,
    quoted,
    read_document,
    read_entries,
    shown,
    unknown_keys,
)
from appliance.core.errors import OperatorError, Text
from appliance.core.schedule import Schedule

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final = get_args(Weekday)
_KEYS: Final = {"channel", "version", "days", "default"}
_DAY_KEYS: Final = {"on", "entries"}
_UNDATED: Final = "UTC"
"""A template's times are read as of a day that is none: from midnight on."""


class Pattern(msgspec.Struct, frozen=True):
    """The entries of some weekdays; `start_us` is the time from midnight on, by the site's clocks."""

    on: tuple[Weekday, ...]
    entries: tuple[Entry, ...]


class Template(msgspec.Struct, frozen=True):
    """A channel's days without a schedule. `default` has entries that follow one another and have assets."""

    channel: str
    version: int
    days: tuple[Pattern, ...] = ()
    default: tuple[Entry, ...] = ()


def parse_template(data: bytes, site_channels: Collection[str]) -> Template:
    """Read a template file. Raises OperatorError with every problem found, at most PROBLEMS_SHOWN_MAX of them."""
    document = read_document(data)
    days, default = document.get("days", []), document.get("default", [])
    problems = [*unknown_keys(document, _KEYS), *problems_of_channel(document, site_channels)]
    if not isinstance(days, list) or not isinstance(default, list):
        raise OperatorError(*problems, Text("days 与 default 须为数组", "days and default are lists"))
    if not days and not default:
        problems.append(Text("days 与 default 都为空", "there is nothing in days and nothing in default"))
    patterns: list[Pattern] = []
    for number, day in enumerate(days[: len(WEEKDAYS) + 1], 1):
        pattern, wrong = _pattern(day)
        problems += (Text(f"days 第 {number} 项：{each.zh}", f"day {number}: {each.en}") for each in wrong)
        patterns += [pattern] if pattern is not None else []
    problems += _problems_of_weekdays(days)
    clips, wrong = _default(default)
    problems += (Text(f"default {each.zh}", f"default {each.en}") for each in wrong)
    if problems:
        raise OperatorError(*shown(problems))
    return Template(document["channel"], document["version"], tuple(patterns), clips)


def schedule_on(template: Template, day: str, zone: str) -> Schedule | None:
    """The schedule that a template gives a broadcast day; None when it says nothing of its weekday."""
    on = date.fromisoformat(day)
    word = WEEKDAYS[on.weekday()]
    for pattern in template.days:
        if word in pattern.on:
            entries = tuple(_on_day(entry, on, zone) for entry in pattern.entries)
            return Schedule(template.channel, day, template.version, entries)
    return None


def assets_of(template: Template) -> tuple[str, ...]:
    """The digests that a template names, each once."""
    entries = [entry for pattern in template.days for entry in pattern.entries] + list(template.default)
    return tuple(dict.fromkeys(entry.asset for entry in entries if entry.asset is not None))


def _on_day(entry: Entry, day: date, zone: str) -> Entry:
    if entry.start_us is None:
        return entry
    return msgspec.structs.replace(entry, start_us=local_us(day, entry.start_us, zone))


def _pattern(day: Any) -> tuple[Pattern | None, list[Text]]:
    if not isinstance(day, dict):
        return None, [Text("须为 JSON 对象", "must be a JSON object")]
    on, lines = day.get("on"), day.get("entries")
    problems = [*unknown_keys(day, _DAY_KEYS), *problems_of_count(lines)]
    is_named = isinstance(on, list) and on and all(isinstance(word, str) and word in WEEKDAYS for word in on)
    if not is_named:
        known = ", ".join(WEEKDAYS)
        problems.append(
            Text(f"on 须为 {known} 中的若干个，得到 {quoted(on)}", f"on must name some of {known}, got {quoted(on)}")
        )
    entries, wrong = read_entries(lines if isinstance(lines, list) else [], None, _UNDATED)
    return Pattern(tuple(on or ()) if is_named else (), entries), [*problems, *wrong]


def _problems_of_weekdays(days: list[Any]) -> Iterator[Text]:
    named = [word for day in days if isinstance(day, dict) and isinstance(day.get("on"), list) for word in day["on"]]
    for word in WEEKDAYS:
        if named.count(word) > 1:
            yield Text(f"{word} 出现不止一次", f"{word} stands there more than once")
    if len(days) > len(WEEKDAYS):
        yield Text(f"days 超过 {len(WEEKDAYS)} 项", f"more than {len(WEEKDAYS)} days")


def _default(lines: list[Any]) -> tuple[tuple[Entry, ...], list[Text]]:
    """The default programme: its entries follow one another from the day's beginning, so none has a start."""
    problems: list[Text] = []
    if len(lines) > ENTRIES_MAX:
        problems += problems_of_count(lines)
    first = {"start_type": "soft", "start": "00:00:00"}
    told = [line for line in lines if isinstance(line, dict)]
    for line in told:
        if line.get("kind") == "live" or (line.get("kind") == "filler" and line.get("asset") is None):
            problems.append(
                Text(f"{quoted(line.get('id'))} 须有 asset", f"{quoted(line.get('id'))} must have an asset")
            )
        if line.get("start") is not None or line.get("start_type", "follow") != "follow":
            problems.append(Text(f"{quoted(line.get('id'))} 不能有 start", f"{quoted(line.get('id'))} has no start"))
    placed = [
        {**line, **(first if number == 0 else {"start_type": "follow", "start": None})}
        if isinstance(line, dict)
        else line
        for number, line in enumerate(lines)
    ]
    entries, wrong = read_entries(placed, None, _UNDATED)
    following = tuple(msgspec.structs.replace(entry, start_type="follow", start_us=None) for entry in entries)
    return following, [*problems, *wrong]
