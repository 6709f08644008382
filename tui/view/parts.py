"""The files of a story or a submission, and how far each of them is. PURE."""

from typing import Final

from appliance.core.market import Part
from tui.look import Look
from tui.rows import Fact, Level, Line, Tile

SHOWN_MAX: Final = 5


def parts_tile(parts: tuple[Part, ...], look: Look) -> Tile:
    """The first of them by name, those that failed before all others."""
    ordered = sorted(parts, key=lambda each: -_level(each))
    facts: list[Line] = [
        Fact(look.data(each.name, each.digest[7:19]), _state(each, look), look.size(each.size_bytes), _level(each))
        for each in ordered[:SHOWN_MAX]
    ]
    if len(parts) > SHOWN_MAX:
        facts.append(Fact("", look.say("{n} files more").format(n=len(parts) - SHOWN_MAX)))
    worst = ordered[0] if ordered else None
    if worst is not None and worst.moving == "failed" and worst.reason is not None:
        facts.append(Fact(look.say("Why"), look.of(worst.reason), level=Level.WARN))
    return Tile(look.count("{n} file", "{n} files", len(parts)).format(n=len(parts)), "", Level.GOOD, tuple(facts))


def _state(each: Part, look: Look) -> str:
    if each.moving == "failed":
        return look.say("failed")
    if each.moving == "running" and each.size_bytes:
        return look.say("moving {done}").format(done=f"{100 * each.done_bytes // each.size_bytes}%")
    if each.moving == "done":
        return look.say("sent")
    if each.moving == "queued":
        return look.say("waiting")
    words = {
        "": look.say("at the hub"),
        "wanted": look.say("waiting"),
        "here": look.say("here"),
        "bad": look.say("bad"),
    }
    return words[each.state]


def _level(each: Part) -> Level:
    return Level.WARN if each.moving == "failed" or each.state == "bad" else Level.GOOD
