"""A hub with the sixteen counties, one for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.provisioning.fleet.counties import Counties, city, counties


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off from its power here, so nothing has to be on the platter."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Counties]:
    """A hub with no county."""
    with counties(tmp_path / "hub") as made:
        yield made


@pytest.fixture
def sixteen(empty: Counties) -> Counties:
    """One on a day when something is the matter with some of them."""
    city(empty)
    return empty
