"""A county box and a client of its web server, for each module or each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from appliance.config import ChannelConfig
from appliance.web.app import create_app
from tests.appliance.web.county import County

CHANNEL = ChannelConfig("dengfeng-1", "登封综合")


@pytest.fixture
def county(tmp_path: Path) -> Iterator[County]:
    made = County(tmp_path / "box", channels=(CHANNEL,))
    yield made
    made.close()


@pytest.fixture
def client(county: County) -> FlaskClient:
    return create_app(county.config).test_client()
