"""For all tests."""

import pytest
from hypothesis import HealthCheck, settings

# How long a machine takes says nothing about the code: that is what the benches are for.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

MOSTLY_WAITING = ("test_sender.py", "test_story.py", "test_daily_relay.py")
"""Serial tests that leave the machine to others for most of their time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """--drawn-update keeps what the pages of the terminal look like now: see tests/tui/looks.py."""
    parser.addoption("--drawn-update", action="store_true", help="keep what the terminal's pages look like now")


# Before xdist gives the tests away.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Serial tests are two rows, one beside the other: those with players, and those that mostly wait."""
    for item in items:
        if item.get_closest_marker("serial"):
            row = "waiting" if item.path.name in MOSTLY_WAITING else "players"
            item.add_marker(pytest.mark.xdist_group(row))
