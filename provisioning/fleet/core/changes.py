"""What changed at a county, and when: what its own page shows. Pure."""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from appliance.core.errors import Text
from provisioning.fleet.core.row import Level, Row
from provisioning.fleet.core.words import LINKS, STATES, UPGRADES

CHANGES_MAX: Final = 200
"""Of one county, the newest; weeks of an ordinary one."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history."""

    at: str
    what: Literal["state", "link", "version", "upgrade", "air", "alarm", "over"]
    level: Level
    text: Text


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm as it was seen last."""

    id: str
    level: Level
    text: Text


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Of a row what its history goes by."""

    state: str
    link: str
    version: str | None = None
    upgrade: str | None = None
    upgrade_to: str | None = None
    unplanned: tuple[str, ...] = ()
    alarms: tuple[Noted, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True):
    """fleet/history/SITE.json: how the county was seen last, and what changed, the newest first."""

    seen: Seen
    changes: tuple[Change, ...] = ()


def seen_of(row: Row) -> Seen:
    """What of a row is compared with the next one."""
    return Seen(
        state=row.state,
        link=row.link,
        version=row.version,
        upgrade=row.version_state,
        upgrade_to=row.version_new,
        unplanned=tuple(each.name for each in row.channels if each.planned is False and each.kind != "emergency"),
        alarms=tuple(Noted(id=each.id, level=each.severity, text=each.text) for each in row.alarms),
    )


def noted(before: History | None, row: Row, at: str) -> History:
    """The history after this look; the very same where nothing changed."""
    seen = seen_of(row)
    if before is None:
        return History(seen=seen)
    found = tuple(_changes(before.seen, seen, row, at))
    # Words that only tell another number are no change: the alarm is the same.
    if not found and _shape(before.seen) == _shape(seen):
        return before
    return History(seen=seen, changes=(*found, *before.changes)[:CHANGES_MAX])


def _changes(before: Seen, now: Seen, row: Row, at: str) -> Iterator[Change]:
    """The worst first, as they are shown."""
    old, new = {each.id: each for each in before.alarms}, {each.id: each for each in now.alarms}
    for each in now.alarms:
        if each.id not in old or old[each.id].level != each.level:
            yield Change(at=at, what="alarm", level=each.level, text=each.text)
    for each in before.alarms:
        if each.id not in new:
            text = Text(f"已恢复：{each.text.zh}", f"over: {each.text.en}")
            yield Change(at=at, what="over", level="ok", text=text)
    if before.state != now.state:
        words = STATES.get(now.state, Text(now.state, now.state))
        yield Change(at=at, what="state", level="red" if now.state == "fenced" else "info", text=words)
    if before.link != now.link:
        yield Change(at=at, what="link", level="ok" if now.link == "connected" else "info", text=LINKS[row.link])
    for name in now.unplanned:
        if name not in before.unplanned:
            text = Text(f"{name} 转为计划外播出", f"{name} plays what was not planned")
            yield Change(at=at, what="air", level="amber", text=text)
    for name in before.unplanned:
        if name not in now.unplanned:
            text = Text(f"{name} 恢复按计划播出", f"{name} plays as planned again")
            yield Change(at=at, what="air", level="ok", text=text)
    yield from _of_version(before, now, at)


def _of_version(before: Seen, now: Seen, at: str) -> Iterator[Change]:
    if now.version and before.version and before.version != now.version:
        text = Text(f"版本 {before.version} → {now.version}", f"version {before.version} → {now.version}")
        yield Change(at=at, what="version", level="ok", text=text)
    if (before.upgrade, before.upgrade_to) != (now.upgrade, now.upgrade_to) and now.upgrade in UPGRADES:
        word, new = UPGRADES[now.upgrade], f" {now.upgrade_to}" if now.upgrade_to else ""
        level: Level = "amber" if now.upgrade == "rolled_back" else "info"
        yield Change(at=at, what="upgrade", level=level, text=Text(f"升级{new}：{word.zh}", f"upgrade{new}: {word.en}"))


def _shape(seen: Seen) -> Seen:
    nothing = Text("", "")
    alarms = tuple(
        sorted((msgspec.structs.replace(each, text=nothing) for each in seen.alarms), key=lambda one: one.id)
    )
    return msgspec.structs.replace(seen, alarms=alarms)
