"""What the trial has on its list can be played."""

import pytest

from tests.machines.trial import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_each_scenario_is_there(scenario: Scenario) -> None:
    """One that cannot be loaded would be noticed only when its turn comes, after an hour."""
    assert callable(scenario.play())
