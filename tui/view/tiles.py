"""Five of the overview's tiles, each from its part of the snapshot. PURE. The sixth, the alarms, is in tui.view.

How bad a thing is, is decided once, in appliance.core.alarms. A tile takes the level of the alarms that are about it,
so tile and alarm never disagree; and nothing is red because the hub is away.
"""

from collections.abc import Iterator
from typing import Final

from appliance.core.health import LIVE_STATES, Clock, NotReady, OnAir, Queue, Snapshot, Sync
from appliance.core.moment import US
from tui.look import Look
from tui.rows import Advice, Fact, Heading, Level, Line, Tile
from tui.view.reading import Reading

LEDGER_SHORT_S: Final = 12 * 3600
"""The air ledger reaches a day ahead; with less than this left, its end is shown."""

CHANNELS_IN_FULL: Final = 2
"""With more channels than these, what follows is left out: what plays now must be on the screen for all of them."""

SEVERITIES: Final = {"red": Level.BAD, "amber": Level.WARN, "info": Level.NOTE}


def level_of(snapshot: Snapshot, *about: str) -> Level:
    """The worst of the alarms with these ids; an id that ends in `:` stands for all that begin so."""
    levels = [
        SEVERITIES[alarm.severity]
        for alarm in snapshot.alarms
        if alarm.id in about or alarm.id.startswith(tuple(each for each in about if each.endswith(":")))
    ]
    return max(levels, default=Level.GOOD)


def wrong(reading: Reading) -> tuple[int, Level]:
    """How many things are as bad as the worst of them, and how bad that is."""
    alarms = reading.snapshot.alarms if reading.snapshot is not None else ()
    levels = [*(Level.BAD for _problem in reading.problems), *(SEVERITIES[alarm.severity] for alarm in alarms)]
    worst = max(levels, default=Level.GOOD)
    return levels.count(worst), worst


def air(snapshot: Snapshot, now_us: int, look: Look) -> Tile:
    """Per channel what plays, until when, what follows; then what will be missing of the next 24 hours."""
    title = look.say("On air")
    if not snapshot.on_air:
        return Tile(title, look.say("no channel"), Level.NOTE)
    facts: list[Line] = []
    for channel in snapshot.on_air:
        facts += channel_lines(channel, snapshot, now_us, look)
    late = [entry for entry in snapshot.coming if entry.state != "ready_by"]
    if snapshot.coming:
        count = look.say("{n} in the next 24 h").format(n=len(snapshot.coming))
        facts.append(Fact(look.say("Not ready"), count, level=level_of(snapshot, "readiness:") or Level.NOTE))
        in_time = [entry for entry in snapshot.coming if entry.state == "ready_by"]
        facts += [_not_ready(entry, now_us, look) for entry in (*late, *in_time)]
    words = {
        "ledger:": look.say("running out"),
        "filler:": look.say("not as planned"),
        "readiness:": look.say("will be missing"),
    }
    worst = max(words, key=lambda about: level_of(snapshot, about))
    level = level_of(snapshot, worst)
    return Tile(title, words[worst] if level else look.say("on air"), level, tuple(facts))


def channel_lines(channel: OnAir, snapshot: Snapshot, now_us: int, look: Look) -> Iterator[Line]:
    """A heading, then what plays, why, until when, what follows."""
    level = level_of(snapshot, f"filler:{channel.channel}", f"ledger:{channel.channel}")
    level = max(level, Level.WARN) if channel.insert is not None else level
    kind = look.say("insertion") if channel.insert is not None else _kind(channel.kind, look)
    yield Heading(look.data(channel.name, channel.channel), kind, level)
    until = ""
    if channel.until_us is not None:
        left = look.duration((channel.until_us - now_us) / US)
        until = look.say("to {clock}, {left}").format(clock=look.clock(channel.until_us, now_us), left=left)
    yield Fact(look.say("Now"), look.data(channel.title, kind), until, is_title=True)
    if channel.reason is not None:
        yield Fact(look.say("Why"), look.of(channel.reason), level=level)
    for fact in snapshot.live:
        if fact.channel == channel.channel:
            wrong = level_of(snapshot, f"live:{fact.channel}", f"live-source:{fact.channel}")
            behind = look.say("{n} s behind").format(n=round(fact.delay_s)) if fact.delay_s is not None else ""
            yield Fact(look.say("Live"), look.of(LIVE_STATES[fact.state]), behind, level=wrong or None)
    if channel.plan and (channel.next_version is not None or len(snapshot.on_air) <= CHANNELS_IN_FULL):
        plan, newer = _plan(channel, now_us, look)
        yield Fact(look.say("Plan"), plan)
        if newer:
            # A line of its own: beside the plan there is no room for it.
            yield Fact("", newer, level=Level.NOTE)
    if channel.next_at_us is not None and len(snapshot.on_air) <= CHANNELS_IN_FULL:
        following = look.data(channel.next_title, _kind(channel.next_kind, look))
        yield Fact(look.say("Next"), following, look.clock(channel.next_at_us, now_us), is_title=True)
    if channel.ledger_until_us is not None and channel.ledger_until_us - now_us < LEDGER_SHORT_S * US:
        ends = look.say("committed until {clock}").format(clock=look.clock(channel.ledger_until_us, now_us))
        yield Fact(look.say("Ledger"), ends, level=level)


def _plan(channel: OnAir, now_us: int, look: Look) -> tuple[str, str]:
    """Whose schedule is on, and from when on a newer version, where one waits for the freeze."""
    plans = {
        "schedule": look.say("schedule, version {n}"),
        "template": look.say("template, version {n}"),
        "default": look.say("default programme"),
    }
    newer = ""
    if channel.next_version_at_us is not None:
        at = look.clock(channel.next_version_at_us, now_us)
        newer = look.say("version {n} at {clock}").format(n=channel.next_version, clock=at)
    return plans[channel.plan].format(n=channel.schedule_version), newer


def _not_ready(entry: NotReady, now_us: int, look: Look) -> Advice:
    states = {
        "ready_by": look.say("in time"),
        "late_by": look.say("comes too late"),
        "cannot": look.say("cannot come"),
    }
    title = look.data(entry.title, entry.channel)
    text = f"{look.clock(entry.start_us, now_us)} {title}: {states[entry.state]}"
    hint = look.of(entry.reason) if entry.reason is not None else ""
    return Advice(Level.NOTE if entry.state == "ready_by" else Level.WARN, text, hint)


def _kind(kind: str, look: Look) -> str:
    words = {
        "programme": look.say("programme"),
        "ad": look.say("advertisement"),
        "promo": look.say("promo"),
        "filler": look.say("filler"),
        "live": look.say("live"),
        "test": look.say("test"),
        "slate": look.say("slate"),
        "emergency": look.say("insertion"),
    }
    return words.get(kind, kind)


def sync(snapshot: Snapshot, now_us: int, look: Look) -> Tile:
    """What waits to go down and up, with its rate and its end; what was sent and has no receipt yet."""
    state = snapshot.sync
    waiting = sum(1 for each in snapshot.submissions if each.state in ("waiting", "sending", "sent"))
    unanswered = sum(1 for order in snapshot.orders if order.state == "new")
    signed = _checkpoint_age(state, now_us, look)
    facts: list[Fact] = [
        *_queue(look.say("Down"), state.down, now_us, look),
        *_queue(look.say("Up"), state.up, now_us, look),
        Fact(look.say("Submissions"), look.say("{n} without receipt").format(n=waiting)),
        Fact(look.say("Records"), look.say("{n} to send").format(n=state.unsent_records), signed),
    ]
    if state.parked_records:
        parked = look.count("{n} record", "{n} records", state.parked_records).format(n=state.parked_records)
        facts.append(Fact(look.say("Parked"), parked, level=Level.WARN))
    if unanswered:
        facts.append(Fact(look.say("Orders"), look.say("{n} to answer").format(n=unanswered), level=Level.NOTE))
    if state.spool_waiting:
        facts.append(Fact(look.say("Spool"), look.say("{n} waiting").format(n=state.spool_waiting), level=Level.NOTE))
    facts.sort(key=lambda fact: -(fact.level or Level.GOOD))
    word, level = _sync_state(snapshot, waiting, look)
    return Tile(look.say("Sync"), word, level, tuple(facts))


def _sync_state(snapshot: Snapshot, waiting: int, look: Look) -> tuple[str, Level]:
    level, queues = level_of(snapshot, "parked", "transfers", "raised:stream:"), (snapshot.sync.down, snapshot.sync.up)
    if level:
        return look.say("something is stuck"), level
    if snapshot.link.state == "connected":
        queued = waiting + snapshot.sync.unsent_records + sum(queue.waiting + queue.running for queue in queues)
        return look.say("moving") if queued else look.say("up to date"), Level.GOOD
    if snapshot.link.state == "alone":
        return look.say("not in use"), Level.NOTE
    return look.say("waiting for the hub"), Level.NOTE


def _queue(label: str, queue: Queue, now_us: int, look: Look) -> Iterator[Fact]:
    files, left = queue.waiting + queue.running, look.size(queue.left_bytes)
    parts = [look.count("{n} file, {size}", "{n} files, {size}", files).format(n=files, size=left)] if files else []
    if queue.failed:
        parts.append(look.say("{n} failed").format(n=queue.failed))
    level = Level.WARN if queue.failed else None
    yield Fact(label, look.say(", ").join(parts) or look.say("nothing"), level=level)
    if queue.running and queue.rate_bytes_per_s:
        ends_us = now_us + int(queue.left_bytes / queue.rate_bytes_per_s * US)
        ends = look.say("done {clock}").format(clock=look.clock(ends_us, now_us))
        yield Fact("", look.rate(queue.rate_bytes_per_s), ends, level)


def _checkpoint_age(sync: Sync, now_us: int, look: Look) -> str:
    """How old the newest word of the hub is that it signed."""
    newest_us = max((stream.checkpoint_at_us or 0 for stream in sync.streams), default=0)
    return look.say("signed {age}").format(age=look.ago(newest_us, now_us)) if newest_us else ""


def link(snapshot: Snapshot, now_us: int, look: Look) -> Tile:
    """Whether the hub is there, since when, and how old that news is; unknown where that could not be read."""
    if level_of(snapshot, "database"):
        return unknown(look.say("Link"), look)
    link = snapshot.link
    words = {
        "connected": (look.say("online"), Level.GOOD),
        "connecting": (look.say("connecting"), Level.NOTE),
        "offline": (look.say("offline"), Level.NOTE),
        "alone": (look.say("no hub"), Level.NOTE),
        "locked_out": (look.say("locked out"), Level.BAD),
        "shut_out": (look.say("shut out"), Level.BAD),
    }
    word, level = words[link.state]
    level = max(level, level_of(snapshot, "link"))
    seen = look.ago(link.at_us, now_us) if link.at_us is not None else ""
    facts: list[Line] = []
    if link.hub:
        facts.append(Fact(look.say("Hub"), look.data(link.hub), seen))
    if link.since_us is not None:
        facts.append(Fact(look.say("Since"), look.clock(link.since_us, now_us), look.ago(link.since_us, now_us)))
    if link.round_trip_ms is not None and link.state == "connected":
        facts.append(Fact(look.say("Round trip"), f"{link.round_trip_ms:.0f} ms"))
    if link.reason is not None and link.state != "connected":
        facts.append(Fact(look.say("Why"), look.of(link.reason), level=level))
    if link.next_try_us is not None and link.state != "connected":
        wait = look.duration((link.next_try_us - now_us) / US)
        facts.append(Fact(look.say("Next try"), look.say("in {duration}").format(duration=wait)))
    return Tile(look.say("Link"), word, level, tuple(facts))


def storage(snapshot: Snapshot, _now_us: int, look: Look) -> Tile:
    """The disk of the media; measured at the moment of the reading."""
    disk = snapshot.storage
    if disk is None:
        return unknown(look.say("Storage"), look)
    words = {Level.GOOD: look.say("enough"), Level.NOTE: look.say("enough"), Level.WARN: look.say("low")}
    level = level_of(snapshot, "disk")
    word = words.get(level, look.say("full"))
    if level_of(snapshot, "bad-assets") > level:
        word = look.say("damaged assets")
    total = look.size(disk.total_bytes)
    free = look.say("{free} of {total}").format(free=look.size(disk.free_bytes), total=total)
    assets = look.say("{here} here, {wanted} wanted").format(here=disk.assets_here, wanted=disk.assets_wanted)
    facts: list[Line] = [
        Fact(look.say("Free"), free, level=level or None),
        Fact(look.say("Reserve"), look.size(disk.reserve_bytes)),
    ]
    if not level_of(snapshot, "database"):
        facts.append(Fact(look.say("Assets"), assets, look.size(disk.media_bytes)))
    if disk.assets_bad:
        damaged = look.count("{n} asset", "{n} assets", disk.assets_bad).format(n=disk.assets_bad)
        facts.append(Fact(look.say("Damaged"), damaged, level=Level.WARN))
    return Tile(look.say("Storage"), word, level_of(snapshot, "disk", "bad-assets"), tuple(facts))


def time(snapshot: Snapshot, now_us: int, look: Look) -> Tile:
    """The clock of this machine, in the site's zone, and what vouches for it."""
    clock = snapshot.clock
    level = level_of(snapshot, "clock")
    words = {Level.WARN: look.say("off"), Level.BAD: look.say("wrong")}
    is_checked = clock.synchronised or clock.hub_offset_ms is not None
    word = words.get(level, look.say("right") if is_checked else look.say("unchecked"))
    seen = look.ago(clock.at_us, now_us) if clock.at_us is not None else ""
    facts: list[Line] = [Fact(look.say("Clock"), look.day_and_clock(now_us), level=level or None)]
    if clock.hub_offset_ms is not None:
        offset = look.say("{seconds} s to the hub").format(seconds=f"{clock.hub_offset_ms / 1000:+.2f}")
        facts.append(Fact(look.say("Offset"), offset, seen))
    facts.append(Fact(look.say("Source"), _source(clock, look), "" if clock.hub_offset_ms is not None else seen))
    return Tile(look.say("Time"), word, level or (Level.GOOD if is_checked else Level.NOTE), tuple(facts))


def _source(clock: Clock, look: Look) -> str:
    if clock.synchronised is None:
        return look.say("unknown")
    return look.say("a time server") if clock.synchronised else look.say("runs by itself")


def unknown(title: str, look: Look) -> Tile:
    return Tile(title, look.say("unknown"), Level.NOTE)
