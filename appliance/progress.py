"""How far long work is and when it will end, on one line of standard error, for a person at a terminal who waits."""

import sys
import time
from collections.abc import Callable
from typing import Final

import click

from appliance.command import language
from appliance.core.errors import Text

EVERY_S: Final = 0.5
MIB: Final = 1024 * 1024


class ProgressLine:
    """Call it with what is done and what there is to do; it writes when it is time to, and only on a terminal."""

    def __init__(self, what: Text, *, of_bytes: bool = False) -> None:
        self._of_bytes = of_bytes
        self._what, self._is_shown = what.in_language(language()), sys.stderr.isatty()
        self._began_s = self._told_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Any unit, the same for both; of bytes the rate is shown as well."""
        now_s = time.monotonic()
        if self._is_shown and total and now_s >= self._told_s + EVERY_S:
            self._told_s = now_s
            left_s = (now_s - self._began_s) * (total - done) / max(done, 1)
            ends = time.strftime("%H:%M:%S", time.localtime(time.time() + left_s))
            rate = f"  {done / MIB / (now_s - self._began_s):.1f} MiB/s" if self._of_bytes else ""
            left = Text(f"还要 {left_s:.0f} 秒，{ends} 完", f"{left_s:.0f} s left, ends {ends}").in_language(language())
            click.echo(f"\r{self._what} {done / total:4.0%}{rate}  {left} ", err=True, nl=False)

    def part(self, before: int, total: int) -> Callable[[int], None]:
        """The line as one part of the work sees it, which begins when `before` is done."""
        return lambda done: self(before + done, total)

    def adding(self, total: int) -> Callable[[int], None]:
        """The line as seen by work that tells how much more is done."""
        done = 0

        def add(more: int) -> None:
            nonlocal done
            done += more
            self(done, total)

        return add

    def end(self) -> None:
        """Leave the line to whatever is said next."""
        if self._is_shown:
            click.echo("\r\x1b[K", err=True, nl=False)
