"""A day as JSON with all that is known of it, as CSV for people, and as a rundown for a CasparCG client."""

from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from appliance.core.exports.day import Day, Line
from appliance.core.exports.spreadsheet import table
from appliance.core.local_time import clock_text, time_of_day
from appliance.core.moment import to_text
from appliance.core.rundown import SLATE, us_of
from appliance.core.ts import FRAMES_PER_S, TICKS_PER_FRAME, TICKS_PER_S

COLUMNS: Final = (
    "start", "end", "duration_s", "kind", "title", "entry", "planned", "file", "in_s", "out_s", "asset", "reason_zh",
    "reason_en",
)  # fmt: skip
LAYER: Final = "1-10"
"""Channel and layer of the server; a client that plays on another one says so itself."""


def whole(day: Day) -> bytes:
    """Our own JSON: times in RFC 3339 UTC, points in frames of 1/25 s."""
    document = {
        "channel": day.channel,
        "date": day.date,
        "zone": day.zone,
        "start": to_text(us_of(day.begin_tick)),
        "end": to_text(us_of(day.end_tick)),
        "frames_per_s": FRAMES_PER_S,
        "items": [_item(line) for line in day.lines],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _item(line: Line) -> dict[str, Any]:
    played = line.played
    return {
        "start": to_text(us_of(line.start_tick)),
        "duration_s": line.frames / FRAMES_PER_S,
        "kind": played.kind,
        "title": played.title,
        "entry": played.entry_id,
        "planned": played.planned,
        "reason": played.reason,
        "asset": played.source,
        "rendition": None if played.rendition == SLATE else played.rendition,
        "file": line.path,
        "in_frame": line.in_frame,
        "out_frame": line.out_frame,
    }


def as_csv(day: Day) -> str:
    """One line an item; times of day are the site's."""
    zone = ZoneInfo(day.zone)
    return table(
        COLUMNS,
        (
            (
                clock_text(us_of(line.start_tick), zone),
                clock_text(us_of(line.start_tick + line.frames * TICKS_PER_FRAME), zone),
                f"{line.frames / FRAMES_PER_S:.2f}",
                line.played.kind,
                line.played.title,
                line.played.entry_id,
                "1" if line.played.planned else "0",
                line.path,
                f"{line.in_frame / FRAMES_PER_S:.2f}",
                f"{line.out_frame / FRAMES_PER_S:.2f}",
                line.played.source,
                line.played.reason.zh if line.played.reason else None,
                line.played.reason.en if line.played.reason else None,
            )
            for line in day.lines
        ),
    )


def caspar(day: Day) -> str:
    """A line an item: timecode of the site's day, a tab, the AMCP command to send once the item before it runs.

    The server has no playlist, only one clip that waits behind the one that plays. The first item is PLAYed.
    """
    found = []
    for number, line in enumerate(day.lines):
        clip = line.path.rpartition(".")[0].replace("\\", "\\\\").replace('"', '\\"')
        verb, more = ("PLAY", "") if number == 0 else ("LOADBG", " AUTO")
        points = f"SEEK {line.in_frame} LENGTH {line.frames}"
        found.append(f'{_timecode(line, day)}\t{verb} {LAYER} "{clip}" {points}{more}')
    return "\r\n".join(found) + "\r\n"


def _timecode(line: Line, day: Day) -> str:
    frame = line.start_tick % TICKS_PER_S // TICKS_PER_FRAME
    return f"{time_of_day(us_of(line.start_tick), ZoneInfo(day.zone))}:{frame:02}"
