"""An entry of a schedule (节目单条目) and the lines that people write for it: read, and everything that is wrong told.

An entry starts hard (at its time, to the frame, cutting what runs), soft (at its time, or when what runs has ended) or
follows the entry above it. A schedule (core/schedule.py) and a day template (core/template.py) are made of the same
lines. docs/formats.md, section 7.
"""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Text
from appliance.core.source_url import without_secrets

SCHEDULE_BYTES_MAX: Final = 1024 * 1024
ENTRIES_MAX: Final = 5000
PROBLEMS_SHOWN_MAX: Final = 100
LENGTH_S_MAX: Final = 2 * 86400.0
FRAME_MS: Final = 40

StartType = Literal["hard", "soft", "follow"]
EntryKind = Literal["programme", "ad", "promo", "filler", "live", "test"]

_US: Final = 1_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_START: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{3}))?")
_URL: Final = re.compile(r"https?://[^\s/]+(/\S*)?")
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


def read_document(data: bytes) -> dict[str, Any]:
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


def read_entries(lines: list[Any], day: object, zone: str) -> tuple[tuple[Entry, ...], list[Text]]:
    """The entries that lines say, and everything that is wrong with these. On a day that is none, or None, the time of
    an entry in UTC is that from midnight on."""
    problems: list[Text] = []
    parsed: list[Entry] = []
    for number, line in enumerate(lines[:ENTRIES_MAX], 1):
        found = tuple(_problems_of_line(line))
        if found:
            problems += (_at_line(number, line, problem) for problem in found)
        else:
            parsed.append(_entry(line, day, zone))
    problems += _problems_of_ids(lines)
    problems += _problems_of_order(parsed, complete=len(parsed) == len(lines))
    return tuple(parsed), problems


def problems_of_channel(document: dict[str, Any], site_channels: Collection[str]) -> Iterator[Text]:
    """What is wrong with the channel that a file is for, and with its version."""
    channel, version = document.get("channel"), document.get("version")
    if not isinstance(channel, str) or channel not in site_channels:
        known = "、".join(sorted(site_channels)) or "无"
        yield Text(
            f"频道 {quoted(channel)} 不属于本站（本站频道：{known}）",
            f"channel {quoted(channel)} is not one of this site's ({', '.join(sorted(site_channels)) or 'none'})",
        )
    if type(version) is not int or not 1 <= version <= _VERSION_MAX:
        yield Text(
            f"version 须为正整数，得到 {quoted(version)}",
            f"version must be a positive integer, got {quoted(version)}",
        )


def problems_of_count(entries: object) -> Iterator[Text]:
    """Whether there are entries, and not too many."""
    if not isinstance(entries, list) or not entries:
        yield Text("entries 须为非空数组", "entries must be a list that is not empty")
    elif len(entries) > ENTRIES_MAX:
        yield Text(f"条目超过 {ENTRIES_MAX} 条", f"more than {ENTRIES_MAX} entries")


def unknown_keys(found: dict[str, Any], known: set[str]) -> Iterator[Text]:
    """A key that is misspelt must not be a wish that is passed over."""
    for key in sorted(found.keys() - known):
        yield Text(f"不认识的字段 {quoted(key)}", f"unknown key {quoted(key)}")


def local_us(day: date, time_of_day_us: int, zone: str) -> int:
    """The moment that a zone's clocks call so, of two the first; an hour that they leave out is called by the next."""
    wall = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(microseconds=time_of_day_us)
    return (wall.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def is_day(text: object) -> bool:
    """Whether it is a broadcast day as it is written."""
    if not isinstance(text, str):
        return False
    try:
        return bool(_DATE.fullmatch(text)) and date(1970, 1, 2) <= date.fromisoformat(text) <= date(9000, 1, 1)
    except ValueError:
        return False


def _problems_of_line(line: Any) -> Iterator[Text]:
    if not isinstance(line, dict):
        yield Text("须为 JSON 对象", "must be a JSON object")
        return
    yield from unknown_keys(line, _ENTRY_KEYS)
    if not isinstance(line.get("id"), str) or not _ENTRY_ID.fullmatch(line["id"]):
        yield Text(
            f"id 须为 1 至 64 个字母、数字或 . _ -，得到 {quoted(line.get('id'))}",
            f"id must be 1 to 64 letters, digits or . _ -, got {quoted(line.get('id'))}",
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
            f"catchup 须为 true 或 false，得到 {quoted(line['catchup'])}",
            f"catchup must be true or false, got {quoted(line['catchup'])}",
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
            f"start 须在 00:00:00 与 23:59:59 之间，得到 {quoted(start)}",
            f"start must be from 00:00:00 to 23:59:59, got {quoted(start)}",
        )
    elif int(clock[4] or 0) % FRAME_MS:
        yield Text(f"start 须落在整帧（{FRAME_MS} 毫秒）上", f"start must be on a whole frame ({FRAME_MS} ms)")


def _problems_of_content(line: dict[str, Any]) -> Iterator[Text]:
    kind, asset, url = line.get("kind"), line.get("asset"), line.get("url")
    times = {key: line.get(key) for key in ("in_s", "out_s", "duration_s")}
    bad_times = tuple(_problems_of_times(times))
    yield from bad_times
    if asset is not None and not _is_digest(asset):
        yield Text(f"asset 不是媒资指纹：{quoted(asset)}", f"asset is not a digest: {quoted(asset)}")
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
                f"{key} 须为 0 至 {LENGTH_S_MAX:.0f} 之间的秒数，得到 {quoted(value)}",
                f"{key} must be seconds from 0 to {LENGTH_S_MAX:.0f}, got {quoted(value)}",
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
    first = date.fromisoformat(day) if isinstance(day, str) and is_day(day) else EPOCH.date()
    clock = _START.fullmatch(line.get("start") or "")
    start_us = None
    if clock is not None:
        hours, minutes, seconds, milliseconds = (int(part or 0) for part in clock.groups())
        start_us = local_us(first, ((hours * 60 + minutes) * 60 + seconds) * _US + milliseconds * 1000, zone)
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


def _is_digest(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(parse_digest(value))
    except OperatorError:
        return False


def _not_one_of(key: str, value: object, words: tuple[str, ...]) -> Text:
    choice = ", ".join(words)
    return Text(
        f"{key} 须为 {choice} 之一，得到 {quoted(value)}", f"{key} must be one of {choice}, got {quoted(value)}"
    )


def _at_line(number: int, line: Any, problem: Text) -> Text:
    identity = line.get("id") if isinstance(line, dict) else None
    name = f" {quoted(identity)}" if isinstance(identity, str) else ""
    return Text(f"第 {number} 条{name}：{problem.zh}", f"entry {number}{name}: {problem.en}")


def quoted(value: object) -> str:
    """A value as JSON, short enough for one line; of an address what people may see."""
    text = without_secrets(msgspec.json.encode(value).decode())
    return text if len(text) <= 60 else text[:57] + "…"


def shown(problems: list[Text]) -> list[Text]:
    rest = len(problems) - PROBLEMS_SHOWN_MAX
    if rest <= 0:
        return problems
    return [*problems[:PROBLEMS_SHOWN_MAX], Text(f"还有 {rest} 个问题", f"and {rest} more problems")]
