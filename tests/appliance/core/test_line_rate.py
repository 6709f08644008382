"""How fast the line is, from what it carried: steady, quick to see a change, known after a restart."""

from pathlib import Path

from appliance.core.line_rate import HOUR_US, KEPT_US, SLOT_US, LineRate, Slot, line_rate
from appliance.core.moment import US
from appliance.store import line_rates
from appliance.store.database import transaction, writing
from edge_agent.core.outcomes import Carried
from edge_agent.meter import Meter
from tests.appliance.boxes import AT_US

BASE = AT_US // HOUR_US * HOUR_US


def slot(number: int, rate: float, busy_s: int = 600) -> Slot:
    return Slot(BASE + number * SLOT_US, round(rate * busy_s), busy_s * US)


def test_nothing_measured_is_nothing_known() -> None:
    """A forecast from a made-up rate would be a promise that nobody gave."""
    assert line_rate([]) == LineRate()
    assert line_rate([slot(0, 1e6, busy_s=1)]) == LineRate()


def test_one_bad_minute_does_not_count_and_a_new_rate_does() -> None:
    """A storm of half an hour is what the line is now; a hiccup of ten minutes is not."""
    day = [slot(number, 1000) for number in range(10)]
    assert line_rate([*day, slot(10, 10)]).now_bytes_per_s == 1000
    assert line_rate([*day, slot(10, 10), slot(11, 10), slot(12, 10)]).now_bytes_per_s == 10
    assert line_rate([*day, slot(10, 9999, busy_s=5)]).now_bytes_per_s == 1000


def test_the_worst_hour_is_one_in_which_the_line_was_really_used() -> None:
    """What the line was at its worst is what may come again; a few seconds of it say nothing."""
    slots = [slot(0, 1000), slot(6, 400), slot(7, 600), slot(12, 5, busy_s=10), slot(18, 900)]
    assert line_rate(slots).worst_bytes_per_s == 500


def test_what_was_measured_is_known_after_a_restart_and_forgotten_in_time(tmp_path: Path) -> None:
    """Each way by itself: a county's line is often slower up than down."""
    for start_us in (AT_US, AT_US + US):
        with writing(tmp_path / "box.db") as db, transaction(db):
            line_rates.carried(db, "down", 10_000_000, 10 * US, start_us)
            assert line_rates.rate_of(db, "down").now_bytes_per_s == 1_000_000
            assert line_rates.rate_of(db, "up") == LineRate()
    with writing(tmp_path / "box.db") as db, transaction(db):
        line_rates.carried(db, "up", 5, US, AT_US + KEPT_US + 2 * SLOT_US)
        assert line_rates.rate_of(db, "down") == LineRate()


def test_the_meter_counts_what_is_carried_while_something_runs() -> None:
    """Time in which nothing travels, or in which the machine slept, is no slow line."""
    meter = Meter()

    def look(second: float, *, is_busy: bool = True, bytes_: int = 100) -> Carried | None:
        return meter.look(is_upload=False, is_busy=is_busy, bytes_=bytes_, now_us=round(second * US))

    assert [look(second) for second in (0, 1, 2)] == [None] * 3
    assert look(3, is_busy=False) is None
    assert look(100) is None
    assert look(900) is None
    assert look(901) is None
    assert look(902) == Carried(False, 500, 5 * US)


def test_a_time_in_which_the_line_was_cut_is_no_rate() -> None:
    """A line that carried nothing is down; as a rate of nothing it would be divided by, and the loop would end."""
    assert line_rate([slot(0, 0)]) == LineRate()
    assert line_rate([slot(0, 1000), slot(1, 0)]).now_bytes_per_s == 1000
