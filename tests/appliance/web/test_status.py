"""What the box says of itself to machines."""

from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from appliance import senders
from appliance.config import ChannelConfig
from appliance.web.app import create_app
from tests.appliance.test_senders import SENDER
from tests.appliance.web.county import County, now_us


def figures(client: FlaskClient) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {
        sample.name + "".join(f"/{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_alive_means_that_it_answers(county: County, client: FlaskClient) -> None:
    """A restart cures no missing database and no cut line, so those must not cause one."""
    county.close()
    county.config.database.unlink()
    county.config.public.rename(county.home / "elsewhere")
    assert client.get("/healthz").text == "ok\n"


def test_a_box_that_cannot_serve_says_each_reason(county: County, client: FlaskClient) -> None:
    """Whoever is called at night reads why, not only that."""
    county.close()
    county.config.database.unlink()
    county.config.public.rename(county.home / "elsewhere")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["ready"] is False
    assert len(answer.json["reasons"]) == 2
    assert all(reason["zh"] and reason["en"] for reason in answer.json["reasons"])


def test_an_absent_hub_is_no_reason(county: County, client: FlaskClient) -> None:
    """Being cut off is what a box is for."""
    county.say_link("offline", 86400)
    answer = client.get("/readyz")
    assert answer.json is not None
    assert not [reason for reason in answer.json["reasons"] if "嵩山" in reason["zh"] or "hub" in reason["en"]]


def test_figures_say_what_the_box_knows(county: County, client: FlaskClient) -> None:
    """Names and units that a dashboard is built on stay."""
    county.say_link("connected")
    said = figures(client)
    assert said["songshan_database_readable"] == 1
    assert said["songshan_hub_connected"] == 1
    assert said["songshan_agent_running"] == 1
    assert said["songshan_alarms/red"] >= 0
    assert said["songshan_transfers/down/waiting"] == 0
    assert said["songshan_media_free_bytes"] > 0


def test_figures_come_without_a_database_too(county: County, client: FlaskClient) -> None:
    """A scrape that fails looks like a dead machine."""
    county.close()
    county.config.database.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    assert figures(client) == {"songshan_database_readable": 0}


def test_figures_tell_of_the_output_for_a_modulator(tmp_path: Path) -> None:
    """A sender that is silent, and what it lost, can be plotted; a channel without one has no figures."""
    channels = (ChannelConfig("dengfeng-1", "登封综合", udp="239.0.0.1:5000"), ChannelConfig("dengfeng-2", "登封二套"))
    county = County(tmp_path / "box", channels=channels)
    client = create_app(county.config).test_client()
    assert figures(client)["songshan_output_sending/dengfeng-1"] == 0
    told = msgspec.structs.replace(SENDER, at_us=now_us(), lost_datagrams=4)
    senders.tell(county.config, "dengfeng-1", told)
    found = figures(client)
    county.close()
    assert (found["songshan_output_sending/dengfeng-1"], found["songshan_output_lost_datagrams/dengfeng-1"]) == (1, 4)
    assert not [name for name in found if name.startswith("songshan_output_") and name.endswith("dengfeng-2")]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_no_cache_may_answer_for_the_box(client: FlaskClient, path: str) -> None:
    """An old health is the health of nobody."""
    assert client.get(path).headers["Cache-Control"] == "no-store"
