"""What the page of the logs reads: the machine's journal, else the parts' files in and beside the box's folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance import machine_log
from appliance.core.log_line import LogLine, is_bad
from tui.gather.where import Where
from tui.view.logs import MACHINE, WARNINGS, Found
from tui.view.sheet import PAGE_ROWS, Asked

SEARCHED_LINES: Final = 2000
"""Read at a time where only some of them are wanted."""
SEARCHES_MAX: Final = 5
SELECTED: Final = {
    "": ("--unit=songshan-*",),
    WARNINGS: ("--unit=songshan-*",),
    "agent": ("--unit=songshan-agent.service",),
    "web": ("--unit=songshan-web.service",),
    "playout": ("--unit=songshan-playout*",),
    MACHINE: ("--priority=warning",),
}


def gather(where: Where, asked: Asked) -> Found:
    """The newest lines of one side, after `asked.after`; works without a configuration."""
    if machine_log.has_journal():
        return _journal(asked)
    paths = tuple(_paths(where))
    if not paths:
        return Found()
    lines = [line for line in machine_log.files(paths) if _is_asked_for(line, asked)]
    begin = next((number + 1 for number, line in enumerate(lines) if line.key == asked.after), 0)
    page = tuple(lines[begin : begin + PAGE_ROWS])
    return Found("files", page, page[-1].key if len(lines) > begin + PAGE_ROWS else "")


def _journal(asked: Asked) -> Found:
    """A page of it; where words are sought, as far back as SEARCHES_MAX readings go."""
    is_filtered = bool(asked.words) or asked.tab == WARNINGS
    count = SEARCHED_LINES if is_filtered else PAGE_ROWS
    found, after = list[LogLine](), asked.after
    for _reading in range(SEARCHES_MAX if is_filtered else 1):
        lines = machine_log.journal(SELECTED[asked.tab], count, after)
        found += [line for line in lines if _is_asked_for(line, asked)]
        after = lines[-1].key if len(lines) >= count else ""
        if len(found) >= PAGE_ROWS or not after:
            break
    if len(found) > PAGE_ROWS:
        found, after = found[:PAGE_ROWS], found[PAGE_ROWS - 1].key
    return Found("journal", tuple(found), after)


def _is_asked_for(line: LogLine, asked: Asked) -> bool:
    if asked.tab == WARNINGS and not is_bad(line):
        return False
    if asked.tab not in ("", WARNINGS, MACHINE) and not line.unit.startswith(asked.tab):
        return False
    words = asked.words.casefold()
    return words in line.text.casefold() or words in line.unit.casefold()


def _paths(where: Where) -> Iterator[tuple[str, Path]]:
    """`logs/` in the box's folder; beside it those of a trial of several boxes, of which the site's are ours."""
    if where.home is None:
        return
    yield from ((path.stem, path) for path in sorted(where.home.glob("logs/*.log")))
    site = f"{where.config.site}-" if where.config is not None else f"{where.home.name}-"
    for path in sorted(where.home.glob(f"../logs/{site}*.log")):
        yield path.stem.removeprefix(site), path
