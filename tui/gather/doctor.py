"""The checks of `songshan doctor`, made when the page is opened and once a minute: each connects and reads a little.

Without a network they take many seconds. So they are made by a thread of their own: the page says that they are being
made, and whoever goes on to another page does not wait for them.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.command import Box
from appliance.commands.checks import Check, all_checks
from appliance.commands.doctor import bundle_of, phone_code
from appliance.core.errors import OperatorError, Text
from appliance.core.moment import US, to_text
from appliance.durable import write_atomically
from tui.gather.brought import sticks
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.doctor import Checked, Found
from tui.view.sheet import Asked

KEPT_US: Final = 60 * US
"""Checks are made anew after so long: they dial the hub and read all of the database."""
WAIT_S: Final = 0.7
NOTE: Final = "doctor"


@dataclass
class Examination:
    """The last checks, and the thread that makes the next ones. `fault` is a mistake of ours in there."""

    at_us: int = 0
    checks: tuple[Check, ...] = ()
    thread: threading.Thread | None = None
    fault: Exception | None = None


def gather(where: Where, _asked: Asked) -> Found:
    """What was found last; `at_us` 0 while nothing was yet."""
    seen = _examined(where)
    return Found(
        checks=tuple(Checked(each.name, each.state, each.found, each.hint) for each in seen.checks),
        at_us=seen.at_us,
        code=phone_code(seen.checks),
        folders=tuple(folders(where)),
    )


def again(where: Where, _case: Case) -> Text:
    """Make all checks now, and wait for them."""
    seen: Examination = where.notes.setdefault(NOTE, Examination())
    _examine(where, seen)
    bad = sum(check.state == "bad" for check in seen.checks)
    return Text(f"共 {len(seen.checks)} 项，{bad} 项故障", f"{len(seen.checks)} checks, {bad} faults")


def bundle(where: Where, case: Case) -> Text:
    """Write the bundle where the person wants it; never over another file."""
    folder = Path(case.value("folder") or next(folders(where), ""))
    if not folder.is_absolute():
        raise OperatorError(Text("没有可写的文件夹", "there is no folder to write to"))
    now_us = time.time_ns() // 1000
    site = where.config.site if where.config is not None else "songshan"
    moment = to_text(now_us).partition(".")[0].replace(":", "").replace("-", "").removesuffix("Z")
    path = folder / f"doctor-{site}-{moment}.tar.gz"
    box = Box(where.home, where.environ)
    write_atomically(path, bundle_of(box, all_checks(box, now_us), now_us))
    return Text(f"已写入 {path}", f"written to {path}")


def folders(where: Where) -> Iterator[str]:
    """Where a file may be put: a stick that is in, the person's own folder, that of passing files."""
    for path in (*sticks(to_write=True), Path(where.environ.get("HOME", "/nowhere")), Path(tempfile.gettempdir())):
        if path.is_dir() and os.access(path, os.W_OK | os.X_OK):
            yield str(path)


def _examined(where: Where) -> Examination:
    """What is known, new ones begun where it is old; those that take no time are waited for."""
    seen: Examination = where.notes.setdefault(NOTE, Examination())
    is_fresh = 0 <= where.now_us - seen.at_us < KEPT_US
    if not is_fresh and (seen.thread is None or not seen.thread.is_alive()):
        seen.thread = threading.Thread(target=_examine_kept, args=(where, seen), name="doctor", daemon=True)
        seen.thread.start()
    if seen.thread is not None:
        seen.thread.join(WAIT_S)
    if seen.fault is not None:
        raise seen.fault
    return seen


def _examine_kept(where: Where, seen: Examination) -> None:
    try:
        _examine(where, seen)
    except Exception as fault:  # noqa: BLE001  # raised again by whoever looks, where it is seen
        seen.fault = fault


def _examine(where: Where, seen: Examination) -> None:
    seen.checks = all_checks(Box(where.home, where.environ), where.now_us)
    seen.at_us = where.now_us
