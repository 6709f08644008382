"""The rows as text, for a terminal: aligned columns where Chinese takes two cells, or numbered lines. Pure."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from appliance.core.errors import Text
from provisioning.fleet.core import words
from provisioning.fleet.core.hub import Fleet
from provisioning.fleet.core.row import Row, Told

HEADS: Final = (
    Text("级别", "LEVEL"),
    Text("县", "COUNTY"),
    Text("线路", "LINK"),
    Text("联系", "HEARD"),
    Text("备播", "NEXT 24H"),
    Text("磁盘剩余", "DISK FREE"),
    Text("时钟", "CLOCK"),
    Text("版本", "VERSION"),
    Text("备份", "BACKUP"),
    Text("待收", "UPLOADS"),
    Text("告警", "ALARMS"),
    Text("正在播出", "ON AIR"),
)


def table(fleet: Fleet, language: str) -> Iterator[str]:
    """Heads, then a line for each county, and under it a line for each alarm with what to do."""
    cells = [[head.in_language(language) for head in HEADS]]
    cells += [[each.in_language(language) for each in _cells(row)] for row in fleet.sites]
    widths = [max(cells_of(line[column]) for line in cells) for column in range(len(HEADS) - 1)]
    yield _aligned(cells[0], widths)
    for row, line in zip(fleet.sites, cells[1:], strict=True):
        yield _aligned(line, widths)
        yield from (f"    {_told(each).in_language(language)}" for each in row.alarms if each.severity != "info")
    for alarm in fleet.hub.alarms:
        yield Text(f"嵩山云本身 {_told(alarm).zh}", f"the hub itself {_told(alarm).en}").in_language(language)


def plainly(fleet: Fleet, language: str) -> Iterator[str]:
    """The same as numbered lines, each fact with its name: for a terminal that can show little, and for the ear."""
    number = 0
    for row in fleet.sites:
        number += 1
        facts = [
            f"{head.in_language(language)} {cell.in_language(language)}"
            for head, cell in zip(HEADS, _cells(row), strict=True)
            if cell != words.NOTHING
        ]
        yield f"{number}. {('，' if language == 'zh' else ', ').join(facts)}"
        yield from (f"{number}. {_told(each).in_language(language)}" for each in row.alarms)
    for alarm in fleet.hub.alarms:
        number += 1
        yield f"{number}. " + Text(f"嵩山云本身 {_told(alarm).zh}", f"the hub itself {_told(alarm).en}").in_language(
            language
        )


def cells_of(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return sum(0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF") for each in text)


def _cells(row: Row) -> tuple[Text, ...]:
    return (
        words.level_of(row),
        Text(f"{row.name} {row.site}" if row.name != row.site else row.site, row.site),
        words.standing_of(row),
        words.ago(row.sync_age_s),
        words.ready_of(row),
        words.disk_of(row),
        words.clock_of(row),
        words.version_of(row),
        words.ago(row.backup_age_s),
        words.quota_of(row),
        words.alarms_of(row),
        words.on_air_of(row),
    )


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - cells_of(cell)) for cell, width in zip(line, widths, strict=False)]
    return "  ".join((*padded, line[-1])).rstrip()


def _told(alarm: Told) -> Text:
    level = words.SEVERITIES[alarm.severity]
    todo = Text(f"；对策：{alarm.hint.zh}", f"; to do: {alarm.hint.en}") if alarm.hint.zh else Text("", "")
    return Text(f"【{level.zh}】{alarm.text.zh}{todo.zh}", f"[{level.en}] {alarm.text.en}{todo.en}")
