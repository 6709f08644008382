"""How things are said on a screen: the language, the glyphs a terminal has, the site's time, figures and units. PURE.

Texts of the screens are gettext messages: the English stands in the code, `look.say` gives it in the language chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from appliance.core.errors import Text
from appliance.core.moment import US
from tui.cells import ascii_only, drawable

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86400
AGE_STEP_S: Final = 10
"""Ages under a minute are shown in steps: a figure that changes each second costs a line of 9,600 baud."""


@dataclass(frozen=True)
class Look:
    """One way of showing. `zone` is the site's; moments are shown in it."""

    language: str
    """`zh` or `en`."""
    say: Callable[[str], str]
    """An English text of the screens, in the language."""
    count: Callable[[str, str, int], str]
    """The same for a number of things: the English for one, the English for many, the number."""
    zone: tzinfo = UTC
    plain: bool = False
    """The terminal can draw ASCII only: a raw console, a serial line."""

    is_wide: bool = False
    """The terminal draws signs of ambiguous width, borders among them, over two cells; it gets none."""

    @property
    def has_signs(self) -> bool:
        """Whether borders, bars and the like may be more than ASCII."""
        return not (self.plain or self.is_wide)

    @property
    def ellipsis(self) -> str:
        return "…" if self.has_signs else "~"

    def of(self, text: Text) -> str:
        """A text that came with data, fit for the screen."""
        said = text.in_language(self.language)
        return self.data(said) if said.strip() else ""

    def data(self, text: str, instead: str = "?") -> str:
        """A title or a name, fit for the screen; `instead` (an id) where this terminal can draw nothing of it."""
        return (ascii_only(text) if self.plain else drawable(text)) or instead

    def clock(self, at_us: int, now_us: int) -> str:
        """`14:03` today, `11-25 14:03` on another day."""
        at, now = self._local(at_us), self._local(now_us)
        if at is None or now is None:
            return "--:--"
        return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"

    def second(self, at_us: int) -> str:
        """`11-24 14:03:20`: for what is looked up to the second."""
        at = self._local(at_us)
        return f"{at:%m-%d %H:%M:%S}" if at is not None else "--:--:--"

    def day_and_clock(self, at_us: int) -> str:
        """`2026-11-24 14:03 CST`."""
        at = self._local(at_us)
        return f"{at:%Y-%m-%d %H:%M} {at.tzname()}" if at is not None else "--:--"

    def _local(self, at_us: int) -> datetime | None:
        """None for what no calendar holds: a clock can be as wrong as that."""
        try:
            return datetime.fromtimestamp(at_us / US, self.zone)
        except (OverflowError, ValueError, OSError):
            return None

    def ago(self, at_us: int, now_us: int) -> str:
        """How old: `20 s ago`, `5 min ago`; "just now" under one step, and for what lies ahead."""
        age_s = (now_us - at_us) // US
        if age_s < AGE_STEP_S:
            return self.say("just now")
        return self.say("{duration} ago").format(duration=self.duration(age_s))

    def duration(self, span_s: float) -> str:
        """The largest unit, and from hours on the next one too: `40 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
        seconds = max(0, int(span_s))
        if seconds < MINUTE_S:
            return self.say("{n} s").format(n=seconds // AGE_STEP_S * AGE_STEP_S or seconds)
        if seconds < HOUR_S:
            return self.say("{n} min").format(n=seconds // MINUTE_S)
        if seconds < DAY_S:
            hours, minutes = seconds // HOUR_S, seconds % HOUR_S // MINUTE_S
            if minutes == 0:
                return self.say("{n} h").format(n=hours)
            return self.say("{h} h {min} min").format(h=hours, min=minutes)
        days, hours = seconds // DAY_S, seconds % DAY_S // HOUR_S
        if hours == 0:
            return self.say("{n} d").format(n=days)
        return self.say("{d} d {h} h").format(d=days, h=hours)

    def size(self, size_bytes: float) -> str:
        """`640 kB`, `1.2 GB`: decimal units, three figures."""
        value, unit = float(max(0, size_bytes)), "B"
        for unit in ("B", "kB", "MB", "GB", "TB"):
            if value < 999.5 or unit == "TB":
                break
            value /= 1000
        return f"{value:.1f} {unit}" if value < 9.95 and unit != "B" else f"{value:.0f} {unit}"

    def rate(self, bytes_per_s: float) -> str:
        """`1.2 MB/s`."""
        return f"{self.size(bytes_per_s)}/s"
