"""The software of the box: which release runs and runs after the next start, how far an upgrade is, and back. PURE."""

from dataclasses import dataclass
from typing import Final

from appliance.core import gate
from appliance.core.release import UNDER_WAY, WORDS, Ended, Releases, Upgrade
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view.reading import Reading
from tui.view.sheet import Asked, Beside, Column, Prose, Sheet, Tab, Table, TableRow

BUNDLES: Final = "bundles"


@dataclass(frozen=True)
class Brought:
    """A file that may be a bundle of software: what the hub signed, its own unit finds out."""

    path: str
    size_bytes: int
    changed_us: int


@dataclass(frozen=True)
class Found:
    """What lies on the disk. `version` is what answers here; `is_installed`: releases have a folder of their own."""

    releases: Releases
    version: str
    is_installed: bool = True
    brought: tuple[Brought, ...] = ()


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """What runs, the gate while it looks, and what was done before; or one of these, opened."""
    tabs = (Tab("", look.say("Releases")), Tab(BUNDLES, look.say("Upgrade bundles")))
    if found is None:
        return Sheet(tabs=tabs, tab=asked.tab)
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet((_opened(found, now_us, look, asked.opened),))
    if asked.tab == BUNDLES:
        about = look.say("Found by name, on sticks and in the home folder. The signature is checked on staging.")
        return Sheet((_brought(found, now_us, look), Prose((about,))), tabs=tabs, tab=asked.tab)
    head = Beside((_running(found, look), _gate(found.releases.upgrade, now_us, look)))
    return Sheet((head, _past(found, now_us, look)), tabs=tabs, tab=asked.tab)


def _brought(found: Found, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("File"), 0),
        Column(look.say("Size"), 8, is_right=True),
        Column(look.say("Age"), 14, is_right=True),
    )
    rows = tuple(
        TableRow(each.path, (look.data(each.path), look.size(each.size_bytes), look.ago(each.changed_us, now_us)))
        for each in found.brought
    )
    return Table(columns, rows, look.say("no file songshan-VERSION.bundle was found"), is_searchable=False, opens=False)


def level_of(found: Found) -> Level:
    """Not whole is red; rolled back by itself is amber; on trial is good to know."""
    if found.releases.problem is not None:
        return Level.BAD
    state = found.releases.upgrade.state
    if state == "rolled_back" and found.releases.upgrade.why is not None:
        return Level.WARN
    return Level.NOTE if state in UNDER_WAY or state == "staged" or found.releases.waiting else Level.GOOD


def _running(found: Found, look: Look) -> Tile:
    seen, upgrade = found.releases, found.releases.upgrade
    if not found.is_installed or not seen.current:
        facts: tuple[Line, ...] = (
            Fact(look.say("Runs"), look.data(found.version)),
            Advice(
                Level.NOTE,
                look.say("this box was not installed as releases"),
                look.say("It is upgraded by hand; see the operating guide."),
            ),
        )
        return Tile(look.say("Software"), look.say("by hand"), Level.NOTE, facts)
    lines: list[Line] = [
        Fact(look.say("Runs"), look.data(found.version)),
        Fact(look.say("Next start"), look.data(seen.current), look.say("read from the disk just now")),
        Fact(look.say("Goes back to"), look.data(seen.previous, look.say("none")), _made(found, seen.previous, look)),
        Fact(look.say("Passed last"), look.data(seen.trusted, look.say("none"))),
    ]
    if upgrade.state == "staged":
        lines.append(Fact(look.say("Staged"), look.data(upgrade.new), _made(found, upgrade.new, look), Level.NOTE))
    lines += [
        Advice(Level.NOTE, look.say("asked for, waits: {what}").format(what=_words_of_request(each.do, look)))
        for each in seen.waiting
    ]
    if seen.problem is not None:
        lines.append(
            Advice(Level.BAD, look.of(seen.problem), look.say("Ring the hub's operator; do not restart the machine."))
        )
    elif found.version != seen.current and upgrade.state not in UNDER_WAY:
        text = look.say("these screens are of {version}: begin them anew").format(version=look.data(found.version))
        lines.append(Advice(Level.NOTE, text))
    return Tile(look.say("Software"), look.of(WORDS[upgrade.state]), level_of(found), tuple(lines))


def _made(found: Found, version: str, look: Look) -> str:
    release = next((each for each in found.releases.there if each.version == version), None)
    return look.say("made {day}").format(day=look.data(release.made_at[:10])) if release and release.made_at else ""


def _gate(upgrade: Upgrade, now_us: int, look: Look) -> Tile:
    """The five signals as the last look found them: live while a release is on trial."""
    marks = {True: Level.GOOD, False: Level.BAD, None: Level.NOTE}
    is_on = upgrade.state in UNDER_WAY
    facts: list[Line] = [
        Fact(look.of(gate.NAMES[each.name]), look.of(each.found), level=marks[each.good]) for each in upgrade.signals
    ]
    if not upgrade.signals:
        facts = [Fact(look.of(name), "-") for name in gate.NAMES.values()]
    if upgrade.changed_us:
        facts.append(Fact(look.say("Good looks"), f"{upgrade.passes}", look.ago(upgrade.changed_us, now_us)))
    if upgrade.why is not None:
        facts.append(Advice(Level.WARN, look.of(upgrade.why)))
    worst = max((marks[each.good] for each in upgrade.signals), default=Level.NOTE)
    word = look.say("on trial") if is_on else look.say("last trial") if upgrade.signals else look.say("no trial yet")
    return Tile(look.say("Gate"), word, worst, tuple(facts))


def _past(found: Found, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("When"), 11),
        Column(look.say("What"), 10),
        Column(look.say("Old release"), 12),
        Column(look.say("New release"), 12),
        Column(look.say("Who"), 12),
        Column(look.say("Why"), 0),
    )
    words = _outcomes(look)
    rows = tuple(
        TableRow(
            str(number),
            (
                look.clock(each.ended_us, now_us),
                words[each.outcome],
                look.data(each.old, "-"),
                look.data(each.new, "-"),
                look.data(each.by, "-"),
                look.of(each.why) if each.why is not None else look.data(each.reason, "-"),
            ),
            _level_of_ended(each),
        )
        for number, each in reversed(list(enumerate(found.releases.upgrade.past)))
    )
    return Table(columns, rows, look.say("no upgrade yet"), look.say("What was done"), is_searchable=False)


def _outcomes(look: Look) -> dict[str, str]:
    return {
        "committed": look.say("stays"),
        "rolled_back": look.say("went back"),
        "refused": look.say("refused"),
    }


def _level_of_ended(ended: Ended) -> Level:
    return Level.GOOD if ended.outcome == "committed" else Level.NOTE


def _opened(found: Found, now_us: int, look: Look, key: str) -> Tile | Prose:
    past = found.releases.upgrade.past
    if not key.isdecimal() or int(key) >= len(past):
        return Prose((look.say("This is not kept any more."),))
    one = past[int(key)]
    facts: list[Line] = [
        Fact(look.say("When"), look.day_and_clock(one.ended_us), look.ago(one.ended_us, now_us)),
        Fact(look.say("Old release"), look.data(one.old, "-")),
        Fact(look.say("New release"), look.data(one.new, "-")),
        Fact(look.say("Who"), look.data(one.by, "-")),
        Fact(look.say("Why"), look.data(one.reason, "-")),
    ]
    if one.why is not None:
        facts.append(Advice(Level.WARN, look.of(one.why)))
    return Tile(look.say("Upgrade"), _outcomes(look)[one.outcome], _level_of_ended(one), tuple(facts))


def _words_of_request(do: str, look: Look) -> str:
    words = {"stage": look.say("stage"), "apply": look.say("switch over"), "rollback": look.say("roll back")}
    return words[do]
