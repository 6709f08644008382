"""Which boxes are upgraded when, and whether the next wave may begin. Pure. docs/adr/0040.

A release goes to one box, then to three, then to the rest. After each wave the whole fleet is looked at, as the boxes
tell of themselves: a box that was well and is not any more stops it. Who cannot be reached is pending, and not failed;
of a county that is not upgraded silence says nothing, for lines are cut every day.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from appliance.core.errors import Refused, Text

WAVES: Final = (1, 3)
"""So many boxes in the first waves; the last one has the rest."""
V: Final = 1
RED_MAX: Final = 200

State = Literal["done", "pending", "failed"]
Verdict = Literal["go", "wait", "stop"]


class County(msgspec.Struct, frozen=True, kw_only=True):
    """How a box was when it last told of itself. `red`: ids of its red alarms; `unplanned`: channels that play
    something other than planned; `release`: what it runs. "" and None where it never said."""

    site: str
    state: str = "approved"
    is_connected: bool = False
    heard_us: int | None = None
    release: str = ""
    red: tuple[str, ...] = ()
    unplanned: tuple[str, ...] = ()
    on_air: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one box."""

    state: State
    at_us: int
    why: str = ""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """HUB/rollouts/VERSION.json: how far a release has come. `before`: the fleet when this run began."""

    version: str
    began_us: int
    by: str
    reason: str
    v: int = V
    before: tuple[County, ...] = ()
    outcomes: dict[str, Outcome] = {}
    stopped: Text | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run does: the waves in order; who runs the release already; who cannot be had now."""

    waves: tuple[tuple[str, ...], ...]
    already: tuple[str, ...]
    pending: tuple[str, ...]


class Ill(msgspec.Struct, frozen=True):
    """A box that was well, and what it is now."""

    site: str
    what: Text


def county(site: str, state: str, *, is_connected: bool, heard_us: int | None, status: Mapping[str, Any]) -> County:
    """From what a box says of itself, which is not trusted to have any shape."""
    on_air = _objects(status.get("on_air"))
    release = status.get("release")
    alarms = [each for each in _objects(status.get("alarms")) if each.get("severity") == "red"]
    return County(
        site=site,
        state=state,
        is_connected=is_connected,
        heard_us=heard_us,
        release=str(release.get("current") or "")[:64] if isinstance(release, dict) else "",
        red=tuple(str(each.get("id"))[:200] for each in alarms[:RED_MAX]),
        unplanned=tuple(str(each.get("channel"))[:100] for each in on_air if each.get("planned") is False),
        on_air=tuple(str(each.get("channel"))[:100] for each in on_air),
    )


def plan(version: str, fleet: Sequence[County], reachable: Sequence[str], unreachable: Sequence[str]) -> Plan:
    """Who goes when. Of the reachable ones those that are well go first, in the order in which they were named: on a
    box that was ill before, a release cannot show what it is worth. Refused for a site that the hub does not let in.
    """
    known = {each.site: each for each in fleet}
    strange = [site for site in reachable if site not in known or known[site].state != "approved"]
    if strange:
        names = ", ".join(strange)
        raise Refused(
            Text(f"{names} 未获准入网，或被隔离", f"{names}: not approved, or fenced"),
            hint=Text("songshan-hub fleet；用 --limit 除外", "songshan-hub fleet; leave them out with --limit"),
        )
    already = tuple(site for site in (*reachable, *unreachable) if site in known and known[site].release == version)
    left = [site for site in reachable if site not in already]
    order = sorted(left, key=lambda site: bool(known[site].red) or not known[site].is_connected)
    return Plan(
        waves=tuple(_in_waves(order)),
        already=already,
        pending=tuple(site for site in unreachable if site not in already),
    )


def begun(
    former: Rollout | None, planned: Plan, fleet: Sequence[County], one: Rollout, *, again: bool = False
) -> Rollout:
    """The rollout when a run begins; `former` is what the hub has on record of this release, `one` is bare.

    The very same as before where there is nothing to do. Refused where a box has failed with it, until somebody says
    that it is to go on.
    """
    if former is not None and former.stopped is not None and not again and planned.waves:
        raise Refused(
            Text(f"{former.version} 已停止推送：{former.stopped.zh}", f"{former.version} stopped: {former.stopped.en}"),
            hint=Text("查明后加 --again 继续", "find the cause; then go on with --again"),
        )
    outcomes = dict(former.outcomes) if former is not None else {}
    for site in planned.already:
        if outcomes.get(site) is None or outcomes[site].state != "done":
            outcomes[site] = Outcome(state="done", at_us=one.began_us, why="already")
    for site in planned.pending:
        if outcomes.get(site) is None or outcomes[site].state != "pending":
            outcomes[site] = Outcome(state="pending", at_us=one.began_us, why="unreachable")
    if former is not None and not planned.waves and outcomes == former.outcomes:
        return former
    return msgspec.structs.replace(one, before=tuple(fleet), outcomes=outcomes)


def noted(rollout: Rollout, site: str, outcome: Outcome) -> Rollout:
    """With what came of one box; a failure stops the rollout."""
    changed = msgspec.structs.replace(rollout, outcomes={**rollout.outcomes, site: outcome})
    if outcome.state != "failed":
        return changed
    why = Text(f"{site} 升级失败：{outcome.why}", f"{site} failed: {outcome.why}")
    return msgspec.structs.replace(changed, stopped=changed.stopped or why)


def ills(rollout: Rollout, fleet: Sequence[County]) -> tuple[Ill, ...]:
    """Every box that was well when this run began, and is not any more. Of one that this run has upgraded it must be
    heard since, on the release, that it is as it was; of others what they say, if they say anything."""
    now = {each.site: each for each in fleet}
    return tuple(
        Ill(before.site, what)
        for before in rollout.before
        for what in _of_one(rollout, before, now.get(before.site, County(site=before.site, state="gone")))
    )


def verdict(found: Sequence[Ill], *, is_time_over: bool) -> Verdict:
    """A box that has just been upgraded may need a while to be heard."""
    if not found:
        return "go"
    return "stop" if is_time_over else "wait"


def stopped(rollout: Rollout, found: Sequence[Ill]) -> Rollout:
    """With the reason why it goes no further."""
    zh = "；".join(f"{each.site} {each.what.zh}" for each in found)
    en = "; ".join(f"{each.site} {each.what.en}" for each in found)
    return msgspec.structs.replace(rollout, stopped=Text(zh, en))


def _of_one(rollout: Rollout, before: County, now: County) -> Iterable[Text]:
    outcome = rollout.outcomes.get(before.site)
    is_touched = outcome is not None and outcome.state == "done" and outcome.at_us >= rollout.began_us
    is_touched = is_touched and outcome is not None and outcome.why != "already"
    if now.state == "fenced" != before.state:
        yield Text("被隔离", "is fenced")
    for alarm in now.red:
        if alarm not in before.red:
            yield Text(f"新告警 {alarm}", f"has a new alarm {alarm}")
    if not is_touched:
        return
    assert outcome is not None
    if now.heard_us is None or now.heard_us <= outcome.at_us or not now.is_connected:
        yield Text("升级后没有音讯", "has not been heard since")
        return
    if now.release != rollout.version:
        yield Text(f"运行的是 {now.release or '?'}", f"runs {now.release or '?'}")
    lost = [channel for channel in before.on_air if channel not in now.on_air]
    if lost:
        names = ", ".join(lost)
        yield Text(f"{names} 不在播", f"{names} is not on the air")
    worse = [channel for channel in now.unplanned if channel not in before.unplanned]
    if worse:
        names = ", ".join(worse)
        yield Text(f"{names} 未按计划", f"{names} is not as planned")


def _in_waves(order: Sequence[str]) -> Iterable[tuple[str, ...]]:
    start = 0
    for size in (*WAVES, len(order)):
        if wave := tuple(order[start : start + size]):
            yield wave
        start += size


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
