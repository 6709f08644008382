"""What the page of the software reads, and how it asks for a change: a file that the upgrade's unit takes up."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from appliance import releases
from appliance.core.errors import OperatorError, Text
from appliance.core.moment import US
from appliance.core.release import Do, Request
from appliance.store.facts import version
from tui.gather.brought import files_called
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.sheet import Asked
from tui.view.upgrade import BUNDLES, Brought, Found
from tui.view.upgrade_acts import reason_of

PATTERN: Final = "songshan-*.bundle"


def gather(where: Where, asked: Asked) -> Found:
    """What lies on the disk now; works with everything else dead."""
    seen = releases.releases(where.box)
    brought = tuple(_brought(where)) if asked.tab == BUNDLES else ()
    return Found(seen, version(), bool(seen.current), brought)


def stage(where: Where, case: Case) -> Text:
    """Ask for a bundle to be checked and installed beside what runs; it is switched to by another yes."""
    return _ask(where, case, "stage", "", case.row)


def roll_back(where: Where, case: Case) -> Text:
    """Ask for the release of before."""
    return _ask(where, case, "rollback", reason_of(case))


def apply(where: Where, case: Case) -> Text:
    """Ask for the one that is staged."""
    return _ask(where, case, "apply", reason_of(case))


def _ask(where: Where, case: Case, do: Do, reason: str, bundle: str = "") -> Text:
    if not case.by:
        raise OperatorError(Text("先登记操作人", "say first who you are"))
    releases.ask(where.box, Request(do=do, by=case.by, reason=reason, at_us=time.time_ns() // 1000, bundle=bundle))
    return Text("已提交，升级服务接手后在此显示进度", "asked for: its progress stands here as soon as it is taken up")


def _brought(where: Where) -> Iterator[Brought]:
    """Files that are called like a bundle of software; only their names are looked at, root's unit judges them."""
    for path in files_called(where, PATTERN):
        with suppress(OSError):
            told = path.stat()
            yield Brought(str(path), told.st_size, int(told.st_mtime * US))
