"""Which formats there are, each by what stands behind the date in its address."""

from collections.abc import Callable
from typing import Final

import msgspec

from appliance.core.exports.day import Day
from appliance.core.exports.ffplayout import ffplayout
from appliance.core.exports.lists import m3u8, xspf
from appliance.core.exports.mlt import mlt
from appliance.core.exports.tables import as_csv, caspar, whole


class Format(msgspec.Struct, frozen=True):
    """A writer, the media type of what it writes, and whether paths in it begin in the library (else at the root)."""

    write: Callable[[Day], str | bytes]
    media_type: str
    is_relative: bool = False


FORMATS: Final[dict[str, Format]] = {
    "json": Format(whole, "application/json"),
    "ffplayout.json": Format(ffplayout, "application/json"),
    "m3u8": Format(m3u8, "audio/x-mpegurl; charset=utf-8"),
    "xspf": Format(xspf, "application/xspf+xml"),
    "mlt": Format(mlt, "application/xml"),
    "csv": Format(as_csv, "text/csv; charset=utf-8"),
    "caspar.txt": Format(caspar, "text/plain; charset=utf-8", is_relative=True),
}


def written(day: Day, form: Format) -> bytes:
    """The bytes of a day in a format."""
    made = form.write(day)
    return made.encode() if isinstance(made, str) else made
