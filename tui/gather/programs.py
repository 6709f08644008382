"""Programs of the system that a page asks: a list of words, never a shell; bounded in time and in what they may say."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.core.errors import Text, WorldError

SAID_CHARS_MAX: Final = 400_000
"""`smartctl -j` of a disk with a long log says some ten thousand."""


@dataclass(frozen=True)
class Said:
    """What a program answered, and how it ended."""

    status: int
    out: str
    err: str


def ask(argv: Sequence[str], timeout_s: float, environ: Mapping[str, str] | None = None, umask: int = -1) -> Said:
    """Run it to its end, in English. WorldError where there is no such program, or it does not end in time.

    `umask` is for the files that it makes; -1 leaves ours.
    """
    program = argv[0]
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            umask=umask,
            env={**(os.environ if environ is None else environ), "LC_ALL": "C"},
            check=False,
        )
    except FileNotFoundError as error:
        raise WorldError(
            Text(f"没有安装 {program}", f"{program} is not installed"), hint=Text(INSTALL, INSTALL), retryable=False
        ) from error
    except subprocess.TimeoutExpired as error:
        text = Text(f"{program} {timeout_s:g} 秒内没有应答", f"{program} did not answer within {timeout_s:g} s")
        raise WorldError(text) from error
    except OSError as error:
        cause = error.strerror or str(error)
        raise WorldError(Text(f"{program}：{cause}", f"{program}: {cause}")) from error
    return Said(done.returncode, _text(done.stdout), _text(done.stderr))


INSTALL: Final = "apt-get install smartmontools systemd openssh-client"


def _text(said: bytes) -> str:
    return said[:SAID_CHARS_MAX].decode(errors="replace")
