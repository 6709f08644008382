"""For all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.appliance import clips

# How long a machine takes says nothing about the code: that is what the benches are for.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

MOSTLY_WAITING = ("test_sender.py", "test_story.py", "test_daily_relay.py")
"""Serial tests that leave the machine to others for most of their time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """--drawn-update keeps what the pages of the terminal look like now: see tests/tui/looks.py."""
    parser.addoption("--drawn-update", action="store_true", help="keep what the terminal's pages look like now")


@pytest.fixture(scope="session", autouse=True)
def _clips_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Processes that test side by side bring a clip to house format once."""
    own = tmp_path_factory.getbasetemp()
    clips.share((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "clips")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """For the serial row only modules that name the mark are imported: all the others cost more than a test."""
    return True if config.option.markexpr == "serial" and not names_serial(collection_path) else None


def names_serial(path: Path) -> bool:
    return path.suffix != ".py" or "mark.serial" in path.read_text()


# Before xdist gives the tests away.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Serial tests are two rows, one beside the other: those with players, and those that mostly wait."""
    for item in items:
        if item.get_closest_marker("serial"):
            if not names_serial(item.path):
                raise pytest.UsageError(f"{item.nodeid} is serial, and its module does not say pytest.mark.serial")
            row = "waiting" if item.path.name in MOSTLY_WAITING else "players"
            item.add_marker(pytest.mark.xdist_group(row))
