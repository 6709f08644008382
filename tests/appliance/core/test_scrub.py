"""Everything on disk is read again within the period, evenly; what airs was read within a day before it does."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core import scrub
from appliance.core.scrub import HOUR_US, Unread, next_reading, pace_bytes_per_s, progress
from tests.appliance.boxes import AT_US, S

DAY_US = 24 * HOUR_US
PERIOD_US = 30 * DAY_US
MIB = 1024 * 1024
GIB = 1024 * MIB


def hour_at(now_us: int) -> int:
    return now_us // HOUR_US % 24


class Months:
    """A box whose disk is read as told. `slots` are moments of the day at which an asset airs, by its place."""

    def __init__(self, sizes: list[int], slots: dict[int, int]) -> None:
        self.sizes, self.slots = sizes, slots
        self.read_us = [AT_US] * len(sizes)
        self.ended: tuple[int, int] | None = None
        self.now_us = AT_US
        self.oldest_us = 0
        self.stalest_air_us = 0
        self.readings: list[tuple[int, int]] = []

    def held(self) -> list[Unread]:
        return [
            Unread(str(place), size, self.read_us[place], self._airs_us(place)) for place, size in enumerate(self.sizes)
        ]

    def _airs_us(self, place: int) -> int | None:
        if place not in self.slots:
            return None
        today_us = self.now_us - self.now_us % DAY_US + self.slots[place]
        return today_us if today_us >= self.now_us else today_us + DAY_US

    def live_until(self, until_us: int) -> None:
        while self.now_us < until_us:
            told = next_reading(self.held(), self.ended, self.now_us, PERIOD_US, hour_at(self.now_us))
            before_us = self.now_us
            if told.digests:
                place = int(told.digests[0])
                self.now_us += max(S, self.sizes[place] * S // told.bytes_per_s)
                self._look(before_us)
                self.read_us[place] = self.now_us
                self.readings.append((self.now_us, self.sizes[place]))
                self.ended = (self.now_us, self.sizes[place]) if told.is_paced else self.ended
            else:
                self.now_us = max(told.look_again_us, self.now_us + HOUR_US // 4)
                self._look(before_us)

    def _look(self, before_us: int) -> None:
        self.oldest_us = max(self.oldest_us, *(self.now_us - read_us for read_us in self.read_us))
        for place, slot_us in self.slots.items():
            aired_us = self.now_us - self.now_us % DAY_US + slot_us
            if before_us < aired_us <= self.now_us:
                self.stalest_air_us = max(self.stalest_air_us, aired_us - self.read_us[place])


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40) | st.integers(1000, 30_000), min_size=1, max_size=60),
    aired=st.dictionaries(st.integers(0, 59), st.integers(0, 23), max_size=4),
)
def test_over_months_everything_is_read_in_time_and_what_airs_was_read_lately(
    sizes: list[int], aired: dict[int, int]
) -> None:
    """Bit rot that is found at the end of the month, or on the air, was found too late."""
    months = Months(
        [size * MIB for size in sizes], {place: hour * HOUR_US for place, hour in aired.items() if place < len(sizes)}
    )
    months.live_until(AT_US + 75 * DAY_US)
    assert months.oldest_us <= PERIOD_US
    assert months.stalest_air_us <= scrub.FRESH_US + 2 * HOUR_US


def test_what_came_in_on_one_day_is_read_spread_over_the_period() -> None:
    """A disk that is read for a week at the end of each month disturbs the air for a week."""
    months = Months([GIB] * 300, {})
    months.live_until(AT_US + 30 * DAY_US)
    by_week = [0] * 5
    for at_us, size_bytes in months.readings:
        by_week[(at_us - AT_US) // (6 * DAY_US)] += size_bytes
    assert sum(by_week) >= 300 * GIB
    assert max(by_week) <= 120 * GIB, by_week


def test_what_airs_soon_comes_first_and_is_not_read_twice_in_a_day() -> None:
    """Tonight's film before last month's; but not again each hour."""
    old = Unread("old", GIB, AT_US - 29 * DAY_US)
    tonight = Unread("tonight", GIB, AT_US - 2 * DAY_US, AT_US + 5 * HOUR_US)
    sooner = Unread("sooner", GIB, AT_US - 2 * DAY_US, AT_US + HOUR_US)
    assert next_reading([old, tonight, sooner], None, AT_US, PERIOD_US, 12).digests == ("sooner", "tonight")
    read = [msgspec.structs.replace(each, read_us=AT_US - HOUR_US) for each in (tonight, sooner)]
    assert next_reading([old, *read], None, AT_US, PERIOD_US, 12).digests == ("old",)


def test_reading_is_slow_in_the_evening_and_quick_at_night() -> None:
    """When the county watches, the disk is the air's."""
    held = [Unread(str(number), GIB, AT_US - 10 * DAY_US) for number in range(100)]
    ended = (AT_US, GIB)
    share_us = GIB * S / pace_bytes_per_s(held, AT_US, PERIOD_US)
    for hour, share in ((3, 0.5), (12, 1.0), (20, 2.0)):
        early = next_reading(held, ended, AT_US + round(share_us * share * 0.9), PERIOD_US, hour)
        due = next_reading(held, ended, AT_US + round(share_us * share * 1.1), PERIOD_US, hour)
        assert (early.digests, len(due.digests)) == ((), 10)
        assert due.bytes_per_s <= scrub.READ_BYTES_PER_S_MAX


def test_progress_says_how_much_was_read_and_when_all_will_have_been() -> None:
    """A scrub that nobody sees is a scrub that nobody has."""
    held = [Unread("a", GIB, AT_US - DAY_US), Unread("b", 3 * GIB, AT_US - 32 * DAY_US)]
    found = progress(held, AT_US, PERIOD_US)
    assert (found.size_bytes, found.read_bytes, found.late_assets) == (4 * GIB, GIB, 1)
    assert found.oldest_us == AT_US - 32 * DAY_US
    assert found.all_read_by_us is not None
    assert AT_US < found.all_read_by_us < AT_US + PERIOD_US
    assert progress([], AT_US, PERIOD_US).all_read_by_us is None
