"""What the page of the audit reads: the trail of commands a page at a time; and the check of all chains, when asked."""

import time
from collections.abc import Callable
from typing import Any, Final

from appliance.core.errors import Refused, SongshanError, Text, WorldError
from appliance.store.desk import audit_page
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.audit import CHAINS, Chain, Done, Found, Verdict
from tui.view.sheet import PAGE_ROWS, Asked

NOTE: Final = "audit"
CHECK_S_MAX: Final = 1800.0
"""A million records take about half a minute; a disk that gives them more slowly than this is another fault."""


def gather(where: Where, asked: Asked) -> Found:
    """One side of the page."""
    if asked.tab == CHAINS:
        return Found(verdict=where.notes.get(NOTE))
    with where.database() as db:
        page = audit_page(db, asked.words, asked.after, PAGE_ROWS)
    return Found(
        tuple(
            Done(each.name, each.kind, each.by, each.via, each.at_us, each.outcome, each.reason, each.about, each.why)
            for each in page
        )
    )


def verify(where: Where, _case: Case) -> Text:
    """Check all chains; how far it is and what was found stand in the notes. Refused while one check runs."""
    # Loaded when a check is asked for: what reads and checks keys takes more memory than the page.
    from appliance.commands.audit import of_box

    running = where.notes.get(NOTE)
    if running is not None and running.ended_us is None:
        raise Refused(Text("正在核对，见“流水链”一页", "they are being checked: see the side Chains"))
    began_us, began_s, notes = _now_us(), time.monotonic(), where.notes
    notes[NOTE] = Verdict(began_us)

    def part(before: int, total: int) -> Callable[[int], None]:
        def told(done: int) -> None:
            _tell(notes, Verdict(began_us, before + done, total), began_s)

        return told

    try:
        report = of_box(where.box, (), part)
    except SongshanError:
        notes.pop(NOTE, None)
        raise
    notes[NOTE] = Verdict(
        began_us,
        ended_us=_now_us(),
        records=report.records,
        chains=tuple(
            Chain(
                each.stream,
                each.records,
                f"{each.epoch}:{each.seq}",
                each.signed_at_us,
                each.redacted,
                len(each.problems),
            )
            for each in report.streams
        ),
        problems=report.problems,
    )
    count = len(report.problems)
    if count:
        return Text(f"发现 {count} 个问题，见“流水链”一页", f"{count} problems: see the side Chains")
    return Text(f"{report.records} 条，完整、未分叉、有签名", f"{report.records} records: complete, unforked, signed")


def _tell(notes: dict[str, Any], verdict: Verdict, began_s: float) -> None:
    if time.monotonic() - began_s > CHECK_S_MAX:
        raise WorldError(Text("核对超时，请查磁盘", "the check took too long: look at the disk"))
    notes[NOTE] = verdict


def _now_us() -> int:
    return time.time_ns() // 1000
