"""A history of a channel, decided by one integer: what is edited, lost and found, broken into, killed, set wrong.

Beside the box lives its twin, to which the same comes to be known at the same moments, and nothing else ever happens.
At every second the box's list is what the rules want, and byte for byte the twin's for that moment.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec
from sqlite_utils import Database

from appliance.core import records
from appliance.core.moment import to_text
from appliance.core.playlist import DVR_WINDOW_S
from appliance.core.schedule import day_of
from appliance.store import air
from tests.appliance.core.hls_lint import HlsLint, Listed, Violation
from tests.appliance.core.stream_lint import TsLint
from tests.days.box import CHANNEL, LIVE, ZONE, Box, Change
from tests.days.stock import clips
from tests.simulators.clock import SimulatedClock

SECOND = 1_000_000
HOUR = 3600 * SECOND
BEGIN_US = 1_823_353_200 * SECOND
"""2027-10-12 23:00 in Shanghai: the 33-bit clock begins anew at 23:59:42, 18 s before midnight."""
DVR_EVERY_S = 61
DEAD_S = (1, 1, 3, 3, 20, 20, 600)
"""How long an agent that was killed stays dead: the service's restart, a reboot, a power cut."""
STEPS_S = (-3600, -61, -5, -1, 1, 5, 61, 3600)
COMPILED_EVERY_S, TWIN_COMPILED_EVERY_S = 300, 420
"""The rhythm of neither may matter."""
STATEMENTS_MAX = (8, 40, 200)
"""Within so many statements of its start a killed agent dies, if it has not ended by then."""


@dataclass(frozen=True)
class Plan:
    """How long, and how much happens."""

    hours: float = 48
    edits: int = 500
    kills: int = 50
    steps: int = 10
    ledger_hours: int = 26
    begin_us: int = BEGIN_US


@dataclass
class Seen:
    """What a history was: for people, and for tests that ask whether it was one."""

    polls: int = 0
    segments: int = 0
    wraps: int = 0
    midnights: int = 0
    events: Counter[str] = field(default_factory=Counter)


def play(seed: int, plan: Plan, folder: Path) -> Seen:
    """Live through it. Raises Violation, or AssertionError where box and twin differ, with a note of when."""
    history = History(seed, plan, folder)
    try:
        for second in range(round(plan.hours * 3600)):
            history.second(second)
    except AssertionError as error:
        moment = to_text(history.clock.wall_us())
        error.add_note(f"seed {seed}, second {second}, wall clock {moment}, last: {history.last}")
        raise
    finally:
        history.end()
    return history.seen


@dataclass(frozen=True)
class AirClock:
    """What the twin goes by: the air's time of the box, which is the moment that their lists are compared for."""

    box: Box

    def wall_us(self) -> int:
        return self.box.air_us

    def running_us(self) -> int:
        return self.box.config.clock.running_us()


class History:
    def __init__(self, seed: int, plan: Plan, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.begin_us = plan.begin_us
        self.clock = SimulatedClock(now_us=plan.begin_us)
        self.box = Box(folder / "box", self.clock, plan.ledger_hours)
        self.twin = Box(folder / "twin", AirClock(self.box), plan.ledger_hours)
        self.index, self.dvr, self.stream = HlsLint(), HlsLint(), TsLint()
        self.fetched = 0
        self.seen = Seen()
        self.dead_until_s = -1
        self.waiting: list[Change] = []
        """What came while the agent was dead, or when it died: it is in the spool."""
        self.versions: Counter[str] = Counter()
        self.inserted = 0
        self.last = "begin"
        self.fate = self._fate(plan)
        for days in range(-1, 4):
            change = self.edit(plan.begin_us + days * 24 * HOUR)
            for each in (self.box, self.twin):
                each.commit(change, plan.begin_us)

    def _fate(self, plan: Plan) -> dict[int, list[str]]:
        """What happens in which second."""
        fate: dict[int, list[str]] = {}
        for what, count in (("learn", plan.edits), ("kill", plan.kills), ("step", plan.steps)):
            for second in self.chance.sample(range(30, round(plan.hours * 3600)), count):
                fate.setdefault(second, []).append(what)
        return fate

    def second(self, second: int) -> None:
        self.clock.pass_us(SECOND)
        if second == self.dead_until_s:
            self.box.start_agent()
            self._do_what_waits()
        for what in self.fate.get(second, ()):
            if what == "step":
                self._step_clock()
            elif what == "learn":
                self._learn()
            else:
                self._kill(second)
        if self.box.db is not None and second % COMPILED_EVERY_S == 0:
            self.box.commit(None, self.box.air_us)
        if second % TWIN_COMPILED_EVERY_S == 0:
            self.twin.commit(None, self.box.air_us)
        self._look(second)

    def end(self) -> None:
        """Close all, and say what it was."""
        begun, ended = (date.fromisoformat(day_of(each, ZONE)) for each in (self.begin_us, self.box.air_us))
        self.seen.midnights, self.seen.wraps = (ended - begun).days, self.stream.wraps
        for each in (self.box, self.twin):
            each.end_agent()

    def _look(self, second: int) -> None:
        """Poll as players do, and compare."""
        now_us = self.box.air_us
        text = self.box.get(f"{LIVE}/index.m3u8")
        assert text is not None, "no list"
        for segment in self.index.look(text.decode(), now_us):
            if segment.msn > self.fetched:
                self._fetch(segment)
        self.seen.polls += 1
        twin = self.twin.told_at(now_us - now_us % (SECOND // 5))
        assert text.decode() == twin, f"box and twin differ:\n{text.decode()}\n{twin}"
        if second % DVR_EVERY_S == 0:
            self._look_back(now_us)

    def _fetch(self, segment: Listed) -> None:
        data = self.box.get(f"{LIVE}/{segment.uri}")
        if data is None:
            raise Violation(f"rule 13: {segment} is listed and cannot be had")
        self.stream.look(segment, data)
        self.fetched = segment.msn
        self.seen.segments += 1
        if segment.msn % 50 == 0:
            assert self.twin.get(f"{LIVE}/{segment.uri}") == data, f"box and twin have other bytes for {segment}"

    def _look_back(self, now_us: int) -> None:
        text = self.box.get(f"{LIVE}/dvr.m3u8")
        assert text is not None, "no list of two hours"
        self.dvr.look(text.decode(), now_us)
        twin = self.twin.told_at(now_us - now_us % SECOND, DVR_WINDOW_S)
        assert text.decode() == twin, "box and twin differ in the two hours"
        gone = self.dvr.gone(now_us)
        for segment in [*gone[:1], *self.chance.sample(gone, min(3, len(gone)))]:
            if self.box.get(f"{LIVE}/{segment.uri}") is None:
                raise Violation(f"rule 6: {segment} has left the list and cannot be had any more")
        for lint in (self.index, self.dvr):
            lint.forget_before(lint.last[0].msn)

    def _step_clock(self) -> None:
        self.last = "clock step"
        self.seen.events[self.last] += 1
        self.clock.step_to(self.clock.wall_us() + self.chance.choice(STEPS_S) * SECOND)

    def _learn(self) -> None:
        self.waiting.append(self._something())
        if self.box.db is not None:
            self._do_what_waits()

    def _do_what_waits(self) -> None:
        """The agent does it one after the other. The twin learns of each at the same moment of the air."""
        for change in self.waiting:
            now_us = self.box.air_us
            self.box.commit(change, now_us)
            self.twin.commit(change, now_us)
        self.waiting.clear()

    def _kill(self, second: int) -> None:
        """The agent dies at a random statement, half of the times with something new in its hands; or the web does."""
        self.seen.events["kill"] += 1
        self.last = "kill"
        if self.box.db is None or self.chance.random() < 0.3:
            self.box.restart_web()
        if self.box.db is None:
            return
        change = self._something() if self.chance.random() < 0.5 else None
        now_us = self.box.air_us
        if self.box.killed(change, now_us, self.chance.randint(1, self.chance.choice(STATEMENTS_MAX))):
            self.seen.events["killed while writing"] += 1
            self.waiting += [change] if change is not None else []
        elif change is not None:
            self.twin.commit(change, now_us)
        self.dead_until_s = second + self.chance.choice(DEAD_S)

    def _something(self) -> Change:
        """What may come to be known."""
        kinds = {"schedule": 50, "lost or found": 25, "fillers": 5, "break-in": 12, "resume": 8}
        self.last = self.chance.choices(list(kinds), weights=list(kinds.values()))[0]
        self.seen.events[self.last] += 1
        if self.last == "schedule":
            return self.edit(self.clock.wall_us() + self.chance.choice((0, 0, 0, 6, 24)) * HOUR)
        if self.last == "lost or found":
            return _lose_or_find(self.chance.choice(clips()).digest)
        if self.last == "break-in":
            return self._insert()
        if self.last == "resume":
            return lambda db, _now_us: air.resume(db, CHANNEL.id)
        chosen = [clip.source for clip in self.chance.sample(clips(), self.chance.randint(0, 4))]
        return lambda db, _now_us: air.set_fillers(db, CHANNEL.id, chosen)

    def edit(self, moment_us: int) -> Change:
        """A new version of a day's schedule."""
        day = day_of(moment_us, ZONE)
        self.versions[day] += 1
        version = self.versions[day]
        starts = [0] if self.chance.random() < 0.05 else sorted(self.chance.sample(range(86_400), 90))
        entries = [entry for start in starts for entry in self._block(start)]
        for number, entry in enumerate(entries, 1):
            entry["id"] = f"e{number}"
        document = {"channel": CHANNEL.id, "date": day, "version": version, "entries": entries}
        raw = msgspec.Raw(json.dumps(document, ensure_ascii=False).encode())
        body = records.Schedule(channel=CHANNEL.id, date=day, version=version, document=raw)
        return lambda db, now_us: air.receive_schedule(db, body, ZONE, [CHANNEL.id], now_us)

    def _block(self, start: int) -> Iterator[dict[str, object]]:
        """An entry with a start, and some that follow it."""
        for follower in range(self.chance.randint(1, 5)):
            entry: dict[str, object] = {
                "start_type": "follow",
                "kind": self.chance.choice(("programme", "programme", "ad", "promo")),
                "asset": self.chance.choice(clips()).source,
                "title": f"节目{start}-{follower}",
            }
            if follower == 0:
                entry["start"] = f"{start // 3600:02}:{start // 60 % 60:02}:{start % 60:02}"
                entry["start_type"] = self.chance.choice(("hard", "hard", "soft"))
            if self.chance.random() < 0.2:
                entry["in_s"] = float(self.chance.choice((2, 3)))
            if self.chance.random() < 0.1:
                entry["catchup"] = False
            yield entry

    def _insert(self) -> Change:
        self.inserted += 1
        name, source = f"i{self.inserted}", self.chance.choice(clips()).source
        now_us = self.box.air_us
        begins_s = self.chance.choice((None, None, self.chance.randint(-60, 300)))
        lasts_s = self.chance.choice((None, self.chance.randint(5, 600)))
        at = None if begins_s is None else to_text(now_us + begins_s * SECOND)
        until = None if lasts_s is None else to_text(now_us + lasts_s * SECOND)
        return lambda db, told_us: air.add_insert(db, name, CHANNEL.id, source, told_us, at=at, until=until)


def _lose_or_find(digest: str) -> Change:
    def change(db: Database, _now_us: int) -> None:
        db.execute("UPDATE assets SET state = iif(state = 'here', 'bad', 'here') WHERE digest = ?", (digest,))

    return change
