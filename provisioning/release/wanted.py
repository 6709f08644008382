"""Which Debian packages box and hub need: the one list, ansible/packages.yml, which roles read too.

Its shape is held to what can be read without a YAML library: names of lists, and below each its packages.
"""

import re
from pathlib import Path
from typing import Final

from appliance.core.errors import OperatorError, Text
from appliance.durable import disk_errors

LISTS: Final = ("songshan_common_packages", "songshan_box_packages", "songshan_hub_packages")
_LIST: Final = re.compile(r"([a-z_]+):(?:\s*\[\])?")
_PACKAGE: Final = re.compile(r"\s*- \"?([a-z0-9][a-z0-9+.-]+)\"?")


def wanted_packages(path: Path) -> tuple[str, ...]:
    """All of them, by name, once each. OperatorError for a line that is neither list nor package."""
    with disk_errors(path):
        lists = parse_lists(path.read_text())
    missing = [name for name in LISTS if name not in lists]
    if missing:
        raise OperatorError(*(Text(f"{path} 缺 {name}", f"{path} lacks {name}") for name in missing))
    return tuple(sorted({package for name in LISTS for package in lists[name]}))


def parse_lists(text: str) -> dict[str, list[str]]:
    """Each list by its name."""
    lists: dict[str, list[str]] = {}
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0].rstrip()
        if not bare or bare == "---":
            continue
        if found := _LIST.fullmatch(bare):
            name = found[1]
            lists[name] = []
        elif name and (found := _PACKAGE.fullmatch(bare)):
            lists[name].append(found[1])
        else:
            raise OperatorError(
                Text(f"第 {number} 行读不出：{line[:60]}", f"line {number} cannot be read: {line[:60]}")
            )
    return lists
