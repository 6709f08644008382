"""When a chunk of a live source was shown there."""

import pytest

from appliance.core.relay import shown_us

S = 1_000_000


@pytest.mark.parametrize(
    ("dates", "at_s", "expected_us"),
    [
        ((), 1.52, None),
        (((0.0, 100 * S),), -0.48, 99_520_000),
        (((0.0, 100 * S), (2.0, 102 * S)), 3.52, 103_520_000),
        (((0.0, 100 * S), (2.0, 102 * S), (4.0, 126 * S)), 3.52, 103_520_000),
        (((0.0, 100 * S), (2.0, 102 * S), (4.0, 126 * S)), 5.52, 127_520_000),
        (((8.0, 108 * S),), 1.52, 101_520_000),
    ],
    ids=["undated", "the first picture stands longer", "in a row", "before a silence", "after it", "dated late"],
)
def test_a_moment_is_that_of_the_segment_it_lies_in(
    dates: tuple[tuple[float, int], ...], at_s: float, expected_us: int | None
) -> None:
    """The delay that a technician reads is wrong for the rest of the programme, where a silence is not counted."""
    assert expected_us == shown_us(dates, at_s)
