"""What the page of the software reads, and how it asks for a change: a file that the upgrade's unit takes up."""

import time

from appliance import releases
from appliance.core.errors import OperatorError, Text
from appliance.core.release import Do, Request
from appliance.store.facts import version
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.sheet import Asked
from tui.view.upgrade import Found, reason_of


def gather(where: Where, _asked: Asked) -> Found:
    """What lies on the disk now; works with everything else dead."""
    seen = releases.releases(where.box)
    return Found(seen, version(), is_installed=bool(seen.current))


def roll_back(where: Where, case: Case) -> Text:
    """Ask for the release of before."""
    return _ask(where, case, "rollback", reason_of(case))


def apply(where: Where, case: Case) -> Text:
    """Ask for the one that is staged."""
    return _ask(where, case, "apply", reason_of(case))


def _ask(where: Where, case: Case, do: Do, reason: str) -> Text:
    if not case.by:
        raise OperatorError(Text("先登记操作人", "say first who you are"))
    releases.ask(where.box, Request(do=do, by=case.by, reason=reason, at_us=time.time_ns() // 1000))
    return Text("已提交，升级服务接手后在此显示进度", "asked for: its progress stands here as soon as it is taken up")
