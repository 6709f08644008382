"""One served hub a module, and boxes of two sites. What needs root is skipped where one is not root."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.provisioning.live import LiveBox, LiveHub


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") is not None and os.getuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A hub with its sshd running."""
    live = LiveHub(tmp_path_factory.mktemp("hub") / "hub")
    live.run("init")
    live.serve()
    yield live
    assert live.end() == 0


@pytest.fixture(scope="module")
def dengfeng(hub: LiveHub) -> LiveBox:
    return hub.box("dengfeng", hub.path.parent / "dengfeng")


@pytest.fixture(scope="module")
def zhongmu(hub: LiveHub) -> LiveBox:
    return hub.box("zhongmu", hub.path.parent / "zhongmu")


@pytest.fixture
def quiet_hub(tmp_path: Path) -> Iterator[LiveHub]:
    """A hub that nobody serves, unless the test does."""
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    yield live
    if live.serving is not None and live.serving.poll() is None:
        live.end()
