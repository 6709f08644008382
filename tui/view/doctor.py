"""The checks of the doctor: what is wrong, why, what to do next, and six digits for the telephone. PURE."""

from dataclasses import dataclass
from typing import Final, Literal

from appliance.core.errors import Text
from tui.keys import say
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view.acts import Act, Case, Field, Weight
from tui.view.reading import Reading
from tui.view.sheet import Asked, Column, Prose, Sheet, Table, TableRow

LEVELS: Final = {"good": Level.GOOD, "warning": Level.WARN, "bad": Level.BAD}


@dataclass(frozen=True)
class Checked:
    """One check: what was looked at, how it is, and the next step where one is due."""

    name: str
    state: Literal["good", "warning", "bad"]
    found: Text
    hint: Text | None = None


@dataclass(frozen=True)
class Found:
    """All checks, when they were made, and where a bundle may be put: folders that can be written, best first."""

    checks: tuple[Checked, ...] = ()
    at_us: int = 0
    code: str = ""
    folders: tuple[str, ...] = ()


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """The worst first; or one of them, opened."""
    if found is None or not found.at_us:
        return Sheet((Prose((look.say("The box is being looked at; that takes some seconds."),)),))
    if asked.opened is not None:
        return Sheet(_opened(found, look, asked.opened))
    now_us = reading.at_us if reading is not None else found.at_us
    return Sheet((_verdict(found, now_us, look), _checks(found, look)))


def worst_first(found: Found) -> tuple[tuple[int, Checked], ...]:
    """With the number in the list of the doctor, which is their key."""
    return tuple(sorted(enumerate(found.checks), key=lambda each: -LEVELS[each[1].state]))


def _verdict(found: Found, now_us: int, look: Look) -> Tile:
    bad = sum(check.state == "bad" for check in found.checks)
    warned = sum(check.state == "warning" for check in found.checks)
    level = Level.BAD if bad else Level.WARN if warned else Level.GOOD
    words = {
        Level.BAD: look.count("{n} fault", "{n} faults", bad).format(n=bad),
        Level.WARN: look.say("{n} to look at").format(n=warned),
        Level.GOOD: look.say("in order"),
    }
    facts: list[Line] = [
        Fact(look.say("Checks"), f"{len(found.checks)}", look.ago(found.at_us, now_us)),
        Fact(look.say("On the telephone"), f"{found.code[:3]} {found.code[3:]}", look.say("read these digits out")),
    ]
    first = next(
        (check for _number, check in worst_first(found) if check.state != "good" and check.hint is not None), None
    )
    if first is not None and first.hint is not None:
        named = look.say("First: {check}").format(check=name_of(first.name, look))
        facts.append(Advice(LEVELS[first.state], named, look.of(first.hint)))
    return Tile(look.say("Doctor"), words[level], level, tuple(facts))


def _checks(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Check"), 13),
        Column(look.say("Found"), 0),
        Column(look.say("What to do"), 46, from_cells=110),
    )
    rows = tuple(
        TableRow(
            f"{number}",
            (name_of(check.name, look), look.of(check.found), look.of(check.hint) if check.hint is not None else ""),
            LEVELS[check.state],
        )
        for number, check in worst_first(found)
    )
    return Table(columns, rows, look.say("nothing was checked yet"), is_searchable=False)


def name_of(check: str, look: Look) -> str:
    """What people call it; what a later doctor adds stands as it is."""
    names = {
        "config": look.say("configuration"),
        "folders": look.say("folders"),
        "keys": look.say("keys"),
        "disk": look.say("disk"),
        "database": look.say("database"),
        "agent": look.say("agent"),
        "spool": look.say("spool"),
        "hub": look.say("hub"),
        "web": look.say("web server"),
        "output": look.say("output"),
        "parked": look.say("parked"),
        "alarm": look.say("alarm"),
        "programs": look.say("programs"),
        "clock": look.say("clock"),
        "backup": look.say("backup"),
        "release": look.say("software"),
        "ports": look.say("ports"),
        "incident": look.say("ended badly"),
        "units": look.say("units"),
        "key": look.say("validity of keys"),
        "timers": look.say("timers"),
        "firewall": look.say("firewall"),
    }
    return names.get(check, look.data(check))


def _opened(found: Found, look: Look, key: str) -> tuple[Tile | Prose, ...]:
    if not key.isdecimal() or int(key) >= len(found.checks):
        return (Prose((look.say("This check was not made again."),)),)
    check = found.checks[int(key)]
    level = LEVELS[check.state]
    words = {"good": look.say("in order"), "warning": look.say("look at it"), "bad": look.say("fault")}
    tile = Tile(name_of(check.name, look), words[check.state], level, (Advice(level, look.of(check.found)),))
    if check.hint is None:
        return (tile,)
    return (tile, Prose((look.of(check.hint),), look.say("What to do")))


def _fields(case: Case) -> tuple[Field, ...]:
    folders = case.found.folders if isinstance(case.found, Found) else ()
    choices = tuple((folder, case.look.data(folder)) for folder in folders)
    return (Field("folder", case.look.say("Where to"), "choice", choices, choices[0][0] if choices else ""),)


def _preview(case: Case) -> tuple[str, ...]:
    look = case.look
    return (
        look.say("One file of less than 2 MB, for whoever helps: facts of this box, its alarms, its commands."),
        look.say("No key, no password and no citizen's words are in it."),
    )


def _nowhere(case: Case) -> Text | None:
    if isinstance(case.found, Found) and not case.found.folders:
        return Text("没有可写的文件夹，请插入移动盘", "there is no folder to write to: put a stick in")
    return None


ACTS: Final = (
    Act("bundle", "b", say("Make a bundle"), Weight.LOOK, fields=_fields, preview=_preview, refusal=_nowhere),
    Act("again", "c", say("Check again"), Weight.LOOK),
)
