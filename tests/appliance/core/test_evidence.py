"""Evidence of the probe: stretches that came whole, none over a break, errors only where they were."""

from appliance.core.command import Observed, encode_command
from appliance.core.evidence import STRETCH_TICKS, Evidence
from appliance.core.probe import Listening
from appliance.core.rundown import us_of
from appliance.core.ts import PTS_MODULO, TICKS_PER_S

BEGIN = PTS_MODULO * 20_000 - 5 * TICKS_PER_S
"""The clock of 33 bits wraps five seconds later."""


def observed(seconds: int, *, errors_at: int = -1, break_at: int = -1, missed_at: int = -1) -> list[Observed]:
    listening, evidence = Listening(4_000_000), Evidence("dengfeng-1", "239.0.0.1:5000")
    told: list[Observed] = []
    for second in range(seconds):
        tick = BEGIN + second * TICKS_PER_S
        listening.tick = tick % PTS_MODULO
        listening.heard.continuity_errors += second == errors_at
        listening.heard.blackouts += second == break_at
        listening.heard.missed_datagrams += 90 * (second == missed_at)
        told += evidence.of(listening, us_of(tick) + 40_000)
    return told


def spans(told: list[Observed]) -> list[tuple[int, int, int]]:
    return [
        ((one.first_tick - BEGIN) // TICKS_PER_S, (one.last_tick - BEGIN) // TICKS_PER_S, one.continuity_errors)
        for one in told
    ]


def test_what_came_whole_is_told_each_minute_without_a_hole() -> None:
    """The log's day is made of these; they join, also where the clock in the stream wraps."""
    told = observed(125)
    assert spans(told) == [(0, 60, 0), (60, 120, 0)]
    assert all(one.last_tick - one.first_tick == STRETCH_TICKS for one in told)
    assert all(encode_command(one) for one in told)


def test_errors_are_told_with_the_stretch_that_has_them() -> None:
    """A minute with an error is no minute that nobody can vouch for."""
    assert spans(observed(100, errors_at=20)) == [(0, 19, 0), (19, 79, 1)]


def test_no_stretch_reaches_over_a_break() -> None:
    """What nobody heard did not air, as far as the probe can tell."""
    assert spans(observed(90, break_at=30)) == [(0, 29, 0)]
    assert spans(observed(95, break_at=30)) == [(0, 29, 0), (31, 91, 0)]
    assert spans(observed(95, missed_at=30)) == [(0, 29, 0), (31, 91, 0)], "nor over what the probe itself missed"
