"""How ready an entry is, in a word, a line and a level; and clips by name. PURE."""

from typing import Final

from appliance.core.alarms import Thresholds
from appliance.core.clip_facts import AirClip
from appliance.core.ledger import KIND_NAMES
from appliance.core.moment import US
from appliance.core.readiness import Ready
from appliance.core.ts import FRAMES_PER_S
from tui.look import Look
from tui.rows import Level

_STAGES: Final = Thresholds()


def level_of(row: Ready, at_us: int) -> Level:
    """How bad it is that an entry stands so: the stages of the alarms."""
    ahead_s = (row.start_us - at_us) / US
    if row.is_dropped:
        return Level.WARN
    if row.state in ("late_by", "cannot"):
        return Level.BAD if ahead_s < _STAGES.missing_red_s else Level.WARN
    if row.is_at_risk:
        return Level.BAD if ahead_s < _STAGES.soon_s else Level.WARN
    return Level.GOOD if row.state == "ready" else Level.NOTE


def standing(row: Ready, at_us: int, look: Look) -> str:
    """How ready an entry is, in one line: the figure first, then why."""
    if row.is_dropped:
        return look.say("dropped by a hard start")
    because = look.of(row.reason) if row.reason is not None else ""
    if row.state == "ready":
        amber = any(each.severity == "amber" for each in row.findings)
        cut = look.say("ready, cut by {n} s").format(n=round(row.cut_s)) if row.cut_s else look.say("ready")
        return look.say("{ready}; look at the check").format(ready=cut) if amber else cut
    if row.late_by_s is not None:
        head = look.say("{duration} late").format(duration=look.duration(row.late_by_s))
    elif row.ready_at_us is not None:
        head = look.say("ready {clock}").format(clock=look.clock(row.ready_at_us, at_us))
        head = look.say("{ready}, at risk").format(ready=head) if row.is_at_risk else head
    else:
        head = look.say("cannot air")
    return look.say("{state}: {why}").format(state=head, why=because) if because else head


def kind_word(kind: str, look: Look) -> str:
    return look.of(KIND_NAMES[kind]) if kind in KIND_NAMES else look.data(kind)


def length(span_s: float) -> str:
    """`1:58:00`, `0:15`: to the second, as an editing desk shows it."""
    minutes, seconds = divmod(round(span_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def clip_length(clip: AirClip) -> str:
    return length(clip.frames / FRAMES_PER_S)


def clip_name(clip: AirClip, look: Look) -> str:
    """With its length, for a list to choose from."""
    return f"{look.data(clip.name, clip.digest[7:19])}  {clip_length(clip)}"
