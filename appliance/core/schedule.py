"""The schedule (节目单): what a channel should play on one broadcast day, as people write it.

A broadcast day is the calendar day of the site's zone. An entry starts hard (at its time, to the frame, cutting
what runs), soft (at its time, or when what runs has ended) or follows the entry above it. docs/formats.md, section 7.
"""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Text

SCHEDULE_BYTES_MAX: Final = 1024 * 1024
ENTRIES_MAX: Final = 5000
PROBLEMS_SHOWN_MAX: Final = 100
LENGTH_S_MAX: Final = 2 * 86400.0
FRAME_MS: Final = 40

StartType = Literal["hard", "soft", "follow"]
EntryKind = Literal["programme", "ad", "promo", "filler", "live", "test"]

_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_START: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{3}))?")
_URL: Final = re.compile(r"https?://[^\s/]+(/\S*)?")
_SCHEDULE_KEYS: Final = {"channel", "date", "version", "entries"}
_ENTRY_KEYS: Final = {
    "id", "start", "start_type", "kind", "title", "asset", "in_s", "out_s", "duration_s", "url", "catchup",
}  # fmt: skip
_TITLE_CHARS_MAX: Final = 200
_URL_CHARS_MAX: Final = 2000
_VERSION_MAX: Final = 2**31 - 1


class Entry(msgspec.Struct, frozen=True):
    """One line of a schedule. `start_us` is None exactly when `start_type` is follow.

    A live entry has `url` and `duration_s`; a filler may have `duration_s` alone, and then the channel's fillers play;
    any other entry has `asset`, of which [in_s, out_s) plays, to the end when `out_s` is None.
    """

    id: str
    start_type: StartType
    kind: EntryKind
    title: str = ""
    start_us: int | None = None
    asset: str | None = None
    in_s: float = 0.0
    out_s: float | None = None
    duration_s: float | None = None
    url: str | None = None
    catchup: bool = True
    """Whether it may be seen again (回看) after it was on the air."""

    @property
    def length_s(self) -> float | None:
        """How long the schedule says it lasts; None when it lasts as long as its asset."""
        if self.out_s is not None:
            return self.out_s - self.in_s
        return self.duration_s


class Schedule(msgspec.Struct, frozen=True):
    """A day of a channel. `date` is the broadcast day; `entries` are in playing order, the first one has a start."""

    channel: str
    date: str
    version: int
    entries: tuple[Entry, ...]


def parse_schedule(data: bytes, zone: str, site_channels: Collection[str]) -> Schedule:
    """Read a schedule file for a site in `zone` (an IANA name) with these channels.

    Raises OperatorError with every problem found, at most PROBLEMS_SHOWN_MAX of them. Whether the assets are known
    is the caller's question: see `assets_of`.
    """
    document = _object_in(data)
    problems = list(_problems_of_head(document, site_channels))
    entries = document.get("entries")
    lines = entries if isinstance(entries, list) else []
    parsed: list[Entry] = []
    for number, line in enumerate(lines[:ENTRIES_MAX], 1):
        found = tuple(_problems_of_line(line))
        if found:
            problems += (_at_line(number, line, problem) for problem in found)
        else:
            parsed.append(_entry(line, document.get("date"), zone))
    problems += _problems_of_ids(lines)
    problems += _problems_of_order(parsed, complete=len(parsed) == len(lines))
    if problems:
        raise OperatorError(*_shown(problems))
    return Schedule(document["channel"], document["date"], document["version"], tuple(parsed))


def assets_of(schedule: Schedule) -> tuple[str, ...]:
    """The digests that a schedule names, each once, in playing order."""
    return tuple(dict.fromkeys(entry.asset for entry in schedule.entries if entry.asset is not None))


def day_of(moment_us: int, zone: str) -> str:
    """The broadcast day that a moment lies in: `2026-11-24`."""
    return (_EPOCH + timedelta(microseconds=moment_us)).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d")


def day_bounds_us(day: str, zone: str) -> tuple[int, int]:
    """First moment of a broadcast day and of the next one; OperatorError when there is no such day."""
    if not _is_day(day):
        raise OperatorError(
            Text(f"不是日期：{day[:40]!r}", f"not a date: {day[:40]!r}"),
            hint=Text("例：2026-11-24", "for example 2026-11-24"),
        )
    first = date.fromisoformat(day)
    return _local_us(first, 0, zone), _local_us(first + timedelta(days=1), 0, zone)


def _object_in(data: bytes) -> dict[str, Any]:
    if len(data) > SCHEDULE_BYTES_MAX:
        raise OperatorError(
            Text(
                f"节目单有 {len(data)} 字节，上限 {SCHEDULE_BYTES_MAX}",
                f"a schedule of {len(data)} bytes; at most {SCHEDULE_BYTES_MAX} are taken",
            )
        )
    try:
        # Editors on Windows put a byte order mark in front.
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OperatorError(Text(f"不是 UTF-8 的 JSON：{error}", f"not JSON in UTF-8: {error}")) from error
    if not isinstance(document, dict):
        raise OperatorError(Text("节目单须为 JSON 对象", "a schedule is a JSON object"))
    return document


def _problems_of_head(document: dict[str, Any], site_channels: Collection[str]) -> Iterator[Text]:
    yield from _unknown_keys(document, _SCHEDULE_KEYS)
    channel, day, version, entries = (document.get(key) for key in ("channel", "date", "version", "entries"))
    if not isinstance(channel, str) or channel not in site_channels:
        known = "、".join(sorted(site_channels)) or "无"
        yield Text(
            f"频道 {_quoted(channel)} 不属于本站（本站频道：{known}）",
            f"channel {_quoted(channel)} is not one of this site's ({', '.join(sorted(site_channels)) or 'none'})",
        )
    if not isinstance(day, str) or not _is_day(day):
        yield Text(f"date 须为 年-月-日，得到 {_quoted(day)}", f"date must be YYYY-MM-DD, got {_quoted(day)}")
    if type(version) is not int or not 1 <= version <= _VERSION_MAX:
        yield Text(
            f"version 须为正整数，得到 {_quoted(version)}",
            f"version must be a positive integer, got {_quoted(version)}",
        )
    if not isinstance(entries, list) or not entries:
        yield Text("entries 须为非空数组", "entries must be a list that is not empty")
    elif len(entries) > ENTRIES_MAX:
        yield Text(f"条目超过 {ENTRIES_MAX} 条", f"more than {ENTRIES_MAX} entries")


def _problems_of_line(line: Any) -> Iterator[Text]:
    if not isinstance(line, dict):
        yield Text("须为 JSON 对象", "must be a JSON object")
        return
    yield from _unknown_keys(line, _ENTRY_KEYS)
    if not isinstance(line.get("id"), str) or not _ENTRY_ID.fullmatch(line["id"]):
        yield Text(
            f"id 须为 1 至 64 个字母、数字或 . _ -，得到 {_quoted(line.get('id'))}",
            f"id must be 1 to 64 letters, digits or . _ -, got {_quoted(line.get('id'))}",
        )
    title = line.get("title", "")
    if not isinstance(title, str) or len(title) > _TITLE_CHARS_MAX:
        yield Text(
            f"title 须为至多 {_TITLE_CHARS_MAX} 字的文本",
            f"title must be text of at most {_TITLE_CHARS_MAX} characters",
        )
    if line.get("kind") not in get_args(EntryKind):
        yield _not_one_of("kind", line.get("kind"), get_args(EntryKind))
    if type(line.get("catchup", True)) is not bool:
        yield Text(
            f"catchup 须为 true 或 false，得到 {_quoted(line['catchup'])}",
            f"catchup must be true or false, got {_quoted(line['catchup'])}",
        )
    yield from _problems_of_start(line)
    yield from _problems_of_content(line)


def _problems_of_start(line: dict[str, Any]) -> Iterator[Text]:
    start, start_type = line.get("start"), line.get("start_type")
    if start_type not in get_args(StartType):
        yield _not_one_of("start_type", start_type, get_args(StartType))
    elif start_type == "follow" and start is not None:
        yield Text("follow 条目不能有 start", "an entry that follows has no start")
    elif start_type != "follow" and start is None:
        yield Text(f"{start_type} 条目缺少 start", f"a {start_type} entry needs a start")
    if start is None:
        return
    clock = _START.fullmatch(start) if isinstance(start, str) else None
    if clock is None:
        yield Text(
            f"start 须在 00:00:00 与 23:59:59 之间，得到 {_quoted(start)}",
            f"start must be from 00:00:00 to 23:59:59, got {_quoted(start)}",
        )
    elif int(clock[4] or 0) % FRAME_MS:
        yield Text(f"start 须落在整帧（{FRAME_MS} 毫秒）上", f"start must be on a whole frame ({FRAME_MS} ms)")


def _problems_of_content(line: dict[str, Any]) -> Iterator[Text]:
    kind, asset, url = line.get("kind"), line.get("asset"), line.get("url")
    times = {key: line.get(key) for key in ("in_s", "out_s", "duration_s")}
    bad_times = tuple(_problems_of_times(times))
    yield from bad_times
    if asset is not None and not _is_digest(asset):
        yield Text(f"asset 不是媒资指纹：{_quoted(asset)}", f"asset is not a digest: {_quoted(asset)}")
    if kind == "live":
        if not isinstance(url, str) or len(url) > _URL_CHARS_MAX or not _URL.fullmatch(url):
            yield Text("live 条目须有 http(s) 的 url", "a live entry needs a url of http or https")
        if times["duration_s"] is None:
            yield Text("live 条目缺少 duration_s", "a live entry needs a duration_s")
        if any(line.get(key) is not None for key in ("asset", "in_s", "out_s")):
            yield Text("live 条目不能有 asset、in_s、out_s", "a live entry has no asset, in_s or out_s")
        return
    if url is not None:
        yield Text("只有 live 条目可有 url", "only a live entry has a url")
    if asset is None and kind != "filler":
        yield Text("缺少 asset", "asset is missing")
    if asset is None and kind == "filler" and times["duration_s"] is None:
        yield Text("filler 条目须有 asset 或 duration_s", "a filler entry needs an asset or a duration_s")
    if not bad_times:
        yield from _problems_of_range(times)


def _problems_of_times(times: dict[str, Any]) -> Iterator[Text]:
    for key, value in times.items():
        if value is not None and (type(value) not in (int, float) or not 0 <= value <= LENGTH_S_MAX):
            yield Text(
                f"{key} 须为 0 至 {LENGTH_S_MAX:.0f} 之间的秒数，得到 {_quoted(value)}",
                f"{key} must be seconds from 0 to {LENGTH_S_MAX:.0f}, got {_quoted(value)}",
            )
        elif key == "duration_s" and value is not None and value * 1000 < FRAME_MS:
            yield Text("duration_s 不足一帧", "duration_s is less than a frame")


def _problems_of_range(times: dict[str, Any]) -> Iterator[Text]:
    begin, end, duration = times["in_s"] or 0.0, times["out_s"], times["duration_s"]
    if end is not None and (end - begin) * 1000 < FRAME_MS:
        yield Text("out_s 须大于 in_s 至少一帧", "out_s must be at least a frame after in_s")
    elif end is not None and duration is not None and abs(end - begin - duration) * 1000 > FRAME_MS:
        yield Text("duration_s 与 in_s、out_s 不符", "duration_s does not agree with in_s and out_s")


def _problems_of_ids(lines: list[Any]) -> Iterator[Text]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines[:ENTRIES_MAX], 1):
        identity = line.get("id") if isinstance(line, dict) else None
        if isinstance(identity, str) and seen.setdefault(identity, number) != number:
            first = seen[identity]
            yield Text(f"第 {number} 条与第 {first} 条的 id 相同", f"entry {number} has the id of entry {first}")


def _problems_of_order(entries: list[Entry], *, complete: bool) -> Iterator[Text]:
    """Starts go up, hard ones do not overlap. `complete`: no entry is left out for being wrong in itself."""
    if complete and entries and entries[0].start_us is None:
        yield Text("第一条须有 start", "the first entry needs a start")
    last: Entry | None = None
    hard: Entry | None = None
    for entry in entries:
        if entry.start_us is None:
            continue
        if last is not None and last.start_us is not None and entry.start_us <= last.start_us:
            yield Text(
                f"{entry.id} 的 start 不晚于前面的 {last.id}", f"{entry.id} does not start after {last.id} above it"
            )
        elif entry.start_type == "hard" and hard is not None and _runs_past(hard, entry.start_us):
            yield Text(f"硬开始的 {hard.id} 与 {entry.id} 重叠", f"{hard.id} and {entry.id}, both hard, overlap")
        last = entry
        hard = entry if entry.start_type == "hard" else hard


def _runs_past(entry: Entry, moment_us: int) -> bool:
    return entry.start_us is not None and entry.start_us + round((entry.length_s or 0) * _US) > moment_us


def _entry(line: dict[str, Any], day: object, zone: str) -> Entry:
    """The entry that a line without problems says; on a day that is none, times of day count from 1970."""
    first = date.fromisoformat(day) if isinstance(day, str) and _is_day(day) else _EPOCH.date()
    clock = _START.fullmatch(line.get("start") or "")
    start_us = None
    if clock is not None:
        hours, minutes, seconds, milliseconds = (int(part or 0) for part in clock.groups())
        start_us = _local_us(first, ((hours * 60 + minutes) * 60 + seconds) * _US + milliseconds * 1000, zone)
    return Entry(
        id=line["id"],
        start_type=line["start_type"],
        kind=line["kind"],
        title=line.get("title", ""),
        start_us=start_us,
        asset=parse_digest(line["asset"]) if line.get("asset") is not None else None,
        in_s=float(line.get("in_s") or 0),
        out_s=line.get("out_s"),
        duration_s=line.get("duration_s"),
        url=line.get("url"),
        catchup=line.get("catchup", True),
    )


def _local_us(day: date, time_of_day_us: int, zone: str) -> int:
    wall = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(microseconds=time_of_day_us)
    return (wall.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _is_day(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and date(1970, 1, 2) <= date.fromisoformat(text) <= date(9000, 1, 1)
    except ValueError:
        return False


def _is_digest(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(parse_digest(value))
    except OperatorError:
        return False


def _unknown_keys(found: dict[str, Any], known: set[str]) -> Iterator[Text]:
    for key in sorted(found.keys() - known):
        yield Text(f"不认识的字段 {_quoted(key)}", f"unknown key {_quoted(key)}")


def _not_one_of(key: str, value: object, words: tuple[str, ...]) -> Text:
    choice = ", ".join(words)
    return Text(
        f"{key} 须为 {choice} 之一，得到 {_quoted(value)}", f"{key} must be one of {choice}, got {_quoted(value)}"
    )


def _at_line(number: int, line: Any, problem: Text) -> Text:
    identity = line.get("id") if isinstance(line, dict) else None
    name = f" {_quoted(identity)}" if isinstance(identity, str) else ""
    return Text(f"第 {number} 条{name}：{problem.zh}", f"entry {number}{name}: {problem.en}")


def _quoted(value: object) -> str:
    """A value as JSON, short enough for one line."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:57] + "…"


def _shown(problems: list[Text]) -> list[Text]:
    rest = len(problems) - PROBLEMS_SHOWN_MAX
    if rest <= 0:
        return problems
    return [*problems[:PROBLEMS_SHOWN_MAX], Text(f"还有 {rest} 个问题", f"and {rest} more problems")]
