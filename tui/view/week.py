"""The week's bandwidth: what transfers may use of the line now, in the coming day, on which days. PURE."""

from dataclasses import dataclass
from typing import Final

from appliance.core.moment import US
from appliance.core.timetable import WEEKDAYS, Allowance, Period
from tui.look import DAY_S, Look
from tui.rows import Fact, Level, Tile
from tui.view.sheet import Block, Column, Prose, Stretch, Table, TableRow, Timeline

TIMETABLE: Final = "timetable"
NO_LIMIT: Final = Allowance()
Allowed = tuple[tuple[int, Allowance], ...]
"""From which moment on how much is allowed, in order."""


@dataclass(frozen=True)
class Week:
    """`default` holds outside of all periods; `steps` is what holds from now on, for a week."""

    periods: tuple[Period, ...] = ()
    default: Allowance = NO_LIMIT
    steps: Allowed = ()


def blocks(week: Week, now_us: int, look: Look) -> tuple[Block, ...]:
    """What holds now, the coming day as a picture, the periods."""
    now = week.steps[0][1] if week.steps else week.default
    facts = [
        Fact(look.say("Down"), _limit(now.down_bytes_per_s, look)),
        Fact(look.say("Up"), _limit(now.up_bytes_per_s, look)),
    ]
    if len(week.steps) > 1:
        change_us, then = week.steps[1]
        said = look.say("from {clock} down {down}, up {up}").format(
            clock=look.clock(change_us, now_us),
            down=_limit(then.down_bytes_per_s, look),
            up=_limit(then.up_bytes_per_s, look),
        )
        facts.append(Fact(look.say("After that"), said))
    word = look.say("held back") if _is_limited(now) else look.say("all the line")
    tile = Tile(look.say("At present"), word, Level.NOTE if _is_limited(now) else Level.GOOD, tuple(facts))
    return (
        tile,
        _timeline(week, now_us, look),
        _periods(week, look),
        Prose(
            (
                look.say(
                    "What airs soon is exempt. To change it: [[timetable]] in appliance.toml, then restart the agent;"
                    " the first period that covers a moment counts."
                ),
            )
        ),
    )


def _timeline(week: Week, now_us: int, look: Look) -> Timeline:
    until_us = now_us + DAY_S * US
    ends = [*(since_us for since_us, _each in week.steps[1:]), until_us]
    stretches = tuple(
        Stretch(since_us, min(end_us, until_us), Level.NOTE if _is_limited(each) else Level.GOOD)
        for (since_us, each), end_us in zip(week.steps, ends, strict=True)
        if since_us < until_us
    )
    return Timeline(look.say("The next 24 hours"), now_us, until_us, stretches)


def _periods(week: Week, look: Look) -> Table:
    columns = (
        Column(look.say("Days"), 0),
        Column(look.say("Begins"), 6),
        Column(look.say("Ends"), 6),
        Column(look.say("Down"), 12, is_right=True),
        Column(look.say("Up"), 12, is_right=True),
    )
    rows = [
        TableRow(
            str(number),
            (
                _days(each.days, look),
                _clock(each.from_minute),
                _clock(each.to_minute),
                _limit(each.down_bytes_per_s, look),
                _limit(each.up_bytes_per_s, look),
            ),
        )
        for number, each in enumerate(week.periods)
    ]
    default = (
        look.say("all other times"),
        "",
        "",
        _limit(week.default.down_bytes_per_s, look),
        _limit(week.default.up_bytes_per_s, look),
    )
    return Table(columns, (*rows, TableRow("default", default)), "", is_searchable=False, opens=False)


def _days(days: tuple[str, ...], look: Look) -> str:
    if set(days) == set(WEEKDAYS):
        return look.say("every day")
    words = {
        "mon": look.say("Mon"),
        "tue": look.say("Tue"),
        "wed": look.say("Wed"),
        "thu": look.say("Thu"),
        "fri": look.say("Fri"),
        "sat": look.say("Sat"),
        "sun": look.say("Sun"),
    }
    return " ".join(words[day] for day in WEEKDAYS if day in days)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _limit(bytes_per_s: int, look: Look) -> str:
    return look.rate(bytes_per_s) if bytes_per_s else look.say("no limit")


def _is_limited(allowed: Allowance) -> bool:
    return bool(allowed.down_bytes_per_s or allowed.up_bytes_per_s)
