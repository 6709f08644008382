"""One gain for the whole clip, decided from what was measured; a limiter only where the gain needs one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.loudness import AS_IT_IS, CEILING_DBTP, Levelling, Loudness, levelling, levelling_filters


@pytest.mark.parametrize(
    ("lufs", "peak", "done"),
    [
        (-24.0, -10.0, Levelling(0.0, False)),
        (-14.0, -1.0, Levelling(-10.0, False)),
        (-30.0, -20.0, Levelling(6.0, False)),
        (-30.0, -6.0, Levelling(6.0, True)),
        (-24.0, -1.0, Levelling(0.0, True)),
        (-55.0, -40.0, Levelling(20.0, False)),
    ],
)
def test_a_sound_is_brought_to_the_target(lufs: float, peak: float, done: Levelling) -> None:
    """Louder ones down, softer ones up, as far as makes sense; peaks are held only where they would go over."""
    assert levelling(Loudness(lufs, peak), -24.0) == done


@pytest.mark.parametrize("heard", [None, Loudness(None, None), Loudness(-65.0, -50.0), Loudness(None, -3.0)])
def test_silence_is_left_alone(heard: Loudness | None) -> None:
    """Raised by forty decibels, the noise of a silent track is all that people would hear."""
    assert levelling(heard, -24.0) == AS_IT_IS


def test_no_limiter_runs_where_none_is_needed() -> None:
    """A filter that is not there changes nothing."""
    assert levelling_filters(AS_IT_IS) == []
    assert levelling_filters(Levelling(-3.0)) == ["volume=-3.0dB:precision=float"]
    assert any(each.startswith("alimiter=") for each in levelling_filters(Levelling(0.0, True)))


@given(st.floats(-59, 0), st.floats(-60, 6), st.floats(-40, -10))
def test_no_gain_lifts_a_peak_over_the_ceiling_unheld(lufs: float, peak: float, target: float) -> None:
    """Whatever the clip: what leaves the gain is below the ceiling, or the limiter is there."""
    done = levelling(Loudness(lufs, peak), target)
    assert done.is_limited or peak + done.gain_db <= CEILING_DBTP
