"""The table tells what did not pass, and so does the exit status."""

import pytest

from tests.machines.table import Outcome, Row, exit_status, table


@pytest.mark.parametrize("outcome", ["failed", "not there", "not played"])
def test_what_did_not_pass_is_not_passed_over(outcome: Outcome) -> None:
    """A scenario that nobody has written yet must not look like one that holds."""
    rows = [
        Row("cold", "冷启动", "passed", 51.0, {"on_air_s": 31.26}),
        Row("upgrade", "升级", outcome, why="no such file"),
    ]
    assert exit_status(rows) == 1
    assert exit_status(rows[:1]) == 0
    assert exit_status([]) == 1
    assert "1 passed, 1 failed" in table(rows)
    assert outcome in table(rows) and "no such file" in table(rows) and "on_air_s=31.3" in table(rows)
