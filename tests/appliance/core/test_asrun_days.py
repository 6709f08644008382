"""Days of a channel with break-ins, recalls, a dead agent and a machine that is off: every frame has a row, and none
claims what cannot have aired."""

import random
from itertools import pairwise

import pytest

from appliance.core.accidents import Tally, accident_of, tally
from appliance.core.airtime import Absence, Mark, absences, air_now_us, mark_now
from appliance.core.asrun import NO_HASH, Logged, first_break, logged, parts
from appliance.core.insertion import Break
from appliance.core.moment import to_us
from appliance.core.rundown import tick_of, us_of
from tests.appliance.core.air_box import DAY, SECOND, Box, clock, digest, entry

STEP_US = 10 * SECOND
TURN_US = 300 * SECOND
"""The agent compiles at least so often here."""


class Nights:
    """A box and its machine through a day and more, and what was true of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.wall_us, self.running_us = clock("00:00:00"), 5000 * SECOND
        self.box = Box(self.wall_us, hours=3)
        self.box.write(*(entry(n, self.chance.randrange(1, 9), f"{n % 24:02}:{n // 24:02}:00") for n in _in_order()))
        self.mark: Mark | None = None
        self.absences: list[Absence] = []
        self.rows: list[Logged] = []
        self.was_off: list[tuple[int, int]] = []
        self.was_dead: list[tuple[int, int]] = []

    def live(self, hours: int) -> None:
        end_us, compiled_us = self.wall_us + hours * 3600 * SECOND, 0
        while self.wall_us < end_us:
            self.keep_clock()
            if self.wall_us >= compiled_us + TURN_US:
                self.something_happens()
                self.box.compile(self.air_us())
                compiled_us = self.wall_us
                self.log()
            self.pass_us(STEP_US)

    def air_us(self) -> int:
        return air_now_us(self.mark, self.wall_us, self.running_us)

    def keep_clock(self) -> None:
        if self.mark is not None:
            self.absences += absences(self.mark, self.wall_us, self.running_us)
        self.mark = mark_now(self.mark, self.wall_us, self.running_us)

    def pass_us(self, passed_us: int) -> None:
        self.wall_us += passed_us
        self.running_us += passed_us

    def something_happens(self) -> None:
        fate = self.chance.random()
        if fate < 0.03:
            self.power_cut(self.chance.choice((40, 600, 3600, 4 * 3600)) * SECOND)
        elif fate < 0.05:
            self.agent_dies(self.chance.choice((30, 300, 2 * 3600)) * SECOND)
        elif fate < 0.06:
            before = self.air_us()
            self.wall_us += 1800 * SECOND
            self.was_off.append((before, self.air_us()))
            self.keep_clock()
        elif fate < 0.15:
            at = self.chance.choice((None, tick_of(self.air_us() + 120 * SECOND)))
            self.box.breaks.append(Break(id=f"i{len(self.rows)}", source=digest(8), at_tick=at))
        elif fate < 0.25:
            self.box.missing ^= {digest(self.chance.randrange(1, 9))}

    def power_cut(self, off_us: int) -> None:
        """Somewhere between two marks; the machine takes half a minute to be there again."""
        self.pass_us(self.chance.randrange(0, 9) * SECOND)
        before = self.air_us()
        self.wall_us += off_us
        self.running_us = 30 * SECOND
        self.was_off.append((before, self.wall_us - 30 * SECOND))
        self.keep_clock()

    def agent_dies(self, dead_us: int) -> None:
        before = self.air_us()
        self.pass_us(dead_us)
        if dead_us > 60 * SECOND:
            self.was_dead.append((before, self.air_us()))
        self.keep_clock()

    def log(self) -> None:
        since = self.rows[-1].end_tick if self.rows else self.box.epoch
        now = tick_of(self.air_us())
        ended = [row for row in self.box.rows if row.start_tick >= since and row.end_tick <= now]
        prev = self.rows[-1].hash if self.rows else NO_HASH
        made = parts(ended, since, [each for each in self.absences if tick_of(each.end_us) > since])
        self.rows += logged("ch-1", made, len(self.rows), prev, {})

    def logged_off(self) -> list[tuple[int, int]]:
        """When it was off, as far as there are rows."""
        last_us = us_of(self.rows[-1].end_tick)
        return [(start, min(end, last_us)) for start, end in self.was_off if start < last_us]

    def tally(self) -> Tally:
        return tally((each.row for each in self.rows), self.box.born_us, us_of(self.rows[-1].end_tick))


def _in_order() -> list[int]:
    return [hour + 24 * minute for hour in range(24) for minute in (0, 10, 25, 40)]


@pytest.fixture(scope="module", params=range(3))
def nights(request: pytest.FixtureRequest) -> Nights:
    found = Nights(request.param)
    found.live(26)
    assert found.was_off or found.was_dead or request.param
    return found


def spans(nights: Nights) -> list[tuple[int, int, Logged]]:
    return [(tick_of(to_us(each.row.start)), each.end_tick, each) for each in nights.rows]


def overlap_s(spans: list[tuple[int, int]], start: int, end: int) -> float:
    return sum(max(0, min(b, us_of(end)) - max(a, us_of(start))) for a, b in spans) / SECOND


def test_every_frame_of_the_days_has_one_row(nights: Nights) -> None:
    """The day adds up: to the frame, from the channel's first to its last."""
    rows = spans(nights)
    assert rows[0][0] == nights.box.epoch
    for (start, end, row), (following, _end, _row) in pairwise(rows):
        assert end == following
        assert end - start == round(row.row.duration_s * 90_000)
    assert rows[-1][1] >= tick_of(nights.box.born_us + DAY)
    assert first_break((each.document, each.hash) for each in nights.rows) is None


def test_a_box_that_was_off_does_not_claim_to_have_aired(nights: Nights) -> None:
    """The heart of it: what has evidence lies wholly where the machine ran."""
    for start, end, each in spans(nights):
        if each.row.evidence:
            assert overlap_s(nights.was_off, start, end) == 0, each.row
            # Ten seconds lie between two marks, so that much of a dead agent's time may be vouched for.
            assert overlap_s(nights.was_dead, start, end) <= 10, each.row


def test_what_did_air_is_not_denied(nights: Nights) -> None:
    """An outage of an hour must not become one of two: at each end at most a mark's distance and the start are lost."""
    off = [(start, end) for start, end, each in spans(nights) if accident_of(each.row) == "off_air"]
    denied_s = sum(end - start for start, end in off) / 90_000 - sum(overlap_s(nights.was_off, *each) for each in off)
    assert denied_s <= 50 * len(nights.was_off)
    truth_s = sum(end - start for start, end in nights.logged_off()) / SECOND
    missed_s = truth_s - sum(overlap_s(nights.was_off, *each) for each in off)
    assert missed_s <= 0.04 * 2 * len(nights.was_off)


def test_the_tally_accounts_for_the_time(nights: Nights) -> None:
    """Whoever sums it up gets the wall time again, and no second counts as two accidents."""
    found = nights.tally()
    assert found.accounted_s == (us_of(nights.rows[-1].end_tick) - nights.box.born_us) / SECOND
    of_kinds = found.off_air.duration_s + found.wrong.duration_s + found.padded.duration_s + found.degraded.duration_s
    assert of_kinds + found.unvouched_s <= found.accounted_s
    off_s = sum(end - start for start, end in nights.logged_off()) / SECOND
    assert off_s - 1 <= found.off_air.duration_s <= off_s + 50 * len(nights.was_off)
