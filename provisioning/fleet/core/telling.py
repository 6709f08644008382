"""What is told, and when: a pure decision from what was known, what is wrong now, and the time.

    begins     once a trouble has stood for `settle_s`; red at once
    worsens    amber that became red
    ends       once it has been gone for `ended_after_s`: what comes back before that never ended, so nothing flaps
    reminder   while it stands, every `remind_red_s` or `remind_amber_s`

All that there is to tell at one look is one message, of at most `lines_max` lines, the worst first, and how many more.
Messages are bounded in rate: `burst` at once, then one every `every_s`; what could not be told yet is in the next one.
Nothing is told of a trouble whose county is hidden behind another (`held`: all are away, so it is the hub's line).

The clock may be wrong: what lies in the future of `now_us` counts as now, so that a step back silences nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.health import Severity
from appliance.core.moment import US

Kind = Literal["begins", "worsens", "ends", "reminder", "test"]
Key = tuple[str, str]
"""Site ("" for the hub itself) and id of the trouble."""
OPENS_MAX: Final = 5000
RANK: Final[dict[Severity, int]] = {"red": 0, "amber": 1, "info": 2}
_FIRST: Final[dict[Kind, int]] = {"test": 0, "worsens": 0, "begins": 0, "ends": 1, "reminder": 2}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How much is told. Times in seconds."""

    severity_min: Literal["red", "amber"] = "amber"
    settle_s: float = 60.0
    ended_after_s: float = 300.0
    remind_red_s: float = 4 * 3600.0
    remind_amber_s: float = 24 * 3600.0
    lines_max: int = 12
    burst: int = 4
    every_s: float = 300.0


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong now. `site` "" is the hub."""

    site: str
    name: str
    id: str
    severity: Severity
    text: Text
    hint: Text

    @property
    def key(self) -> Key:
        return self.site, self.id


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A trouble that is known. `told`: the severity that was told, None before; `eased_us`: less bad since."""

    trouble: Trouble
    began_us: int
    told: Severity | None = None
    told_us: int = 0
    gone_us: int | None = None
    eased_us: int | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the watch remembers. `free_us`: when the rate of messages is used up to (a leaky bucket, as one moment)."""

    opens: tuple[Open, ...] = ()
    number: int = 0
    free_us: int = 0


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing told. `since_us`: when the watch first saw it; `until_us`: of what ended."""

    kind: Kind
    site: str
    name: str
    id: str
    severity: Severity
    text: Text
    hint: Text
    since_us: int
    until_us: int | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out at once. `red`, `amber`: how many troubles stand, told or not; `more`: lines that had no room."""

    id: str
    at_us: int
    lines: tuple[Line, ...]
    more: int = 0
    red: int = 0
    amber: int = 0


def decide(
    known: Known,
    found: Iterable[Trouble],
    sites: Iterable[str],
    now_us: int,
    policy: Policy,
    hub: str,
    held: frozenset[Key] = frozenset(),
) -> tuple[Known, Message | None]:
    """What is known from now on, and the message to send, None where there is nothing to tell or it has to wait.

    `sites`: those that there are: what was known of others is forgotten without a word. `hub`: begins the ids.
    """
    counts = RANK[policy.severity_min]
    now = {each.key: each for each in found if RANK[each.severity] <= counts and each.key not in held}
    there = {*sites, ""}
    opens = [
        _seen(each, now.get(each.trouble.key), now_us, policy, is_held=each.trouble.key in held)
        for each in (_clamped(each, now_us) for each in known.opens if each.trouble.site in there)
    ]
    opened = {each.trouble.key for each in opens}
    opens += [Open(trouble=each, began_us=now_us) for key, each in now.items() if key not in opened]
    opens = [each for each in opens if each.told is not None or not _is_over(each, now_us, policy)]
    opens = sorted(opens, key=lambda each: (RANK[each.trouble.severity], each.began_us, each.trouble.key))[:OPENS_MAX]
    lines = {each.trouble.key: line for each in opens if (line := _line(each, now_us, policy, held)) is not None}
    # Further ahead than a full bucket is a clock that went back.
    free_us = known.free_us if known.free_us <= now_us + round(policy.burst * policy.every_s * US) else now_us
    known = Known(opens=tuple(opens), number=known.number, free_us=free_us)
    if not lines or free_us > now_us + round((policy.burst - 1) * policy.every_s * US):
        return known, None
    return _told(known, lines, now_us, policy, hub)


def trial(hub: str, now_us: int) -> Message:
    """What `songshan-hub alarms test` sends."""
    line = Line(
        kind="test",
        site="",
        name=hub,
        id="hub:test",
        severity="info",
        text=Text("这是一条测试：告警能到您这里", "this is a test: alarms reach you"),
        hint=Text("无需操作", "nothing to do"),
        since_us=now_us,
    )
    return Message(id=f"{hub}-test-{now_us}", at_us=now_us, lines=(line,))


def _told(known: Known, lines: Mapping[Key, Line], now_us: int, policy: Policy, hub: str) -> tuple[Known, Message]:
    """All lines are told with this message, those that it only counts too: the page has them."""
    shown = sorted(
        lines.values(), key=lambda each: (_FIRST[each.kind], RANK[each.severity], each.since_us, each.site, each.id)
    )
    left = [_after(each, lines.get(each.trouble.key), now_us) for each in known.opens]
    opens = tuple(each for each in left if each is not None)
    stand = [each.trouble.severity for each in opens if each.gone_us is None]
    message = Message(
        id=f"{hub}-{now_us}-{known.number + 1}",
        at_us=now_us,
        lines=tuple(shown[: policy.lines_max]),
        more=max(0, len(shown) - policy.lines_max),
        red=stand.count("red"),
        amber=stand.count("amber"),
    )
    free_us = max(known.free_us, now_us) + round(policy.every_s * US)
    return Known(opens=opens, number=known.number + 1, free_us=free_us), message


def _after(known: Open, line: Line | None, now_us: int) -> Open | None:
    if line is None:
        return known
    if line.kind == "ends":
        return None
    return msgspec.structs.replace(known, told=known.trouble.severity, told_us=now_us, eased_us=None)


def _seen(known: Open, now: Trouble | None, now_us: int, policy: Policy, *, is_held: bool) -> Open:
    """The same after this look."""
    if is_held:
        return known
    if now is None:
        return msgspec.structs.replace(known, gone_us=known.gone_us if known.gone_us is not None else now_us)
    changed = msgspec.structs.replace(known, trouble=now, gone_us=None)
    if known.told is None or RANK[now.severity] <= RANK[known.told]:
        return msgspec.structs.replace(changed, eased_us=None)
    eased_us = known.eased_us if known.eased_us is not None else now_us
    if now_us - eased_us >= policy.ended_after_s * US:
        return msgspec.structs.replace(changed, told=now.severity, eased_us=None)
    return msgspec.structs.replace(changed, eased_us=eased_us)


def _line(known: Open, now_us: int, policy: Policy, held: frozenset[Key]) -> Line | None:
    kind = None if known.trouble.key in held else _kind(known, now_us, policy)
    if kind is None:
        return None
    trouble = known.trouble
    return Line(
        kind=kind,
        site=trouble.site,
        name=trouble.name,
        id=trouble.id,
        severity=trouble.severity,
        text=trouble.text,
        hint=trouble.hint,
        since_us=known.began_us,
        until_us=known.gone_us if kind == "ends" else None,
    )


def _kind(known: Open, now_us: int, policy: Policy) -> Kind | None:
    severity = known.trouble.severity
    if known.gone_us is not None:
        return "ends" if _is_over(known, now_us, policy) else None
    if known.told is None:
        is_settled = severity == "red" or now_us - known.began_us >= policy.settle_s * US
        return "begins" if is_settled else None
    if RANK[severity] < RANK[known.told]:
        return "worsens"
    remind_s = policy.remind_red_s if severity == "red" else policy.remind_amber_s
    return "reminder" if now_us - known.told_us >= remind_s * US else None


def _is_over(known: Open, now_us: int, policy: Policy) -> bool:
    return known.gone_us is not None and now_us - known.gone_us >= policy.ended_after_s * US


def _clamped(known: Open, now_us: int) -> Open:
    """Nothing lies in the future."""
    return msgspec.structs.replace(
        known,
        began_us=min(known.began_us, now_us),
        told_us=min(known.told_us, now_us),
        gone_us=min(known.gone_us, now_us) if known.gone_us is not None else None,
        eased_us=min(known.eased_us, now_us) if known.eased_us is not None else None,
    )


def counted(lines: Sequence[Line]) -> dict[Kind, int]:
    """How many lines of each kind."""
    kinds = [line.kind for line in lines]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
