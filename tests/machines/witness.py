"""Whether this machine itself stood still: what an emulated box loses then is not the box's loss.

    with Witness() as witness:
        witness.stalls(moment)       when, and for how long, since that moment of time.monotonic()

A process of its own, before all others, sleeps a little again and again and writes down what took longer.
"""

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.machines.places import BUILD

NICE: Final = -15
"""Before the box's emulator."""
SLEEP_S: Final = 0.02
STALL_S: Final = 0.1
_END_S_MAX: Final = 10


class Witness:
    """Looks while it is entered."""

    def __init__(self, path: Path = BUILD / "stalls") -> None:
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Witness":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("wb") as said:
            argv = ["nice", "-n", str(NICE), sys.executable, "-m", "tests.machines.witness"]
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(_END_S_MAX)

    def stalls(self, since: float) -> list[tuple[float, float]]:
        """Moment at which it stood still, and seconds."""
        rows = (line.split() for line in self._path.read_text().splitlines())
        return [(float(begin), float(seconds)) for begin, seconds in rows if float(begin) >= since]


def main() -> None:
    before = time.monotonic()
    while True:
        time.sleep(SLEEP_S)
        now = time.monotonic()
        if now - before > STALL_S:
            print(f"{before:.3f} {now - before:.3f}", flush=True)
        before = now


if __name__ == "__main__":
    main()
