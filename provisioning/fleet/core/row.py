"""One county as the hub's operator sees it: from what its box last said, and what the hub itself knows. Pure.

What a box says is not trusted to have any shape, length or characters: what is not there, or is something else, is
None, and a text is cut and has no control in it before it comes into a row.
"""

import unicodedata
from typing import Any, Final, Literal

import msgspec

from appliance.core import moment
from appliance.core.errors import SongshanError, Text
from appliance.core.health import Severity
from appliance.core.key_term import Key, Standing
from appliance.core.key_term import standing as standing_of_key
from appliance.core.machine import Machines
from provisioning.hub.sites import Site
from provisioning.hub.status import Said

WORDS_CHARS_MAX: Final = 300
ALARMS_MAX: Final = 64
CHANNELS_MAX: Final = 32
Link = Literal["connected", "away", "never"]
Level = Literal["red", "amber", "info", "ok"]
RANK: Final[dict[Level, int]] = {"red": 0, "amber": 1, "info": 2, "ok": 3}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong. Ids that begin with `hub:` are the hub's own words, all others the box's."""

    id: str
    severity: Severity
    text: Text
    hint: Text
    since: str | None = None


class Airing(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel played when the box last spoke."""

    channel: str
    name: str
    title: str
    kind: str
    planned: bool | None = None
    reason: Text | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A site as the operator sees it. What the box never said is None."""

    site: str
    name: str
    level: Level = "ok"
    """The worst of its alarms; `info` where it is away, never heard or not let in: normal, and good to know."""
    state: str
    """invited, joined, approved or revoked; `fenced` when two machines stand for an approved one."""
    link: Link
    heard_at: str | None = None
    sync_age_s: float | None = None
    """Seconds since the box last said how it is."""
    on_air: tuple[str, ...] = ()
    unplanned: int | None = None
    """Channels that play something other than planned."""
    not_ready: int | None = None
    """Entries of the coming day that are late or cannot be."""
    disk_free_bytes: int | None = None
    clock_synchronised: bool | None = None
    clock_offset_ms: float | None = None
    version: str | None = None
    alarms_red: int | None = None
    alarms_amber: int | None = None
    moved_at: str | None = None
    """When another machine last took the place of the one before, by itself."""
    zone: str = "Asia/Shanghai"
    channels: tuple[Airing, ...] = ()
    disk_total_bytes: int | None = None
    disk_reserve_bytes: int | None = None
    version_next_boot: str | None = None
    version_state: str | None = None
    """How far an upgrade is (`appliance.core.release.State`): staged, verifying (on trial), rolled_back …"""
    version_new: str | None = None
    """The release that the upgrade is about."""
    backup_at: str | None = None
    backup_age_s: float | None = None
    backup_came_at: str | None = None
    """When the last sealed backup of the box came to the hub, by the hub's clock; how many of them are here."""
    backups_here: int = 0
    key_standing: Standing | None = None
    """What its keys are good for (`appliance.core.key_term`); since when they are in force, and until when good."""
    keyed_at: str | None = None
    key_until: str | None = None
    key_grace_until: str | None = None
    unsent_records: int | None = None
    """Records that the box has not got through to the hub yet, by its own count."""
    waiting_records: int | None = None
    """Records of the hub's that the box has not acknowledged."""
    uploads: int = 0
    """Files of the site that lie unaccepted at the hub, and how many may."""
    uploads_max: int = 0
    waiting_bytes: int | None = None
    """What they take up, and what they may."""
    waiting_bytes_max: int = 0
    waiting_is_full: bool = False
    """It may send no more until that has changed: `uploads_max`, `site_bytes_max` of hub.toml."""
    alarms: tuple[Told, ...] = ()
    """The worst first; the box's and the hub's own."""


def row(site: Site, said: Said | None, connected: bool, at_us: int) -> Row:
    """The row that follows from what the box last said; `connected`: whether its session stands."""
    if said is None:
        link: Link = "connected" if connected else "never"
        return Row(site=site.site, name=plain(site.name, 80), zone=site.zone, state=site.state, link=link)
    status = said.status
    airing = tuple(_airings(status.get("on_air")))
    alarms = tuple(_alarms(status.get("alarms")))
    severities = [alarm.severity for alarm in alarms]
    clock, storage, backup = (_dict(status.get(name)) for name in ("clock", "storage", "backup"))
    release, backup_at = _dict(status.get("release")), _moment(backup.get("last"))
    return Row(
        site=site.site,
        name=plain(site.name, 80),
        zone=site.zone,
        state=site.state,
        link="connected" if connected else "away",
        heard_at=said.heard_at,
        sync_age_s=_age_s(said.heard_at, at_us),
        on_air=tuple(f"{each.channel}: {each.title or each.kind}"[:100] for each in airing),
        unplanned=sum(1 for each in airing if each.planned is False),
        not_ready=len(_list(status.get("coming"))),
        disk_free_bytes=_whole(storage.get("free_bytes")),
        clock_synchronised=_flag(clock.get("synchronised")),
        clock_offset_ms=_number(clock.get("hub_offset_ms")),
        version=plain(status["version"], 40) if "version" in status else None,
        alarms_red=severities.count("red"),
        alarms_amber=severities.count("amber"),
        channels=airing,
        disk_total_bytes=_whole(storage.get("total_bytes")),
        disk_reserve_bytes=_whole(storage.get("reserve_bytes")),
        version_next_boot=_word(release.get("next_boot")),
        version_state=_word(release.get("state")),
        version_new=_word(release.get("new")),
        backup_at=backup_at,
        backup_age_s=_age_s(backup_at, at_us),
        unsent_records=_whole(_dict(status.get("sync")).get("unsent_records")),
        alarms=alarms,
    )


def keyed(shown: Row, key: Key, at_us: int) -> Row:
    """The row with what is known of the site's keys."""
    texts = [moment.to_text(each) if each is not None else None for each in (key.since_us, key.until_us)]
    grace = moment.to_text(key.grace_until_us) if key.grace_until_us is not None else None
    return msgspec.structs.replace(
        shown, key_standing=standing_of_key(key, at_us), keyed_at=texts[0], key_until=texts[1], key_grace_until=grace
    )


def standing(shown: Row, known: Machines) -> Row:
    """The row with what is known of the site's machines."""
    state = "fenced" if known.fenced and shown.state == "approved" else shown.state
    moved_at = moment.to_text(known.moved_us) if known.moved_us is not None else None
    return msgspec.structs.replace(shown, state=state, moved_at=moved_at)


def plain(value: object, chars_max: int = WORDS_CHARS_MAX) -> str:
    """A text on one line, cut, without anything that moves a cursor, turns the writing or ends a header."""
    words = value if isinstance(value, str) else str(value)[: 4 * chars_max] if value is not None else ""
    words = " ".join(words[: 4 * chars_max].split())
    kept = "".join(each for each in words if unicodedata.category(each)[0] != "C")
    return kept if len(kept) <= chars_max else f"{kept[: chars_max - 1]}…"


def worst_first(rows: list[Row]) -> list[Row]:
    """By level; within one, those that serve before those that are not let in, then by id."""
    return sorted(rows, key=lambda each: (RANK[each.level], each.state in ("invited", "revoked"), each.site))


def _airings(value: object) -> list[Airing]:
    return [
        Airing(
            channel=plain(each.get("channel"), 64),
            name=plain(each.get("name") or each.get("channel"), 80),
            title=plain(each.get("title"), 100),
            kind=plain(each.get("kind"), 20),
            planned=_flag(each.get("planned")),
            reason=_text(each.get("reason")),
        )
        for each in _list(value)[:CHANNELS_MAX]
        if isinstance(each, dict)
    ]


def _alarms(value: object) -> list[Told]:
    """The box's alarms, the worst first. One of a severity that is not known here counts as amber: it is looked at."""
    nothing = Text("", "")
    known: dict[str, Severity] = {"red": "red", "amber": "amber", "info": "info"}
    found = [
        Told(
            id=plain(each.get("id"), 80).removeprefix("hub:") or f"unnamed-{number}",
            severity=known.get(str(each.get("severity")), "amber"),
            text=_text(each.get("text")) or Text("（没有文字）", "(no words)"),
            hint=_text(each.get("hint")) or nothing,
            since=_moment(each.get("since")),
        )
        for number, each in enumerate(_list(value)[:ALARMS_MAX])
        if isinstance(each, dict)
    ]
    once = {each.id: each for each in reversed(found)}
    return sorted((each for each in found if once[each.id] is each), key=lambda each: RANK[each.severity])


def _text(value: object) -> Text | None:
    pair = _dict(value)
    zh, en = plain(pair.get("zh")), plain(pair.get("en"))
    return Text(zh or en, en or zh) if zh or en else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if type(value) is int and abs(value) < 2**63 else None


def _number(value: object) -> float | None:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else None
    )


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _word(value: object) -> str | None:
    return plain(value, 40) or None if isinstance(value, str) else None


def _moment(value: object) -> str | None:
    """An RFC 3339 text, as it came; None for all else."""
    try:
        return moment.to_text(moment.to_us(value)) if isinstance(value, str) else None
    except (SongshanError, OverflowError):
        return None


def _age_s(at: str | None, now_us: int) -> float | None:
    return round((now_us - moment.to_us(at)) / moment.US, 1) if at is not None else None
