"""QEMU's monitor (QMP): one question, one answer, over its UNIX socket."""

import json
import socket
import time
from pathlib import Path
from typing import Any, Final

ANSWER_S_MAX: Final = 60
THERE_S_MAX: Final = 20
_POLL_S: Final = 0.05
_LINES_MAX: Final = 1000


class MonitorError(Exception):
    """QEMU would not."""


def ask(path: Path, command: str, **arguments: object) -> Any:
    """What QEMU answers to a command. Raises MonitorError when it refuses, OSError when it is not there."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ANSWER_S_MAX)
        _connect(line, path)
        with line.makefile("rw", encoding="utf-8") as talk:
            talk.readline()
            _say(talk, "qmp_capabilities", {})
            return _say(talk, command, arguments)


def _connect(line: socket.socket, path: Path) -> None:
    """A machine that was switched on a moment ago has no monitor yet."""
    deadline = time.monotonic() + THERE_S_MAX
    while True:
        try:
            line.connect(str(path))
            return
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)


def _say(talk: Any, command: str, arguments: dict[str, object]) -> Any:
    talk.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    talk.flush()
    for _line in range(_LINES_MAX):
        heard = json.loads(talk.readline() or '{"error": "the monitor is gone"}')
        if "error" in heard:
            raise MonitorError(f"{command}: {heard['error']}")
        if "return" in heard:
            return heard["return"]
    raise MonitorError(f"{command}: events without end")
