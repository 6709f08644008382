"""ffplayout's day file: `{channel, date, program: [{in, out, duration, source, title, category}]}`, in seconds.

It knows no gaps and no fixed times: an item begins where those before it end. So the items fill the day to the frame,
and none is shorter than a second, which it would skip.
"""

from typing import Any, Final

import msgspec

from appliance.core.exports.day import Day, Line, without_short
from appliance.core.ts import FRAMES_PER_S

ADVERTISEMENT: Final = "advertisement"
"""In this category its logo is switched off."""


def ffplayout(day: Day) -> bytes:
    """The file `YYYY-MM-DD.json` of ffplayout's playlist folder."""
    items = without_short(day.lines, day.files_frames)
    document = {"channel": day.name, "date": day.date, "program": [_item(line, day) for line in items]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _item(line: Line, day: Day) -> dict[str, Any]:
    return {
        "in": line.in_frame / FRAMES_PER_S,
        "out": line.out_frame / FRAMES_PER_S,
        "duration": max(line.out_frame, day.files_frames.get(line.path, 0)) / FRAMES_PER_S,
        "source": line.path,
        "title": line.played.title,
        "category": ADVERTISEMENT if line.played.kind == "ad" else "",
    }
