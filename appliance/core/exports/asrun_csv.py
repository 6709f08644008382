"""The as-run of a day as a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from appliance.core.asrun import AiredRow, Evidence
from appliance.core.exports.spreadsheet import table
from appliance.core.local_time import clock_text
from appliance.core.moment import US, to_us

COLUMNS: Final = (
    "seq", "start", "end", "duration_s", "kind", "title", "entry", "planned_start", "planned_s", "asset", "from_s",
    "status", "evidence", "evidence_later", "reason_zh", "reason_en",
)  # fmt: skip


def asrun_csv(rows: Iterable[AiredRow], zone: str, later: Mapping[int, Sequence[Evidence]]) -> str:
    """One line a row; times of day are those of `zone`. `later`: who vouched for a row when it had been written."""
    local = ZoneInfo(zone)
    return table(COLUMNS, (_line(row, local, later.get(row.seq, ())) for row in rows))


def _line(row: AiredRow, zone: ZoneInfo, later: Sequence[Evidence]) -> Iterator[object]:
    start_us = to_us(row.start)
    yield row.seq
    yield clock_text(start_us, zone)
    yield clock_text(start_us + round(row.duration_s * US), zone)
    yield f"{row.duration_s:.2f}"
    yield from (row.kind, row.title, row.entry)
    yield clock_text(to_us(row.planned_start), zone) if row.planned_start else None
    yield f"{row.planned_s:.2f}" if row.planned_s is not None else None
    yield from (row.asset, f"{row.from_s:.2f}", "; ".join(row.status), " ".join(row.evidence))
    yield " ".join(later)
    yield from (row.reason.zh, row.reason.en) if row.reason else (None, None)
