"""The log of the box's parts, newest first, bounded: the machine's journal, or their files where there is no systemd.

journal(...)     `journalctl`, some lines at a time
files(...)       the last lines of `*.log`
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from appliance.core.errors import Text, WorldError
from appliance.core.log_line import LogLine, of_file, of_journal

SYSTEMD: Final = Path("/run/systemd/system")
TIMEOUT_S: Final = 5.0
FILES_MAX: Final = 20
TAIL_BYTES_MAX: Final = 256 * 1024
"""Of each file: some thousand lines."""


def has_journal() -> bool:
    """Whether this machine keeps a journal that can be asked."""
    return SYSTEMD.is_dir() and shutil.which("journalctl") is not None


def argv(selected: Sequence[str], lines: int, after: str = "") -> list[str]:
    """What is asked of `journalctl(1)`: the newest lines before one, by its cursor."""
    return [
        "journalctl",
        "--output=json",
        "--output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER",
        "--no-pager",
        "--quiet",
        "--reverse",
        f"--lines={lines}",
        *([f"--after-cursor={after}"] if after else []),
        *selected,
    ]


def journal(selected: Sequence[str], lines: int, after: str = "") -> tuple[LogLine, ...]:
    """The newest lines that `selected` (options of journalctl) lets through. WorldError with the next step."""
    try:
        done = subprocess.run(
            argv(selected, lines, after),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise WorldError(_SLOW, hint=_VACUUM) from error
    except OSError as error:
        raise WorldError(Text(f"journalctl：{error}", f"journalctl: {error}")) from error
    found = tuple(each for line in done.stdout.splitlines() if (each := of_journal(line)) is not None)
    if not found and done.stderr.strip() and _NOTHING not in done.stderr:
        said = " ".join(done.stderr.decode(errors="replace").split())[:200]
        raise WorldError(Text(f"journalctl：{said}", f"journalctl: {said}"), hint=_GROUP)
    return found


def files(paths: Iterable[tuple[str, Path]]) -> tuple[LogLine, ...]:
    """The last lines of the files of parts, that which was written last first; each from its end."""
    newest = sorted(((_changed_s(path), unit, path) for unit, path in paths), reverse=True)[:FILES_MAX]
    return tuple(line for _changed, unit, path in newest for line in _tail(unit, path))


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _tail(unit: str, path: Path) -> list[LogLine]:
    try:
        with path.open("rb") as file:
            begin = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES_MAX)
            file.seek(begin)
            read = file.read(TAIL_BYTES_MAX)
    except OSError:
        return []
    whole = read if begin == 0 else read.partition(b"\n")[2]
    offset, found = begin + len(read) - len(whole), []
    for line in whole.splitlines(keepends=True):
        if line.strip():
            found.append(of_file(unit, offset, line))
        offset += len(line)
    return found[::-1]


_NOTHING: Final = b"No data available"
"""What it says where no unit that was ever heard is called so."""
_SLOW: Final = Text("journalctl 没有及时回答", "journalctl did not answer in time")
_VACUUM: Final = Text(
    "日志太大：journalctl --disk-usage，journalctl --vacuum-time=30d",
    "the journal is too large: journalctl --disk-usage, journalctl --vacuum-time=30d",
)
_GROUP: Final = Text(
    "本账号可能无权读日志：sudo usermod -aG systemd-journal 账号",
    "this account may not read the journal: sudo usermod -aG systemd-journal ACCOUNT",
)
