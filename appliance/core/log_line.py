"""Lines that the parts of the box have logged, in the machine's journal or in files, and how bad each is. PURE."""

import re
from typing import Any, Final, Literal

import msgspec

LogLevel = Literal["error", "warning", "info"]
MESSAGE_CHARS_MAX: Final = 4000
_SAID: Final = re.compile(r"\blevel=(\w+)|\[(critical|error|warning)\]", re.IGNORECASE)
_LEVELS: Final[dict[str, LogLevel]] = {"critical": "error", "error": "error", "warning": "warning", "warn": "warning"}
_WARNING: Final = 4
"""The priorities of syslog: below it are the errors, above it what is in order."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `unit` is the part that said it; `at_us` None where the line does not say when.

    `key` tells it from all others, and is where reading goes on.
    """

    key: str
    unit: str
    level: LogLevel
    text: str
    at_us: int | None = None


def of_journal(line: bytes) -> LogLine | None:
    """A line of `journalctl --output=json`; None where it is none."""
    try:
        said: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        at_us = int(said["__REALTIME_TIMESTAMP"])
        key = str(said["__CURSOR"])
    except (msgspec.DecodeError, KeyError, ValueError):
        return None
    text = _text(said.get("MESSAGE"))
    unit = str(said.get("_SYSTEMD_UNIT") or said.get("UNIT") or said.get("SYSLOG_IDENTIFIER") or "-")
    return LogLine(key=key, unit=short(unit), level=_level(text, said.get("PRIORITY")), text=text, at_us=at_us)


def of_file(unit: str, offset: int, line: bytes) -> LogLine:
    """A line of a part's own file, which says no time."""
    text = _text(line.decode(errors="replace"))
    return LogLine(key=f"{unit} {offset}", unit=unit, level=_level(text, None), text=text)


def short(unit: str) -> str:
    """`agent` for `songshan-agent.service`; another's name as it is."""
    return unit.removesuffix(".service").removeprefix("songshan-")


def is_bad(line: LogLine) -> bool:
    """A warning, or worse."""
    return line.level != "info"


def _text(said: object) -> str:
    """What is no text comes as a list of bytes; a line break would break the screen's."""
    if isinstance(said, list):
        said = bytes(byte for byte in said if isinstance(byte, int) and 0 <= byte < 256).decode(errors="replace")
    return " ".join(str(said or "").split())[:MESSAGE_CHARS_MAX]


def _level(text: str, priority: object) -> LogLevel:
    """What the line says of itself counts: what goes to stderr has the same priority, whatever it is."""
    found = _SAID.search(text)
    if found is not None:
        return _LEVELS.get((found[1] or found[2]).lower(), "info")
    try:
        number = int(str(priority))
    except ValueError:
        return "info"
    return "error" if number < _WARNING else "warning" if number == _WARNING else "info"
