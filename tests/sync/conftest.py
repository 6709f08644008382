"""A hub and a box, made once a module; each night is a copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.sides import template


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with template() as made:
        yield made
