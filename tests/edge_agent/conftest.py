"""Tests that mount a small disk or become another user are skipped, and counted as such, where one is not root."""

import os

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") is not None and os.getuid() != 0:
        pytest.skip("needs root")
