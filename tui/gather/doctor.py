"""The checks of `songshan doctor`, made when the page is opened and once a minute: each connects and reads a little."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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
NOTE: Final = "doctor"


def gather(where: Where, _asked: Asked) -> Found:
    """What was found, now or within the last minute."""
    at_us, checks = _checked(where.notes, where)
    return Found(
        checks=tuple(Checked(each.name, each.state, each.found, each.hint) for each in checks),
        at_us=at_us,
        code=phone_code(checks),
        folders=tuple(folders(where)),
    )


def again(where: Where, _case: Case) -> Text:
    """Make all checks now."""
    where.notes.pop(NOTE, None)
    _at_us, checks = _checked(where.notes, where)
    bad = sum(check.state == "bad" for check in checks)
    return Text(f"共 {len(checks)} 项，{bad} 项故障", f"{len(checks)} checks, {bad} faults")


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


def _checked(notes: dict[str, Any], where: Where) -> tuple[int, tuple[Check, ...]]:
    kept = notes.get(NOTE)
    if kept is not None and 0 <= where.now_us - kept[0] < KEPT_US:
        return kept[0], kept[1]
    checks = all_checks(Box(where.home, where.environ), where.now_us)
    notes[NOTE] = (where.now_us, checks)
    return where.now_us, checks
