"""Runs ffmpeg: bounded in memory and time, dead when we are, its output as it comes, its words read meanwhile."""

import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.core.errors import Refused, Text, WorldError
from appliance.core.ffmpeg_log import Log

STALL_TIMEOUT_S: Final = 120.0
MEMORY_BYTES_MAX: Final = 4 * 1024**3
READ_BYTES: Final = 256 * 1024
LIMITS: Final = ("prlimit", f"--as={MEMORY_BYTES_MAX}", "--core=0", "setpriv", "--pdeathsig", "KILL")
_DESCRIPTORS: Final = Path("/proc/self/fd")


@contextmanager
def running(argv: tuple[str, ...], source: Path) -> Iterator[subprocess.Popen[bytes]]:
    """ffmpeg reading `source`, which may be a descriptor of ours. It never outlives the block."""
    inherited = (int(source.name),) if source.parent == _DESCRIPTORS else ()
    try:
        process = subprocess.Popen(
            [*LIMITS, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=inherited,
        )
    except OSError as error:
        raise no_ffmpeg() from error
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def output_of(process: subprocess.Popen[bytes], log: Log, deadline_s: float) -> Iterator[bytes]:
    """What it writes, as it comes; what it says goes into `log`.

    Refused after `deadline_s` (monotonic), or when nothing comes any more.
    """
    assert process.stdout is not None and process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(STALL_TIMEOUT_S)
            if not ready or time.monotonic() > deadline_s:
                raise Refused(Text("转码超时", "it could not be brought to house format in time"))
            for key, _ in ready:
                data = os.read(key.fd, READ_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    yield data
                else:
                    log.take(data)


def no_ffmpeg() -> WorldError:
    """The program is not there."""
    return WorldError(
        Text("无法运行 ffmpeg", "ffmpeg cannot be run"),
        hint=Text("请安装 Debian 软件包 ffmpeg 和 util-linux", "install Debian's packages ffmpeg and util-linux"),
    )
